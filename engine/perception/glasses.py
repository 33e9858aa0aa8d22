"""Spectacles: are there any, where are their frames, and where is glare."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import topology as topo
from .geometry import FaceFrame, ramp

THIN, THICK = 0.05, 0.065  # of the face height; widest line that counts, on the bridge and round the lenses
LENS = 0.14  # of the face height; how far a lens reaches beyond the eye
# Lightness; a frame crosses the nose bridge darker than that everywhere. Of 147 portraits, 25 wear glasses with frames:
# 12 to 59 at their weakest; the others at most 8.5, rimless and clear glasses among them.
BRIDGE = 10.5
# Wire frames may be fainter there, if as dark a line runs below both eyes: on one wearer 6.7 and 28, on 24 others at
# most 3.3 on the bridge.
WIRE_BRIDGE, WIRE_RIM, WIRE_SHARE = 5.0, 20.0, 0.5
VISIBLE = (0.25, 0.5)  # how dark the rest of the frame is against the bridge: barely, clearly
DARKEST = 25.0  # lightness; a bridge darker than that sets no higher standard
HIGH_NOSE, LOW_NOSE = 168, 6  # points on the bridge


def glasses_frames(lightness: NDArray[np.float32], frame: FaceFrame) -> NDArray[np.float32]:
    """(S,S) 0..1: spectacle frames on the face, all 0 when there are none.

    Args:
        lightness: (S,S) CIE L of an upright face crop.
        frame: the face in it.
    """
    import cv2

    bridge = _bridge(frame)
    thin = _dark_lines(lightness, THIN * frame.unit)
    darkness = min(_crossing(thin, bridge), DARKEST)
    if darkness < BRIDGE:
        rim = min(_crossing(thin, _below(frame, loop)) for loop in (topo.RIGHT_EYE, topo.LEFT_EYE))
        if darkness < WIRE_BRIDGE or rim < WIRE_RIM:
            return np.zeros_like(lightness)
        darkness = max(darkness, WIRE_SHARE * min(rim, DARKEST))
    lines = ramp(_dark_lines(lightness, THICK * frame.unit), VISIBLE[0] * darkness, VISIBLE[1] * darkness)
    lenses = np.maximum(frame.region(topo.RIGHT_EYE, LENS), frame.region(topo.LEFT_EYE, LENS))
    temples = ramp(np.abs(frame.across), 0.6, 0.7) * ramp(np.abs(frame.down), 0.25, 0.2)
    zone = np.maximum.reduce([lenses, temples, bridge.astype(np.float32)]) * ramp(frame.inside, -0.06, -0.02)
    nose = np.clip(frame.down, 0.0, None) * 1.1 + 0.1  # half its breadth, growing downwards
    zone *= ramp(np.abs(frame.across), nose - 0.05, nose + 0.05) + ramp(frame.down, 0.2, 0.1)
    zone *= ramp(frame.down, -0.36, -0.28)
    size = 2 * max(1, round(0.01 * frame.unit)) + 1
    rims = cv2.dilate((lines * zone > 0.4).astype(np.float32), np.ones((size, size), np.uint8))
    eyes = np.maximum(frame.region(topo.RIGHT_EYE, 0.03), frame.region(topo.LEFT_EYE, 0.03))
    brows = np.maximum(frame.region(topo.RIGHT_BROW), frame.region(topo.LEFT_BROW))
    return cv2.blur(rims, (3, 3)).astype(np.float32) * (1.0 - eyes) * (1.0 - brows)


def without_glare(lightness: NDArray[np.float32], frame: FaceFrame) -> NDArray[np.float32]:
    """(S,S) 0..1, low where something shines: nearly white, and much lighter than its surroundings."""
    import cv2

    around = cv2.GaussianBlur(lightness, (0, 0), frame.unit * 0.08)
    return 1.0 - 0.9 * ramp(lightness - around, 12.0, 30.0) * ramp(lightness, 80.0, 95.0)


def _dark_lines(lightness: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    """How much darker than both sides, for lines narrower than `width` pixels (the black top-hat transform)."""
    import cv2

    size = 2 * round(width / 2) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return (cv2.morphologyEx(lightness, cv2.MORPH_CLOSE, kernel) - lightness).astype(np.float32)


def _bridge(frame: FaceFrame) -> NDArray[np.bool_]:
    """(S,S) the nose bridge between the eyes."""
    middle = (frame.points[HIGH_NOSE] + frame.points[LOW_NOSE]) / 2
    rows, columns = np.mgrid[0 : frame.oval.shape[0], 0 : frame.oval.shape[1]] + 0.5
    return (np.abs(columns - middle[0]) < 0.05 * frame.unit) & (np.abs(rows - middle[1]) < 0.08 * frame.unit)


def _below(frame: FaceFrame, eye: tuple[int, ...]) -> NDArray[np.bool_]:
    """(S,S) the cheek below an eye, where the lower rim of a lens runs."""
    left, right = (edge(frame.points[list(eye), 0]) for edge in (np.min, np.max))
    low = frame.points[list(eye), 1].max()
    rows, columns = np.mgrid[0 : frame.oval.shape[0], 0 : frame.oval.shape[1]] + 0.5
    middle = np.abs(columns - (left + right) / 2) < 0.4 * (right - left)
    return middle & (rows > low + 0.02 * frame.unit) & (rows < low + 0.16 * frame.unit)


def _crossing(dark: NDArray[np.float32], bridge: NDArray[np.bool_]) -> float:
    """How dark the weakest column of a line right across an area is; 0 when the area is out of sight."""
    columns = bridge.any(axis=0)
    return float(np.where(bridge, dark, 0.0)[:, columns].max(axis=0).min()) if columns.any() else 0.0
