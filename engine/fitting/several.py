"""One person from several pictures: what each picture says of the person is added up, what is its own is left out.

Let x be the coefficients that all pictures share (identity and deformation) and y those of one picture (camera,
expression, the detector's error). About a state, a picture's negative log posterior has a normal matrix N and a
gradient g, as the solver makes them. Leaving y open marginalises it (Schur complement):

    S = N_xx - N_xy N_yy^-1 N_yx,    h = g_x - N_xy N_yy^-1 g_y

The prior of x, with mean m and precision P, is part of both. Without it, the picture alone says

    A = S - P,    b = A x - h + P (x - m),

the matrix and vector of its log likelihood b.x - x.A.x / 2. Evidence of independent pictures adds up, and the prior is
put back once:

    (A_1 + ... + A_n + P) x = b_1 + ... + b_n + P m

Where the points depend linearly on all unknowns this is the joint solution. They do not: a turned or enlarged head with
its camera moved looks nearly the same, so that pictures solved one by one each settle on a turn and size of their own,
and coefficients of differently turned heads do not add up (on toy heads the sum was worse than the mean of the fits).
So every picture is looked at again from the shape found together, its own y solved anew, until that shape stays.
What does not move (a known focal length, expressions at their bounds) is held, not marginalised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from .points import PointModel
from .solve import Problem, biased_points, refinement_of
from .solver import CAMERA_PARAMETERS, Evidence, Solution, State, normal_equations, objective, solve_part

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
SHARED, OWN = ("identity", "deformation"), ("expression", "detector")
FOCAL = 6
"""Place of the focal length among the camera's parameters."""
AT_WALL = 1e-6
"""Coefficients so close to a bound are held by it."""
ROUNDS = 8
OWN_STEPS = 6
"""Iterations of one picture's own unknowns in a round."""
SETTLED = 1e-4
"""Relative change of the cost below which the rounds end."""


@dataclass(frozen=True)
class Information:
    """What one picture says of Q shared coefficients: a matrix (Q,Q) and a vector (Q,), see the module's formulas."""

    matrix: Array
    vector: Array


@dataclass(frozen=True)
class SharedFit:
    """A person found in several pictures.

    Attributes:
        identity: (K,) standard deviations. amounts: (D,) of the smooth deformation.
        neutral: (V,3) metres.
        states: of the pictures, in their order. expressions: (E,) of each.
    """

    identity: Array
    amounts: Array
    neutral: NDArray[np.float32]
    states: list[State]
    expressions: list[Array]


@dataclass(frozen=True)
class View:
    """One picture at a state: the points with the bias of its pose, the evidence at its distance, and the state."""

    points: PointModel
    evidence: Evidence
    state: State

    @staticmethod
    def of(problem: Problem, solution: Solution) -> View:
        """A solved picture."""
        state = solution.state
        evidence = replace(problem.evidence, metres_per_pixel=state.translation[2] / state.focal)
        return View(biased_points(problem, state), evidence, state)

    @property
    def cost(self) -> float:
        """Negative log posterior, without the prior of what is shared."""
        where = shared_places(self.points)
        mean, precision = shared_prior(self.points)
        offset = self.state.values[where] - mean
        return objective(self.points, self.evidence, self.state)[0] - 0.5 * float(offset @ precision @ offset)

    def with_shape(self, shared: NDArray) -> View:
        """The same picture of a head with other shared coefficients (Q,), its own unknowns solved again."""
        values = self.state.values.copy()
        values[shared_places(self.points)] = shared
        solution = solve_part(self.points, self.evidence, replace(self.state, values=values), OWN, OWN_STEPS)
        return replace(self, state=solution.state)

    def information(self) -> Information:
        """What the picture says of the shared coefficients."""
        normal, gradient, _, _ = normal_equations(self.points, self.evidence, self.state)
        prior, values = self.points.prior, self.state.values
        held = np.zeros(len(normal), bool)
        held[FOCAL] = self.evidence.focal_deviation <= 0
        held[CAMERA_PARAMETERS:] = (values < prior.lower + AT_WALL) | (values > prior.upper - AT_WALL)
        where = shared_places(self.points)
        own = np.setdiff1d(np.flatnonzero(~held), CAMERA_PARAMETERS + where)
        matrix, slope = marginalised(normal, gradient, CAMERA_PARAMETERS + where, own)
        mean, precision = shared_prior(self.points)
        alone = matrix - precision
        return Information(alone, alone @ values[where] - slope + precision @ (values[where] - mean))


