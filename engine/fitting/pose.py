"""Where the camera is before anything is known about the shape: focal length by rule, pose by alignment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
PORTRAIT_DISTANCE = 1.4  # metres; a portrait's usual camera distance
SHORTEST_FOCAL = 1.2  # times the longer side, about 43 mm on film: few heads are photographed wider than that
FACE_HEIGHT = 0.115  # metres, nasion region to chin of the mean adult; only sets the scale of the rule


def guess_focal(width: int, height: int, face_size: float) -> float:
    """Focal length in pixels of a photo without EXIF.

    Portraits are often crops, so the picture's own field of view says little: a face seen from the usual distance says
    more, unless that made the lens a wide-angle one.

    Args:
        width, height: of the photo, pixels.
        face_size: how many pixels a metre spans at the face.
    """
    return max(PORTRAIT_DISTANCE * face_size, SHORTEST_FOCAL * max(width, height))


def similarity(source: NDArray, target: NDArray, weights: NDArray | None = None) -> tuple[float, Array, Array]:
    """Least-squares similarity, target = scale * rotation @ source + translation (Umeyama 1991).

    Args:
        source, target: (N,D), D 2 or 3.
        weights: (N,) or None.
    Returns:
        scale, (D,D) proper rotation, (D,) translation.
    """
    share = np.ones(len(source)) if weights is None else np.asarray(weights, np.float64)
    share = share / share.sum()
    source_mean, target_mean = share @ source, share @ target
    a, b = source - source_mean, target - target_mean
    u, singular, vt = np.linalg.svd((b * share[:, None]).T @ a)
    sign = np.ones(len(singular))
    sign[-1] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign) @ vt
    scale = float((singular * sign).sum() / (share @ np.sum(a**2, axis=1)))
    return scale, rotation, target_mean - scale * rotation @ source_mean


def rigid(source: NDArray, target: NDArray) -> tuple[Array, Array]:
    """Least-squares rotation (3,3) and translation (3,) without scale (Kabsch)."""
    _, rotation, _ = similarity(source, target)
    return rotation, target.mean(0) - rotation @ source.mean(0)


def yaw_pitch_roll(rotation: NDArray) -> tuple[float, float, float]:
    """Head pose in degrees from a head-to-camera rotation (camera y down, z forward).

    Positive yaw turns the nose to the picture's right, positive pitch up, positive roll clockwise as seen.
    """
    upright = np.diag([1.0, -1.0, -1.0]) @ rotation  # head axes as seen by a camera that looks at the face
    forward, right = upright[:, 2], upright[:, 0]
    yaw = np.degrees(np.arctan2(forward[0], forward[2]))
    pitch = np.degrees(np.arcsin(np.clip(forward[1], -1.0, 1.0)))
    roll = -np.degrees(np.arctan2(right[1], right[0]))
    return float(yaw), float(pitch), float(roll)
