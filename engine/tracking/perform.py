"""What the face does in every frame: pose and expression of a head that is known, each frame started from the last."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..fitting.points import PointModel
from ..fitting.pose import similarity, yaw_pitch_roll
from ..fitting.priors import expression_prior
from ..fitting.solver import Evidence, State, solve_part
from .person import Performer

Array = NDArray[np.float64]
FIRST, NEXT = 12, 3
"""Iterations of a frame that starts from nothing, and of one that starts from the frame before."""
JUMPED = 0.08
"""A head whose points are off by more of its size in the next frame is looked for from nothing, as after a cut."""
TOLERANCE = 1e-4


@dataclass(frozen=True)
class FrameState:
    """Pose and expression of one frame.

    Attributes:
        rotation: (3,3) head to camera. translation: (3,) metres.
        expression: (E,) weights 0..1.
        error: mean distance of seen and predicted points over the inter-ocular distance.
    """

    rotation: Array
    translation: Array
    expression: Array
    error: float


def perform(
    performer: Performer,
    points: NDArray,
    size: tuple[int, int],
    before: FrameState | None = None,
    told: NDArray | None = None,
    alone: bool = False,
) -> FrameState:
    """Solve one frame.

    Args:
        points: (478,3) pixels. size: of the picture, width and height.
        before: the frame before, to start from.
        told: (E,) weights that a regressor gives, NaN where it says nothing of a unit: evidence beside the points.
        alone: take them as they are; only the pose and the units of which nothing is said are solved.
    """
    observed = np.asarray(points, np.float64)
    detector, valid = performer.detector, performer.embedding.valid
    center = np.array(size) / 2.0
    told = np.full(len(performer.expression_names), np.nan) if told is None else np.clip(told, 0.0, 1.0)
    if before is not None and _apart(performer, before, observed, center) > JUMPED:
        before = None
    state = _first(performer, observed, center) if before is None else _from(performer, before)
    if before is None or alone:
        state = replace(state, values=np.where(np.isfinite(told), told, state.values))
    deviation = np.where(valid[:, None], detector.deviation, np.inf)
    evidence = Evidence(
        np.where(valid[:, None], observed, 0.0),
        deviation,
        state.translation[2] / state.focal,
        center,
        state.focal,
    )
    if before is None:
        state = solve_part(performer.points, evidence, state, (), 6).state
        evidence = replace(evidence, metres_per_pixel=state.translation[2] / state.focal)
    yaw, pitch, _ = yaw_pitch_roll(state.rotation)
    model = performer.points.expecting(detector.offset(yaw, pitch))
    groups: tuple[str, ...] = ("expression",)
    if alone:
        names = performer.expression_names
        model = replace(model, groups={name: slice(n, n + 1) for n, name in enumerate(names)})
        groups = tuple(name for name, known in zip(names, np.isfinite(told), strict=True) if not known)
    else:
        model = _believing(performer, model, told)
    state = solve_part(model, evidence, state, groups, FIRST if before is None else NEXT, TOLERANCE).state
    found = FrameState(state.rotation, state.translation, state.values, 0.0)
    return replace(found, error=_apart(performer, found, observed, center))


def _believing(performer: Performer, model: PointModel, told: Array) -> PointModel:
    """The points with what was told as further evidence of the weights."""
    said = np.isfinite(told)
    if not said.any():
        return model
    names = performer.expression_names
    scores = {names[n]: float(told[n]) for n in np.flatnonzero(said)}
    return replace(model, prior=expression_prior(names, scores))


def _from(performer: Performer, before: FrameState) -> State:
    return State(before.rotation, before.translation, performer.focal, 0.0, before.expression)


def _first(performer: Performer, observed: Array, center: Array) -> State:
    """Pose by alignment with the neutral face."""
    valid = performer.embedding.valid
    places = (performer.points.mean + performer.detector.bias)[valid]
    scale, rotation, _ = similarity(places, observed[valid])
    translation = np.append((observed[valid].mean(axis=0)[:2] - center) / scale, performer.focal / scale)
    translation -= rotation @ places.mean(axis=0) * [1.0, 1.0, 0.0]
    return State(rotation, translation, performer.focal, 0.0, np.zeros(len(performer.points.basis)))


def _apart(performer: Performer, state: FrameState, observed: Array, center: Array) -> float:
    """Mean distance of a state's points and seen ones over the distance of the outer eye corners seen."""
    places = performer.points.positions(state.expression) @ state.rotation.T + state.translation
    flat = performer.focal * places[:, :2] / places[:, 2:] + center
    valid = performer.embedding.valid
    eyes = float(np.linalg.norm(observed[33] - observed[263]))
    return float(np.linalg.norm(flat - observed[:, :2], axis=1)[valid].mean() / max(eyes, 1e-6))
