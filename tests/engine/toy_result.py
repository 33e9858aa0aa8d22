"""A tiny reconstruction: a box for a head, so that what consumes results can be tested in no time."""

from __future__ import annotations

import numpy as np

from engine.camera import Camera
from engine.result import Reconstruction


def box_head() -> Reconstruction:
    """A box 16 cm wide, 24 high, 20 deep, of 6 quads, with two expressions; the front is red, the rest green."""
    corners = np.array([[x, y, z] for z in (-0.1, 0.1) for y in (-0.12, 0.12) for x in (-0.08, 0.08)], np.float32)
    polygons = np.array([[4, 5, 7, 6], [1, 0, 2, 3], [5, 1, 3, 7], [0, 4, 6, 2], [6, 7, 3, 2], [0, 1, 5, 4]], np.int32)
    uv = np.array([[0, 0], [0.5, 0], [0.5, 1], [0, 1], [0.5, 0], [1, 0], [1, 1], [0.5, 1]], np.float32)
    uv_polygons = np.array([[0, 1, 2, 3]] + [[4, 5, 6, 7]] * 5, np.int32)
    triangles = [polygons[:, [0, 1, 2]], polygons[:, [0, 2, 3]]]
    uv_triangles = [uv_polygons[:, [0, 1, 2]], uv_polygons[:, [0, 2, 3]]]
    albedo = np.zeros((64, 64, 3), np.uint8)
    albedo[:, :32], albedo[:, 32:] = (180, 40, 40), (40, 160, 40)
    basis = np.zeros((2, 8, 3), np.float16)
    basis[0, 4:, 2] = 0.05  # the front comes forward
    view = np.diag([1.0, -1, -1, 1])
    view[2, 3] = 1.0
    return Reconstruction(
        name="box",
        vertices=corners,
        posed_vertices=corners,
        faces=np.stack(triangles, 1).reshape(-1, 3),
        polygons=polygons,
        uv=uv,
        uv_faces=np.stack(uv_triangles, 1).reshape(-1, 3),
        uv_polygons=uv_polygons,
        polygon_materials=np.zeros(6, np.int32),
        material_names=("skin",),
        face_region=np.arange(8) >= 4,
        expression=np.zeros(2, np.float32),
        expression_names=("jawOpen", "still"),
        expression_basis=basis,
        identity=np.zeros(1, np.float32),
        identity_basis=np.zeros((1, 8, 3), np.float16),
        joints=np.zeros((1, 3), np.float32),
        joint_names=("head",),
        joint_parents=np.array([-1], np.int32),
        skin_weights=np.ones((8, 1), np.float32),
        landmarks_2d=np.full((478, 2), 100, np.float32),
        landmarks_model_2d=np.full((478, 2), 104, np.float32),
        illumination=np.zeros((9, 3), np.float32),
        skin_color=np.full(3, 0.4, np.float32),
        hair_color=np.full(3, 0.1, np.float32),
        camera=Camera(np.array([[400.0, 0, 120], [0, 400, 100], [0, 0, 1]]), view, 240, 200),
        albedo=albedo,
        confidence=np.zeros((64, 64), np.uint8),
    )
