"""Engine space to Blender space: the one place where it happens."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...engine.camera import Camera

# Engine: Y up, face to +Z. Blender: Z up, face to -Y. Both right-handed; the person's left stays at +X.
TO_BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
FLIP_CAMERA = np.diag([1.0, -1.0, -1.0, 1.0])  # OpenCV looks along +z with y down, Blender along -z with y up


@dataclass(frozen=True)
class Space:
    """Turns engine coordinates into Blender's, in the units of a scene.

    Attributes:
        scale: Blender units a metre (1 unless the scene's unit scale was changed).
    """

    scale: float = 1.0

    def to_blender(self, points: ArrayLike) -> NDArray[np.float32]:
        """Points or displacements (...,3) in metres to Blender units. The origin stays where it is."""
        return (np.asarray(points, np.float64) @ (TO_BLENDER.T * self.scale)).astype(np.float32)

    def to_engine(self, points: ArrayLike) -> NDArray[np.float32]:
        """The inverse of `to_blender`."""
        return (np.asarray(points, np.float64) @ (TO_BLENDER / self.scale)).astype(np.float32)

    def camera_matrix(self, camera: Camera) -> NDArray[np.float64]:
        """(4,4) matrix of the Blender camera object that stands where `camera` stands, relative to the head."""
        pose = np.linalg.inv(camera.world_to_camera) @ FLIP_CAMERA
        matrix = np.eye(4)
        matrix[:3, :3] = TO_BLENDER @ pose[:3, :3]
        matrix[:3, 3] = TO_BLENDER @ pose[:3, 3] * self.scale
        return matrix


def scene_space(scene: bpy.types.Scene) -> Space:
    """Engine to Blender coordinates in a scene's units."""
    units = scene.unit_settings
    return Space(1.0 / units.scale_length if units.system != "NONE" and units.scale_length > 0 else 1.0)
