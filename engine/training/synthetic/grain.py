"""Drawn strands for hair whose texture did not come along."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .propmesh import Mesh

SIZE = 1024


def strand_picture(name: str, cards: Mesh) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A texture of strands that run as the style's pieces lie in it: down the picture, or around a tie.

    Args:
        name: of the style, which says how its strands lie; seeds the picture.
        cards: with texture coordinates as values, whose outline is frayed.
    Returns:
        (S,S) grey with mean 1 and (S,S) alpha 0..1.
    """
    rng = np.random.default_rng(sum(name.encode()))
    if name.startswith("afro"):
        return curls(rng), _frayed(cards, curls(rng), 0)
    strands = fibres(rng)
    if name.startswith("ponytail"):
        strands = _around(strands, (0.495, 0.42), 0.46)
    return strands, _frayed(cards, fibres(rng), 4 if name.startswith("ponytail") else 40)


def fibres(rng: np.random.Generator) -> NDArray[np.float32]:
    """(S,S) strands down the picture, broken and wavering, mean 1."""
    import cv2

    total = np.zeros((SIZE, SIZE), np.float32)
    for across, along, strength in ((1.2, 60, 0.35), (3, 120, 0.45), (9, 260, 0.35)):
        noise = rng.standard_normal((SIZE, SIZE)).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), sigmaX=across, sigmaY=along)
        total += strength * noise / noise.std()
    total = np.exp(0.45 * total)
    return total / total.mean()


def curls(rng: np.random.Generator) -> NDArray[np.float32]:
    """(S,S) frizz, mean 1."""
    import cv2

    total = np.zeros((SIZE, SIZE), np.float32)
    for radius, strength in ((2, 0.5), (5, 0.6), (14, 0.4)):
        noise = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE)).astype(np.float32), (0, 0), radius)
        total += strength * np.abs(noise / noise.std())
    total = np.exp(0.6 * (total - total.mean()))
    return (total / total.mean()).astype(np.float32)


def _around(strands: NDArray, centre: tuple[float, float], reach: float) -> NDArray[np.float32]:
    """Strands that run towards a point of the picture above a height, and down the picture below it."""
    import cv2

    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32) / SIZE
    angle = np.arctan2(x - centre[0], centre[1] - y)
    radius = np.hypot(x - centre[0], y - centre[1])
    column = ((angle / (2 * np.pi) * 1.6) % 1 * (SIZE - 1)).astype(np.float32)
    fan = cv2.remap(
        strands, column, (radius * SIZE).astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return np.where(radius < reach, fan, strands).astype(np.float32)


def _frayed(cards: Mesh, strands: NDArray, depth: float) -> NDArray[np.float32]:
    """(S,S) alpha: the pieces' outline, its lower ends eaten away between strands up to `depth` pixels."""
    import cv2

    solid = np.zeros((SIZE, SIZE), np.uint8)
    corners = np.stack([cards.values[:, 0], 1 - cards.values[:, 1]], 1)[cards.faces] * SIZE
    for triangle in np.round(corners).astype(np.int32):
        cv2.fillConvexPoly(solid, triangle, 1)
    solid = np.asarray(cv2.dilate(solid, np.ones((9, 9), np.uint8)))
    rank = np.argsort(np.argsort(strands[::4, ::4].ravel())).reshape(SIZE // 4, -1) / (SIZE / 4) ** 2
    rank = cv2.resize(rank.astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    below = np.zeros((SIZE, SIZE), np.float32)
    for row in range(SIZE - 2, -1, -1):
        below[row] = (below[row + 1] + 1) * solid[row]
    return (np.clip(0.5 + (below - depth * (1 - rank)) / 6, 0, 1) * solid).astype(np.float32)
