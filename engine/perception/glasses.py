"""Spectacles: are there any, where are their frames, and where is glare."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import topology as topo
from .geometry import FaceFrame, ramp

LINE = 0.07  # of the face height: dark things thinner than this are lines
BRIDGE = 9.0  # lightness; a frame crosses the nose bridge darker than that everywhere. Of 31 portraits, the 6 with
# glasses have 13 to 50 at their weakest, the 25 without have at most 5
VISIBLE = (6.0, 14.0)  # lightness by which a frame is darker than the skin beside it: barely, clearly
HIGH_NOSE, LOW_NOSE = 168, 6  # points on the bridge


def glasses_frames(lightness: NDArray[np.float32], frame: FaceFrame) -> NDArray[np.float32]:
    """(S,S) 0..1: spectacle frames on the face, all 0 when there are none.

    Args:
        lightness: (S,S) CIE L of an upright face crop.
        frame: the face in it.
    """
    import cv2

    dark = _dark_lines(lightness, frame)
    bridge = _bridge(frame)
    if not _crossed(dark, bridge):
        return np.zeros_like(dark)
    nostrils = ramp(np.abs(frame.across), 0.45, 0.3) * ramp(frame.down, 0.2, 0.3)
    zone = ramp(frame.down, -0.4, -0.3) * ramp(frame.down, 0.55, 0.4) * ramp(frame.inside, -0.08, -0.04)
    lines = ramp(dark, *VISIBLE) * zone * (1.0 - nostrils)
    labels: NDArray
    count, labels = cv2.connectedComponents((lines > 0.4).astype(np.uint8))
    joined = np.bincount(labels[bridge], minlength=count) > 0
    joined[0] = False
    size = 2 * max(1, round(0.012 * frame.unit)) + 1
    rims = cv2.dilate(joined[labels].astype(np.float32), np.ones((size, size), np.uint8))
    eyes = np.maximum(frame.region(topo.RIGHT_EYE, 0.03), frame.region(topo.LEFT_EYE, 0.03))
    brows = np.maximum(frame.region(topo.RIGHT_BROW), frame.region(topo.LEFT_BROW))
    return cv2.blur(rims, (3, 3)).astype(np.float32) * (1.0 - eyes) * (1.0 - brows)


def without_glare(lightness: NDArray[np.float32], frame: FaceFrame) -> NDArray[np.float32]:
    """(S,S) 0..1, low where something shines: nearly white, and much lighter than its surroundings."""
    import cv2

    around = cv2.GaussianBlur(lightness, (0, 0), frame.unit * 0.08)
    return 1.0 - 0.9 * ramp(lightness - around, 12.0, 30.0) * ramp(lightness, 80.0, 95.0)


def _dark_lines(lightness: NDArray[np.float32], frame: FaceFrame) -> NDArray[np.float32]:
    """How much darker than both sides (the black top-hat transform)."""
    import cv2

    size = 2 * round(LINE * frame.unit / 2) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return (cv2.morphologyEx(lightness, cv2.MORPH_CLOSE, kernel) - lightness).astype(np.float32)


def _bridge(frame: FaceFrame) -> NDArray[np.bool_]:
    """(S,S) the nose bridge between the eyes."""
    middle = (frame.points[HIGH_NOSE] + frame.points[LOW_NOSE]) / 2
    rows, columns = np.mgrid[0 : frame.oval.shape[0], 0 : frame.oval.shape[1]] + 0.5
    return (np.abs(columns - middle[0]) < 0.05 * frame.unit) & (np.abs(rows - middle[1]) < 0.08 * frame.unit)


def _crossed(dark: NDArray[np.float32], bridge: NDArray[np.bool_]) -> bool:
    """Whether a dark line runs right across the bridge."""
    columns = bridge.any(axis=0)
    return bool(columns.any() and np.where(bridge, dark, 0.0)[:, columns].max(axis=0).min() > BRIDGE)
