"""From what was seen of one face to a head: the whole fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..heads.model import HeadModel
from ..media.photo import Photo
from ..options import ReconstructOptions
from ..perception.observation import FaceObservation
from ..progress import Progress
from .brought import Start, as_given
from .deform import smooth_deformation
from .detector import DetectorModel
from .points import Coefficients, PointModel, embed, identity_points
from .pose import guess_focal, similarity, yaw_pitch_roll
from .priors import expression_prior
from .result import HeadFit
from .sighting import Sighting, mesh_sighting
from .size import growth
from .solver import Evidence, Solution, State, solve_part

Array = NDArray[np.float64]
PLACING = 8
"""Steps in which a given head is placed."""
ITERATIONS = {"draft": 6, "standard": 12, "best": 25}


@dataclass(frozen=True)
class Problem:
    """Everything the solver needs about one picture.

    Attributes:
        points: the head's landmarks with their coefficients.
        evidence: the seen landmarks.
        detector: how the two differ.
        start: initial pose.
    """

    points: PointModel
    evidence: Evidence
    detector: DetectorModel
    start: State


def fit_head(
    head: HeadModel,
    observation: FaceObservation,
    photo: Photo,
    options: ReconstructOptions,
    progress: Progress,
    sighting: Sighting | None = None,
    belief: Coefficients | None = None,
    start: Start | None = None,
) -> HeadFit:
    """Solve camera, pose, identity, expression and refinement of a head from one photo.

    Args:
        head: the model to fit, with landmarks "mediapipe".
        observation: the face, for its blendshape scores and as the measure of reprojection errors.
        photo: for its size and EXIF focal length.
        options: `focal_length_px` and `quality` are used.
        progress: polled for cancellation at every step.
        sighting: the evidence; None takes the observation's points, calibrated for photos.
        belief: prior of the identity, see `engine.fitting.recognised`; None: any head of the model.
        start: a regressor's answer, see `engine.fitting.brought`.
    """
    focal = options.focal_length_px or photo.focal_length_px
    sighting = mesh_sighting(head, observation) if sighting is None else sighting
    scores = observation.blendshapes
    if start is not None:
        scores, belief = start.with_scores(scores), start.belief() or belief
    problem = state_problem(head, sighting, photo.width, photo.height, focal, scores, belief)
    if start is not None and options.start == "fast":
        solution = place(head, problem, start, progress)
    else:
        solution = run_stages(problem, ITERATIONS[options.quality], progress)
    return describe(head, observation, photo, problem, solution)


def state_problem(
    head: HeadModel,
    sighting: Sighting,
    width: int,
    height: int,
    focal: float | None,
    blendshapes: Mapping[str, float] | None = None,
    belief: Coefficients | None = None,
) -> Problem:
    """Put model, priors and evidence together, with a first pose by alignment.

    Args:
        sighting: the evidence.
        width, height: of the photo, pixels.
        focal: known focal length, pixels, or None.
        blendshapes: a detector's scores of expressions, if it gives any.
        belief: prior of the identity; None: any head of the model.
    """
    embedding, observed, detector = sighting.embedding, sighting.observed, sighting.detector
    points = identity_points(head, embedding, belief)
    prior = expression_prior(head.expression_names, dict(blendshapes or {}))
    points = points.with_group("expression", prior, embed(head.expression_basis, embedding, head.faces))
    smooth = smooth_deformation(head)
    points = points.with_group(
        "deformation", Coefficients.normal(np.ones(len(smooth.basis))), embed(smooth.basis, embedding, head.faces)
    )
    points = replace(points, error_basis=detector.response(points.basis))
    points = points.with_group(
        "detector", Coefficients.normal(np.ones(len(detector.modes))), error_basis=detector.modes
    )

    seen, deep = embedding.valid, sighting.deep
    scale, rotation, _ = similarity((points.mean + detector.bias)[deep], observed[deep])
    known = focal is not None
    focal = float(focal) if focal is not None else guess_focal(width, height, scale)
    deviation = np.where(seen[:, None], detector.deviation, np.inf)
    center = np.array([width, height]) / 2.0
    evidence = Evidence(
        np.where(seen[:, None], observed, 0.0), deviation, 1.0 / scale, center, focal,
        0.0 if known else sighting.focal_deviation,
    )  # fmt: skip
    distance = focal / scale
    middle = observed[deep].mean(axis=0)[:2]
    translation = np.append((middle - center) / scale, distance)
    translation -= rotation @ (points.mean + detector.bias)[deep].mean(axis=0) * [1.0, 1.0, 0.0]
    start = State(rotation, translation, focal, 0.0, points.prior.mean.clip(points.prior.lower, points.prior.upper))
    return Problem(points, evidence, detector, start)


def run_stages(problem: Problem, iterations: int, progress: Progress) -> Solution:
    """Pose, then pose and expression, then everything; the bias follows the head's pose between stages."""
    stages = (
        ((), 4),
        (("expression",), 4),
        (("identity", "expression", "detector"), iterations),
        (("identity", "expression", "detector"), iterations),
        (("identity", "expression", "detector", "deformation"), iterations),
    )
    state = problem.start
    solution = None
    evidence = problem.evidence
    for groups, limit in stages:
        points = biased_points(problem, state)
        solution = solve_part(points, evidence, state, groups, limit, check=progress.check)
        state = solution.state
        if not groups:
            evidence = replace(evidence, metres_per_pixel=state.translation[2] / state.focal)
    assert solution is not None
    return solution


