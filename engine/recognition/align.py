"""Crops as recognition networks want them: five points brought to fixed places by a similarity, differentiably."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as nnf

from ..errors import EngineError
from ..fitting import pose

EYE_RIGHT, EYE_LEFT = (33, 133), (263, 362)  # MediaPipe's outer and inner corners; right is the subject's, left as seen
NOSE_TIP, NOSE_BASE, MOUTH_RIGHT, MOUTH_LEFT = 4, 2, 61, 291
MOST_REDUCTION = 4  # samples per crop pixel and axis; beyond, crops of very large faces alias a little


def arcface_points(landmarks: NDArray) -> NDArray[np.float64]:
    """(5,2) middles of the eyes, tip of the nose, corners of the mouth, from MediaPipe's points (468+,2+)."""
    flat = np.asarray(landmarks, np.float64)[:, :2]
    eyes = [flat[list(EYE_RIGHT)].mean(0), flat[list(EYE_LEFT)].mean(0)]
    return np.stack([*eyes, flat[NOSE_TIP], flat[MOUTH_RIGHT], flat[MOUTH_LEFT]])


def corner_points(landmarks: NDArray) -> NDArray[np.float64]:
    """(5,2) corners of the subject's left eye, outer then inner, of the right one, and base of the nose."""
    flat = np.asarray(landmarks, np.float64)[:, :2]
    return flat[[EYE_LEFT[0], EYE_LEFT[1], EYE_RIGHT[0], EYE_RIGHT[1], NOSE_BASE]]


def similarity(source: NDArray, target: NDArray) -> NDArray[np.float64]:
    """(2,3) the rotation, uniform scale and shift that bring points nearest to others (Umeyama 1991, eq. 40-42).

    Args:
        source, target: (N,2), N over 1, not all in one place.
    Raises:
        EngineError: the points lie in one place.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    spread = np.square(source - source.mean(0)).sum(1).mean()
    if not np.isfinite(spread) or spread < 1e-12:
        raise EngineError("The face's points lie in one place.", "Use another photo of this person.")
    scale, rotation, shift = pose.similarity(source, target)
    return np.column_stack([scale * rotation, shift])


def crop(images: Tensor, matrices: Tensor, side: int) -> Tensor:
    """Aligned crops; gradients reach the images, and the matrices where they ask for them.

    Args:
        images: (B,3,H,W), any range.
        matrices: (B,2,3) from pixels of the images to pixels of the crops, pixel centres at whole numbers in both, as
            OpenCV counts.
        side: of the crops, pixels.
    Returns:
        (B,3,side,side), black outside the images. Where a crop is smaller than what it shows, the mean of several
        samples a pixel, so that nothing is skipped.
    """
    height, width = images.shape[-2:]
    linear, shift = matrices[:, :, :2], matrices[:, :, 2]
    inverse = torch.linalg.inv(linear)
    reduction = float(torch.linalg.det(inverse.detach()).abs().sqrt().max())
    dense = min(MOST_REDUCTION, max(1, round(reduction)))
    steps = (torch.arange(side * dense, device=images.device, dtype=images.dtype) + 0.5) / dense - 0.5
    across, down = torch.meshgrid(steps, steps, indexing="xy")
    places = torch.stack([across, down], -1).reshape(1, -1, 2) - shift[:, None]
    pixels = (places @ inverse.mT).reshape(len(images), side * dense, side * dense, 2)
    grid = (2 * pixels + 1) / pixels.new_tensor([width, height]) - 1
    taken = nnf.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return nnf.avg_pool2d(taken, dense) if dense > 1 else taken
