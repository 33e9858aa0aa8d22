"""Depth with its camera: pixels to the world and back, and the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.depth.depth_map import Depth, unproject
from engine.errors import EngineError, MediaError

from .toy_depth import ball, plane, toy_camera


def test_pixels_come_back_from_the_world() -> None:
    camera = toy_camera(64, turned=True)
    pixels = np.random.default_rng(0).uniform(0, 64, (50, 2))
    z = np.random.default_rng(1).uniform(0.5, 2, 50)
    points = unproject(camera, pixels, z)
    assert np.allclose(camera.project(points), pixels)
    assert np.allclose(camera.to_camera(points)[:, 2], z)


def test_points_lie_on_the_surface() -> None:
    depth = ball(80, 0.15, turned=True)
    centre = unproject(depth.camera, np.array([40.0, 40.0]), np.array(1.0))
    away = np.linalg.norm(depth.points[depth.mask] - centre, axis=-1)
    assert np.abs(away - 0.15).max() < 1e-6
    assert np.isnan(depth.points[~depth.mask]).all()


def test_the_file_keeps_everything(tmp_path: Path) -> None:
    depth = ball(32)
    depth.save(tmp_path / "depth.npz", head_vertices=np.ones((4, 3), np.float32))
    found = Depth.load(tmp_path / "depth.npz")
    assert np.array_equal(found.depth, depth.depth, equal_nan=True)
    assert np.array_equal(found.mask, depth.mask)
    assert np.array_equal(found.confidence, depth.confidence)
    assert np.array_equal(found.camera.K, depth.camera.K)
    assert np.array_equal(found.camera.world_to_camera, depth.camera.world_to_camera)
    with np.load(tmp_path / "depth.npz") as stored:
        assert stored["head_vertices"].shape == (4, 3)


def test_depth_of_another_size_is_refused() -> None:
    depth = plane(16)
    with pytest.raises(EngineError, match="16x15"):
        replace(depth, depth=depth.depth[:, :-1])


def test_depth_behind_the_camera_is_refused() -> None:
    depth = plane(16)
    with pytest.raises(EngineError, match="in front of the camera"):
        replace(depth, depth=-depth.depth)


def test_files_that_hold_no_depth_are_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"missing\.npz"):
        Depth.load(tmp_path / "missing.npz")
    np.savez(tmp_path / "other.npz", depth=np.ones((4, 4)))
    with pytest.raises(MediaError, match=r"other\.npz"):
        Depth.load(tmp_path / "other.npz")
