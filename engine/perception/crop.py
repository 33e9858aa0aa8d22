"""A square, turned, possibly mirrored window on a picture, and the way back from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from .topology import MESH_POINTS, MIRROR

OUTER_CORNERS = (33, 263)
MARGIN = 1.4  # side of the window over the face's longer side; see `landmarks.PASSES`


@dataclass(frozen=True)
class Window:
    """A square window.

    Attributes:
        centre: (2,) pixels of the picture.
        side: pixels of the picture.
        roll: radians, clockwise as seen; the window's x axis lies along it.
        flipped: mirror left and right inside the window.
    """

    centre: NDArray[np.float64]
    side: float
    roll: float = 0.0
    flipped: bool = False

    def matrix(self, pixels: int) -> NDArray[np.float64]:
        """(2,3) from picture coordinates to window coordinates 0..pixels (pixel centres at .5 in both)."""
        cosine, sine = np.cos(self.roll), np.sin(self.roll)
        linear = pixels / self.side * np.array([[cosine, sine], [-sine, cosine]])
        if self.flipped:
            linear[0] *= -1.0
        return np.column_stack([linear, pixels / 2 - linear @ self.centre])

    def cut(self, picture: NDArray, pixels: int) -> NDArray:
        """(pixels,pixels,...) the window's content, without aliasing; outside the picture its border is repeated."""
        import cv2

        matrix = self.matrix(pixels)
        reduction = self.side / pixels
        if reduction > 1.5:  # warpAffine alone would skip pixels
            picture, offset, factor = self._reduced(picture, reduction)
            matrix = np.column_stack([matrix[:, :2] / factor, matrix[:, 2] + matrix[:, :2] @ offset])
        shift = 0.5 * (matrix[:, 0] + matrix[:, 1]) - 0.5  # OpenCV counts pixel centres from 0
        matrix = np.column_stack([matrix[:, :2], matrix[:, 2] + shift])
        return cv2.warpAffine(
            picture, matrix, (pixels, pixels), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )

    def camera(self, camera: Camera, pixels: int) -> Camera:
        """The camera of this (unmirrored) window, `pixels` square, of the picture's: the roll turns it about its axis,
        the rest changes focal length and centre."""
        matrix = self.matrix(pixels)
        factor = pixels / self.side
        turn, K = np.eye(4), np.eye(3)
        turn[:2, :2] = matrix[:, :2] / factor
        K[0, 0] = K[1, 1] = camera.K[0, 0] * factor
        K[:2, 2] = matrix[:, :2] @ camera.K[:2, 2] + matrix[:, 2]
        return Camera(K, turn @ camera.world_to_camera, pixels, pixels)

    def _reduced(self, picture: NDArray, reduction: float) -> tuple[NDArray, NDArray[np.float64], NDArray[np.float64]]:
        """The part of the picture under the window, reduced by area; its corner and its scale (x, y)."""
        import cv2

        height, width = picture.shape[:2]
        reach = self.side * 0.71 + 2 * reduction
        x0, y0 = np.clip(np.floor(self.centre - reach).astype(int), 0, [width - 1, height - 1])
        x1, y1 = np.clip(np.ceil(self.centre + reach).astype(int), [x0 + 1, y0 + 1], [width, height])
        part = picture[y0:y1, x0:x1]
        size = max(1, round((x1 - x0) / reduction)), max(1, round((y1 - y0) / reduction))
        small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        return small, np.array([x0, y0], float), np.array([size[0] / (x1 - x0), size[1] / (y1 - y0)])

    def to_picture(self, points: NDArray, pixels: int) -> NDArray[np.float64]:
        """(478,3) points seen in the window, to pixels of the picture, depth too; mirroring is undone."""
        found = self.unmapped(points, pixels)
        return found[MIRROR] if self.flipped else found

    def unmapped(self, points: NDArray, pixels: int) -> NDArray[np.float64]:
        """(N,3) places and depth in the window, to pixels of the picture, in the order they come."""
        matrix = self.matrix(pixels)
        flat = (points[:, :2] - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
        return np.column_stack([flat, points[:, 2] * (self.side / pixels)])

    def varied(self, shift: tuple[float, float], scale: float, roll: float, flipped: bool) -> Window:
        """A neighbour: shift in sides, scale as a factor, roll in radians."""
        centre = self.centre + np.array(shift) * self.side
        return replace(self, centre=centre, side=self.side * scale, roll=self.roll + roll, flipped=flipped)


def window_around(points: NDArray, margin: float = MARGIN) -> Window:
    """The upright window around a face's points, (478,2+): its roll is that of the outer eye corners."""
    across = points[OUTER_CORNERS[1], :2] - points[OUTER_CORNERS[0], :2]
    roll = float(np.arctan2(across[1], across[0]))
    return window_holding(points[:MESH_POINTS, :2], roll, margin)


def window_holding(points: NDArray, roll: float, margin: float) -> Window:
    """The window of a roll (radians) in whose middle points (N,2) are; `margin` is its side over their longer one."""
    axes = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    turned = points @ axes.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    return Window(axes.T @ ((low + high) / 2), float((high - low).max()) * margin, roll)
