"""The project's pinhole camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Camera:
    """Pinhole camera, OpenCV axes (x right, y down, z forward), square pixels.

    The head never moves: it stands neutral and upright in the world, and head pose is part of `world_to_camera`.
    Pixel (0,0) is the upper left pixel, its CENTRE at (0.5,0.5).

    Attributes:
        K: (3,3) float64 intrinsics, pixels.
        world_to_camera: (4,4) float64 rigid transform, metres.
        width, height: picture size, pixels.
    """

    K: NDArray[np.float64]
    world_to_camera: NDArray[np.float64]
    width: int
    height: int

    def to_camera(self, points: NDArray) -> NDArray:
        """World points (...,3) to camera space (...,3), metres."""
        return points @ self.world_to_camera[:3, :3].T + self.world_to_camera[:3, 3]

    def project(self, points: NDArray) -> NDArray:
        """World points (...,3) to pixels (...,2)."""
        image = self.to_camera(points) @ self.K.T
        return image[..., :2] / image[..., 2:3]

    @property
    def position(self) -> NDArray[np.float64]:
        """(3,) optical centre in the world, metres."""
        return -self.world_to_camera[:3, :3].T @ self.world_to_camera[:3, 3]

    def scaled(self, factor: float) -> Camera:
        """The same view at another resolution."""
        K = self.K.copy()
        K[:2] *= factor
        return Camera(K, self.world_to_camera, round(self.width * factor), round(self.height * factor))
