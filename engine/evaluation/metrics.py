"""Measures of geometry, identity and appearance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..fitting.pose import rigid, similarity

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ShapeError:
    """Mean vertex distance in millimetres after the best rigid motion, and after the best motion with scale."""

    rigid: float
    scaled: float


def shape_error(found: NDArray, truth: NDArray) -> ShapeError:
    """Distance of corresponding vertices (N,3), metres, after alignment of `found` to `truth`."""
    found, truth = np.asarray(found, np.float64), np.asarray(truth, np.float64)
    rotation, translation = rigid(found, truth)
    scale, scaled_rotation, scaled_translation = similarity(found, truth)
    moved = found @ rotation.T + translation
    scaled = scale * found @ scaled_rotation.T + scaled_translation
    return ShapeError(*(1000.0 * float(np.linalg.norm(points - truth, axis=1).mean()) for points in (moved, scaled)))


@dataclass(frozen=True)
class Discrimination:
    """How well shapes tell people apart.

    Attributes:
        ratio: mean distance between shapes of one person over mean distance between people; 1 knows nothing.
        first: share of shapes whose nearest other shape is of the same person.
        count: how many shapes were compared.
    """

    ratio: float
    first: float
    count: int


def discrimination(shapes: Sequence[NDArray], people: Sequence[object]) -> Discrimination:
    """Compare shapes (N,3) of labelled people; size, place and orientation do not count.

    The distance of two shapes is the mean point distance after the best similarity, in units of the shapes' size.
    Every person has at least two shapes.
    """
    unit = np.array([_unit(shape) for shape in shapes])
    distance = np.zeros((len(unit), len(unit)))
    for i, shape in enumerate(unit):
        u, singular, vt = np.linalg.svd(np.swapaxes(unit[i + 1 :], 1, 2) @ shape)
        sign = np.ones_like(singular)
        sign[:, 2] = np.sign(np.linalg.det(u @ vt))
        rotation = (u * sign[:, None]) @ vt
        scale = np.sum(singular * sign, axis=1) / np.sum(shape**2)
        moved = scale[:, None, None] * (shape @ np.swapaxes(rotation, 1, 2))
        distance[i, i + 1 :] = np.linalg.norm(moved - unit[i + 1 :], axis=2).mean(axis=1)
    distance += distance.T
    labels = np.array([str(person) for person in people])
    same = labels[:, None] == labels
    other = ~np.eye(len(unit), dtype=bool)
    nearest = np.where(other, distance, np.inf).argmin(axis=1)
    ratio = distance[same & other].mean() / distance[~same].mean()
    return Discrimination(float(ratio), float(np.mean(labels[nearest] == labels)), len(unit))


def _unit(shape: NDArray) -> Array:
    """Centred, of root mean square radius 1."""
    centred = np.asarray(shape, np.float64) - np.mean(shape, axis=0)
    return centred / np.sqrt(np.mean(np.sum(centred**2, axis=1)))


def peak_signal_to_noise(first: NDArray[np.uint8], second: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """Decibels over the masked pixels (H,W) of two 8-bit pictures (H,W,3)."""
    error = np.mean((first[mask].astype(np.float64) - second[mask]) ** 2)
    return float(10.0 * np.log10(255.0**2 / max(error, 1e-12)))


def structural_similarity(first: NDArray[np.uint8], second: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """SSIM (Wang et al. 2004, Gaussian window of 1.5 pixels) averaged over the masked pixels and the colours."""
    from skimage.metrics import structural_similarity as ssim

    both: Any = ssim(first, second, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
                     data_range=255, full=True)  # fmt: skip
    return float(both[1][mask].mean())  # the mean over the picture comes first
