"""FLAME's coefficients for ARKit's units, and performances from one to the other, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from .arkit import arkit_units
from .arkit_names import ARKIT_NAMES
from .model import HeadModel
from .skinning import Controls, pose

Floats = NDArray[np.float64]
POSES = ("jaw_pose", "left_eye_pose", "right_eye_pose")
MILLIMETRES = 1000.0
PATIENCE = 3
"""Rounds of pivoting without progress before variables change sides one by one."""


@dataclass(frozen=True)
class UnitSolve:
    """Defaults of the search for units.

    Attributes:
        ridge: of each expression coefficient, mm² of mean squared error for one standard deviation.
        jaw_ridge: of the jaw's turn, mm² for one radian.
        most: largest coefficient, standard deviations.
        jaw: radians the jaw may turn: down, sideways, about the view, and as much backwards but 0.1 upwards.
        rounds: of the search.
    """

    ridge: float = 1e-3
    jaw_ridge: float = 5.0
    most: float = 4.0
    jaw: tuple[float, float, float] = (0.6, 0.25, 0.15)
    rounds: int = 6


@dataclass(frozen=True)
class UnitFit:
    """ARKit's 52 units in a model's own coefficients.

    Attributes:
        codes: (52,E+9) expression, then jaw, left and right eye as axis-angle, radians.
        residual: (52,) root mean square millimetres that the model misses where the unit moves the face.
        size: (52,) root mean square millimetres that the unit moves it there.
        metric: (E+9,E+9) mean square millimetres that a small change of the coefficients moves the face.
    """

    codes: Floats
    residual: Floats
    size: Floats
    metric: Floats

    def report(self) -> dict[str, tuple[float, float]]:
        """By unit: what is missed and what it moves, root mean square millimetres."""
        return {
            name: (float(missed), float(moved))
            for name, missed, moved in zip(ARKIT_NAMES, self.residual, self.size, strict=True)
        }


def fit_units(head: HeadModel, settings: UnitSolve | None = None) -> UnitFit:
    """Solve a model's expression coefficients and its jaw for each of ARKit's units, within bounds.

    Gauss-Newton: the face is posed exactly, its derivative by the expressions is that of the open eyes and shut jaw.
    The eyes follow from how the units turn the balls.

    Args:
        head: with joints for the jaw and the eyes, and a region "face".
    Raises:
        ModelFileError: the head cannot be compared with the open head.
    """
    settings = settings or UnitSolve()
    units = arkit_units(head)
    face = np.flatnonzero(head.regions["face"])
    count = len(head.expression_basis)
    slope = _slopes(_part(head, np.concatenate([face, np.flatnonzero(head.regions["eye"])])))
    metric = slope @ slope.T
    part = _part(head, face)
    slope = _slopes(part)
    wanted = MILLIMETRES * units[:, face].reshape(len(units), -1) / np.sqrt(len(face))
    codes = np.zeros((len(units), count + 3))
    ridge = np.append(np.full(count, settings.ridge), np.full(3, settings.jaw_ridge))
    upper = np.append(np.full(count, settings.most), settings.jaw)
    lower = -upper
    lower[count] = -0.1
    fixed = slope[:count] @ slope[:count].T
    for _ in range(settings.rounds):
        base, turned = _posed(part, codes)
        for row, code in enumerate(codes):
            mixed = slope[:count] @ turned[row].T
            normal: Floats = np.block([[fixed, mixed], [mixed.T, turned[row] @ turned[row].T]]).astype(np.float64)
            lack = wanted[row] - base[row]
            right = np.concatenate([slope[:count] @ lack, turned[row] @ lack]) + normal @ code
            codes[row] = box_solve(normal + np.diag(ridge), right[None], lower, upper)[0]
    missed = (wanted - _posed(part, codes)[0]).reshape(len(units), -1, 3) * np.sqrt(len(face))
    moves = np.linalg.norm(wanted.reshape(missed.shape) * np.sqrt(len(face)), axis=2)
    there = moves > 0.1 * np.maximum(moves.max(1, keepdims=True), 1e-6)
    number = np.maximum(there.sum(1), 1)
    residual = np.sqrt(((missed**2).sum(2) * there).sum(1) / number)
    size = np.sqrt((moves**2 * there).sum(1) / number)
    whole = np.concatenate([codes, _eye_turns(head, units)], 1)
    return UnitFit(whole, residual, size, metric)


def _part(head: HeadModel, rows: NDArray) -> HeadModel:
    """Some vertices of a head (R,), to pose them alone; its joints stay."""
    correctives = head.pose_correctives
    return replace(
        head,
        vertices=head.vertices[rows],
        identity_basis=head.identity_basis[:0, rows],
        joint_identity_basis=head.joint_identity_basis[:0],
        expression_basis=head.expression_basis[:, rows],
        skin_weights=head.skin_weights[rows],
        pose_correctives=None if correctives is None else correctives[:, rows],
        eyelid_basis=None,
    )


def _slopes(part: HeadModel) -> Floats:
    """(E+9,3R) millimetres that vertices move for each coefficient, from rest, over the root of their number."""
    count, step = len(part.expression_basis), 1e-3
    still = _vertices(part, Controls(jaw_pose=torch.zeros(1, 3, dtype=torch.float64)))
    moves = [part.expression_basis.reshape(count, -1).astype(np.float64)]
    for name in POSES:
        controls = Controls(**{name: torch.eye(3, dtype=torch.float64) * step})
        moves.append((_vertices(part, controls) - still).reshape(3, -1) / step)
    return MILLIMETRES * np.concatenate(moves) / np.sqrt(max(len(part.vertices), 1))


def _posed(part: HeadModel, codes: Floats) -> tuple[Floats, Floats]:
    """What codes (N,E+3) move (N,3R), and the derivative by the jaw (N,3,3R); units as `_slopes`."""
    count, step = len(part.expression_basis), 1e-3
    scale = MILLIMETRES / np.sqrt(len(part.vertices))
    expression, jaw = torch.tensor(codes[:, :count]), torch.tensor(codes[:, count:])
    still = _vertices(part, Controls(jaw_pose=torch.zeros_like(jaw[:1])))
    base = _vertices(part, Controls(expression=expression, jaw_pose=jaw))
    axes = step * torch.eye(3, dtype=jaw.dtype)
    turned = [_vertices(part, Controls(expression=expression, jaw_pose=jaw + axis)) for axis in axes]
    flat = [scale * ((each - base) / step).reshape(len(codes), -1) for each in turned]
    return scale * (base - still).reshape(len(codes), -1), np.stack(flat, 1)


def _vertices(part: HeadModel, controls: Controls) -> Floats:
    """(N,R,3) of posed heads."""
    with torch.no_grad():
        return pose(part, controls).vertices.numpy()


def _eye_turns(head: HeadModel, units: Floats) -> Floats:
    """(52,6) how the units turn the left and the right eye, axis-angle."""
    from ..fitting.pose import rigid

    turns = np.zeros((len(units), 6))
    for column, name in ((0, "eye.L"), (3, "eye.R")):
        ball = head.regions[name]
        places = head.vertices[ball].astype(np.float64)
        for row, moved in enumerate(units[:, ball]):
            if len(places) and np.abs(moved).max() > 1e-6:
                turns[row, column : column + 3] = _axis_angle(rigid(places, places + moved)[0])
    return turns


def _axis_angle(rotation: Floats) -> Floats:
    """(3,) of a rotation matrix by less than half a turn."""
    axis = np.array([rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]])
    sine = np.linalg.norm(axis) / 2
    angle = np.arctan2(sine, (np.trace(rotation) - 1) / 2)
    return axis / 2 * (angle / sine if sine > 1e-9 else 1.0)


def box_solve(normal: Floats, right: Floats, lower: NDArray, upper: NDArray) -> Floats:
    """Least squares within bounds from the normal equations: block principal pivoting.

    Kim and Park, "Fast nonnegative matrix factorization: an active-set-like method and comparisons", SIAM J. Sci.
    Comput. 2011, section 4, with two bounds for one.

    Args:
        normal: (P,P) positive definite. right: (N,P). lower, upper: (P,).
    Returns:
        (N,P) the minimum of x.normal.x / 2 - x.right.
    """
    return np.array([_box_solve_one(normal, row, lower, upper) for row in right]).reshape(right.shape)


def _box_solve_one(normal: Floats, right: Floats, lower: NDArray, upper: NDArray) -> Floats:
    """(P,) see `box_solve`."""
    at = np.zeros(len(right), np.int8)  # -1 at the lower bound, 1 at the upper, 0 between
    near = 1e-9 * max(float(np.abs(right).max(initial=0.0)), 1e-12)
    least, patience = len(right) + 1, PATIENCE
    x = np.zeros(len(right))
    for _ in range(20 * len(right) + 20):
        free = at == 0
        x = np.where(at < 0, lower, upper)
        x[free] = np.linalg.solve(normal[np.ix_(free, free)], right[free] - normal[np.ix_(free, ~free)] @ x[~free])
        slope = normal @ x - right
        under, over = free & (x < lower), free & (x > upper)
        released = ((at < 0) & (slope < -near)) | ((at > 0) & (slope > near))
        wrong = np.flatnonzero(under | over | released)
        if not len(wrong):
            break
        if len(wrong) < least:
            least, patience = len(wrong), PATIENCE
        elif patience:
            patience -= 1
        else:
            wrong = wrong[-1:]  # one at a time cannot go round in circles
        at[wrong] = np.where(under, -1, np.where(over, 1, 0))[wrong]
    return np.clip(x, lower, upper)


@dataclass(frozen=True)
class Performance:
    """Frames in a model's own coefficients.

    Attributes:
        expression: (T,E). jaw, left_eye, right_eye: (T,3) axis-angle, radians.
    """

    expression: Floats
    jaw: Floats
    left_eye: Floats
    right_eye: Floats


@dataclass(frozen=True)
class Retarget:
    """Performances from a model's coefficients to ARKit's weights and back.

    Attributes:
        units: (52,E+9) as `UnitFit.codes`. metric: (E+9,E+9). ridge: mm² for a weight of 1.
    """

    units: Floats
    metric: Floats
    ridge: float = 1e-3

    @staticmethod
    def of(fit: UnitFit) -> Retarget:
        """Both ways of a model whose units were found."""
        return Retarget(fit.codes, fit.metric)

    def to_arkit(self, performance: Performance) -> Floats:
        """(T,52) weights from 0 to 1 whose faces are nearest to the frames': bounded least squares for each."""
        codes = _codes(performance)
        both = self.units @ self.metric
        normal = both @ self.units.T + self.ridge * np.eye(len(self.units))
        right = codes @ both.T
        return box_solve(normal, right, np.zeros(len(normal)), np.ones(len(normal)))

    def to_model(self, weights: NDArray) -> Performance:
        """Frames of ARKit's weights (T,52) in the model's coefficients: the sum of the units'."""
        codes = np.atleast_2d(np.asarray(weights, np.float64)) @ self.units
        split = len(self.units[0]) - 9
        return Performance(codes[:, :split], *np.split(codes[:, split:], 3, axis=1))

    def missed(self, performance: Performance, weights: NDArray) -> Floats:
        """(T,) root mean square millimetres of the face between frames and weights (T,52) that stand for them."""
        lack = _codes(performance) - np.atleast_2d(np.asarray(weights, np.float64)) @ self.units
        return np.sqrt(np.maximum(np.einsum("tp,pq,tq->t", lack, self.metric, lack), 0.0))


def _codes(performance: Performance) -> Floats:
    """(T,E+9) of a performance."""
    parts = (performance.expression, performance.jaw, performance.left_eye, performance.right_eye)
    return np.concatenate([np.atleast_2d(np.asarray(part, np.float64)) for part in parts], 1)


_retargets: WeakKeyDictionary[HeadModel, Retarget] = WeakKeyDictionary()


def retarget_of(head: HeadModel) -> Retarget:
    """Between a model's own coefficients and ARKit's weights, solved once for each model.

    Args:
        head: as published, or completed with ARKit's units (then its `published` counts).
    Raises:
        ModelFileError: the head cannot be compared with the open head.
    """
    model = head.published or head
    if model not in _retargets:
        _retargets[model] = Retarget.of(fit_units(model))
    return _retargets[model]
