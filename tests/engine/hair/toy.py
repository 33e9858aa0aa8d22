"""A portrait made of formulas: the mean head before a camera, with hair of a known thickness and colour."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.camera import Camera
from engine.hair.grid import scalp_centre
from engine.heads.model import HeadModel

BROWN = np.array([0.20, 0.12, 0.07], np.float32)
FAR = 2.0


def camera(size: int = 480, focal: float = 1600.0) -> Camera:
    """Straight in front, `FAR` metres away, level with the scalp."""
    view = np.diag([1.0, -1.0, -1.0, 1.0])
    view[:3, 3] = (0.0, 0.07, FAR)
    return Camera(np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]]), view, size, size)


@dataclass(frozen=True)
class Portrait:
    """Pixels (H,W,3) uint8, the hair's mask (H,W), the camera, and what a metre is in pixels."""

    pixels: NDArray[np.uint8]
    hair: NDArray[np.float32]
    camera: Camera
    scale: float


def portrait(head: HeadModel, thickness: float, hanging: float = 0.0) -> Portrait:
    """Short hair around the scalp's outline, above forehead and ears; with `hanging` (metres) also beside the neck.

    Its brightness varies in fine upright stripes.
    """
    view = camera()
    scale = float(view.K[0, 0] / FAR)
    scalp = view.project(head.vertices[head.regions["scalp"]].astype(np.float64))
    disc = cv2.fillConvexPoly(np.zeros((480, 480), np.uint8), cv2.convexHull(scalp.astype(np.int32)), 1)
    reach = round(thickness * scale)
    hair = cv2.dilate(disc, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    middle = view.project(scalp_centre(head.vertices, head))
    hairline = view.project(head.vertices[head.regions["face"]])[:, 1].min()
    hair[int(hairline) :, int(middle[0] - 0.068 * scale) : int(middle[0] + 0.068 * scale)] = 0
    hair[int(middle[1] + 0.03 * scale) :] = 0
    if hanging:
        rows = slice(int(middle[1]), int(middle[1] + hanging * scale))
        for side in (-1, 1):
            x = sorted(int(middle[0] + side * distance * scale) for distance in (0.068, 0.11))
            hair[rows, x[0] : x[1]] = 1
    stripes = np.exp(0.2 * np.sign(np.sin(np.arange(480) * 2 * np.pi / 5)))
    linear = np.where(hair[..., None] > 0, BROWN * stripes[None, :, None], np.array([0.5, 0.33, 0.25]))
    pixels = np.round(255 * np.clip(linear, 0, 1) ** (1 / 2.2)).astype(np.uint8)
    return Portrait(pixels, hair.astype(np.float32), view, scale)
