"""Taking the photo's light off the skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from ..render.lighting import irradiance, solve_illumination
from .complete import to_vertices
from .surface import UvSurface, surface_edges

DARKEST, BRIGHTEST = 0.35, 1.8
"""Limits of the shading that is divided out: beyond them noise would be amplified or highlights blackened."""
NORMAL_SMOOTHING = 10
"""Rounds of averaging normals with their neighbours before shading is judged."""
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
    normals = smoothed(normals, surface_edges(head))
    means, trust = to_vertices(np.concatenate([color, relative], 1), weights, surface, head)
    lit = np.nonzero(trust > LEAST_TRUST)[0]
    observed, expected = means[lit, :3], np.maximum(means[lit, 3:], 0.05)
    mean = np.average(observed / expected, axis=0, weights=trust[lit])
    light = solve_illumination(normals[lit], expected * mean, observed, trust[lit])
    level = np.average(irradiance(normals[lit], light), axis=0, weights=trust[lit])
    light = (light / np.maximum(level, 1e-4)).astype(np.float32)
    shading = surface.smooth(np.clip(irradiance(normals, light), DARKEST, BRIGHTEST), head.faces)
    return Delit(color / shading, light)


def smoothed(normals: NDArray[np.float32], edges: NDArray[np.int32]) -> NDArray[np.float32]:
    """(V,3) unit normals averaged with their neighbours.

    Folds that the fit puts a little beside the photo's would otherwise print as bright and dark lines.
    """
    a, b = edges.T
    degree = np.maximum(np.bincount(edges.ravel(), minlength=len(normals)), 1)[:, None]
    for _ in range(NORMAL_SMOOTHING):
        around = [
            np.bincount(a, normals[b, c], len(normals)) + np.bincount(b, normals[a, c], len(normals)) for c in range(3)
        ]
        normals = 0.5 * normals + 0.5 * np.stack(around, 1) / degree
    return (normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)).astype(np.float32)
