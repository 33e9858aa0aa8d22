"""Taking the photo's light off the skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from ..render.lighting import irradiance, solve_illumination
from .complete import to_vertices
from .surface import UvSurface

DARKEST, BRIGHTEST = 0.35, 1.8
"""Limits of the shading that is divided out: beyond them noise would be amplified or highlights blackened."""
LEAST_TRUST = 0.2
"""Vertices trusted less say nothing about the light."""


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
    relative: NDArray[np.float32],
    weights: NDArray[np.float32],
    normals: NDArray[np.float32],
    surface: UvSurface,
    head: HeadModel,
) -> Delit:
    """Solve the light on trusted skin and divide it out everywhere.

    Args:
        color: (N,3) observed linear RGB at the texels.
        relative: (N,3) expected albedo variation (base skin over its mean), so that lips are not read as shadow.
        weights: (N,) trusted skin of the face.
        normals: (V,3) head frame. Shading varies slowly: it is solved and evaluated at the vertices.
    """
    means, trust = to_vertices(np.concatenate([color, relative], 1), weights, surface, head)
    lit = np.nonzero(trust > LEAST_TRUST)[0]
    observed, expected = means[lit, :3], np.maximum(means[lit, 3:], 0.05)
    mean = np.average(observed / expected, axis=0, weights=trust[lit])
    light = solve_illumination(normals[lit], expected * mean, observed, trust[lit])
    level = np.average(irradiance(normals[lit], light), axis=0, weights=trust[lit])
    light = (light / np.maximum(level, 1e-4)).astype(np.float32)
    shading = surface.smooth(np.clip(irradiance(normals, light), DARKEST, BRIGHTEST), head.faces)
    return Delit(color / shading, light)
