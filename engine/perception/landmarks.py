"""Finding faces and their 478 points.

A detector proposes windows; the mesh network settles each (its own points give a better window, twice), and then looks
several times through slightly different windows, half of them mirrored. The mean of these looks is less noisy than one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import FaceError
from ..media.photo import Photo
from . import runtime, tasks
from .crop import Window, window_around
from .detect import searches
from .observation import FaceObservation

# (shift in sides, scale, roll, mirrored). On 27 pairs of portraits of one person each, the distance between the shapes
# seen in the two pictures falls by 8 % against one look, and within over between from 0.61 to 0.58.
PASSES = (
    ((0.00, 0.00), 1.00, 0.00, False), ((0.00, 0.00), 1.00, 0.00, True),
    ((0.02, 0.01), 0.92, 0.08, False), ((0.02, 0.01), 0.92, 0.08, True),
    ((-0.02, 0.01), 1.08, -0.08, False), ((-0.02, 0.01), 1.08, -0.08, True),
    ((0.00, -0.02), 1.04, 0.04, False), ((0.00, -0.02), 1.04, -0.04, True),
)  # fmt: skip
TASK_PASSES = PASSES[:4]
TASK_SIDE, TASK_MARGIN = 384, 1.25  # the Tasks API finds the face in its window anew: leave it room, pixels and factor
SETTLING = 3  # looks before the window is taken as settled
# Looks at a real face agree within 0.005 to 0.011 of its size, on 31 portraits in four orientations; at an upside-down
# face or a background within 0.015 to 0.06. Between, a very blurred face is taken if nothing better is found.
GOOD_SPREAD, MAX_SPREAD = 0.014, 0.02
UNCERTAIN = "The face is unsharp or partly hidden; its points are uncertain."
MIN_INTEROCULAR = 32.0  # pixels; below, points are off by over 1 % of that distance (portraits reduced step by step)
SOFT_INTEROCULAR = 80.0  # pixels; below, the texture is visibly soft
MAX_YAW, WIDE_YAW = 65.0, 40.0  # degrees; refused, warned
DIFFERENT = 0.5  # two faces' centres are at least this far apart, in sizes of the smaller


def find_face(photo: Photo, face_index: int | None = None, model_folder: Path | None = None) -> FaceObservation:
    """The chosen face of a photo.

    Args:
        photo: the upright picture.
        face_index: 0 is the largest face; None takes the largest too, with a warning when there are others.
        model_folder: where a `face_landmarker.task` of the user's is looked for; without it the bundled networks serve.

    Raises:
        FaceError: no face, no face of that index, or it is too small or turned too far.
        ModelFileError: MediaPipe or the user's file cannot be used.
    """
    faces = find_faces(photo, model_folder)
    name = photo.path.name
    if not faces:
        raise FaceError(
            f"No face was found in {name}.",
            "Use a photo in which one face is seen from the front, sharp, evenly lit and not covered.",
        )
    index = face_index or 0
    if not 0 <= index < len(faces):
        seen = "only one face was" if len(faces) == 1 else f"only {len(faces)} faces were"
        raise FaceError(f"Face {index} was chosen, but {seen} found in {name}.", "Count from 0, the largest face.")
    face = faces[index]
    if len(faces) > 1 and face_index is None:
        others = f"{len(faces)} faces were found in {name}; the largest is used. Choose another by its index."
        face = replace(face, warnings=(*face.warnings, others))
    return _usable(face, name)


def find_faces(photo: Photo, model_folder: Path | None = None) -> list[FaceObservation]:
    """All faces of a photo, largest first, whatever their size and turn. Empty when there is none."""
    task = tasks.task_file(model_folder)
    doubtful: list[FaceObservation] = []
    for windows in searches(photo.pixels):
        faces: list[FaceObservation] = []
        for window, score in windows:
            face = observe(photo.pixels, window, score, task)
            if face is not None:
                found = doubtful if face.warnings else faces
                if not any(_same(face, other) for other in found):
                    found.append(face)
        if faces:
            return sorted(faces, key=lambda face: -_size(face.box))
    return sorted(doubtful, key=lambda face: -_size(face.box))


def yaw_degrees(landmarks: NDArray) -> float:
    """How far the head is turned to its left, from the depth of the face's two sides; right is negative."""
    across = landmarks[[454, 447, 366, 401], :].mean(axis=0) - landmarks[[234, 227, 137, 177], :].mean(axis=0)
    return float(np.degrees(np.arctan2(across[2], np.hypot(across[0], across[1]))))


