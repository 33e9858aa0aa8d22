"""The part of the photo that shows hair, at the resolution the hair's texture can use."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..render.lighting import srgb_to_linear

FINEST = 1800.0
"""Pixels a metre of the hair's texture; a finer photo is scaled down."""
CORE = 0.0025
"""What lies deeper than this inside the mask is hair without background, metres."""
STRAY = 0.6
"""Hair's colours stray at most this far from the mean in the ratios of red, green and blue (logarithm); what does is
background between strands, or skin."""
COLDER = 0.12
"""No hair is much bluer than the rest of it, but sky and studio walls are: beyond this, blue counts three times."""
FLOOR, DARK = 2e-3, 0.03
"""Added to linear colours before taking logarithms: so that black stays finite, so that shadows have no hue."""
MARGIN = 0.02
"""Around the hair, metres."""


@dataclass(frozen=True)
class HairPhoto:
    """The hair in the photo.

    Attributes:
        linear: (h,w,3) float32 linear RGB. hair: (h,w) the mask. core: (h,w) 0..1, hair without its borders.
        camera: of this part of the photo.
        scale: pixels a metre at the head.
    """

    linear: NDArray[np.float32]
    hair: NDArray[np.float32]
    core: NDArray[np.float32]
    camera: Camera
    scale: float


def hair_photo(pixels: NDArray[np.uint8], hair: NDArray[np.float32], camera: Camera, centre: NDArray) -> HairPhoto:
    """Cut out and scale what shows hair.

    Args:
        pixels: (H,W,3) sRGB. hair: (H,W) `sure_mask` with some hair in it.
        centre: (3,) metres, the scalp's middle.
    """
    scale = float(camera.K[0, 0] / camera.to_camera(centre)[2])
    rows, columns = (np.nonzero((hair > 0.3).any(axis))[0] for axis in (1, 0))
    margin = max(2, round(MARGIN * scale))
    y0, y1 = max(rows[0] - margin, 0), min(rows[-1] + margin + 1, hair.shape[0])
    x0, x1 = max(columns[0] - margin, 0), min(columns[-1] + margin + 1, hair.shape[1])
    factor = min(1.0, FINEST / scale)
    size = (max(1, round((x1 - x0) * factor)), max(1, round((y1 - y0) * factor)))
    part = cv2.resize(pixels[y0:y1, x0:x1, :3], size, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(hair[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA)
    K = camera.K.copy()
    K[:2, 2] -= (x0, y0)
    K[:2] *= np.array([size[0] / (x1 - x0), size[1] / (y1 - y0)])[:, None]
    scale *= factor
    solid = cv2.erode((mask > 0.7).astype(np.uint8), np.ones((3, 3), np.uint8))
    depth = cv2.distanceTransform(solid, cv2.DIST_L2, 3)
    core = np.clip(depth / max(CORE * scale, 1.0), 0, 1).astype(np.float32)
    view = Camera(K, camera.world_to_camera, *size)
    linear = _in_character(srgb_to_linear(np.asarray(part, np.uint8)), core)
    return HairPhoto(linear, mask, core, view, scale)


def _in_character(linear: NDArray[np.float32], core: NDArray[np.float32]) -> NDArray[np.float32]:
    """The picture with what is not the hair's kind of colour, as sky between curls, replaced by the hair's mean."""
    sure = core > 0.5
    if not sure.any():
        return linear
    logs = np.log(linear + FLOOR)
    typical, change = np.median(logs[sure], 0), logs - np.median(logs[sure], 0)
    hue = np.log(linear + DARK)
    ratio = hue - hue.mean(-1, keepdims=True)
    ratio -= np.median(ratio[sure], 0)
    colder = np.maximum(ratio[..., 2:] - ratio[..., :1] - COLDER, 0)
    far = np.linalg.norm(ratio, axis=-1, keepdims=True) + 2 * colder
    change *= np.minimum(1.0, STRAY / np.maximum(far, 1e-6)) ** 2
    return np.maximum(np.exp(typical + change) - FLOOR, 0)
