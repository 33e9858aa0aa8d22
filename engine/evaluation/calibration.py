"""Learns how a landmark detector errs on a head model.

From renders, whose truth is known: its bias, how that turns with the head, how faintly it answers to a person's shape
and how its errors go together. Photos are not renders: there the detector is more certain across the view, and its
depth has another bias. What renders teach about depth is kept, and the depth's bias on photos is found as the one with
which many portraits have the mean face on average.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..fitting.detector import DetectorModel, pose_terms
from ..fitting.points import PointModel, embed, identity_points
from ..fitting.pose import yaw_pitch_roll
from ..fitting.sighting import mesh_sighting
from ..fitting.solve import Problem, run_stages, state_problem
from ..fitting.solver import Solution, predict
from ..heads.model import HeadModel, LandmarkEmbedding
from ..perception.observation import FaceObservation
from ..perception.topology import (
    INNER_LIPS,
    LEFT_EYE,
    LEFT_IRIS,
    LEFT_IRIS_CENTRE,
    MIRROR,
    OUTER_LIPS,
    RIGHT_EYE,
    RIGHT_IRIS,
    RIGHT_IRIS_CENTRE,
)
from ..progress import Progress

Array = NDArray[np.float64]
RENDER_CALIBRATION = Path(__file__).parent / "data" / "calibration_renders.npz"
DEPTH_WEIGHT = 0.3  # of depth in the alignments of seen and true points, which are about the view
ANSWERED = 70  # directions of displacement whose answer is learned
MODES = 60  # joint errors kept
BIAS_RIDGE, TURN_RIDGE, ANSWER_RIDGE = 1e-3, 1.0, 1e3
"""Of the regression, for the constant, the pose terms and displacements in millimetres."""
FLOOR = 0.7e-3  # metres; no point is better than this
DOUBT = 1.4  # times the errors found: they are not Gaussian, and heads of other seeds came out best so
PHOTO_DEVIATION = (0.0014, 0.0014, 0.0028)
"""Metres, of a point in a photo across and along the view, apart from the joint errors."""
PHOTO_MODES = (0.25, 0.25, 1.0)
"""Joint errors in photos as a share of those in renders."""
EYE_DEVIATION, LIP_DEVIATION = 0.0002, 0.0005
"""Metres across the view, of the contours of eyes and lips in photos. MediaPipe refines them, and who looks at a head
sees half a millimetre there first. They have no part in the joint errors."""
EYES = (*RIGHT_EYE, *LEFT_EYE, *RIGHT_IRIS, *LEFT_IRIS, RIGHT_IRIS_CENTRE, LEFT_IRIS_CENTRE)
LIPS = (*OUTER_LIPS, *INNER_LIPS)


@dataclass(frozen=True)
class Sight:
    """What a detector saw of a head of known shape.

    Attributes:
        camera: the true one.
        identity, expression: true coefficients.
        landmarks: (N,3) x, y, relative depth, pixels.
    """

    camera: Camera
    identity: NDArray
    expression: NDArray
    landmarks: NDArray


@dataclass(frozen=True)
class Portrait:
    """What a detector saw in a photo of this size, pixels."""

    face: FaceObservation
    width: int
    height: int


def learn_from_renders(
    head: HeadModel, sights: Sequence[Sight], embedding: LandmarkEmbedding | None = None
) -> DetectorModel:
    """Bias, its turn with the pose, answer to shape, joint and single errors, by ridge regression over renders.

    Args:
        embedding: where the detector's points are on the head; None takes MediaPipe's.
    """
    embedding = head.embeddings["mediapipe"] if embedding is None else embedding
    points = identity_points(head, embedding)
    expressions = embed(head.expression_basis, embedding, head.faces)
    identities = embed(head.identity_basis, embedding, head.faces)
    moved = np.array([_moved(sight, identities, expressions) for sight in sights])
    errors, poses = _errors(points, sights, moved)
    count = len(sights)
    free = _without_motion(points.mean)
    shapes = free(moved).reshape(count, -1)
    directions = np.linalg.svd(shapes, full_matrices=False)[2][:ANSWERED]
    amounts = shapes @ directions.T
    design = np.concatenate([np.ones((count, 1)), poses, 1e3 * amounts], axis=1)
    ridge = np.concatenate([[BIAS_RIDGE], np.full(poses.shape[1], TURN_RIDGE), np.full(amounts.shape[1], ANSWER_RIDGE)])
    target = errors.reshape(count, -1)
    found = np.linalg.solve(design.T @ design + np.diag(ridge), design.T @ target)
    rest = target - design @ found
    inflation = count / max(count - design.shape[1], count / 3)  # degrees of freedom that the regression used up
    modes, left = _joint(rest, inflation)
    shape = (-1, *points.mean.shape)
    turns = poses.shape[1]
    return DetectorModel(
        bias=found[0].reshape(shape[1:]),
        turn=found[1 : 1 + turns].reshape(shape),
        answer=found[1 + turns :].reshape(shape),
        cause=1e3 * free(directions.reshape(shape), transposed=True),
        modes=modes.reshape(shape),
        deviation=np.maximum(left.reshape(shape[1:]), FLOOR),
    )


def for_photos(
    renders: DetectorModel,
    head: HeadModel,
    portraits: Sequence[Portrait],
    rounds: int = 2,
    iterations: int = 8,
    report: Callable[[str], None] = lambda line: None,
) -> DetectorModel:
    """The detector on photos, from what renders taught and a set of portraits of many people.

    Args:
        renders: learned from renders.
        portraits: of people who are the mean face on average.
        rounds: of fitting all portraits and moving the bias.
        iterations: of the solver.
        report: told of each round.
    """
    along = np.array([0.0, 0.0, 1.0])
    deviation = np.tile(PHOTO_DEVIATION, (len(renders.bias), 1))
    modes = renders.modes * PHOTO_MODES
    for contour, precise in ((EYES, EYE_DEVIATION), (LIPS, LIP_DEVIATION)):
        deviation[list(contour), :2] = precise
        modes[:, list(contour), :2] = 0.0
    detector = replace(
        renders,
        bias=renders.bias * along,
        turn=np.zeros_like(renders.turn),
        answer=renders.answer * along,
        modes=modes,
        deviation=deviation,
    )
    for number in range(rounds):
        bias = _mean_depth_error(head, detector, portraits, iterations)
        report(f"round {number + 1}: bias moved by {1e3 * np.sqrt(np.mean((bias - detector.bias) ** 2)):.2f} mm")
        detector = replace(detector, bias=bias)
    return detector


def save_detector(path: Path, detector: DetectorModel) -> None:
    """Write a calibration as `engine.fitting.detector.load_detector` reads it; the same model gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **detector.packed())  # type: ignore[arg-type]