def observe(
    pixels: NDArray[np.uint8], window: Window, score: float, task: Path | None = None
) -> FaceObservation | None:
    """Settle on one face and look at it several times. None when it is no face; with a warning when doubtful."""
    points = None
    for _ in range(SETTLING):
        points = _look(pixels, window)
        if points is None:
            return None
        window = window_around(points)
    seen = [found for step in PASSES if (found := _look(pixels, window.varied(*step))) is not None]
    spread = _spread(seen) if len(seen) == len(PASSES) else np.inf
    if spread > MAX_SPREAD:
        return None
    landmarks, blendshapes, detector = np.mean(seen, axis=0), {}, f"MediaPipe {runtime.version()} face mesh"
    if task is not None and (better := _look_with_task(pixels, window_around(landmarks), task)) is not None:
        landmarks, blendshapes = better
        detector = f"MediaPipe {runtime.version()} face landmarker"
    low, high = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
    box = np.concatenate([low, high]).astype(np.float32)
    warnings = (UNCERTAIN,) if spread > GOOD_SPREAD else ()
    return FaceObservation(landmarks.astype(np.float32), box, float(score), blendshapes, detector, warnings)


def _spread(seen: list[NDArray[np.float64]]) -> float:
    """Mean distance of a point from its mean over all looks, over the size of the face."""
    points = np.stack(seen)
    middle = points.mean(axis=0)
    size = np.ptp(middle[:, :2], axis=0).max()
    return float(np.linalg.norm(points - middle, axis=2).mean() / size)


def _look(pixels: NDArray[np.uint8], window: Window) -> NDArray[np.float64] | None:
    """One look of the mesh network, in pixels of the picture."""
    found = runtime.face_mesh(window.cut(pixels, runtime.MESH_SIDE))
    return None if found is None else window.to_picture(found, runtime.MESH_SIDE)


def _look_with_task(
    pixels: NDArray[np.uint8], window: Window, task: Path
) -> tuple[NDArray[np.float64], dict[str, float]] | None:
    """Mean points and blendshape scores of several looks through the Tasks API."""
    points, scores = [], []
    for shift, scale, roll, flipped in TASK_PASSES:
        view = window.varied(shift, scale * TASK_MARGIN, roll, flipped)
        found = tasks.face_landmarks(task, view.cut(pixels, TASK_SIDE))
        if found is not None:
            points.append(view.to_picture(found[0], TASK_SIDE))
            scores.append(tasks.swap_sides(found[1]) if flipped else found[1])
    if not points:
        return None
    return np.mean(points, axis=0), {name: float(np.mean([score[name] for score in scores])) for name in scores[0]}


def _size(box: NDArray) -> float:
    return float(max(box[2] - box[0], box[3] - box[1]))


def _same(first: FaceObservation, second: FaceObservation) -> bool:
    """Whether two observations are of one face."""
    apart = np.linalg.norm(first.box.reshape(2, 2).mean(axis=0) - second.box.reshape(2, 2).mean(axis=0))
    return bool(apart < DIFFERENT * min(_size(first.box), _size(second.box)))


def _usable(face: FaceObservation, name: str) -> FaceObservation:
    """The face, with warnings, or a `FaceError` when no fit can use it."""
    eyes = float(np.linalg.norm(face.landmarks[33] - face.landmarks[263]))  # with depth, so that turning does not count
    yaw = yaw_degrees(face.landmarks)
    if abs(yaw) > MAX_YAW:
        raise FaceError(
            f"The face in {name} is turned away by about {abs(yaw):.0f} degrees.",
            f"Use a photo in which both eyes are seen, turned by less than {MAX_YAW:.0f} degrees.",
        )
    if eyes < MIN_INTEROCULAR:
        raise FaceError(
            f"The face in {name} is too small: its eyes span {eyes:.0f} pixels.",
            f"Use a larger picture or a closer view; the outer eye corners need {MIN_INTEROCULAR:.0f} pixels,"
            " and 200 or more give a good texture.",
        )
    warnings = list(face.warnings)
    if abs(yaw) > WIDE_YAW:
        warnings.append(f"The face is turned by about {abs(yaw):.0f} degrees; its far side is guessed.")
    if eyes < SOFT_INTEROCULAR:
        warnings.append(f"The face is small (its eyes span {eyes:.0f} pixels); its texture will be soft.")
    return replace(face, warnings=tuple(warnings))