def shared_places(points: PointModel) -> Indices:
    """(Q,) where identity and deformation are among the coefficients of the points."""
    return np.concatenate([np.arange(points.groups[name].start, points.groups[name].stop) for name in SHARED])


def shared_prior(points: PointModel) -> tuple[Array, Array]:
    """Mean (Q,) and precision (Q,Q) of identity and deformation before anything is seen."""
    where = shared_places(points)
    return points.prior.mean[where], points.prior.precision[np.ix_(where, where)]


def marginalised(normal: Array, gradient: Array, kept: Indices, left: Indices) -> tuple[Array, Array]:
    """Schur complement (Q,Q) and gradient (Q,) of the coefficients `kept` (Q,), those `left` (R,) being anything."""
    scale = 1.0 / np.sqrt(np.diag(normal)[left])  # metres, radians and coefficients differ by orders of magnitude
    inner = normal[np.ix_(left, left)] * scale[:, None] * scale
    across = normal[np.ix_(kept, left)] * scale
    solved = np.linalg.solve(inner, np.column_stack([across.T, gradient[left] * scale]))
    matrix = normal[np.ix_(kept, kept)] - across @ solved[:, :-1]
    return 0.5 * (matrix + matrix.T), gradient[kept] - across @ solved[:, -1]


def combined(pieces: Sequence[Information], mean: Array, precision: Array) -> Array:
    """(Q,) the shared coefficients that all pictures and the prior together make most likely."""
    matrix = precision + np.sum([piece.matrix for piece in pieces], axis=0)
    vector = precision @ mean + np.sum([piece.vector for piece in pieces], axis=0)
    return np.linalg.solve(matrix, vector)


def fit_several(head: HeadModel, solved: Sequence[tuple[Problem, Solution]]) -> NDArray[np.float32]:
    """(V,3) metres, the neutral head of a person; see `fit_person`."""
    return fit_person(head, solved).neutral


def fit_person(head: HeadModel, solved: Sequence[tuple[Problem, Solution]]) -> SharedFit:
    """One person from several pictures.

    Args:
        head: the model.
        solved: pictures of the person, each fitted by itself with `run_stages`. One at least.
    """
    return _described(head, *solve_shared([View.of(problem, solution) for problem, solution in solved]))


def average_person(head: HeadModel, solved: Sequence[tuple[Problem, Solution]]) -> SharedFit:
    """One person as the mean of what the pictures' own fits say, each picture's own unknowns solved for it again.

    What a detector gets wrong on a face it gets wrong in all pictures of it, which the joint solution takes for
    evidence: with MediaPipe's points the mean is nearer to the truth (docs/perception.md).

    Args:
        head: the model. solved: as for `fit_person`.
    """
    views = [View.of(problem, solution) for problem, solution in solved]
    shared = np.mean([view.state.values[shared_places(view.points)] for view in views], axis=0)
    return _described(head, shared, [view.with_shape(shared) for view in views])


def _described(head: HeadModel, shared: Array, views: Sequence[View]) -> SharedFit:
    identity, amounts = np.split(shared, [len(head.identity_basis)])
    neutral = (head.shape(identity) + refinement_of(head, identity, amounts)).astype(np.float32)
    expressions = [view.state.values[view.points.groups["expression"]] for view in views]
    return SharedFit(identity, amounts, neutral, [view.state for view in views], expressions)


def solve_shared(views: Sequence[View]) -> tuple[Array, list[View]]:
    """(Q,) the shared coefficients of pictures solved one by one, starting from their mean, and the pictures' views."""
    mean, precision = shared_prior(views[0].points)

    def total(some: Sequence[View], shared: Array) -> float:
        return sum(view.cost for view in some) + 0.5 * float((shared - mean) @ precision @ (shared - mean))

    shared = np.mean([view.state.values[shared_places(view.points)] for view in views], axis=0)
    views = [view.with_shape(shared) for view in views]
    cost = total(views, shared)
    for _ in range(ROUNDS):
        goal = combined([view.information() for view in views], mean, precision)
        for share in (1.0, 0.5, 0.2):
            further = shared + share * (goal - shared)
            moved = [view.with_shape(further) for view in views]
            if (lower := total(moved, further)) < cost:
                break
        else:
            break
        gain, shared, views, cost = cost - lower, further, moved, lower
        if gain < SETTLED * abs(cost):
            break
    return shared, list(views)
