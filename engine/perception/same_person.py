"""Whether several pictures show one person, and how well they show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .crop import Window
from .observation import FaceObservation

SIDE = 256
"""Of the crop on which sharpness is judged, pixels; the eyes' outer corners are about 100 apart on it."""
CROP = 2.4
"""Its side over the distance of the eyes' outer corners in space."""


@dataclass(frozen=True)
class Company:
    """Who belongs together among N pictures.

    Attributes:
        together: of the largest group, in their order.
        majority: it is more than half of all.
    """

    together: tuple[int, ...]
    majority: bool


def distances(embeddings: Sequence[NDArray]) -> NDArray[np.float64]:
    """(N,N) Euclidean distances of embeddings (D,)."""
    stacked = np.asarray(embeddings, np.float64)
    return np.linalg.norm(stacked[:, None] - stacked[None], axis=2)


def company(apart: NDArray, different: float) -> Company:
    """A group of pictures in which each is like more than half of the group, found from the picture that is like most
    others (the nearer ones where several are).

    Args:
        apart: (N,N) distances. different: above it two pictures show two people.
    """
    like = apart < different
    start = max(range(len(apart)), key=lambda index: (like[index].sum(), -apart[index][like[index]].sum()))
    group = np.flatnonzero(like[start])
    for _ in range(len(apart)):
        better = np.flatnonzero(like[:, group].sum(axis=1) * 2 > len(group))
        if not len(better) or np.array_equal(better, group):
            break
        group = better
    return Company(tuple(group.tolist()), 2 * len(group) > len(apart))


def sharpness(pixels: NDArray[np.uint8], face: FaceObservation) -> float:
    """Detail of a face as it would be at one size: deviation of its Laplacian over its contrast. A face small in
    its picture, blurred or shaken has little.

    Args:
        pixels: (H,W,3) sRGB.
    """
    import cv2

    points = face.landmarks
    eyes = float(np.linalg.norm(points[33] - points[263]))  # with depth, so that turning does not count
    window = Window(points[:, :2].mean(axis=0).astype(float), CROP * eyes, 0.0)
    grey = cv2.cvtColor(window.cut(pixels, SIDE), cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = cv2.GaussianBlur(grey, (0, 0), 0.7)  # grain is no detail
    return float(cv2.Laplacian(grey, cv2.CV_32F).std() / max(float(grey.std()), 1.0))