def _moved(sight: Sight, identities: Array, expressions: Array) -> Array:
    """(N,3) displacement of the true points from the mean head's."""
    return np.tensordot(sight.identity, identities, 1) + np.tensordot(sight.expression, expressions, 1)


def _errors(points: PointModel, sights: Sequence[Sight], moved: Array) -> tuple[Array, Array]:
    """(S,N,3) metres in head space by which the detector misses, apart from place, turn and size; (S,Q) pose terms."""
    errors, poses = [], []
    for sight, displacement in zip(sights, moved, strict=True):
        rotation, translation = sight.camera.world_to_camera[:3, :3], sight.camera.world_to_camera[:3, 3]
        scale = translation[2] / sight.camera.K[0, 0]
        true = points.mean + displacement
        arm = true @ rotation.T
        shown = np.column_stack([sight.camera.project(true) * scale, arm[:, 2]])
        missed = sight.landmarks.astype(np.float64) * scale - shown
        free = _without_motion(arm, growing=(1.0, 1.0, 0.0))  # where depth starts and how it grows is not seen alike
        errors.append(free(missed[None])[0] @ rotation)
        poses.append(pose_terms(*yaw_pitch_roll(rotation)[:2]))
    return np.array(errors), np.array(poses)


def _without_motion(places: Array, growing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Callable[..., Array]:
    """A linear map on fields (...,N,3) over the places (N,3) that takes away shift, turn and growth along some axes."""
    arm = places - places.mean(axis=0)
    motion = np.zeros((*arm.shape, 7))
    motion[:, range(3), range(3)] = 1.0
    motion[:, 1, 3], motion[:, 2, 3] = -arm[:, 2], arm[:, 1]
    motion[:, 0, 4], motion[:, 2, 4] = arm[:, 2], -arm[:, 0]
    motion[:, 0, 5], motion[:, 1, 5] = -arm[:, 1], arm[:, 0]
    motion[:, :, 6] = arm * growing
    columns = motion.reshape(arm.size, -1)
    weights = np.tile([1.0, 1.0, DEPTH_WEIGHT], len(arm))
    inverse = np.linalg.pinv(columns * weights[:, None]) * weights

    def free(fields: Array, transposed: bool = False) -> Array:
        flat = fields.reshape(-1, arm.size)
        gone = flat @ columns @ inverse if transposed else flat @ inverse.T @ columns.T
        return (flat - gone).reshape(fields.shape)

    return free


def _joint(rest: Array, inflation: float) -> tuple[Array, Array]:
    """(M,D) joint errors of unit variance and (D,) deviation of what they leave, both doubted, from samples (S,D)."""
    count = len(rest)
    _, size, directions = np.linalg.svd(rest, full_matrices=False)
    kept = min(MODES, count - 1)
    modes = DOUBT * np.sqrt(inflation / count) * size[:kept, None] * directions[:kept]
    left = rest - (rest @ directions[:kept].T) @ directions[:kept]
    return modes, DOUBT * np.sqrt(inflation * np.mean(left**2, axis=0))


def _mean_depth_error(
    head: HeadModel, detector: DetectorModel, portraits: Sequence[Portrait], iterations: int
) -> Array:
    """(N,3) metres, only along the view and symmetric: what the mean person's depth is missed by."""
    fits = []
    for portrait in portraits:
        sighting = mesh_sighting(head, portrait.face, detector)
        problem = state_problem(head, sighting, portrait.width, portrait.height, None)
        fits.append((problem, run_stages(problem, iterations, Progress())))
    usual = np.mean([solution.state.values for _, solution in fits], axis=0)
    missed = np.mean([_depth_missed(problem, solution, usual) for problem, solution in fits], axis=0)
    missed = 0.5 * (missed + missed[MIRROR])
    return np.column_stack([np.zeros_like(missed), np.zeros_like(missed), missed])


def _depth_missed(problem: Problem, solution: Solution, usual: Array) -> Array:
    """(N,) metres of depth, in head space, by which a portrait misses its fit were the average person the mean face."""
    points, state = problem.points.expecting(np.zeros_like(problem.points.mean)), solution.state
    values = state.values.copy()
    for name in ("identity", "deformation", "detector"):
        values[points.groups[name]] -= usual[points.groups[name]]
    evidence = replace(problem.evidence, metres_per_pixel=state.translation[2] / state.focal)
    expected, _ = predict(points, evidence, replace(state, values=values))
    depth = ((evidence.observed * evidence.metres_per_pixel - expected) @ state.rotation)[:, 2]
    return depth - np.median(depth)
