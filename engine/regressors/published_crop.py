"""The parts of a picture that published regressors were trained on, pixel for pixel.

Matrices are (2,3), from pixels of the picture to pixels of the crop, pixel centres at whole numbers in both, as OpenCV
and scikit-image count. The published codes take MediaPipe's and FAN's points as they come, half a pixel off from that;
so do these functions, because the networks learned it so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError, FaceError

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 224
"""Pixels of the crop, for all of them."""
SMIRK_SCALE = 1.4
"""Side of the crop over the mean of width and height of the box around MediaPipe's points."""
DECA_SCALE, DECA_BOX = 1.25, 1.1
"""The same for the box around the 68 points of iBUG, which is first enlarged."""
DEEP3D_SIZE = 102.0
"""Pixels of the crop that a unit of Deep3D's standard face takes."""
EYES, NOSE_TIP, MOUTH = ((36, 39), (42, 45)), 30, (48, 54)  # of the 68: corners of the eyes, left first as seen
LARGEST = 1 << 14
"""Pixels along a side, to which Deep3D's rule may enlarge a whole picture."""
Array = NDArray[np.float64]


def smirk_matrix(landmarks: NDArray, scale: float = SMIRK_SCALE, side: int = SIDE) -> Array:
    """(2,3) SMIRK's crop: its square box to [0, side - 1].

    Args:
        landmarks: (478,2+) MediaPipe's points, pixels of the picture, all of them, irises too.
    Raises:
        FaceError: the face is smaller than two pixels, or its points are no numbers.
    """
    low, high = _box(landmarks)
    return _square((low + high) / 2, int((high - low).sum() / 2 * scale), side)


def deca_matrix(points: NDArray, scale: float = DECA_SCALE, side: int = SIDE) -> Array:
    """(2,3) DECA's crop ("Learning an Animatable Detailed 3D Face Model", Feng et al. 2021, its demo's rule "kpt68").

    Args:
        points: (68,2+) the 68 points of iBUG, pixels of the picture.
    Raises:
        FaceError: the face is smaller than two pixels, or its points are no numbers.
    """
    low, high = _box(points)
    return _square((low + high) / 2, int((high - low).sum() / 2 * DECA_BOX * scale), side)


def _box(points: NDArray) -> tuple[Array, Array]:
    flat = np.asarray(points, np.float64)[:, :2]
    if not np.isfinite(flat).all():
        raise FaceError("The face's points are no numbers.", "Use another photo of this person.")
    return flat.min(0), flat.max(0)


def _square(centre: Array, size: int, side: int) -> Array:
    """From a square of the picture, upright, to [0, side - 1]."""
    if size < 2:
        raise FaceError("The face is smaller than two pixels.", "Use a photo that shows it larger.")
    scale = (side - 1) / size
    return np.column_stack([scale * np.eye(2), -scale * (centre - size / 2)])


def cut(picture: NDArray[np.uint8], matrix: NDArray, side: int = SIDE) -> NDArray[np.uint8]:
    """(side,side,3) crop of a picture (H,W,3): bilinear, black outside, fractions cut off, no smoothing before.

    What `skimage.transform.warp(..., preserve_range=True).astype(uint8)` gives. OpenCV's own bilinear sampling knows
    only 1/32 of a pixel and is up to several levels off; this is exact.
    """
    linear, shift = np.asarray(matrix, np.float64)[:, :2], np.asarray(matrix, np.float64)[:, 2]
    steps = np.arange(side, dtype=np.float64)
    if linear[0, 1] == 0 and linear[1, 0] == 0:  # upright: one axis after the other
        rows = _mixed(picture, (steps - shift[1]) / linear[1, 1], 0)
        return (_mixed(rows, (steps - shift[0]) / linear[0, 0], 1) + 1e-7).astype(np.uint8)
    places = np.stack(np.meshgrid(steps, steps), -1) - shift
    x, y = np.moveaxis(places @ np.linalg.inv(linear).T, -1, 0)
    return (_sampled(picture, x, y) + 1e-7).astype(np.uint8)


