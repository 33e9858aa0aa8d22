"""Depth looked up with numpy is what the engine's own rasteriser draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.camera import Camera
from engine.depth.lookup import see_mesh
from engine.depth.mesh import MeshOptions, mesh_of
from engine.heads.model import HeadModel
from engine.render.rasterize import rasterize_mesh

from .toy_depth import plane, toy_camera


def test_a_head_looks_as_the_rasteriser_draws_it(head: HeadModel, camera: Camera, bare: np.ndarray) -> None:
    seen = see_mesh(head.vertices, head.faces, camera)
    raster = rasterize_mesh(torch.tensor(head.vertices), torch.tensor(head.faces), camera)
    both = np.isfinite(seen.depth) & np.isfinite(bare)
    assert (np.isfinite(seen.depth) != np.isfinite(bare)).mean() < 1e-3
    assert np.abs(seen.depth[both] - bare[both]).max() < 1e-5
    assert (seen.face == raster.face.numpy()).mean() > 0.99


def test_large_triangles_leave_no_gap() -> None:
    """Two triangles across the whole picture and beyond it."""
    camera = toy_camera(64)
    corners = np.array([[-2, -2, 1], [2, -2, 1], [2, 2, 1], [-2, 2, 1.0]])
    seen = see_mesh(corners, np.array([[0, 1, 2], [0, 2, 3]]), camera)
    assert seen.depth == pytest.approx(np.ones((64, 64)))
    assert set(np.unique(seen.face)) == {0, 1}


def test_what_is_nearer_is_seen_and_what_is_behind_the_camera_is_not() -> None:
    camera = toy_camera(32)
    triangle = np.array([[-1, -1, 0], [1, -1, 0], [0, 2, 0.0]])
    vertices = np.concatenate([triangle + np.array([0, 0, z]) for z in (2.0, 1.5, -1.0)])
    seen = see_mesh(vertices, np.arange(9).reshape(3, 3), camera)
    assert seen.face[16, 16] == 1
    assert seen.depth[16, 16] == pytest.approx(1.5)


def test_between_pixels_depth_is_interpolated() -> None:
    depth = plane(48)
    mesh = mesh_of(depth, MeshOptions(faces=None, border=0))
    seen = see_mesh(mesh.vertices, mesh.faces, depth.camera)
    places = np.array([[20.3, 17.9], [11.5, 40.1]])
    x = (places[:, 0] - 24) / depth.camera.K[0, 0]
    assert seen.at(places) == pytest.approx(1 / (1 - 0.4 * x), abs=1e-4)
    assert np.isnan(seen.at(np.array([[-3.0, 4.0], [4.0, 99.0], [np.nan, 1.0]]))).all()
    assert seen.face_at(np.array([[-3.0, 4.0]])).tolist() == [-1]
