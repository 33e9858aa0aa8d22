"""Contact sheets of what went worst, points drawn on the pictures, to be looked at one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..media.write import write_png
from ..perception.crop import Window
from ..perception.dense import DensePoints
from ..preview import contact_sheet
from .dense_errors import PointErrors
from .held_out import HeldOut
from .portraits import PortraitSight

SIDE = 400
"""Pixels of a panel."""
COLUMNS = 5
VISIBLE, HIDDEN, TRUE = (90, 255, 120), (255, 150, 60), (70, 120, 255)
SHIFT = 3
"""Fractional bits of drawn places."""


def worst_pictures(
    path: Path,
    pictures: Sequence[HeldOut],
    seen: Sequence[DensePoints],
    errors: PointErrors,
    truth: NDArray,
    count: int,
) -> None:
    """The held-out pictures whose visible points are farthest off. Blue lines lead to the true places.

    Args:
        path: PNG to write.
        truth: (P,N,3) true points, pixels.
        count: how many.
    """
    visible = np.where(errors.hidden, np.nan, errors.across)
    score = 100 * np.nanmean(visible, axis=1)
    panels = []
    for number in np.argsort(-score)[:count]:
        picture, points = pictures[number], seen[number]
        title = f"{picture.name}  {score[number]:.1f} %  yaw {picture.angles[0]:.0f}  face {points.face:.2f}"
        panels.append((title, panel(picture.image, picture.window, points, truth[number])))
    write_png(path, contact_sheet(panels, COLUMNS))


def worst_portraits(path: Path, sights: Sequence[PortraitSight], count: int) -> None:
    """The portraits on which the dense points differ most from MediaPipe's contours."""
    score = np.array([100 * np.mean(list(sight.contours.values())) for sight in sights])
    panels = []
    for number in np.argsort(-score)[:count]:
        sight = sights[number]
        assert sight.points is not None
        photo, face = sight.portrait.open()
        low, high = face.box[:2], face.box[2:]
        window = Window(((low + high) / 2).astype(np.float64), 1.7 * float((high - low).max()))
        title = f"{Path(sight.portrait.name).stem}  {score[number]:.1f} %  face {sight.face:.2f}"
        panels.append((title, panel(photo.pixels, window, sight.points)))
    write_png(path, contact_sheet(panels, COLUMNS))


def panel(
    pixels: NDArray[np.uint8], window: Window, dense: DensePoints, truth: NDArray | None = None
) -> NDArray[np.uint8]:
    """(SIDE,SIDE,3) a window with points: green where said to be visible, orange where hidden."""
    import cv2

    drawn = np.ascontiguousarray(window.cut(pixels, SIDE))
    matrix = window.matrix(SIDE)
    places = _fixed(dense.points, matrix)
    if truth is not None:
        for start, end in zip(places, _fixed(truth, matrix), strict=True):
            cv2.line(drawn, start, end, TRUE, 1, cv2.LINE_AA, SHIFT)
    for place, visible in zip(places, dense.visible, strict=True):
        cv2.circle(drawn, place, 11, VISIBLE if visible > 0.5 else HIDDEN, -1, cv2.LINE_AA, SHIFT)
    return drawn


def _fixed(points: NDArray, matrix: NDArray) -> list[tuple[int, int]]:
    """Places in the panel as OpenCV draws them: fixed point, pixel centres at whole numbers."""
    places = points[:, :2] @ matrix[:, :2].T + matrix[:, 2] - 0.5
    return [(int(x), int(y)) for x, y in np.round(places * (1 << SHIFT))]