def _mixed(picture: NDArray, at: Array, axis: int) -> Array:
    """Rows or columns at fractional places, nought outside."""
    count = picture.shape[axis]
    first = np.floor(at).astype(np.int64)
    share = at - first
    shape = [1, 1, 1]
    shape[axis] = -1
    total = 0.0
    for place, weight in ((first, 1 - share), (first + 1, share)):
        inside = (place >= 0) & (place < count)
        taken = picture.take(place.clip(0, count - 1), axis).astype(np.float64)
        total = total + taken * (weight * inside).reshape(shape)
    return np.asarray(total)


def _sampled(picture: NDArray, x: Array, y: Array) -> Array:
    """(...,3) values at fractional places, nought outside."""
    height, width = picture.shape[:2]
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    total = np.zeros((*x.shape, picture.shape[2]))
    for right in (0, 1):
        for below in (0, 1):
            column, row = left + right, top + below
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            weight = (x - left if right else 1 - x + left) * (y - top if below else 1 - y + top) * inside
            total += picture[row.clip(0, height - 1), column.clip(0, width - 1)] * weight[..., None]
    return total


def crop_points(points: Tensor, camera: Tensor, side: int = SIDE) -> Tensor:
    """Where points of a head are in the crop under the camera that SMIRK or DECA answers: x' = s (x + t), y down.

    Args:
        points: (B,V,3) metres, x right and y up as the subject's face is seen.
        camera: (B,3) scale s, then t: "cam" of both.
    Returns:
        (B,V,2) pixels of the crop, pixel centres at whole numbers, as both were trained: side / 2 is nought.
    """
    flat = camera[:, None, :1] * (points[..., :2] + camera[:, None, 1:])
    return (flat * flat.new_tensor([1.0, -1.0]) + 1) * (side / 2)


def five_points(points: NDArray) -> Array:
    """(5,C) of the 68 points of iBUG (68,C): left and right eye as seen, tip of the nose, corners of the mouth."""
    points = np.asarray(points, np.float64)
    return np.stack([*(points[list(pair)].mean(0) for pair in EYES), points[NOSE_TIP], *points[list(MOUTH)]])


def deep3d_crop(picture: NDArray[np.uint8], points: NDArray, standard: NDArray) -> NDArray[np.uint8]:
    """(224,224,3) Deep3D's crop of a picture (H,W,3): Deng et al. 2019, as in its PyTorch edition.

    Size and place come from a scaled orthographic camera through five points; the picture is reduced or enlarged by
    cubic interpolation and cut at whole pixels, black outside.

    Args:
        points: (5,2) pixels, x right and y down, in the order of `five_points`.
        standard: (5,3) the same of the standard face, x right and y up: `five_points` of the array "lm" in the
            `similarity_Lm3D_all.mat` that comes with that edition.
    Raises:
        EngineError: the points lie in one place.
        FaceError: the face is so small, or so large, in its picture that the crop cannot be made.
    """
    from PIL import Image

    height, width = picture.shape[:2]
    flat = np.asarray(points, np.float64)[:, :2] * [1, -1] + [0, height - 1]
    shift, scale = _orthographic(flat, np.asarray(standard, np.float64))
    scale = DEEP3D_SIZE / scale
    wide, high = int(width * scale), int(height * scale)
    if not 1 <= wide <= LARGEST or not 1 <= high <= LARGEST:
        raise FaceError("The face is too small in its picture.", "Cut the picture to the head and try again.")
    left = int(wide / 2 - SIDE / 2 + (shift[0] - width / 2) * scale)
    top = int(high / 2 - SIDE / 2 + (height / 2 - shift[1]) * scale)
    sized = Image.fromarray(picture).resize((wide, high), Image.Resampling.BICUBIC)
    return np.asarray(sized.crop((left, top, left + SIDE, top + SIDE)))


def _orthographic(flat: Array, solid: Array) -> tuple[Array, float]:
    """Shift (2,) and scale of the camera that sees points (N,3) at (N,2): POS (DeMenthon and Davis 1995)."""
    design = np.column_stack([solid, np.ones(len(solid))])
    found, *_ = np.linalg.lstsq(design, flat, rcond=None)
    scale = float(np.linalg.norm(found[:3], axis=0).mean())
    if not np.isfinite(scale) or scale < 1e-9:
        raise EngineError("The face's points lie in one place.", "Use another photo of this person.")
    return found[3], scale
