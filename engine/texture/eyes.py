"""Iris colour from the photo. The eye itself is not projected: lids and reflections would be painted on the ball."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..perception.observation import FaceObservation, Masks
from ..render.lighting import srgb_to_linear

IRISES = ((468, range(469, 473)), (473, range(474, 478)))
"""MediaPipe's iris centres and rings: right eye of the person first."""
PUPIL, LIMBUS = 0.42, 0.85
"""Ring of the iris that shows its colour, in iris radii."""
LEAST_PIXELS = 12
"""With fewer visible iris pixels than this the photo says nothing about eye colour."""


def iris_color(pixels: NDArray[np.uint8], face: FaceObservation, masks: Masks) -> NDArray[np.float32] | None:
    """Median linear RGB of both visible irises without pupil, lids and highlights, or None if too small to tell."""
    found = [_ring_pixels(pixels, face, masks, centre, list(ring)) for centre, ring in IRISES]
    colors = np.concatenate(found)
    if len(colors) < LEAST_PIXELS:
        return None
    luminance = colors @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    low, high = np.quantile(luminance, [0.15, 0.75])
    return np.median(colors[(luminance >= low) & (luminance <= high)], axis=0).astype(np.float32)


def _ring_pixels(
    pixels: NDArray[np.uint8], face: FaceObservation, masks: Masks, centre: int, ring: list[int]
) -> NDArray[np.float32]:
    middle = face.landmarks[centre, :2]
    radius = float(np.linalg.norm(face.landmarks[ring, :2] - middle, axis=1).mean())
    low = np.maximum(np.floor(middle - radius).astype(int), 0)
    high = np.minimum(np.ceil(middle + radius).astype(int) + 1, (masks.eyes.shape[1], masks.eyes.shape[0]))
    if (high <= low).any():
        return np.zeros((0, 3), np.float32)
    rows, columns = np.mgrid[low[1] : high[1], low[0] : high[0]]
    distance = np.hypot(columns + 0.5 - middle[0], rows + 0.5 - middle[1]) / max(radius, 1e-6)
    inside = (distance > PUPIL) & (distance < LIMBUS) & (masks.eyes[rows, columns] > 0.8)
    return srgb_to_linear(pixels[rows[inside], columns[inside]])
