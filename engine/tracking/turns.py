"""Rotations of a whole take at once: axis-angle, matrices, means. NumPy alone: Blender's own Python reads takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

SMALL = 1e-8


def to_matrix(axis_angle: ArrayLike) -> NDArray[np.float64]:
    """(...,3) axis-angle, radians, to (...,3,3) rotations (Rodrigues)."""
    vector = np.asarray(axis_angle, np.float64)
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    near = angle < SMALL
    safe = np.where(near, 1.0, angle)
    first = np.where(near, 1.0, np.sin(safe) / safe)
    second = np.where(near, 0.5, (1.0 - np.cos(safe)) / safe**2)
    return np.eye(3) + first * cross + second * (cross @ cross)


def to_axis_angle(rotation: ArrayLike) -> NDArray[np.float64]:
    """(...,3,3) rotations to (...,3) axis-angle of 0..pi radians."""
    m = np.asarray(rotation, np.float64)
    (a, b, c), (d, e, f), (g, h, i) = (np.moveaxis(m[..., row, :], -1, 0) for row in range(3))
    # Four times the quaternion's outer product with itself; its longest row is the quaternion without cancellation.
    outer = np.stack(
        (
            *(1 + a + e + i, h - f, c - g, d - b),
            *(h - f, 1 + a - e - i, b + d, c + g),
            *(c - g, b + d, 1 - a + e - i, f + h),
            *(d - b, c + g, f + h, 1 - a - e + i),
        ),
        -1,
    ).reshape(*m.shape[:-2], 4, 4)
    longest = np.argmax(np.diagonal(outer, axis1=-2, axis2=-1), -1)
    quaternion = np.take_along_axis(outer, longest[..., None, None], -2)[..., 0, :]
    quaternion = quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True)
    quaternion = np.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    sine = np.linalg.norm(quaternion[..., 1:], axis=-1, keepdims=True)
    near = sine < SMALL
    factor = np.where(near, 2.0, 2.0 * np.arctan2(sine, quaternion[..., :1]) / np.where(near, 1.0, sine))
    return np.asarray(quaternion[..., 1:] * factor, np.float64)


def between(first: ArrayLike, second: ArrayLike, fraction: ArrayLike) -> NDArray[np.float64]:
    """Turn `first` towards `second` by the shortest way.

    Args:
        first, second: (...,3,3) rotations.
        fraction: (...) 0 gives the first, 1 the second.
    """
    first = np.asarray(first, np.float64)
    way = to_axis_angle(np.swapaxes(first, -1, -2) @ np.asarray(second, np.float64))
    return first @ to_matrix(way * np.asarray(fraction, np.float64)[..., None])


def mean_rotation(rotations: NDArray) -> NDArray[np.float64]:
    """(3,3) the chordal mean of rotations (N,3,3); a head that looks into the camera where there are none."""
    if not len(rotations):
        return np.diag([1.0, -1.0, -1.0])
    u, _, vt = np.linalg.svd(np.asarray(rotations, np.float64).mean(axis=0))
    return u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
