"""Moving one photo's texture along the surface until its features lie on another's.

The fits of two photos differ by a millimetre or three. Optical flow between the two textures says by how much and where
(Eisemann et al., "Floating Textures", 2008, section 4), here Kroeger et al., "Fast Optical Flow using Dense Inverse
Search", 2016, on what is left of the colours when their slow changes, which are light, are taken out.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .project import smoothstep
from .surface import UvSurface

Picture = NDArray[np.float32]
SIDE = 512
"""Of the square in which the flow is solved, texels; the distance between the eyes' middles is 105 of them."""
SLOW = 12.0
"""Changes over more texels are light, not features."""
REACH = 8.0
"""Farthest move, texels of `SIDE`: five millimetres."""
EVEN = 5.0
"""How far a move is evened out, texels."""
FADE = 14.0
"""Over so many texels it fades beyond what both photos show."""
CONTRAST = (0.02, 0.08)
"""Deviations of the logarithm of brightness between which a place has features that can be followed."""
CONSISTENT = 2.0
"""Texels by which the flow there and back may differ."""
LEAST_SHARE = 0.005
"""Of the square that must be seen in both photos."""


def detail(color: NDArray[np.float32], weight: NDArray[np.float32], surface: UvSurface, floor: float) -> Picture:
    """(s,s,2) what can be followed of texels (N,3) linear RGB with weights (N,): brightness over its surroundings in
    its own deviations, and the weight. s is `SIDE`, or the texture's side where that is smaller."""
    side = min(SIDE, surface.size)
    light = np.log(color @ np.array([0.2126, 0.7152, 0.0722], np.float32) + np.float32(floor))
    layers = surface.picture(np.stack([light * weight, weight], 1))
    layers = cv2.resize(layers, (side, side), interpolation=cv2.INTER_AREA)
    light, weight = layers[..., 0], np.minimum(layers[..., 1], 1)
    around = cv2.GaussianBlur(layers, (0, 0), SLOW)
    known = np.maximum(around[..., 1], 1e-3)
    fine = light - weight * around[..., 0] / known
    spread = np.sqrt(cv2.GaussianBlur(fine**2, (0, 0), SLOW) / known) + CONTRAST[0]
    return np.dstack([np.clip(fine / spread, -3, 3), weight]).astype(np.float32)


def displacement(first: Picture, second: Picture) -> Picture:
    """(s,s,2) x, y texels of the square from each place of the first to the same feature in the second.

    Zero where one of them shows nothing, and where the flow cannot be trusted; smooth everywhere.

    Args:
        first, second: of `detail`.
    """
    side = len(first)
    weight = np.minimum(first[..., 1], second[..., 1])
    common = cv2.erode((weight > 0.3).astype(np.uint8), np.ones((5, 5), np.uint8))
    still = np.zeros((side, side, 2), np.float32)
    if common.mean() < LEAST_SHARE:
        return still
    grey = [
        np.clip(40 * picture[..., 0] * (weight > 0.05) + 128, 0, 255).astype(np.uint8) for picture in (first, second)
    ]
    there, back = _flow(grey[0], grey[1]), _flow(grey[1], grey[0])
    returned = there + cv2.remap(back, _grid(side) + there, None, cv2.INTER_LINEAR, borderValue=0)
    sure = common * (np.linalg.norm(returned, axis=2) < CONSISTENT) * (np.linalg.norm(there, axis=2) < REACH)
    sure = sure.astype(np.float32) * (0.05 + _contrast(first) * _contrast(second))
    layers = cv2.GaussianBlur(np.dstack([there * sure[..., None], sure]), (0, 0), EVEN * side / SIDE)
    wide = cv2.GaussianBlur(np.dstack([there * sure[..., None], sure]), (0, 0), 3 * EVEN * side / SIDE)
    layers = layers + 0.1 * wide  # where nothing near is sure, what is farther away says
    even = layers[..., :2] / np.maximum(layers[..., 2:], 1e-6)
    near = cv2.GaussianBlur(common.astype(np.float32), (0, 0), FADE * side / SIDE)
    return (even * smoothstep(near, 0.02, 0.3)[..., None]).astype(np.float32)


def carried(values: NDArray, moves: Picture, surface: UvSurface) -> NDArray[np.float32]:
    """Texel values (N,) or (N,C) taken from where `displacement` says each place's feature is."""
    scale = surface.size / len(moves)
    full = cv2.resize(moves * np.float32(scale), (surface.size, surface.size), interpolation=cv2.INTER_LINEAR)
    full += _grid(surface.size)
    picture = surface.padded(surface.picture(values))
    return surface.flat(cv2.remap(picture, full, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _flow(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Picture:
    solver = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    solver.setFinestScale(1)
    return np.asarray(solver.calc(first, second, None), np.float32)  # type: ignore[arg-type]


def _contrast(picture: Picture) -> Picture:
    """(s,s) 0..1, where there is something to follow."""
    return smoothstep(cv2.GaussianBlur(picture[..., 0] ** 2, (0, 0), 3.0), 0.1, 0.8)


def _grid(side: int) -> Picture:
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    return np.dstack([columns, rows])