def place(head: HeadModel, problem: Problem, start: Start, progress: Progress) -> Solution:
    """Pose and camera alone, of the head that a regressor saw."""
    state = replace(problem.start, values=as_given(head, problem.start.values, problem.points.groups, start))
    evidence = problem.evidence
    for _ in range(2):
        solution = solve_part(biased_points(problem, state), evidence, state, (), PLACING, check=progress.check)
        state = solution.state
        evidence = replace(evidence, metres_per_pixel=state.translation[2] / state.focal)
    return solution


def biased_points(problem: Problem, state: State) -> PointModel:
    """The points where the detector would put them at the state's head pose."""
    yaw, pitch, _ = yaw_pitch_roll(state.rotation)
    return problem.points.expecting(problem.detector.offset(yaw, pitch))


def describe(
    head: HeadModel, observation: FaceObservation, photo: Photo, problem: Problem, solution: Solution
) -> HeadFit:
    """The solution as vertices, joints, camera and error figures."""
    state, groups = solution.state, problem.points.groups
    expression = np.clip(state.values[groups["expression"]], 0.0, 1.0)
    camera = camera_of(state, photo.width, photo.height)
    identity, amounts = state.values[groups["identity"]], state.values[groups["deformation"]]
    return head_fit(head, observation, camera, identity, amounts, expression)


def head_fit(
    head: HeadModel, observation: FaceObservation, camera: Camera, identity: Array, amounts: Array, expression: Array
) -> HeadFit:
    """A head in a picture.

    Args:
        identity: (K,). amounts: (D,) of the smooth deformation. expression: (E,).
    """
    refinement = refinement_of(head, identity, amounts)
    neutral = head.shape(identity) + refinement
    posed = neutral + np.tensordot(expression, head.expression_basis, 1)
    joints = joints_of(head, identity, amounts)
    own = head.embeddings["mediapipe"].positions(posed, head.faces)
    landmarks = camera.project(own)
    return HeadFit(
        camera=camera,
        identity=identity.astype(np.float32),
        expression=expression.astype(np.float32),
        refinement=refinement.astype(np.float32),
        neutral=neutral.astype(np.float32),
        posed=posed.astype(np.float32),
        joints=joints.astype(np.float32),
        landmarks_model=landmarks.astype(np.float32),
        errors=reprojection_errors(landmarks, observation),
    )


def refinement_of(head: HeadModel, identity: Array, amounts: Array) -> Array:
    """(V,3) metres beyond the model's own shape of an identity (K,): smooth deformation (D,), and no growth."""
    smooth = np.tensordot(amounts, smooth_deformation(head).basis, 1)
    return smooth - growth(head).of(identity, head.vertices)


def joints_of(head: HeadModel, identity: Array, amounts: Array) -> Array:
    """(J,3) metres, rest joints of an identity (K,) with a smooth deformation (D,), and no growth."""
    moved = np.tensordot(amounts, smooth_deformation(head).joints, 1)
    return head.joint_positions(identity) + moved - growth(head).of(identity, head.joints)


def camera_of(state: State, width: int, height: int) -> Camera:
    """The solved camera, principal point in the picture's middle."""
    K = np.array([[state.focal, 0.0, width / 2.0], [0.0, state.focal, height / 2.0], [0.0, 0.0, 1.0]])
    transform = np.eye(4)
    transform[:3, :3], transform[:3, 3] = state.rotation, state.translation
    return Camera(K, transform, width, height)


def reprojection_errors(landmarks: NDArray, observation: FaceObservation) -> dict[str, float]:
    """Distances of reprojected (N,2) and seen points as fractions of the inter-ocular distance."""
    distance = np.linalg.norm(landmarks - observation.landmarks[:, :2], axis=1) / observation.interocular
    distance = distance[np.isfinite(distance)]
    return {
        "mean": float(distance.mean()),
        "median": float(np.median(distance)),
        "p95": float(np.percentile(distance, 95)),
        "max": float(distance.max()),
    }
