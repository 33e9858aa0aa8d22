"""Where faces may be: BlazeFace on the whole picture, then on parts of it, then on the picture turned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from . import runtime
from .crop import Window
from .runtime import Detection

WORKING_SIDE = 640  # pixels; the detectors look at 128 or 192 and sample bilinearly, so larger pictures only alias
BOX_TO_WINDOW = 1.5  # BlazeFace's box spans brows to chin; MediaPipe grows it by as much for its mesh
TILES = (2, 3)  # parts a side
OVERLAP = 0.35  # of a part, so that no face is cut in all of them
SMALLEST = 16  # pixels a side; MediaPipe fails on some smaller pictures, and no face is that small
GREY = (128, 128, 128)


def searches(pixels: NDArray[np.uint8]) -> Iterator[list[tuple[Window, float]]]:
    """Ever more patient searches; the caller stops at the first that gives real faces.

    Args:
        pixels: (H,W,3) uint8 sRGB.

    Yields:
        (window around a possible face, detector's score 0..1), in pixels of the picture, best first.
    """
    if min(pixels.shape[:2]) < SMALLEST:
        return
    yield _search(pixels, 0)
    for parts in TILES:  # faces too small for the detectors
        yield _distinct([found for part in _tiles(pixels, parts) for found in part])
    for turns in (1, 3, 2):  # pictures lying on their side or upside down
        yield _search(pixels, turns)


def _reduce(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """At most `WORKING_SIDE` pixels a side."""
    import cv2

    scale = WORKING_SIDE / max(pixels.shape[:2])
    if scale >= 1.0:
        return pixels
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def _search(pixels: NDArray[np.uint8], turns: int) -> list[tuple[Window, float]]:
    """Both detectors, and the short one with a border for faces that fill the picture, after quarter turns."""
    import cv2

    picture = np.rot90(_reduce(pixels), turns)
    if min(picture.shape[:2]) < SMALLEST:
        return []
    pad = max(picture.shape[:2]) // 3
    padded = cv2.copyMakeBorder(picture, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=GREY)
    found = [(face, 0) for reach in ("full", "short") for face in runtime.detect(picture, reach)]
    found += [(face, pad) for face in runtime.detect(padded.astype(np.uint8), "short")]
    scale = max(pixels.shape[:2]) / max(picture.shape[:2])
    size = np.array([picture.shape[1], picture.shape[0]])
    original = np.array([pixels.shape[1], pixels.shape[0]])
    angle = turns * np.pi / 2
    unturn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    windows = []
    for face, border in found:
        window = detection_window(face)
        centre = unturn @ (window.centre - border - size / 2) * scale + original / 2
        windows.append((Window(centre, window.side * scale, window.roll + angle), face.score))
    return _distinct(windows)


def _tiles(pixels: NDArray[np.uint8], parts: int) -> Iterator[list[tuple[Window, float]]]:
    """`_search` on overlapping parts of the picture."""
    height, width = pixels.shape[:2]
    side = np.array([width, height]) / (parts - (parts - 1) * OVERLAP)
    for row in range(parts):
        for column in range(parts):
            corner = np.round(np.array([column, row]) * side * (1 - OVERLAP)).astype(int)
            end = np.minimum(np.ceil(corner + side).astype(int), [width, height])
            part = np.ascontiguousarray(pixels[corner[1] : end[1], corner[0] : end[0]])
            yield [(replace(window, centre=window.centre + corner), score) for window, score in _search(part, 0)]


def detection_window(face: Detection) -> Window:
    """The window for the mesh: around the box, turned as the eyes are."""
    low, high = face.box[:2].astype(float), face.box[2:].astype(float)
    across = face.keypoints[1] - face.keypoints[0]
    return Window((low + high) / 2, float((high - low).max()) * BOX_TO_WINDOW, float(np.arctan2(across[1], across[0])))


def _distinct(windows: list[tuple[Window, float]]) -> list[tuple[Window, float]]:
    """Drop windows that repeat a better one."""
    kept: list[tuple[Window, float]] = []
    for window, score in sorted(windows, key=lambda found: -found[1]):
        if all(np.linalg.norm(window.centre - other.centre) > 0.3 * min(window.side, other.side) for other, _ in kept):
            kept.append((window, score))
    return kept
