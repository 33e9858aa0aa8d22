"""Colour models for telling skin, hair, clothes and background apart, and edge-aware smoothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLES = 3000  # pixels a colour model learns from
FLOOR = np.diag([9.0, 4.0, 4.0])  # Lab variance that noise and JPEG give any colour


@dataclass(frozen=True)
class ColourMixture:
    """A Gaussian mixture in CIE Lab.

    Attributes:
        weights: (K,) sum to 1.
        means: (K,3).
        covariances: (K,3,3).
    """

    weights: NDArray[np.float64]
    means: NDArray[np.float64]
    covariances: NDArray[np.float64]

    def log_density(self, colours: NDArray) -> NDArray[np.float32]:
        """(...,3) Lab to (...) natural logarithm of the density."""
        flat = colours.reshape(-1, 3).astype(np.float32)
        parts = []
        for weight, mean, covariance in zip(self.weights, self.means, self.covariances, strict=True):
            half = np.linalg.inv(np.linalg.cholesky(covariance)).astype(np.float32)
            distance = ((flat - mean.astype(np.float32)) @ half.T) ** 2
            constant = np.log(weight) - 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
            parts.append(np.float32(constant) - 0.5 * distance.sum(axis=1))
        return np.logaddexp.reduce(np.stack(parts), axis=0).reshape(colours.shape[:-1])


def learn_mixture(colours: NDArray, count: int, weights: NDArray | None = None) -> ColourMixture:
    """Fit a mixture by k-means and one covariance a cluster.

    Args:
        colours: (N,3) Lab, N at least 1.
        count: most Gaussians.
        weights: (N,) how much each colour counts; default all the same.
    """
    step = max(1, len(colours) // SAMPLES)
    points = colours[::step].astype(np.float64)
    mass = np.ones(len(points)) if weights is None else weights[::step].astype(np.float64)
    order = np.argsort(points @ [1.0, 0.5, 0.5])  # a fixed start: quantiles of lightness and warmth
    centres = points[order[((np.arange(count) + 0.5) / count * len(points)).astype(int)]]
    owner = np.zeros(len(points), int)
    for _ in range(10):
        owner = ((points[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        centres = np.array([
            np.average(points[owner == k], axis=0, weights=mass[owner == k] + 1e-9) if (owner == k).any() else centres[k]
            for k in range(count)
        ])  # fmt: skip
    found = []
    for k in range(count):
        mine = owner == k
        share = mass[mine].sum() / max(mass.sum(), 1e-9)
        if share > 0.005:
            apart = points[mine] - centres[k]
            covariance = (apart * mass[mine, None]).T @ apart / mass[mine].sum() + FLOOR
            found.append((share, centres[k], covariance))
    if not found:
        found = [(1.0, points.mean(axis=0), np.cov(points.T, bias=True).reshape(3, 3) + FLOOR)]
    shares = np.array([share for share, _, _ in found])
    return ColourMixture(
        shares / shares.sum(), np.array([mean for _, mean, _ in found]), np.array([cov for _, _, cov in found])
    )


def to_lab(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H,W,3) uint8 sRGB to CIE Lab, L 0..100."""
    import cv2

    return cv2.cvtColor(pixels.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB).astype(np.float32)


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
        outer = self.guide[..., :, None] * self.guide[..., None, :]
        covariance = self._box(outer.reshape(*guide.shape[:2], 9)).reshape(outer.shape)
        covariance -= self.mean[..., :, None] * self.mean[..., None, :]
        self.inverse = np.linalg.inv(covariance + epsilon * np.eye(3, dtype=np.float32)).astype(np.float32)

    def _box(self, values: NDArray) -> NDArray[np.float32]:
        import cv2

        if values.ndim == 2 or values.shape[2] <= 4:
            return cv2.blur(values.astype(np.float32), self.size).astype(np.float32)
        return np.dstack([cv2.blur(values[..., k], self.size) for k in range(values.shape[2])])

    def coefficients(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(H,W) to (H,W,4): slope over the guide's three channels, and offset."""
        mean = self._box(values)
        covariance = self._box(self.guide * values[..., None]) - self.mean * mean[..., None]
        slope = np.einsum("hwij,hwj->hwi", self.inverse, covariance)
        return self._box(np.dstack([slope, mean - (slope * self.mean).sum(axis=2)]))

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Smooth (H,W)."""
        return apply_coefficients(self.coefficients(values), self.guide)


def apply_coefficients(coefficients: NDArray[np.float32], guide: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H,W,4) on a guide (H,W,3) to (H,W)."""
    return (coefficients[..., :3] * guide).sum(axis=2) + coefficients[..., 3]
