"""Depth by the bundled Attention U-Net (`engine.perception.parts`), as far as its window reaches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..perception.depth_scale import SPAN
from ..perception.parts import PartsObservation
from .compose import fitted_line, sharpened
from .head import HeadDepth
from .view import View, resized

Floats = NDArray[np.float32]
END = (0.85, 0.98)
"""Shares of its scale's end between which the network's depth stops to be believed: there it is clipped."""
MARGIN = 0.15
"""Of the window's side along its border, over which it is believed less and less."""
LEAST_POINTS = 50
"""Pixels of trusted face needed to bring the network's depth to the head's."""


def network_depth(view: View, parts: PartsObservation, head: HeadDepth) -> tuple[Floats, Floats]:
    """What the network sees, in metres from the camera, its scale and offset those that suit the fitted face.

    Returns:
        (h,w) depth; (h,w) 0..1 how far it is believed.
    """
    factor = min(1.0, parts.depth.shape[0] / parts.window.side)
    size = max(2, round(view.shape[0] * factor)), max(2, round(view.shape[1] * factor))
    believed = _on(parts, _belief(parts), view, 0.0)
    depth = _on(parts, parts.depth, view, SPAN)
    trust = head.trust * believed
    sure = trust > 0.5
    gain, offset = 1.0, view.reference
    if sure.sum() >= LEAST_POINTS:
        gain, offset = fitted_line(depth[sure], head.depth[sure], trust[sure])
    inner = _inner(view, size)
    known = resized(believed, size) * inner
    fine = sharpened(resized(depth, size), known, view.pixels)
    weight = sharpened(known, np.ones(size, np.float32), view.pixels)
    return (gain * fine + offset).astype(np.float32), (np.clip(weight, 0, 1) * view.mask).astype(np.float32)


def _belief(parts: PartsObservation) -> Floats:
    """(S,S) how far each pixel of the network's depth is believed."""
    low, high = (share * SPAN for share in END)
    clipped = np.clip((high - np.abs(parts.depth)) / (high - low), 0, 1)
    side = len(parts.depth)
    border = np.minimum(np.arange(side) + 0.5, side - np.arange(side) - 0.5) / (MARGIN * side)
    window = np.clip(np.minimum.outer(border, border), 0, 1)
    return (parts.confidence * clipped * window * parts.group("person")).astype(np.float32)


def _on(parts: PartsObservation, values: NDArray, view: View, outside: float) -> Floats:
    return parts.on_picture(values, view.shape[0], view.shape[1], outside)


def _inner(view: View, size: tuple[int, int]) -> Floats:
    """(h,w) 1 inside the person, 0 within a pixel of the outline, where the network mixes it with what is behind."""
    import cv2

    share = resized(view.mask.astype(np.float32), size)
    inside = (share > 0.98).astype(np.uint8)
    return cv2.erode(inside, np.ones((3, 3), np.uint8), borderValue=1).astype(np.float32)
