"""Backgrounds for synthetic pictures: plain, blurred, or full of things, so that no contour can be told by them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]


def random_background(size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(size,size,3) uint8 sRGB: one of several kinds, often out of focus."""
    import cv2

    kind = KINDS[rng.choice(len(KINDS), p=SHARES)]
    blur = size * np.exp(rng.uniform(np.log(0.004), np.log(0.05))) if rng.random() < 0.6 else 0.0
    # What has no fine detail is drawn small and enlarged, which saves most of the time.
    smooth = kind in (studio, blotches)
    step = 2 if smooth else max(1, int(blur / 1.5))
    small = max(size // step, 32)
    picture = kind(small, rng)
    if blur and not smooth:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), max(blur * small / size, 0.3)), np.float32)
    if rng.random() < 0.3:
        picture = picture * _vertical(small, rng)
    found = np.clip(picture, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(found, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def _colour(rng: np.random.Generator, vivid: float = 0.15) -> Picture:
    """(3,) sRGB bytes, mostly dull, seldom saturated."""
    spread = 60.0 if rng.random() < vivid else 14.0
    return (rng.uniform(15, 240) + rng.normal(0, spread, 3)).clip(0, 255).astype(np.float32)


def _vertical(size: int, rng: np.random.Generator) -> Picture:
    """(size,1,1) brightness that changes from top to bottom."""
    ends = rng.uniform(0.6, 1.25, 2)
    return np.linspace(ends[0], ends[1], size, dtype=np.float32)[:, None, None]


def _noise(size: int, cells: int, rng: np.random.Generator, channels: int) -> Picture:
    """(size,size,channels) smooth noise of deviation about 1 with so many cells across."""
    import cv2

    coarse = rng.standard_normal((cells, cells, channels), np.float32)
    smooth = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC if cells < size else cv2.INTER_AREA)
    return np.asarray(smooth, np.float32).reshape(size, size, channels)


def _fractal(size: int, rng: np.random.Generator, coarsest: int, roughness: float) -> Picture:
    """(size,size,1) noise of several scales."""
    total, weight, cells = np.zeros((size, size, 1), np.float32), 1.0, coarsest
    while cells < size:
        total += np.float32(weight) * _noise(size, cells, rng, 1)
        weight, cells = weight * roughness, cells * 2 + 1
    return total


def studio(size: int, rng: np.random.Generator) -> Picture:
    """A plain wall or paper, lighter in one place."""
    across, down = np.meshgrid(*[np.linspace(-1, 1, size, dtype=np.float32)] * 2)
    x, y = rng.uniform(-0.8, 0.8, 2).astype(np.float32)
    glow = np.exp(-((across - x) ** 2 + (down - y) ** 2) / np.float32(rng.uniform(0.4, 4.0)))
    return _colour(rng) * (np.float32(1) + np.float32(rng.uniform(-0.5, 0.5)) * glow[..., None])


def blotches(size: int, rng: np.random.Generator) -> Picture:
    """Smooth blotches of a few colours."""
    cells = int(rng.integers(2, 9))
    return (
        _colour(rng)
        + np.float32(rng.uniform(10, 55)) * _noise(size, cells, rng, 1)
        + np.float32(rng.uniform(2, 20)) * _noise(size, cells, rng, 3)
    )


def texture(size: int, rng: np.random.Generator) -> Picture:
    """Foliage, plaster, gravel: noise of several scales between two or three colours."""
    value = _fractal(size, rng, int(rng.integers(3, 24)), rng.uniform(0.5, 0.95))
    value = 1 / (1 + np.exp(-np.float32(rng.uniform(0.7, 3.0)) * value))
    first, second = _colour(rng), _colour(rng)
    return first + (second - first) * value


def stripes(size: int, rng: np.random.Generator) -> Picture:
    """Blinds, bricks, panels, cloth: stripes or checks at any angle, slightly uneven."""
    across, down = np.meshgrid(*[np.linspace(0, 1, size, dtype=np.float32)] * 2)
    angle = rng.choice([0.0, np.pi / 2, rng.uniform(0, np.pi)])
    along = np.cos(angle) * across + np.sin(angle) * down + 0.01 * _noise(size, 4, rng, 1)[..., 0]
    count, share = rng.uniform(3, 40), rng.uniform(0.2, 0.8)
    mask = ((along * count) % 1.0 < share).astype(np.float32)
    if rng.random() < 0.4:
        other = -np.sin(angle) * across + np.cos(angle) * down
        mask = np.abs(mask - ((other * count * rng.uniform(0.4, 1.5)) % 1.0 < share)).astype(np.float32)
    first, second = _colour(rng), _colour(rng)
    return first + (second - first) * mask[..., None] * np.float32(rng.uniform(0.3, 1.0))


def clutter(size: int, rng: np.random.Generator) -> Picture:
    """Things: rectangles, discs, polygons and lines over one another."""
    import cv2

    picture = np.ascontiguousarray(blotches(size, rng).astype(np.float32))
    for _ in range(rng.integers(6, 40)):
        colour = _colour(rng, 0.3).tolist()
        centre = rng.uniform(-0.1, 1.1, 2) * size
        reach = size * np.exp(rng.uniform(np.log(0.02), np.log(0.35)))
        kind = rng.integers(4)
        if kind == 0:
            box = cv2.boxPoints(
                (centre.tolist(), (reach, reach * rng.uniform(0.2, 3)), float(rng.choice([0, rng.uniform(0, 90)])))
            )
            cv2.fillConvexPoly(picture, box.astype(np.int32), colour, cv2.LINE_8)
        elif kind == 1:
            cv2.circle(picture, centre.astype(int).tolist(), int(reach / 2) + 1, colour, -1)
        elif kind == 2:
            corners = centre + rng.normal(0, reach, (int(rng.integers(3, 7)), 2))
            cv2.fillPoly(picture, [corners.astype(np.int32)], colour)
        else:
            end = centre + rng.normal(0, 3 * reach, 2)
            cv2.line(picture, centre.astype(int).tolist(), end.astype(int).tolist(), colour, int(rng.integers(1, 6)))
    return picture + np.float32(rng.uniform(0, 10)) * _noise(size, size // 2, rng, 1)


def shelves(size: int, rng: np.random.Generator) -> Picture:
    """Boards with upright things on them, as books are, or a house's windows."""
    wall, rows = _colour(rng), int(rng.integers(2, 7))
    picture = np.broadcast_to(wall, (size, size, 3)).copy()
    height, top = size / rows, rng.uniform(-1, 0) * size / rows
    base, contrast, tint = _colour(rng), rng.uniform(15, 50), rng.uniform(3, 35)
    for row in range(rows + 1):
        low = int(top + (row + 1) * height)
        x = 0.0
        while x < size:
            wide = size * rng.uniform(0.012, 0.08)
            tall = height * rng.uniform(0.4, 0.92)
            if rng.random() < 0.85:
                colour = np.clip(base + rng.normal(0, contrast) + rng.normal(0, tint, 3), 0, 255)
                picture[max(int(low - tall), 0) : max(low, 0), int(x) : int(x + wide) + 1] = colour
            x += wide
        picture[max(low, 0) : max(low + max(int(0.06 * height), 1), 0)] = 0.6 * wall
    return picture


def bokeh(size: int, rng: np.random.Generator) -> Picture:
    """Lights far out of focus over something dark."""
    import cv2

    picture = np.ascontiguousarray(blotches(size, rng) * np.float32(rng.uniform(0.2, 0.7)))
    radius = size * rng.uniform(0.015, 0.07)
    hues = [_colour(rng, 0.6) for _ in range(3)]
    glow = np.zeros_like(picture)
    for _ in range(rng.integers(8, 50)):
        disc = np.zeros((1, 1, 3), np.float32) + hues[rng.integers(3)]
        at, reach = rng.integers(0, size, 2), int(radius * rng.uniform(0.7, 1.2)) + 1
        cv2.circle(glow, at.tolist(), reach, (disc[0, 0] * rng.uniform(0.3, 1.2)).tolist(), -1, cv2.LINE_AA)
    return picture + cv2.GaussianBlur(glow, (0, 0), max(0.1 * radius, 0.4))


KINDS: tuple[Callable[[int, np.random.Generator], Picture], ...] = (
    studio, blotches, texture, stripes, clutter, shelves, bokeh,
)  # fmt: skip
SHARES = (0.2, 0.16, 0.16, 0.08, 0.22, 0.1, 0.08)


def random_patch(size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(size,size,3) one colour, a texture or noise, for what covers part of a picture."""
    kind = rng.random()
    if kind < 0.5:
        picture = np.broadcast_to(_colour(rng), (size, size, 3))
    elif kind < 0.9:
        picture = (studio, texture, stripes)[rng.integers(3)](size, rng)
    else:
        picture = rng.uniform(0, 255, (size, size, 3))
    return np.clip(picture, 0, 255).astype(np.uint8)
