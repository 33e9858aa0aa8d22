"""Colour models for telling skin, hair, clothes and background apart, and edge-aware smoothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLES = 2000  # pixels a colour model learns from
FEATURES = 4
FLOOR = np.diag([9.0, 4.0, 4.0, 6.0])  # variance that noise and JPEG give any material
SMALLEST_SHARE = 0.01  # of a mixture; less is chance


@dataclass(frozen=True)
class ColourMixture:
    """A Gaussian mixture over `features`.

    Attributes:
        weights: (K,) sum to 1.
        means: (K,F).
        covariances: (K,F,F).
    """

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]

    def log_density(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(...,F) to (...) natural logarithm of the density of the likeliest component."""
        flat = values.reshape(-1, values.shape[-1])
        best = np.full(len(flat), -np.inf, np.float32)
        for weight, mean, covariance in zip(self.weights, self.means, self.covariances, strict=True):
            half = np.linalg.inv(np.linalg.cholesky(covariance)).astype(np.float32)
            apart = flat @ half.T - half @ mean.astype(np.float32)
            constant = np.float32(np.log(weight) - 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1])
            np.maximum(best, constant - 0.5 * np.einsum("nf,nf->n", apart, apart), out=best)
        return best.reshape(values.shape[:-1])


def learn_mixture(values: NDArray, count: int, weights: NDArray) -> ColourMixture:
    """Fit a mixture by k-means and one covariance a cluster.

    Args:
        values: (N,F), N at least `count`.
        count: most Gaussians.
        weights: (N,) how much each counts, positive.
    """
    step = max(1, len(values) // SAMPLES)
    points, mass = values[::step].astype(np.float64), weights[::step].astype(np.float64)
    order = np.argsort(points[:, 0])  # a fixed start: quantiles of lightness
    centres = points[order[((np.arange(count) + 0.5) / count * len(points)).astype(int)]]
    owner = np.zeros(len(points), int)
    for _ in range(8):
        owner = ((points[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        for k in range(count):
            mine = owner == k
            if mine.any():
                centres[k] = np.average(points[mine], axis=0, weights=mass[mine])
    shares = np.array([mass[owner == k].sum() for k in range(count)]) / mass.sum()
    kept = [k for k in range(count) if shares[k] > SMALLEST_SHARE]
    covariances = []
    for k in kept:
        apart, mine = points[owner == k] - centres[k], mass[owner == k]
        covariances.append((apart * mine[:, None]).T @ apart / mine.sum() + FLOOR)
    return ColourMixture(shares[kept] / shares[kept].sum(), centres[kept], np.array(covariances))


def features(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H,W,3) uint8 sRGB to (H,W,4): CIE Lab (L 0..100), and fine texture, 8 log(1/2 + its lightness deviation).

    The texture is the least of its neighbourhood, so that the border of two smooth things does not count as rough.
    """
    import cv2

    lab = cv2.cvtColor(pixels.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)
    fine = lab[..., 0] - cv2.GaussianBlur(lab[..., 0], (0, 0), 1.5)
    deviation = np.sqrt(np.maximum(cv2.blur(fine * fine, (5, 5)), 0.0))  # running sums may round below zero
    rough = cv2.erode(deviation, np.ones((5, 5), np.uint8))
    return np.dstack([lab, 8.0 * np.log(0.5 + rough)]).astype(np.float32)


class GuidedFilter:
    """Edge-aware smoothing by a colour guide (He, Sun, Tang: Guided Image Filtering, 2013, section 3.5).

    The coefficients may be enlarged and applied to a larger guide (He, Sun: Fast Guided Filter, 2015), which is how
    masks made on a small crop follow the edges of the whole photo.
    """

    def __init__(self, guide: NDArray[np.float32], radius: int, epsilon: float) -> None:
        """guide: (H,W,3), 0..1; radius in pixels; epsilon: squared contrast of an edge worth keeping."""
        self.guide = guide.astype(np.float32)
        self.size = (2 * radius + 1, 2 * radius + 1)
        self.mean = self._box(self.guide)
        squares = self._box(self.guide * self.guide) - self.mean * self.mean + np.float32(epsilon)
        turned, turned_mean = self.guide[..., [1, 2, 0]], self.mean[..., [1, 2, 0]]
        products = self._box(self.guide * turned) - self.mean * turned_mean
        rr, gg, bb = (squares[..., k] for k in range(3))
        rg, gb, br = (products[..., k] for k in range(3))
        cofactors = [gg * bb - gb * gb, gb * br - rg * bb, rg * gb - gg * br, rr * bb - br * br, br * rg - rr * gb]
        determinant = rr * cofactors[0] + rg * cofactors[1] + br * cofactors[2]
        c00, c01, c02, c11, c12 = (cofactor / determinant for cofactor in cofactors)
        c22 = (rr * gg - rg * rg) / determinant
        self.inverse = ((c00, c01, c02), (c01, c11, c12), (c02, c12, c22))

    def _box(self, values: NDArray) -> NDArray[np.float32]:
        import cv2

        return np.asarray(cv2.blur(values, self.size), np.float32)

    def coefficients(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(H,W) to (H,W,4): slope over the guide's three channels, and offset."""
        mean = self._box(values)
        covariance = self._box(self.guide * values[..., None]) - self.mean * mean[..., None]
        parts = [sum(row[k] * covariance[..., k] for k in range(3)) for row in self.inverse]
        offset = mean - sum(part * self.mean[..., k] for k, part in enumerate(parts))
        return self._box(np.dstack([*parts, offset]))

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Smooth (H,W)."""
        return apply_coefficients(self.coefficients(values), self.guide)


def apply_coefficients(coefficients: NDArray[np.float32], guide: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H,W,4) on a guide (H,W,3) to (H,W)."""
    return np.einsum("hwc,hwc->hw", coefficients[..., :3], guide) + coefficients[..., 3]
