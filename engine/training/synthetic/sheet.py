"""A contact sheet of synthetic pictures, and what is known of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...heads.model import HeadModel
from .shards import Shard

PALETTE = np.array([
    [40, 40, 48], [224, 172, 140], [96, 60, 40], [240, 240, 250], [200, 70, 90], [110, 20, 40], [120, 80, 180],
    [250, 200, 90], [190, 130, 100], [30, 160, 200], [70, 140, 80], [150, 150, 150],
], np.uint8)  # fmt: skip
"""A colour for each region."""
POINT = np.array([60, 255, 120], np.uint8)
HIDDEN = np.array([255, 120, 40], np.uint8)
DEPTHS = (-0.15, 0.15)
"""Metres before and behind the head's origin, white to black."""


def contact_sheet(shard: Shard, head: HeadModel, columns: int = 8, rows: int = 3) -> NDArray[np.uint8]:
    """Pictures of a shard in rows, and below them regions, depth and points of the first row.

    Returns:
        (H,W,3) uint8; what the shard is too short for stays black.
    """
    shown = min(len(shard), columns * rows)
    images = [shard.image(number) for number in range(shown)]
    labelled = range(min(columns, shown))
    lines = [images[start : start + columns] for start in range(0, columns * rows, columns)]
    lines += [[_regions(shard, n) for n in labelled], [_depth(shard, n) for n in labelled]]
    lines.append([_points(shard, n, images[n], head) for n in labelled])
    side = images[0].shape[0]
    sheet = np.zeros((len(lines) * side, columns * side, 3), np.uint8)
    for row, line in enumerate(lines):
        for column, tile in enumerate(line):
            sheet[row * side : (row + 1) * side, column * side : (column + 1) * side] = tile
    return sheet


def _regions(shard: Shard, number: int) -> NDArray[np.uint8]:
    return PALETTE[shard.regions[number]].repeat(2, 0).repeat(2, 1)


def _depth(shard: Shard, number: int) -> NDArray[np.uint8]:
    near, far = DEPTHS
    depth = shard.depth[number].astype(np.float32)
    grey = np.where(np.isfinite(depth), 255 * np.clip((far - depth) / (far - near), 0.1, 1), 0).astype(np.uint8)
    return np.repeat(grey[..., None], 3, 2).repeat(2, 0).repeat(2, 1)


def _points(shard: Shard, number: int, image: NDArray[np.uint8], head: HeadModel) -> NDArray[np.uint8]:
    """The picture, darker, with every third vertex of the skin."""
    camera, side = shard.cameras[number], image.shape[0]
    chosen = np.flatnonzero(head.regions["skin"] & ~head.regions["inner_mouth"] & ~head.regions["eye_sockets"])[::3]
    places = camera.project(shard.vertices(number, head)[chosen])
    drawn = (image * 0.5).astype(np.uint8)
    inside = ((places >= 0) & (places < side)).all(1)
    column, row = places[inside].astype(int).T
    drawn[row, column] = np.where(shard.visible[number][chosen][inside][:, None], POINT, HIDDEN)
    return drawn
