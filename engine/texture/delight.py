"""Taking the photo's light off the skin."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from ..render.lighting import irradiance, solve_illumination
from .complete import sparse, to_vertices
from .project import BLOCK, smoothstep
from .surface import UvSurface, surface_edges

DARKEST, BRIGHTEST = 0.35, 1.8
"""Limits of the shading that is divided out: beyond them noise would be amplified or highlights blackened."""
NORMAL_SMOOTHING = 6
"""Rounds of averaging normals with their neighbours before shading is judged."""
RIM = (0.3, 0.65)
"""Cosines of the view angle between which brightness that the light does not explain is evened out."""
RIM_EVENNESS = 0.8
"""Share of it that goes at the rim."""
SHINE = 0.45
"""Share of the estimated highlight that is taken off."""
SHINE_BLUR = 0.004
"""How far the estimate is blurred, in sides of the square."""
SHINY = (1.1, 1.5)
"""Brightness over the mean skin's between which a pale spot becomes a highlight."""
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
    facing: NDArray[np.float32],
    hair: NDArray[np.float32],
    surface: UvSurface,
    head: HeadModel,
) -> Delit:
    """Solve the light on trusted skin and divide it out everywhere.

    Args:
        color: (N,3) observed linear RGB at the texels.
        relative: (N,3) expected albedo variation (base skin over its mean), so that lips are not read as shadow.
        weights: (N,) trusted skin of the face.
        normals: (V,3) head frame. Shading varies slowly: it is solved and evaluated at the vertices.
        facing: (V,) cosine of the view angle.
        hair: (N,) 0..1, what is hair: white hair is no highlight.
    """
    normals = smoothed(normals, surface_edges(head))
    part = sparse(surface)
    means, trust = to_vertices(np.concatenate([color[part], relative[part]], 1), weights[part], surface, head)
    lit = np.nonzero(trust > LEAST_TRUST)[0]
    observed, expected = means[lit, :3], np.maximum(means[lit, 3:], 0.05)
    mean = np.average(observed / expected, axis=0, weights=trust[lit])
    light = solve_illumination(normals[lit], expected * mean, observed, trust[lit])
    level = np.average(irradiance(normals[lit], light), axis=0, weights=trust[lit])
    light = (light / np.maximum(level, 1e-4)).astype(np.float32)
    shading = np.clip(irradiance(normals, light), DARKEST, BRIGHTEST)
    shading = surface.smooth(
        shading * _left_over(shading, expected * mean, observed, trust, lit, facing, head), head.faces
    )
    return Delit(without_shine(color / shading, relative, weights, hair, surface), light)


def _left_over(
    shading: NDArray,
    expected: NDArray,
    observed: NDArray,
    trust: NDArray,
    lit: NDArray,
    facing: NDArray,
    head: HeadModel,
) -> NDArray[np.float64]:
    """(V,3) brightness and tint that nine harmonics did not explain at the rim of what is seen, where they fit worst.

    Left in, they would be carried on over the cheek, ear and neck that are completed from there.
    """
    ratio = np.zeros((len(shading), 4))
    level = np.log(observed + 0.01) - np.log(expected * shading[lit] + 0.01)
    ratio[lit, :3] = trust[lit, None] * np.clip(level, -1, 1)
    ratio[lit, 3] = trust[lit]
    ratio = averaged(ratio, surface_edges(head), 4)
    rim = 1 - smoothstep(facing, *RIM)
    return np.exp(RIM_EVENNESS * rim[:, None] * ratio[:, :3] / np.maximum(ratio[:, 3:], 0.05))


def without_shine(
    color: NDArray[np.float32],
    relative: NDArray[np.float32],
    weights: NDArray[np.float32],
    hair: NDArray[np.float32],
    surface: UvSurface,
) -> NDArray[np.float32]:
    """Skin with its highlights attenuated: what is both brighter and less saturated than the face's own colour.

    Dichromatic model (Shafer, "Using color to separate reflection components", 1985): color = k * skin + s * white,
    solved for s with red and blue, which differ most in skin. Only the part of s above the face's usual is shine.

    Args:
        color: (N,3) linear RGB, shading divided out.
        relative: (N,3) expected variation of albedo, about 1.
        weights: (N,) trusted skin of the face.
        hair: (N,) 0..1, what is hair and stays as it is.
    """
    part = np.nonzero(weights > 0.5)[0][:: max(1, int((weights > 0.5).sum()) // 20_000)]
    if len(part) < 100:
        return color
    sample = color[part] / np.maximum(relative[part], 0.05)
    skin = np.median(sample, axis=0)
    span = max(float(skin[0] - skin[2]), 0.05 * float(skin[0]))
    usual = float(np.percentile((sample[:, 2] * skin[0] - sample[:, 0] * skin[2]) / span, 60))
    third = np.full(3, 1 / 3, np.float32)
    shine = np.empty(len(color), np.float32)
    for start in range(0, len(color), BLOCK):
        at = slice(start, start + BLOCK)
        white = (color[at, 2] * skin[0] - color[at, 0] * skin[2]) / span - max(usual, 0.0)
        brightness = color[at] @ third / (float(skin.mean()) * np.maximum(relative[at] @ third, 0.3))
        shine[at] = SHINE * np.maximum(white, 0) * smoothstep(brightness, *SHINY) * (1 - hair[at])
    # A photo's colour is coarser than its brightness: without blur, the difference would print as specks.
    small = surface.size // 4
    shine = cv2.resize(surface.picture(shine), (small, small), interpolation=cv2.INTER_AREA)
    shine = cv2.GaussianBlur(shine, (0, 0), SHINE_BLUR * small)
    shine = surface.flat(cv2.resize(shine, (surface.size, surface.size), interpolation=cv2.INTER_LINEAR))
    shiny = np.nonzero(shine > 1e-4)[0]
    color = color.copy()
    found = np.take(color, shiny, axis=0)
    least = np.minimum(np.minimum(found[:, 0], found[:, 1]), found[:, 2])
    color[shiny] = found - np.minimum(shine[shiny], 0.6 * least)[:, None]
    return color


def smoothed(normals: NDArray[np.float32], edges: NDArray[np.int32]) -> NDArray[np.float32]:
    """(V,3) unit normals averaged with their neighbours.

    Folds that the fit puts a little beside the photo's would otherwise print as bright and dark lines.
    """
    normals = averaged(normals, edges, NORMAL_SMOOTHING)
    return (normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def averaged(values: NDArray, edges: NDArray[np.int32], rounds: int) -> NDArray:
    """(V,C) values averaged with their neighbours, again and again."""
    a, b = edges.T
    count = len(values)
    degree = np.maximum(np.bincount(edges.ravel(), minlength=count), 1)[:, None]
    for _ in range(rounds):
        around = [
            np.bincount(a, values[b, c], count) + np.bincount(b, values[a, c], count) for c in range(values.shape[1])
        ]
        values = 0.5 * values + 0.5 * np.stack(around, 1) / degree
    return values
