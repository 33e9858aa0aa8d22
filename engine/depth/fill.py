"""Filling in: values where there are none, and membranes that hang between what is known and what is likely."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
SMALLEST = 8
"""Pixels of the shorter side at which a membrane is first solved."""
SWEEPS = 40
"""Rounds on every level. The coarser level has settled all that is wide already."""
ROW = 4096
"""Places read together."""
OVER = 1.6
"""Over-relaxation of each round."""


def push_pull(values: NDArray, weights: NDArray) -> Floats:
    """Values everywhere from values somewhere: their weighted means over ever wider squares (Gortler et al. 1996,
    section 3.4.2). Where the weight is 1 or more they stay.

    Args:
        values: (H,W) or (H,W,C); ignored where the weight is 0.
        weights: (H,W) of 0 or more.
    """
    import cv2

    flat = np.where(weights[..., None] > 0, np.atleast_3d(values), 0).astype(np.float32)
    levels: list[tuple[NDArray, NDArray]] = [(flat, np.minimum(weights, 1).astype(np.float32))]
    while max(levels[-1][1].shape) > 1:
        mean, weight = levels[-1]
        size = ((weight.shape[1] + 1) // 2, (weight.shape[0] + 1) // 2)
        total = _halved(weight, size)
        mean = _halved(mean * weight[..., None], size) / np.maximum(total, np.float32(1e-12))[..., None]
        levels.append((mean, np.minimum(4 * total, 1).astype(np.float32)))
    found = levels[-1][0]
    for mean, weight in reversed(levels[:-1]):
        size = (weight.shape[1], weight.shape[0])
        wide = cv2.resize(found, size, interpolation=cv2.INTER_LINEAR).reshape(mean.shape)
        found = wide + weight[..., None] * (mean - wide)
    return found.reshape(values.shape).astype(np.float32)


def _halved(values: NDArray, size: tuple[int, int]) -> NDArray:
    """The sum of each 2 x 2 pixels over 4."""
    import cv2

    height, width = values.shape[:2]
    pads = ((0, 2 * size[1] - height), (0, 2 * size[0] - width), *[(0, 0)] * (values.ndim - 2))
    padded = np.pad(values, pads)
    return np.asarray(cv2.resize(padded, size, interpolation=cv2.INTER_AREA), np.float32).reshape(
        size[1], size[0], *values.shape[2:]
    )


def membrane(
    inside: NDArray[np.bool_], target: NDArray, weight: NDArray, load: NDArray | float = 0.0, rim: NDArray | float = 0.0
) -> Floats:
    """The surface u that minimises |grad u|^2 + weight (u - target)^2 - 2 load u over a region.

    On its border u is `rim`; where the picture ends, it runs on level. Solved from coarse to fine, by over-relaxation
    of every second pixel in turn.

    Args:
        inside: (H,W), the region.
        target: (H,W), where u is drawn to; any number where the weight is 0.
        weight: (H,W) of 0 or more, per pixel: 1 is as stiff as one neighbour.
        load: pushes u up, per pixel: in a circle of R pixels, a load of 4 without targets gives R^2 - r^2.
        rim: (H,W) or a number, u outside.
    Returns:
        (H,W); `rim` outside.
    """
    import cv2

    shape = inside.shape
    layers = np.stack(
        [np.broadcast_to(np.asarray(part, np.float32), shape) for part in (target, weight, load, rim)], -1
    )
    if min(shape) > 2 * SMALLEST:
        small = (shape[1] // 2, shape[0] // 2)
        weighted = layers * np.where(np.arange(4) == 0, layers[..., 1:2], 1).astype(np.float32)
        coarse = np.asarray(cv2.resize(weighted, small, interpolation=cv2.INTER_AREA))
        share = cv2.resize(inside.astype(np.float32), small, interpolation=cv2.INTER_AREA)
        outside = cv2.resize((~inside * layers[..., 3]).astype(np.float32), small, interpolation=cv2.INTER_AREA)
        rims = np.where(share < 1, outside / np.maximum(1 - share, 1e-6), coarse[..., 3])
        mean = coarse[..., 0] / np.maximum(coarse[..., 1], 1e-12)
        found = membrane(
            share > 0.5,
            mean,
            4 * coarse[..., 1],
            4 * coarse[..., 2],
            rims,
        )
        start = np.asarray(cv2.resize(found, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR))
    else:
        start = np.where(layers[..., 1] > 0, layers[..., 0], layers[..., 3])
    return _relaxed(np.where(inside, start, layers[..., 3]), inside, layers)


def _relaxed(u: NDArray, inside: NDArray[np.bool_], layers: NDArray) -> Floats:
    height, width = inside.shape
    u = np.pad(u.astype(np.float32), 1)
    links = np.zeros((height, width), np.float32)
    links[1:] += 1
    links[:-1] += 1
    links[:, 1:] += 1
    links[:, :-1] += 1
    u[0], u[-1], u[:, 0], u[:, -1] = 0, 0, 0, 0
    pull = layers[..., 0] * layers[..., 1] + layers[..., 2]
    stiff = links + layers[..., 1]
    rows, columns = np.indices((height, width), sparse=True)
    turns = [inside & ((rows + columns) % 2 == turn) for turn in (0, 1)]
    for _ in range(SWEEPS):
        for turn in turns:
            around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
            middle = u[1:-1, 1:-1]
            middle += np.where(turn, OVER * ((around + pull) / stiff - middle), 0)
    return u[1:-1, 1:-1].copy()


def sampled(values: NDArray, places: NDArray) -> Floats:
    """(N,) values (H,W) at places (N,2) in pixels, whose centres are at .5; held at the border."""
    import cv2

    rows = -(-len(places) // ROW)
    at = np.zeros((rows * ROW, 2), np.float32)  # OpenCV takes no side of 32768 or more
    at[: len(places)] = places - 0.5
    x, y = at.reshape(rows, ROW, 2).transpose(2, 0, 1)
    found = cv2.remap(values.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found).ravel()[: len(places)]
