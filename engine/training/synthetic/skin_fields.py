"""Fields over the head's skin: soft ones that colour regions, and sharp masks for lips, lids and freckles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .skin_places import (
    Canvas,
    both_sides,
    landmark_points,
    lattice_noise,
    near_line,
    near_points,
    rim_shares,
    spots,
)

NOISE = tuple((f"{scale}_{k}", cell) for scale, cell in (("broad", 0.05), ("middle", 0.02)) for k in range(4)) + tuple(
    (f"small_{k}", 0.008) for k in range(4)
)
BLOBS = {
    "cheeks": ((50, 205), 0.013),
    "nose": ((4, 98), 0.008),
    "forehead": ((10, 151, 69), 0.02),
    "chin": ((199, 175), 0.01),
    "temples": ((21, 54), 0.015),
}
"""MediaPipe points of one side and a radius in metres."""
LINES = {
    "under_eyes": ((243, 112, 26, 22, 23, 24, 110, 25), 0.0045),
    "bags": ((233, 232, 231, 230, 229, 228), 0.003),
    "folds": ((129, 203, 206, 216), 0.003),
    "lids": ((190, 56, 28, 27, 29, 30, 247), 0.0045),
    "moustache": ((2, 165, 186), 0.006),
    "goatee": ((43, 106, 182, 200, 199, 175, 152), 0.011),
    "jaw": ((127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152), 0.016),
    "cheek_beard": ((132, 213, 192, 214, 212), 0.014),
    "under_chin": ((152, 377), 0.022),
}
"""Polylines of MediaPipe points and their half width in metres."""
SOFT = (*(name for name, _ in NOISE), *BLOBS, *LINES, "ears", "neck", "lower_lip", "wet_lips", "hairline", "beardline")
"""Soft fields in their stored order. The two last are signed: about centimetres inside the area."""
SHARP = ("lips", "liner", "shadow", "freckles_0", "freckles_1", "freckles_2", "grain", "pores")
"""Sharp masks in their stored order. Grain is a rank: a share of its texels lies below each value."""
UPPER_EDGE = (133, 173, 157, 158, 159, 160, 161, 246, 33)
LOWER_EDGE = (133, 155, 154, 153, 145, 144, 163, 7, 33)
SIGNED_UNIT = 0.01


def soft_fields(canvas: Canvas, seed: int) -> dict[str, NDArray[np.float32]]:
    """Every field of `SOFT` on the N texels of a canvas."""
    rest, points = canvas.rest, landmark_points(canvas.head)
    found = {name: lattice_noise(rest, cell, seed + number) for number, (name, cell) in enumerate(NOISE)}
    for name, (numbers, radius) in BLOBS.items():
        found[name] = near_points(rest, both_sides(points[list(numbers)]), radius)
    for name, (numbers, radius) in LINES.items():
        found[name] = near_line(rest, points[list(numbers)], radius)
    found["ears"] = canvas.gather(canvas.head.regions["ears"])
    found["neck"] = canvas.gather(canvas.head.regions["neck"])
    middle = points[[13, 14], 1].mean()
    lips = canvas.base_region("lips") * canvas.outer
    found["lower_lip"] = lips * (rest[:, 1] < middle)
    found["wet_lips"] = rim_shares(canvas)["lips"]
    behind = (rest[:, 1] > 0.03) & (rest[:, 2] < -0.02) & (found["ears"] < 0.5)
    crown = (rest[:, 1] > 0.1) & (rest[:, 2] < 0.02)
    found["hairline"] = _signed(canvas, np.maximum(canvas.base_region("scalp"), behind | crown))
    found["beardline"] = _signed(canvas, np.maximum(canvas.base_region("beard"), lips))
    for name in ("moustache", "goatee"):
        found[name] = found[name] * (1 - lips)
    return {name: found[name].astype(np.float32) for name in SOFT}


def sharp_masks(canvas: Canvas, seed: int) -> dict[str, NDArray[np.float32]]:
    """Every mask of `SHARP`, 0..1, on the N texels of a canvas."""
    import cv2

    rest, points = canvas.rest, landmark_points(canvas.head)
    lips = cv2.GaussianBlur(canvas.picture(canvas.base_region("lips")), (0, 0), len(canvas.covered) / 512)
    upper, lower = near_line(rest, points[list(UPPER_EDGE)], 0.0011), near_line(rest, points[list(LOWER_EDGE)], 0.0008)
    fold, edge = points[list(LINES["lids"][0])], points[list(UPPER_EDGE[1:-1])]
    shadow = np.maximum(near_line(rest, fold, 0.0035), near_line(rest, (fold + edge) / 2, 0.0035))
    above = np.clip((rest[:, 1] - points[[33, 133], 1].mean()) / 0.004 + 0.5, 0, 1)
    brows = canvas.base_region("brow")
    found = {
        "lips": np.maximum(lips[canvas.covered], rim_shares(canvas)["lips"] > 0.3) * canvas.outer,
        "liner": np.maximum(upper, 0.6 * lower),
        "shadow": np.maximum(shadow, upper) * above * (1 - brows),
        "grain": _rank(_grain(canvas, seed, 0.4, 3.0)),
        "pores": _rank(_grain(canvas, seed + 1, 1.1, 1.0)),
    }
    front = np.clip(rest[:, 2] / 0.03, 0, 1) * (1 - found["lips"])
    for number, cell in enumerate((0.0035, 0.0048, 0.007)):
        found[f"freckles_{number}"] = spots(rest, cell, seed + 10 * number + 50) ** 1.5 * front
    return {name: found[name].astype(np.float32) * canvas.outer for name in SHARP}


def _signed(canvas: Canvas, mask: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) signed distance into a mask, in `SIGNED_UNIT`, cut at 3; texels are taken for their mean size."""
    import cv2

    inside = cv2.morphologyEx((canvas.picture(mask) > 0.5).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    apart = cv2.distanceTransform(inside, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    face = canvas.gather(canvas.head.regions["face"]) > 0.5
    columns = np.nonzero(canvas.covered)[1][face]
    texel = np.ptp(canvas.rest[face, 0]) / np.ptp(columns)
    return np.clip(apart[canvas.covered] * texel / SIGNED_UNIT, -3, 3)


def _grain(canvas: Canvas, seed: int, radius: float, long: float) -> NDArray[np.float32]:
    """(N,) noise at the size of a texel, drawn out along the columns `long` times."""
    import cv2

    noise = np.random.default_rng(seed).standard_normal(canvas.covered.shape).astype(np.float32)
    scale = radius * len(noise) / 512
    noise = cv2.GaussianBlur(noise, (0, 0), scale, sigmaY=long * scale) - cv2.GaussianBlur(noise, (0, 0), 3 * scale)
    return noise[canvas.covered]


def _rank(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) share of all values that lie below each."""
    rank = np.empty(len(values), np.float32)
    rank[np.argsort(values)] = np.linspace(0, 1, len(values))
    return rank
