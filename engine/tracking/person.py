"""Who acts in a take: one head for all its frames, from a reconstruction or from well-spread frames of the clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import FaceError
from ..fitting.brought import Start
from ..fitting.detector import DetectorModel, load_detector
from ..fitting.points import PointModel, embed
from ..fitting.pose import guess_focal, similarity
from ..fitting.priors import expression_prior
from ..fitting.several import SharedFit, average_person
from ..fitting.sighting import mesh_sighting
from ..fitting.solve import Problem, Solution, place, run_stages, state_problem
from ..heads.model import HeadModel, LandmarkEmbedding
from ..perception.landmarks import yaw_degrees
from ..perception.observation import FaceObservation
from ..progress import Progress
from ..result import Reconstruction

Array = NDArray[np.float64]
VIEWS = 5
"""Frames that one head is solved from."""
MOST_YAW = 45.0
"""Degrees; what is turned further shows too little of the face."""
SURE = 0.6
"""Least confidence of a frame that the head is solved from, where there are such."""
ITERATIONS = 8


@dataclass(frozen=True)
class Performer:
    """A head that acts.

    Attributes:
        neutral: (V,3) metres. faces: (F,3).
        expression_basis: (E,V,3) metres. expression_names: E names.
        points: of MediaPipe's landmarks on this head, moved by the group "expression".
        detector: how MediaPipe errs, and on this face always the same way.
        embedding: where its landmarks are.
        focal: pixels, of the clip.
        fit: where the head was solved from the clip itself.
    """

    neutral: NDArray[np.float32]
    faces: NDArray[np.int32]
    expression_basis: NDArray[np.float32]
    expression_names: tuple[str, ...]
    points: PointModel
    detector: DetectorModel
    embedding: LandmarkEmbedding
    focal: float
    fit: SharedFit | None = None


def spread_frames(landmarks: NDArray, confidence: NDArray, count: int = VIEWS) -> list[int]:
    """Frames that show a face as differently turned and acting as possible, the surest frontal one first.

    Args:
        landmarks: (T,478,3) pixels. confidence: (T,) 0 where nothing was seen.
    Raises:
        FaceError: no frame shows a face.
    """
    seen = np.flatnonzero(confidence > 0)
    if not len(seen):
        raise FaceError("No frame shows a face.", "Use a clip in which one face is seen from the front.")
    yaw = np.array([yaw_degrees(landmarks[t]) for t in seen])
    usable = (np.abs(yaw) < MOST_YAW) & (confidence[seen] >= min(SURE, float(np.median(confidence[seen]))))
    if usable.any():
        seen, yaw = seen[usable], yaw[usable]
    shapes = np.array([_aligned(landmarks[t]) for t in seen])
    traits = shapes.reshape(len(seen), -1) / 0.02  # of the face's size: what moves by so much counts as one degree
    traits = np.column_stack([yaw / 10.0, traits / np.sqrt(traits.shape[1])])
    chosen = [int(np.argmin(np.abs(yaw) - 20.0 * confidence[seen]))]
    far = np.linalg.norm(traits - traits[chosen[0]], axis=1)
    while len(chosen) < min(count, len(seen)) and far.max() > 0:
        chosen.append(int(far.argmax()))
        far = np.minimum(far, np.linalg.norm(traits - traits[chosen[-1]], axis=1))
    return [int(seen[index]) for index in chosen]


def _aligned(points: NDArray) -> Array:
    """(478,2) points without place, roll and size."""
    flat = points[:, :2] - points[:, :2].mean(axis=0)
    across = points[263, :2] - points[33, :2]
    turn = np.arctan2(across[1], across[0])
    cosine, sine = np.cos(turn), np.sin(turn)
    return flat @ np.array([[cosine, -sine], [sine, cosine]]) / np.ptp(flat, axis=0).max()


def performer_from_frames(
    head: HeadModel,
    faces: Sequence[FaceObservation],
    size: tuple[int, int],
    focal: float | None,
    progress: Progress,
    starts: Sequence[Start | None] = (),
    alone: bool = False,
) -> Performer:
    """Solve one head from several frames.

    Args:
        faces: of the frames, one at least.
        size: width and height of the clip, pixels.
        focal: known focal length, pixels, or None.
        starts: what a regressor says of each frame; empty for nothing.
        alone: take the regressor's identity as it is, where it answers for this head model.
    """
    sightings = [mesh_sighting(head, face) for face in faces]
    if focal is None:
        focal = clip_focal(head, [face.landmarks for face in faces], size)
    solved: list[tuple[Problem, Solution]] = []
    for sighting, face, start in zip(sightings, faces, starts or [None] * len(faces), strict=True):
        scores = face.blendshapes if start is None else start.with_scores(face.blendshapes)
        belief = None if start is None else start.belief()
        problem = state_problem(head, sighting, *size, focal, scores, belief)
        if start is not None and belief is not None and alone:
            solved.append((problem, place(head, problem, start, progress)))
        else:
            solved.append((problem, run_stages(problem, ITERATIONS, progress)))
    fit = average_person(head, solved)
    group = solved[0][0].points.groups["detector"]
    usual = np.mean([state.values[group] for state in fit.states], axis=0)
    detector = constant(load_detector(), usual)
    names = head.expression_names
    basis = head.expression_basis.astype(np.float32)
    return replace(
        performer(fit.neutral, head.faces, basis, names, head.embeddings["mediapipe"], detector, focal), fit=fit
    )


def performer_from_result(
    result: Reconstruction, head: HeadModel, landmarks: Sequence[NDArray], size: tuple[int, int], focal: float | None
) -> Performer:
    """A reconstructed head as the performer.

    Args:
        result: with the head model's topology.
        landmarks: (478,3) of some frames, to guess the focal length from.
        size: width and height of the clip. focal: known focal length, pixels, or None.
    Raises:
        FaceError: the head is of another model.
    """
    if result.vertices.shape != head.vertices.shape:
        raise FaceError(
            f"The head “{result.name}” is not of the head model “{head.name}”.", "Choose a head of the same model."
        )
    focal = clip_focal(head, landmarks, size) if focal is None else focal
    basis = result.expression_basis.astype(np.float32)
    place = head.embeddings["mediapipe"]
    return performer(result.vertices, result.faces, basis, result.expression_names, place, load_detector(), focal)


def performer(
    neutral: NDArray,
    faces: NDArray[np.int32],
    basis: NDArray[np.float32],
    names: tuple[str, ...],
    embedding: LandmarkEmbedding,
    detector: DetectorModel,
    focal: float,
) -> Performer:
    """Put a head's landmarks and their prior together."""
    mean = embed(np.asarray(neutral, np.float64), embedding, faces)
    none = np.zeros((0, *mean.shape))
    nothing = expression_prior(())
    still = PointModel(mean, none, detector.bias, none, nothing, {})
    points = still.with_group("expression", expression_prior(names), embed(basis, embedding, faces))
    return Performer(np.asarray(neutral, np.float32), faces, basis, names, points, detector, embedding, focal)


def constant(detector: DetectorModel, amounts: NDArray) -> DetectorModel:
    """The detector on one face: its joint errors (M,) amounts, the same in every frame, are part of its bias."""
    none = np.zeros((0, *detector.bias.shape))
    bias = detector.bias + np.tensordot(amounts, detector.modes, 1)
    return replace(detector, bias=bias, modes=none)


def clip_focal(head: HeadModel, landmarks: Sequence[NDArray], size: tuple[int, int]) -> float:
    """Focal length in pixels by rule, the same for all frames."""
    places = head.embeddings["mediapipe"].positions(head.vertices.astype(np.float64), head.faces)
    valid = head.embeddings["mediapipe"].valid
    scales = [similarity(places[valid], np.asarray(points, np.float64)[valid])[0] for points in landmarks]
    return guess_focal(*size, float(np.median(scales)))
