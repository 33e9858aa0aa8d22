"""The mesh's texture: the photo itself, the person's colours carried past the outline, and a plain back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .fill import push_pull

LARGEST = 4096
"""Pixels of a side of the front's picture."""
RIM = 0.003
"""Metres inside the outline in which the background shines through hair and edges."""
BACK_BLUR = 0.02
"""Metres over which the back's colours are mixed."""


def front_picture(pixels: NDArray[np.uint8], mask: NDArray[np.bool_], metres: float) -> NDArray[np.uint8]:
    """The photo's part, on whose rim and beyond the colours of the person's inside go on.

    Args:
        pixels: (H,W,3) sRGB. mask: (h,w), any size, the person.
        metres: across a pixel of the mask.
    """
    import cv2

    inside = inner(mask, metres)
    share = cv2.resize(inside, (pixels.shape[1], pixels.shape[0]), interpolation=cv2.INTER_LINEAR)[..., None]
    filled = push_pull(pixels.astype(np.float32), (share[..., 0] > 0.99).astype(np.float32))
    mixed = filled + np.clip(share, 0, 1) * (pixels - filled)
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8)


def inner(mask: NDArray[np.bool_], metres: float) -> NDArray[np.float32]:
    """(h,w) 0..1 the mask without its rim, where pixels are the background's as much as the person's.

    Args:
        metres: across a pixel.
    """
    return _eroded(mask, RIM / metres)


def back_picture(front: NDArray[np.uint8], mask: NDArray[np.bool_], metres: float) -> NDArray[np.uint8]:
    """What may be behind: the outline's colours, hung smoothly between its sides. The photo knows nothing of it.

    Args:
        front: (H,W,3), see `front_picture`; mask and metres as there.
    """
    import cv2

    ring = _eroded(mask, 0) * (1 - _eroded(mask, max(2 * RIM / metres, 3)))
    small = cv2.resize(front, (mask.shape[1], mask.shape[0]), interpolation=cv2.INTER_AREA)
    filled = push_pull(small.astype(np.float32), (ring > 0.5).astype(np.float32))
    filled = cv2.GaussianBlur(filled, (0, 0), max(BACK_BLUR / metres, 1))
    large = cv2.resize(filled, (front.shape[1], front.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.clip(np.round(large), 0, 255).astype(np.uint8)


def _eroded(mask: NDArray[np.bool_], pixels: float) -> NDArray[np.float32]:
    """(h,w) 0..1: 1 deeper than so many pixels inside the mask; the picture's own border is none."""
    import cv2

    ringed = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    away = cv2.distanceTransform(ringed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    return np.clip(away - pixels, 0, 1).astype(np.float32)
