"""Depths of several origins made one, without a step where they meet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..perception.colour import GuidedFilter, apply_coefficients
from .fill import membrane, push_pull
from .view import resized

Floats = NDArray[np.float32]
SIDE = 256
"""Pixels of the longer side of the grid on which differences are spread."""
EDGE = 0.12**2
"""Squared contrast of a photo's edge along which a depth's edge is drawn."""
RADIUS = 2
"""Of the guided filter, pixels of the map that is enlarged."""
OUTSIDE = 4.0
"""How firmly differences are held at nothing outside a region; see `fill.membrane`."""
BORDER_BLUR = 0.002
"""Metres along which depth is smoothed at the person's outline."""
ROUNDS = 20


def drawn_to(
    depth: Floats, other: Floats, trust: Floats, firm: float, reach: float, inside: NDArray[np.bool_] | None = None
) -> Floats:
    """A depth, moved smoothly so that it meets another where that is trusted.

    The difference is a membrane: it follows `other - depth` as closely as `firm` says and dies away outside.

    Args:
        depth: (h,w) metres. other: (h,w) metres, any number where `trust` is 0.
        trust: (h,w) 0..1.
        firm: pixels over which the difference is smoothed where trust is full: large takes the other's broad shape and
            keeps this one's detail.
        reach: pixels after which it has died away to a third.
        inside: (h,w), a region on whose outline nothing is moved; None for none.
    """
    factor = min(1.0, SIDE / max(depth.shape))
    size = max(2, round(depth.shape[0] * factor)), max(2, round(depth.shape[1] * factor))
    apart = np.where(trust > 0, np.nan_to_num(other - depth), 0).astype(np.float32)
    weight = resized(trust.astype(np.float32), size)
    mean = resized(trust * apart, size) / np.maximum(weight, 1e-6)
    hold = weight / max(firm * factor, 0.2) ** 2
    fade = np.full(size, 1 / max(reach * factor, 1.0) ** 2, np.float32)
    if inside is not None:
        fade += OUTSIDE * (resized(inside.astype(np.float32), size) < 0.5)
    moved = membrane(np.ones(size, bool), hold * mean / (hold + fade), hold + fade)
    return (depth + resized(moved, (depth.shape[0], depth.shape[1]))).astype(np.float32)


def laid_over(depth: Floats, other: Floats, trust: Floats) -> Floats:
    """`other` where it is trusted, `depth` elsewhere, (h,w) each, blended by trust."""
    return np.where(trust > 0, depth + trust * (np.nan_to_num(other) - depth), depth).astype(np.float32)


def calmed_border(depth: Floats, inside: NDArray[np.bool_], metres: float) -> Floats:
    """A depth, smoothed near the outline of the region, where steepness turns every pixel's step into a tooth.

    Args:
        metres: across a pixel.
    """
    import cv2

    sigma = max(BORDER_BLUR / metres, 1.0)
    weight = inside.astype(np.float32)
    total = cv2.GaussianBlur(np.where(inside, np.nan_to_num(depth), 0).astype(np.float32), (0, 0), sigma)
    mean = total / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-6)
    ringed = cv2.copyMakeBorder(inside.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    away = cv2.distanceTransform(ringed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    share = np.clip(1 - (away - 1) / (3 * sigma), 0, 1)
    return np.where(inside, depth + share * share * (3 - 2 * share) * (mean - depth), depth).astype(np.float32)


def sharpened(coarse: NDArray, known: NDArray, guide: NDArray[np.uint8]) -> Floats:
    """A small map enlarged along the edges of a picture (fast guided filter, He and Sun 2015).

    Args:
        coarse: (h,w). known: (h,w) 0 or more, how far its values count; the others are filled in first.
        guide: (H,W,3) uint8 sRGB.
    Returns:
        (H,W).
    """
    small = resized(guide, (coarse.shape[0], coarse.shape[1])).astype(np.float32) / 255
    filled = push_pull(coarse, known)
    coefficients = GuidedFilter(small, RADIUS, EDGE).coefficients(filled)
    large = np.asarray(resized(coefficients, (guide.shape[0], guide.shape[1])), np.float32)
    return apply_coefficients(large, guide.astype(np.float32) / 255).astype(np.float32)


def fitted_line(values: NDArray, wanted: NDArray, weight: NDArray, positive: bool = True) -> tuple[float, float]:
    """Scale and offset that bring values (N,) to wanted ones (N,), whatever some of them are (reweighted least squares,
    Cauchy's weights by the median deviation).

    Args:
        positive: a scale that comes out below 0.2 is held at 1: the values say nothing.
    """
    scale, offset = 1.0, float(np.median(wanted - values))
    use = weight.astype(np.float64)
    for _ in range(ROUNDS):
        total = max(float(use.sum()), 1e-12)
        x, y = float((use * values).sum()) / total, float((use * wanted).sum()) / total
        spread = float((use * (values - x) ** 2).sum())
        scale = float((use * (values - x) * (wanted - y)).sum()) / spread if spread > 1e-12 else 1.0
        if positive and scale < 0.2:
            scale = 1.0
        offset = y - scale * x
        left = np.abs(values * scale + offset - wanted)
        use = weight / (1 + (left / (2 * max(float(np.median(left)), 1e-9))) ** 2)
    return scale, offset
