"""From solved frames to a take: calibrated, smoothed without delay, with contacts that meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..heads.model import HeadModel
from .contacts import LIPS, close_eyes, close_lips, closing, eye_openness, find_blinks, lip_opening, touching
from .options import Smoothing
from .perform import FrameState
from .person import Performer
from .smooth import OneEuro, smooth
from .take import Take
from .turns import mean_rotation, to_axis_angle, to_matrix

Array = NDArray[np.float64]
CUTOFFS = (
    ("brow", 5.0), ("cheek", 5.0), ("nose", 5.0), ("eyeSquint", 5.0), ("eyeWide", 6.0), ("eyeBlink", 10.0),
    ("eyeLook", 9.0), ("jaw", 8.0), ("mouth", 8.0), ("mouthClose", 10.0), ("tongue", 8.0),
)  # fmt: skip
"""Hz at which half of a unit's movement is left, by the start of its name; later ones overrule earlier ones. Speech
moves lips up to 7 Hz; brows and cheeks do nothing that fast."""
POSE_CUTOFF = 4.0
"""Hz, of the head's turn and place."""
CALIBRATED = (
    "browDown", "noseSneer", "cheekSquint", "eyeSquint", "eyeWide", "jawForward", "mouthFrown", "mouthShrug",
    "mouthRoll", "mouthStretch", "mouthDimple",
)  # fmt: skip
"""Units whose rest is set to 0: nobody holds them through a take, but a face's own shape looks like them."""
REST, MOST_REST = 10.0, 0.3
"""Percentile of a unit over the take that is its rest, and how much of that is taken off at most."""
BRIDGED = 0.05
"""Weight of the straight line over a gap: a long one does not swing, and its ends are soft."""
RIGID = 0.9
"""Jaw weight from which a vertex goes with the jaw."""


@dataclass(frozen=True)
class MotionOptions:
    """How frames become a take.

    Attributes:
        smoothing: over the whole take without delay, frame by frame as a live stream would ("streaming"), or none.
        amount: factor on how much is smoothed; 2 halves the frequencies that are left, 0.5 doubles them.
        calibrate: set the rest of units that faces look like by their shape to 0.
        contacts: make blinks close wholly and lips meet.
    """

    smoothing: Smoothing = "take"
    amount: float = 1.0
    calibrate: bool = True
    contacts: bool = True


def make_take(
    head: HeadModel,
    performer: Performer,
    frames: Sequence[FrameState | None],
    landmarks: NDArray,
    confidence: NDArray,
    times: NDArray,
    fps: float,
    size: tuple[int, int],
    options: MotionOptions | None = None,
) -> Take:
    """Put a take together.

    Args:
        head: the performer's model, for its regions.
        frames: T solved frames, None where no face was seen.
        landmarks: (T,478,3) pixels. confidence: (T,) 0 where no face was seen.
        times: (T,) seconds. fps: frames a second. size: of the pictures.
    """
    options = options or MotionOptions()
    names = performer.expression_names
    weights = np.array(confidence, np.float64)
    raw = np.full((len(frames), len(names)), np.nan)
    rotation = np.full((len(frames), 3, 3), np.nan)
    translation = np.full((len(frames), 3), np.nan)
    for t, frame in enumerate(frames):
        if frame is not None:
            raw[t], rotation[t], translation[t] = frame.expression, frame.rotation, frame.translation
    if options.calibrate:
        raw = calibrated(raw, names, weights)
    middle = mean_rotation(rotation[weights > 0])
    vectors = to_axis_angle(np.where(np.isfinite(rotation), middle.T @ rotation, np.eye(3)))
    pose = np.concatenate([vectors, np.nan_to_num(translation)], axis=1)
    expression, pose = _smoothed(raw, pose, weights, times, names, fps, options)
    if options.contacts:
        expression = _with_contacts(expression, performer, landmarks, fps)
    expression = np.clip(expression, 0.0, 1.0)
    turn = to_matrix(pose[:, :3])
    parts = part_turns(head, performer, expression)
    flat = np.where(weights[:, None, None] > 0, landmarks[..., :2], np.nan)
    K = np.array([[performer.focal, 0, size[0] / 2], [0, performer.focal, size[1] / 2], [0, 0, 1.0]])
    return Take(
        times=np.asarray(times, np.float64),
        fps=fps,
        expression=expression.astype(np.float32),
        expression_names=names,
        head_rotation=(middle @ turn).astype(np.float32),
        head_translation=pose[:, 3:].astype(np.float32),
        neck=pose[:, :3].astype(np.float32),
        confidence=weights.astype(np.float32),
        landmarks_2d=flat.astype(np.float32),
        camera=Camera(K, np.eye(4), *size),
        **{name: turns.astype(np.float32) for name, turns in parts.items()},
    )


