"""MediaPipe's 478 points and iBUG's 68 on the open head.

`measure_landmarks` finds them and writes `landmarks.npz` beside this file; baking only reads it, so that the asset's
bytes do not depend on a detector. The iris is not measured but put where it is: on the eyeball.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.heads.model import HeadModel, LandmarkEmbedding

STORE = Path(__file__).with_name("landmarks.npz")
POINTS, SURFACE_POINTS = 478, 468
IRIS_RADIUS = 0.0059
"""Of an adult eye, metres; varies little between people."""
IRIS_RIGHT, IRIS_LEFT = range(468, 473), range(473, 478)
IBUG = (
    127, 234, 93, 132, 172, 136, 149, 148, 152, 377, 378, 365, 397, 361, 323, 454, 356,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
    78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
"""The MediaPipe point that stands for each of iBUG's 68."""


def embed(model: HeadModel) -> HeadModel:
    """The model with its landmarks "mediapipe" and "ibug".

    Raises:
        ValueError: the stored measurement belongs to another skin mesh.
    """
    with np.load(STORE, allow_pickle=False) as stored:
        triples, weights = stored["vertices"], stored["barycentrics"]
    index = {tuple(sorted(face)): number for number, face in enumerate(model.faces.tolist())}
    faces = np.full(POINTS, -1, np.int32)
    barycentrics = np.zeros((POINTS, 3), np.float32)
    for point, (triple, weight) in enumerate(zip(triples.tolist(), weights, strict=True)):
        face = index.get(tuple(sorted(triple)))
        if face is None:
            raise ValueError(f"Landmark {point} has no triangle: run python -m scripts.bake_head.measure_landmarks.")
        faces[point] = face
        barycentrics[point] = [weight[triple.index(corner)] for corner in model.faces[face].tolist()]
    _place_irises(model, faces, barycentrics)
    mediapipe = LandmarkEmbedding(faces, barycentrics)
    chosen = list(IBUG)
    ibug = LandmarkEmbedding(faces[chosen], barycentrics[chosen])
    return replace(model, embeddings={"mediapipe": mediapipe, "ibug": ibug})


def _place_irises(model: HeadModel, faces: NDArray[np.int32], barycentrics: NDArray[np.float32]) -> None:
    """Iris centre and ring (to the head's right, up, left, down as seen in the picture) on each eyeball."""
    for eye, points in (("eye.R", IRIS_RIGHT), ("eye.L", IRIS_LEFT)):
        ball = np.nonzero(model.face_materials == model.material_names.index(eye))[0]
        corners = model.vertices[model.faces[ball]].astype(np.float64)
        centre = model.joints[model.joint_names.index(eye)].astype(np.float64)
        x, y = centre[0], centre[1]
        r = IRIS_RADIUS
        ring = [(x, y), (x + r, y), (x, y + r), (x - r, y), (x, y - r)]
        for point, place in zip(points, ring, strict=True):
            best, weights = _cast_along_z(corners, np.array(place))
            faces[point], barycentrics[point] = ball[best], weights


def _cast_along_z(corners: NDArray[np.float64], place: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
    """The frontmost triangle (F,3,3) hit by a line along Z at (x, y), and the barycentrics there."""
    a, b, c = (corners[:, k, :2] - place for k in range(3))
    cross = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], 1)
    weights = cross / np.where(np.abs(cross.sum(1)) < 1e-15, 1e-15, cross.sum(1))[:, None]
    depth = np.where((weights >= -1e-6).all(1), (weights * corners[:, :, 2]).sum(1), -np.inf)
    best = int(depth.argmax())
    if not np.isfinite(depth[best]):
        raise ValueError("An iris point misses the eyeball.")
    return best, np.maximum(weights[best], 0) / np.maximum(weights[best], 0).sum()


def _cross(a: NDArray, b: NDArray) -> NDArray:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
