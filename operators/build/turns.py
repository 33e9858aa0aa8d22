"""Euler angles of a whole take at once."""

from __future__ import annotations

import numpy as np
from mathutils import Euler, Matrix
from numpy.typing import ArrayLike, NDArray

from ...engine.tracking.turns import to_matrix


def to_euler(rotation: NDArray, start: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> NDArray[np.float64]:
    """Rotations to Euler angles XYZ as Blender means them, without jumps from frame to frame.

    Args:
        rotation: (T,3,3).
        start: the angles that the first frame's are to be nearest to.
    Returns:
        (T,3) radians.
    """
    angles, previous = np.empty((len(rotation), 3)), Euler(start, "XYZ")
    for frame, matrix in enumerate(rotation.tolist()):
        previous = Matrix(matrix).to_euler("XYZ", previous)
        angles[frame] = previous
    return angles


def from_euler(angles: ArrayLike) -> NDArray[np.float64]:
    """(...,3) Euler angles XYZ, radians, to (...,3,3) rotations: first about X, then Y, then Z."""
    angles = np.asarray(angles, np.float64)
    x, y, z = (to_matrix(angles[..., axis : axis + 1] * np.eye(3)[axis]) for axis in range(3))
    return z @ y @ x


def gaze_euler(rotation: NDArray) -> NDArray[np.float64]:
    """(T,3,3) turns of a bone to (T,3) Euler angles XYZ that point its Y axis the same way without twisting it."""
    x, y, z = np.moveaxis(rotation[..., 1], -1, 0)
    return np.stack([np.arcsin(np.clip(z, -1.0, 1.0)), np.zeros_like(x), np.arctan2(-x, y)], -1)