def cutoffs(names: Sequence[str]) -> Array:
    """(E,) Hz, see `CUTOFFS`."""
    found = np.full(len(names), 6.0)
    for start, hertz in CUTOFFS:
        found[[n for n, name in enumerate(names) if name.startswith(start)]] = hertz
    return found


def calibrated(expression: NDArray, names: Sequence[str], weights: NDArray) -> Array:
    """(T,E) weights whose rest is 0, for the units that are `CALIBRATED`."""
    result = np.array(expression, np.float64)
    seen = weights > 0
    if not seen.any():
        return result
    for index in (n for n, name in enumerate(names) if name.startswith(CALIBRATED)):
        rest = min(float(np.percentile(result[seen, index], REST)), MOST_REST)
        result[:, index] = np.clip((result[:, index] - rest) / (1.0 - rest), 0.0, 1.0)
    return result


def _smoothed(
    expression: Array,
    pose: Array,
    weights: Array,
    times: NDArray,
    names: tuple[str, ...],
    fps: float,
    how: MotionOptions,
) -> tuple[Array, Array]:
    """Both, smoothed; gaps are bridged in any case."""
    hertz = cutoffs(names) / max(how.amount, 1e-3)
    expression, pose = bridged(expression, weights), bridged(pose, weights)
    if how.smoothing == "take" and how.amount > 0:
        steady = np.array([not name.startswith(("eyeBlink", "eyeLook", "mouth", "jaw")) for name in names])
        held = np.maximum(weights, BRIDGED)
        return smooth(expression, held, hertz, fps, steady), smooth(pose, held, POSE_CUTOFF / how.amount, fps, True)
    if how.smoothing == "none" or how.amount <= 0:
        return expression, pose
    filters = OneEuro(1.5 / how.amount, 4.0), OneEuro(1.0 / how.amount, 8.0)
    live = [
        np.array([f(t, y) for t, y in zip(times, values, strict=True)])
        for f, values in zip(filters, (expression, pose), strict=True)
    ]
    return live[0], live[1]


def bridged(values: NDArray, weights: NDArray) -> Array:
    """(T,C) channels with straight lines over the frames without evidence; held before the first and after the last."""
    seen = np.flatnonzero(weights > 0)
    every = np.arange(len(values))
    if not len(seen):
        return np.zeros_like(values, np.float64)
    return np.column_stack([np.interp(every, seen, channel[seen]) for channel in np.asarray(values, np.float64).T])


def _with_contacts(expression: Array, performer: Performer, landmarks: NDArray, fps: float) -> Array:
    """Blinks and lip contacts, as seen."""
    names = performer.expression_names
    openness = eye_openness(landmarks)
    expression = close_eyes(expression, names, closing(openness, find_blinks(openness, fps), fps))
    heights = lip_heights(performer)
    contact = touching(lip_opening(landmarks))
    return close_lips(expression, names, heights, 0.0, contact)


def lip_heights(performer: Performer) -> Array:
    """(E,) metres by which each unit parts the inner lips, in head space."""
    upper, lower, _ = LIPS
    return (performer.points.basis[:, upper, 1] - performer.points.basis[:, lower, 1]).mean(axis=1)


def part_turns(head: HeadModel, performer: Performer, expression: NDArray) -> dict[str, Array]:
    """(T,3) axis-angle of "jaw", "left_eye", "right_eye", in head axes: the turn that explains best what the units do
    to the parts that do not bend (Kabsch 1976)."""
    jaw = head.skin_weights[:, head.joint_names.index("jaw")] > RIGID if "jaw" in head.joint_names else None
    parts = {"jaw": jaw, "left_eye": head.regions.get("eye.L"), "right_eye": head.regions.get("eye.R")}
    turns = {}
    for name, where in parts.items():
        if where is None or not where.any():
            turns[name] = np.zeros((len(expression), 3))
            continue
        rest = performer.neutral[where].astype(np.float64)
        rest -= rest.mean(axis=0)
        basis = performer.expression_basis[:, where].astype(np.float64)
        # Covariances are linear in the weights: no need to pose the mesh in every frame.
        still, moved = rest.T @ rest, np.einsum("pi,epj->eij", rest, basis)
        u, _, vt = np.linalg.svd(still + np.tensordot(expression, moved, 1))
        sign = np.ones((len(u), 3))
        sign[:, 2] = np.sign(np.linalg.det(u @ vt))
        turns[name] = to_axis_angle(np.swapaxes((u * sign[:, None]) @ vt, 1, 2))
    return turns
