"""What the photographed hair looks like up close: pieces of its grain, all combed downwards, and how curly it is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .field import smoothstep

LENGTH, WIDTH = (0.060, 0.024), 0.018
"""Of a piece, metres: of straight and of curly hair."""
COMBED = 20.0
"""Straight hair is smoothed along its strands over so many texels of a piece: they run on where the photo blurs."""
PIECE_TEXELS = (128, 38)
PIECES = 40
FLOOR = 2e-3
"""Added to linear colours before taking logarithms, so that black stays finite."""
SLOW = 0.009
"""Changes of colour over more than this are not grain, metres."""
SMOOTH, WILD = 0.58, 0.30
"""Agreement of the strands' direction within `TOGETHER` from which hair counts as straight, below which as curly."""
TOGETHER = 0.006
CONTRAST = (0.06, 0.6)
"""Limits of the grain's deviation, logarithm of brightness."""


@dataclass(frozen=True)
class Grain:
    """The look of one person's hair.

    Attributes:
        pieces: (N,h,w,3) float32 logarithms of colour against its surroundings, strands running downwards.
        curl: 0 straight .. 1 curly.
        length: of a piece, metres.
        contrast: deviation of the logarithm of brightness.
        mean: (3,) linear RGB of the hair in the photo.
    """

    pieces: NDArray[np.float32]
    curl: float
    length: float
    contrast: float
    mean: NDArray[np.float32]


def take_grain(
    linear: NDArray[np.float32], core: NDArray[np.float32], scale: float, rng: np.random.Generator
) -> Grain | None:
    """Look at the hair in a photo.

    Args:
        linear: (H,W,3) linear RGB, of the head's surroundings.
        core: (H,W) 0..1, what is hair for sure.
        scale: pixels a metre.
    Returns:
        The grain; None where there is too little hair to see any.
    """
    weight = np.maximum(core - 0.5, 0) * 2
    if weight.sum() < 30:
        return None
    logs = np.log(linear + FLOOR)
    sigma = max(SLOW * scale, 1.5)
    around = cv2.GaussianBlur(logs * weight[..., None], (0, 0), sigma)
    around /= np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-3)[..., None]
    fine = (logs - around) * weight[..., None]
    light = fine @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    direction, agreement = _directions(light, TOGETHER * scale)
    energy = weight * cv2.GaussianBlur(light**2, (0, 0), max(TOGETHER * scale, 1.0))
    curl = 1 - float(smoothstep(np.array((agreement * energy).sum() / max(energy.sum(), 1e-9)), WILD, SMOOTH))
    contrast = float(np.clip(np.sqrt((light**2 * weight).sum() / weight.sum()), *CONTRAST))
    mean = (linear * weight[..., None]).sum((0, 1)) / weight.sum()
    length = LENGTH[0] + curl * (LENGTH[1] - LENGTH[0])
    pieces = _combed(_pieces(fine, weight, direction, scale, length, rng), 1 - curl, contrast)
    return Grain(pieces, curl, length, contrast, mean.astype(np.float32))


def _directions(light: NDArray[np.float32], reach: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The direction (H,W) along the strands, radians from the picture's x, and how far neighbours agree, 0..1."""
    x, y = cv2.Scharr(light, cv2.CV_32F, 1, 0), cv2.Scharr(light, cv2.CV_32F, 0, 1)
    sigma = max(reach, 1.0)
    xx, yy, xy = (cv2.GaussianBlur(product, (0, 0), sigma) for product in (x * x, y * y, x * y))
    agreement = np.hypot(xx - yy, 2 * xy) / np.maximum(xx + yy, 1e-9)
    return 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2, agreement


def _pieces(
    fine: NDArray, weight: NDArray, direction: NDArray, scale: float, length: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """(N,h,w,3) cut from where most is hair, turned so that strands run downwards."""
    radius = max(1, round(0.5 * WIDTH * scale))
    filled = cv2.blur(weight, (2 * radius + 1, 2 * radius + 1))
    chance = (filled * (filled > min(0.8, 0.98 * filled.max()))).ravel()
    chosen = rng.choice(len(chance), PIECES, p=chance / chance.sum())
    h, w = PIECE_TEXELS
    across_step, along_step = WIDTH * scale / w, length * scale / h
    channels = np.dstack([fine, weight]).astype(np.float32)
    pieces = []
    for index in chosen:
        row, column = divmod(int(index), fine.shape[1])
        turn = float(direction[row, column]) + np.pi * rng.integers(2)
        along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([np.sin(turn), -np.cos(turn)])
        across, along = across * across_step, along * along_step
        matrix = np.stack([across, along, (column, row) - across * w / 2 - along * h / 2], 1)
        cut = cv2.warpAffine(channels, matrix, (w, h), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        pieces.append(cut[..., :3])
    return np.stack(pieces)


def _combed(pieces: NDArray[np.float32], straight: float, contrast: float) -> NDArray[np.float32]:
    """The pieces without slow changes, smoothed along straight strands, evened to one contrast."""
    flat = np.moveaxis(pieces, 0, -1).reshape(*pieces.shape[1:3], -1)
    bands = [
        cv2.GaussianBlur(flat[..., k], (0, 0), sigmaX=0.1, sigmaY=0.3 + COMBED * straight) for k in range(flat.shape[2])
    ]
    found = np.moveaxis(np.stack(bands, -1).reshape(*pieces.shape[1:], -1), -1, 0)
    found = found - found.mean((1, 2), keepdims=True)
    deviation = np.sqrt((found.mean(-1) ** 2).mean((1, 2)))
    return found * np.clip(contrast / np.maximum(deviation, 1e-3), 0.5, 3.0)[:, None, None, None]
