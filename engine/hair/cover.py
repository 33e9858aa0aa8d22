"""Where hair grows: what the photo shows of the hairline, and the head's own hairline where it shows nothing."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from .field import blurred, closed, normals, resized, smoothstep

MAP = (88, 336)
"""Rows and columns of the map on which the hairline is found; a step is about 2 mm."""
STEP = 0.002
FACING = (0.25, 0.5)
"""Cosines of the view angle between which the photo's hairline is believed."""
CARRIED = (10.0, 14.0)
"""How far (rows, columns of the map) what is seen of the hairline changes what is not."""
HOLE = (7, 11)
"""Rows and columns of the map."""
ISLAND = 0.15
"""Share of the largest patch of hair, below which another one is none."""
LEAST, OTHER_SIDE = 0.03, 0.25
"""Weight of the head's own hairline against what is carried, and of the mirrored side against the seen one."""


def seen_cover(
    points: NDArray, normal: NDArray, camera: Camera, hair: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The hair mask on a surface.

    Args:
        points, normal: (...,3) metres and unit.
        hair: (H,W) `sure_mask`.
    Returns:
        cover (...,) 0..1, and how far it is to be believed (...,) 0..1.
    """
    view = camera.position - points
    facing = (normal * view).sum(-1) / np.linalg.norm(view, axis=-1)
    pixels = camera.project(points.reshape(-1, 3)).reshape((*points.shape[:-1], 2)).astype(np.float32)
    inside = ((pixels > 1) & (pixels < (camera.width - 1, camera.height - 1))).all(-1)
    pixels = pixels.reshape(len(pixels), -1, 2) - 0.5
    found = cv2.remap(hair, pixels[..., 0], pixels[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(facing.shape), smoothstep(facing, *FACING) * inside


def cover_map(
    points: NDArray, prior: NDArray, camera: Camera, hair: NDArray[np.float32], rim: NDArray | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where hair grows.

    Args:
        points: (R,C,3) nodes. prior: (R,C) 0..1, the head's own scalp.
        rim: (R,C) 0..1, what makes the outline and stands off the skull, so that it must be hair.
    Returns:
        cover, MAP, 0.5 at the hairline; and trust, MAP, of what of it was seen.
    """
    place = resized(points, MAP)
    own = blurred(resized(prior, MAP), (1.5, 1.5))
    known, trust = seen_cover(place, normals(place), camera, hair)
    if rim is not None:
        sure = resized(rim, MAP) * (1 - trust)
        known, trust = known + sure * (1 - known), trust + sure
    change = trust * (known - own)
    sums = blurred(np.stack([trust, change], -1), CARRIED)
    other = OTHER_SIDE * sums[:, ::-1]
    carried = (sums[..., 1] + other[..., 1]) / (sums[..., 0] + other[..., 0] + LEAST)
    guess = np.clip(own + carried, 0, 1)
    return _in_one(_without_holes(guess + trust * (known - guess))), trust


def _in_one(cover: NDArray[np.float32]) -> NDArray[np.float32]:
    """The cover without islands, which are stray ends of something else."""
    wide = np.concatenate([cover, cover], 1)
    count, label, stats, _ = cv2.connectedComponentsWithStats((wide > 0.4).astype(np.uint8), connectivity=4)
    if count < 2:
        return cover
    large = stats[:, cv2.CC_STAT_AREA] > ISLAND * stats[1:, cv2.CC_STAT_AREA].max()
    large[0] = True
    kept = large[label]
    half = cover.shape[1]
    return np.where(kept[:, :half] | kept[:, half:], cover, 0).astype(np.float32)


def _without_holes(cover: NDArray[np.float32]) -> NDArray[np.float32]:
    """The cover with gaps filled that are narrower than `HOLE`; the mask has some where hair shines."""
    margin = 2 * HOLE[1]
    wide = closed(cover, margin)
    wide = np.pad(wide, ((HOLE[0], HOLE[0]), (0, 0)), mode="edge")
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (HOLE[1], HOLE[0]))
    return cv2.morphologyEx(wide, cv2.MORPH_CLOSE, kernel)[HOLE[0] : -HOLE[0], margin:-margin]
