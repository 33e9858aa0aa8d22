"""A small synthetic head for solver tests: an ellipsoid whose bases are smooth random fields."""

from __future__ import annotations

import numpy as np

from engine.camera import Camera
from engine.heads.model import HeadModel, LandmarkEmbedding

FRONTAL = np.diag([1.0, -1.0, -1.0])  # head to camera, looking straight at the face


def toy_head(components: int = 20, expressions: int = 10, seed: int = 0) -> HeadModel:
    """A head-sized half ellipsoid of 1,024 vertices with 478 landmarks on its front."""
    rng = np.random.default_rng(seed)
    side = 32
    u, v = np.meshgrid(np.linspace(-1.3, 1.3, side), np.linspace(-1.2, 1.2, side))
    unit = np.stack([np.sin(u) * np.cos(v), np.sin(v), np.cos(u) * np.cos(v)], axis=-1).reshape(-1, 3)
    vertices = unit * [0.075, 0.11, 0.09]
    vertices[:, 2] += 0.02 * np.exp(-(u.ravel() ** 2 + v.ravel() ** 2) / 0.05)  # a nose, so that it is no ellipsoid
    corner = np.arange(side * side).reshape(side, side)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]
    polygons = np.stack([a, b, c, d], axis=-1).reshape(-1, 4)
    faces = np.concatenate([polygons[:, [0, 1, 2]], polygons[:, [0, 2, 3]]])

    def smooth_fields(count: int, size: float) -> np.ndarray:
        centers = unit[rng.integers(0, len(unit), (count, 12))]
        kernel = np.exp(-np.sum((unit[None, :, None] - centers[:, None]) ** 2, axis=-1) / 0.3)
        return np.einsum("pvc,pck->pvk", kernel, rng.normal(0, size, (count, 12, 3)))

    rows = rng.choice(len(faces), 478, replace=False)
    weights = rng.dirichlet([2, 2, 2], 478)
    count = len(vertices)
    mirror = corner[:, ::-1].ravel()
    return HeadModel(
        name="toy",
        vertices=vertices.astype(np.float32),
        faces=faces.astype(np.int32),
        polygons=polygons.astype(np.int32),
        uv=np.zeros((count, 2), np.float32),
        uv_faces=faces.astype(np.int32),
        uv_polygons=polygons.astype(np.int32),
        material_names=("skin",),
        face_materials=np.zeros(len(faces), np.int32),
        polygon_materials=np.zeros(len(polygons), np.int32),
        identity_basis=smooth_fields(components, 0.0012).astype(np.float32),
        identity_std=np.ones(components, np.float32),
        asymmetry_start=components,
        expression_basis=smooth_fields(expressions, 0.002).astype(np.float32),
        expression_names=tuple(f"unit{i}" for i in range(expressions)),
        joint_names=("head",),
        joint_parents=np.array([-1], np.int32),
        joints=np.zeros((1, 3), np.float32),
        joint_identity_basis=np.zeros((components, 1, 3), np.float32),
        skin_weights=np.ones((count, 1), np.float32),
        embeddings={"mediapipe": LandmarkEmbedding(rows.astype(np.int32), weights.astype(np.float32))},
        regions={"face": np.ones(count, bool), "skin": np.ones(count, bool)},
        mirror=mirror.astype(np.int32),
    )


def toy_camera(rotation: np.ndarray, distance: float = 1.2, focal: float = 1500.0) -> Camera:
    """A 640 x 800 portrait camera that sees the head near the middle."""
    transform = np.eye(4)
    transform[:3, :3] = rotation @ FRONTAL
    transform[:3, 3] = 0.01, -0.02, distance
    return Camera(np.array([[focal, 0, 320], [0, focal, 400], [0, 0, 1.0]]), transform, 640, 800)


def observe(camera: Camera, points: np.ndarray) -> np.ndarray:
    """(N,3) pixels: projections, and depth relative to the head's origin in pixels, as MediaPipe gives it."""
    depth = camera.to_camera(points)[:, 2] - camera.world_to_camera[2, 3]
    scale = camera.K[0, 0] / camera.world_to_camera[2, 3]
    return np.column_stack([camera.project(points), depth * scale])
