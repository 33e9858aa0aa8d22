"""Taking the photo's light off the skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..render.lighting import irradiance, solve_illumination

DARKEST, BRIGHTEST = 0.35, 1.8
"""Limits of the shading that is divided out: beyond them noise would be amplified or highlights blackened."""


@dataclass(frozen=True)
class Delit:
    """The photo without its light.

    Attributes:
        color: (N,3) linear RGB albedo at the texels.
        illumination: (9,3) harmonics in the head's frame; white on average over the seen face: colour stays in skin.
    """

    color: NDArray[np.float32]
    illumination: NDArray[np.float32]


def delight(
    color: NDArray[np.float32],
    normals: NDArray[np.float32],
    relative: NDArray[np.float32],
    weights: NDArray[np.float32],
) -> Delit:
    """Solve the light on trusted skin and divide it out everywhere.

    Args:
        color: (N,3) observed linear RGB.
        normals: (N,3) head frame.
        relative: (N,3) expected albedo variation (base skin over its mean), so that lips are not read as shadow.
        weights: (N,) trusted skin of the face.
    """
    part = _sample(weights)
    mean = np.average(color[part] / np.maximum(relative[part], 0.05), axis=0, weights=weights[part])
    light = solve_illumination(normals[part], relative[part] * mean, color[part], weights[part])
    level = np.average(irradiance(normals[part], light), axis=0, weights=weights[part])
    light = (light / np.maximum(level, 1e-4)).astype(np.float32)
    shading = np.clip(irradiance(normals, light), DARKEST, BRIGHTEST)
    return Delit((color / shading).astype(np.float32), light)


def _sample(weights: NDArray[np.float32], most: int = 40_000) -> NDArray[np.int64]:
    trusted = np.nonzero(weights > 0.2)[0]
    return trusted[:: max(1, len(trusted) // most)]
