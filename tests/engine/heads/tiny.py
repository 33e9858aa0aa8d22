"""A head of four points and five bones whose poses can be worked out by hand."""

from __future__ import annotations

import numpy as np

from engine.heads.model import HeadModel, LandmarkEmbedding, SlidingContour

VERTICES = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
FACES = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
JOINTS = np.array([[0, -1, 0], [0, 0, 0], [0, 1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)


def tiny_head(weights: np.ndarray | None = None, **changes) -> HeadModel:
    """The head; each vertex goes with the neck unless `weights` (4,5) says otherwise."""
    if weights is None:
        weights = np.tile(np.eye(5)[1], (4, 1))
    polygons = np.pad(FACES, ((0, 0), (0, 1)), constant_values=-1)
    count = 4
    fields = {
        "name": "tiny", "vertices": VERTICES, "faces": FACES, "polygons": polygons, "uv": VERTICES[:, :2],
        "uv_faces": FACES, "uv_polygons": polygons, "material_names": ("skin",),
        "face_materials": np.zeros(2, np.int32), "polygon_materials": np.zeros(2, np.int32),
        "identity_basis": np.ones((2, count, 3), np.float32) * [[[1.0]], [[2.0]]],
        "identity_std": np.ones(2, np.float32), "asymmetry_start": 2,
        "expression_basis": np.ones((1, count, 3), np.float32), "expression_names": ("lift",),
        "joint_names": ("root", "neck", "jaw", "eye.L", "eye.R"),
        "joint_parents": np.array([-1, 0, 1, 1, 1], np.int32), "joints": JOINTS,
        "joint_identity_basis": np.zeros((2, 5, 3), np.float32), "skin_weights": weights.astype(np.float32),
        "embeddings": {}, "regions": {"skin": np.ones(count, bool)}, "mirror": np.arange(4, dtype=np.int32),
    }  # fmt: skip
    return HeadModel(**{**fields, **changes})


def with_landmarks(head_changes: dict | None = None) -> HeadModel:
    """The tiny head with 51 points at its first vertex and a contour whose row r lies at height r / 78."""
    inner = LandmarkEmbedding(np.zeros(51, np.int32), np.tile(np.eye(3, dtype=np.float32)[0], (51, 1)))
    share = np.arange(79, dtype=np.float32)[:, None] / 78
    weights = np.stack([1 - share, 0 * share, share], 2).repeat(17, 1)  # from vertex 0 to vertex 2
    contour = SlidingContour(np.zeros((79, 17), np.int32), weights)
    return tiny_head(embeddings={"ibug51": inner}, contour=contour, **(head_changes or {}))
