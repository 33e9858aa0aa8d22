"""Depth maps of bodies whose shape is known."""

from __future__ import annotations

import numpy as np

from engine.camera import Camera
from engine.depth.depth_map import Depth


def toy_camera(side: int, turned: bool = False) -> Camera:
    """A camera of `side` pixels square, 28 degrees wide; turned, it stands somewhere in the world."""
    view = np.eye(4)
    if turned:
        a = 0.7
        view[:3, :3] = [[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]
        view[:3, 3] = (0.1, -0.2, 0.3)
    focal = 2.0 * side
    return Camera(np.array([[focal, 0, side / 2], [0, focal, side / 2], [0, 0, 1.0]]), view, side, side)


def rays(camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """x/z and y/z (H,W) of the pixels' centres."""
    rows, columns = np.mgrid[: camera.height, : camera.width] + 0.5
    return (columns - camera.K[0, 2]) / camera.K[0, 0], (rows - camera.K[1, 2]) / camera.K[1, 1]


def depth_of(values: np.ndarray, camera: Camera) -> Depth:
    """Depth (H,W) with NaN where there is nothing."""
    mask = np.isfinite(values)
    return Depth(values.astype(np.float32), mask, mask.astype(np.float32), camera)


def plane(side: int, slope: float = 0.4, turned: bool = False) -> Depth:
    """z = 1 + slope x, a metre away."""
    camera = toy_camera(side, turned)
    x, _ = rays(camera)
    return depth_of(1.0 / (1.0 - slope * x), camera)


def ball(side: int, radius: float = 0.15, turned: bool = False) -> Depth:
    """The near half of a ball a metre away, on the optical axis."""
    camera = toy_camera(side, turned)
    x, y = rays(camera)
    square = x**2 + y**2 + 1
    inside = 1 - square * (1 - radius**2)
    near = (1 - np.sqrt(np.maximum(inside, 0))) / square
    return depth_of(np.where(inside > 0, near, np.nan), camera)
