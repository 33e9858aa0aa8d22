"""The hair's outline in the photo: how far it stands off the skull in every direction, and how far down it hangs.

Above the middle of the scalp it is measured along rays, below it along rows to either side: together they surround
the head like a capsule. A place on the outline is a number: rows of the right of the picture from the bottom up, then
rays from right over the top to left, then rows of the left from the top down.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..camera import Camera

RAYS = 120
"""Directions over the top of the head, half a turn."""
ROWS, ROW = 80, 0.003
"""Rows to each side below the middle, and their distance, metres."""
SAMPLES, FARTHEST = 256, 0.22
"""Samples along a ray or row, and its length, metres."""
THICKEST = 0.075
"""Hair is taken to stand off at most this far, metres: more is a hat, a hand or somebody else."""
SMALLEST_LOCK = 0.012
"""What hangs beside the neck is at least this wide, metres."""
CHEEK = 0.004
"""Below the middle of the scalp the cheek may come this far out from under the hair, metres."""
GAPS = 4
"""So many rows without hair end what hangs."""
FAINTEST = 0.2
"""Below this a mask is no hair, however faint the rest of it."""


@dataclass(frozen=True)
class Outline:
    """The hair's outline around the head in the photo.

    Attributes:
        middle: (2,) pixels, the scalp's middle. right, up: (2,) unit directions in the picture, y down.
        scale: pixels a metre.
        skull: (N,) how far the skull reaches in each direction, metres.
        thickness: (N,) how far hair reaches beyond it, metres.
        general: the mean thickness over the top half, metres.
        extent: (2,ROWS) how far hair reaches sideways in each row below the middle (right, left), metres; 0: none.
        bottom: (2,) how far below the middle it hangs on either side, metres; 0 where it does not reach.
    """

    middle: NDArray[np.float64]
    right: NDArray[np.float64]
    up: NDArray[np.float64]
    scale: float
    skull: NDArray[np.float64]
    thickness: NDArray[np.float64]
    general: float
    extent: NDArray[np.float64]
    bottom: NDArray[np.float64]

    def place(self, pixels: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where on the outline pixels (...,2) point to, (...), and their distance from the axis in metres, (...)."""
        return _place(pixels, self.middle, self.right, self.up, self.scale)

    def read(self, values: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values (N,) of the outline between its places, linearly."""
        return np.interp(place, np.arange(len(values)), values)


def measure_outline(hair: NDArray[np.float32], camera: Camera, centre: NDArray, scalp: NDArray[np.float64]) -> Outline:
    """Measure the outline.

    Args:
        hair: (H,W) soft mask 0..1, `sure_mask`.
        centre: (3,) metres, the scalp's middle. scalp: (...,3) points of the bare skull, metres.
    """
    middle = camera.project(centre)
    up = camera.project(centre + np.array([0.0, 0.05, 0.0])) - middle
    up /= max(float(np.linalg.norm(up)), 1e-9)
    right = np.array([-up[1], up[0]])
    scale = float(camera.K[0, 0] / camera.to_camera(centre)[2])
    place, radius = _place(camera.project(scalp.reshape(-1, 3)), middle, right, up, scale)
    skull = _skull(place, radius)
    profiles = _profiles(hair, middle, right, up, scale)
    thickness = _thickness(profiles, skull)
    extent = np.stack([_extents(profiles[ROWS - 1 :: -1], skull), _extents(profiles[ROWS + RAYS :], skull)])
    bottom = np.array([_bottom(side) for side in extent])
    general = float(thickness[ROWS : ROWS + RAYS].mean())
    return Outline(middle, right, up, scale, skull, thickness, general, extent, bottom)


def sure_mask(hair: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mask (H,W) raised so that thin or white hair, of which it is never sure, reaches 1 where it is surest."""
    believed = hair[hair > FAINTEST]
    best = float(np.quantile(believed, 0.9)) if len(believed) else 1.0
    return np.minimum(hair / max(best, 2 * FAINTEST), 1.0)


def _place(
    pixels: NDArray, middle: NDArray, right: NDArray, up: NDArray, scale: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    offset = (pixels - middle) / scale
    x, y = offset @ right, offset @ up
    ray = ROWS + np.arctan2(y, x) / np.pi * RAYS
    row = np.clip(-y / ROW, 0, ROWS)
    below = np.where(x >= 0, ROWS - row, ROWS + RAYS - 1 + row)
    return np.where(y >= 0, ray, below), np.where(y >= 0, np.hypot(x, y), np.abs(x))


def _skull(place: NDArray, radius: NDArray) -> NDArray[np.float64]:
    """(N,) the skull's reach in each direction; directions without it take their neighbours'."""
    count = 2 * ROWS + RAYS
    skull = np.zeros(count)
    np.maximum.at(skull, np.clip(np.round(place), 0, count - 1).astype(int), radius)
    skull[skull < 0.6 * np.median(skull[ROWS : ROWS + RAYS])] = 0
    known = np.nonzero(skull)[0]
    skull = np.interp(np.arange(count), known, skull[known])
    return np.maximum(skull, (np.roll(skull, 1) + np.roll(skull, -1)) / 2)


def _profiles(hair: NDArray[np.float32], middle: NDArray, right: NDArray, up: NDArray, scale: float) -> NDArray:
    """(N,SAMPLES) the mask along every ray and row."""
    angle = (np.arange(RAYS) + 0.5) / RAYS * np.pi
    rows = (np.arange(ROWS) + 0.5) * ROW
    x = np.concatenate([np.ones(ROWS), np.cos(angle), -np.ones(ROWS)])
    y = np.concatenate([np.zeros(ROWS), np.sin(angle), np.zeros(ROWS)])
    start = np.concatenate([-rows[::-1], np.zeros(RAYS), -rows])
    far = np.arange(SAMPLES) / SAMPLES * FARTHEST
    along = (x[:, None] * far, y[:, None] * far + start[:, None])
    pixels = middle + scale * (along[0][..., None] * right + along[1][..., None] * up)
    grid = (pixels - 0.5).astype(np.float32)
    return cv2.remap(hair, grid[..., 0], grid[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _thickness(profiles: NDArray, skull: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) how far hair reaches beyond the skull without a gap, metres, smoothed along the outline."""
    far = np.arange(SAMPLES) / SAMPLES * FARTHEST
    ray = (np.arange(len(skull)) >= ROWS) & (np.arange(len(skull)) < ROWS + RAYS)
    start = np.where(ray, 0.92 * skull, skull + CHEEK)
    gap = (profiles < 0.5) & (far >= start[:, None])
    reach = np.where(gap.any(1), far[gap.argmax(1)], FARTHEST)
    at_once = reach < start + 1.5 * FARTHEST / SAMPLES
    beyond = np.where(at_once, 0.0, np.clip(reach - skull, 0.0, THICKEST))
    padded = np.pad(beyond, 4, mode="edge")
    median = np.median(np.stack([padded[shift : shift + len(beyond)] for shift in range(9)]), axis=0)
    kernel = np.hanning(11)
    return np.convolve(np.pad(median, 5, mode="edge"), kernel / kernel.sum(), "valid")


def _extents(profiles: NDArray, skull: NDArray[np.float64]) -> NDArray[np.float64]:
    """(ROWS,) how far hair reaches sideways in each row of one side, top row first; 0 where there is none."""
    widest = float(skull[ROWS : ROWS + RAYS].max())
    far = np.arange(SAMPLES) / SAMPLES * FARTHEST
    hairy = profiles > 0.5
    near = hairy & (far > 0.35 * widest) & (far < 1.35 * widest)
    enough = near.sum(1) * FARTHEST / SAMPLES > SMALLEST_LOCK
    connected = hairy | (far < 0.35 * widest)
    last = near.shape[1] - 1 - near[:, ::-1].argmax(1)
    after = ~connected & (np.arange(SAMPLES) > last[:, None])
    end = np.where(after.any(1), far[after.argmax(1)], FARTHEST)
    return np.where(enough, np.minimum(end, widest + THICKEST), 0.0)


def _bottom(extent: NDArray[np.float64]) -> float:
    """How far below the middle hair reaches on one side, metres."""
    missing = extent == 0
    for row in range(ROWS):
        if missing[row : row + GAPS].all():
            return row * ROW
    return ROWS * ROW
