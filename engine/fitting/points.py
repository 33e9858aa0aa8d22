"""A head model boiled down to the points a landmark detector sees: a mean and a linear basis per point."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel, LandmarkEmbedding
from .size import growth

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Coefficients:
    """Coefficients of a basis with a Gaussian prior and box bounds, P of them.

    Attributes:
        mean: (P,) prior mean.
        precision: (P,P) inverse of the prior covariance.
        lower, upper: (P,) bounds, infinite where free.
    """

    mean: Array
    precision: Array
    lower: Array
    upper: Array

    @staticmethod
    def normal(deviation: NDArray, mean: NDArray | None = None) -> Coefficients:
        """Independent, unbounded coefficients with the given standard deviations (P,)."""
        deviation = np.asarray(deviation, np.float64)
        infinite = np.full(len(deviation), np.inf)
        center = np.zeros(len(deviation)) if mean is None else np.asarray(mean, np.float64)
        return Coefficients(center, np.diag(deviation**-2.0), -infinite, infinite)

    def joined(self, other: Coefficients) -> Coefficients:
        """These and, independent of them, those of `other`."""
        own, added = len(self.mean), len(other.mean)
        precision = np.zeros((own + added, own + added))
        precision[:own, :own] = self.precision
        precision[own:, own:] = other.precision
        pairs = zip((self.mean, self.lower, self.upper), (other.mean, other.lower, other.upper), strict=True)
        mean, lower, upper = (np.concatenate(pair) for pair in pairs)
        return Coefficients(mean, precision, lower, upper)

    def __len__(self) -> int:
        return len(self.mean)


@dataclass(frozen=True)
class PointModel:
    """N points in head space that move linearly with named groups of coefficients, and a detector that errs likewise.

    The detector's errors add to what the camera shows, after perspective, but are given in head space.

    Attributes:
        mean: (N,3) metres.
        basis: (P,N,3) metres per unit of each coefficient.
        error: (N,3) metres, the detector's expected error.
        error_basis: (P,N,3) metres, its change per unit of each coefficient.
        prior: of the P coefficients.
        groups: where each group's coefficients are.
    """

    mean: Array
    basis: Array
    error: Array
    error_basis: Array
    prior: Coefficients
    groups: dict[str, slice]

    def with_group(
        self, name: str, prior: Coefficients, basis: NDArray | None = None, error_basis: NDArray | None = None
    ) -> PointModel:
        """The same points with a further group of coefficients; the bases are (Q,N,3), zero if not given."""
        start, count = len(self.basis), len(prior)
        still = np.zeros((count, *self.mean.shape))
        return PointModel(
            self.mean,
            np.concatenate([self.basis, still if basis is None else np.asarray(basis, np.float64)]),
            self.error,
            np.concatenate([self.error_basis, still if error_basis is None else np.asarray(error_basis, np.float64)]),
            self.prior.joined(prior),
            self.groups | {name: slice(start, start + count)},
        )

    def part(self, names: tuple[str, ...], values: NDArray) -> tuple[PointModel, NDArray[np.intp]]:
        """The same points moved by the named groups only; the others stay at `values` (P,).

        Returns:
            The smaller model, and which of this model's coefficients it has, in order.
        """
        groups, kept, start = {}, [np.zeros(0, np.intp)], 0
        for name in names:
            where = self.groups[name]
            kept.append(np.arange(where.start, where.stop))
            groups[name] = slice(start, start + len(kept[-1]))
            start += len(kept[-1])
        index = np.concatenate(kept)
        rest = np.array(values, np.float64)
        rest[index] = 0.0
        prior = Coefficients(
            self.prior.mean[index],
            self.prior.precision[np.ix_(index, index)],
            self.prior.lower[index],
            self.prior.upper[index],
        )
        fixed = PointModel(
            self.positions(rest), self.basis[index], self.errors(rest), self.error_basis[index], prior, groups
        )
        return fixed, index

    def expecting(self, error: NDArray) -> PointModel:
        """The same points with another expected error (N,3) of the detector."""
        return replace(self, error=np.asarray(error, np.float64))

    def positions(self, values: NDArray) -> Array:
        """(N,3) metres for coefficient values (P,)."""
        return self.mean + np.tensordot(values, self.basis, 1)

    def errors(self, values: NDArray) -> Array:
        """(N,3) metres, the detector's error for coefficient values (P,)."""
        return self.error + np.tensordot(values, self.error_basis, 1)


def embed(field: NDArray, embedding: LandmarkEmbedding, triangles: NDArray[np.int32]) -> Array:
    """Values at the landmarks of a field over the vertices, (...,V,3) to (...,N,3); missing points are zero."""
    corners = triangles[np.maximum(embedding.faces, 0)]
    weights = (embedding.barycentrics * embedding.valid[:, None]).astype(np.float64)
    # One corner at a time: a (...,N,3,3) gather of a large basis would be three times as big.
    return sum(field[..., corners[:, k], :] * weights[:, k, None] for k in range(3))  # type: ignore[return-value]


def identity_points(
    head: HeadModel, embedding: LandmarkEmbedding | None = None, prior: Coefficients | None = None
) -> PointModel:
    """Points of the head with the group "identity", in standard deviations, which leaves the face's size alone.

    Args:
        embedding: where they are; None takes MediaPipe's.
        prior: of the identity; None takes the model's own.
    """
    embedding = head.embeddings["mediapipe"] if embedding is None else embedding
    mean = embed(head.vertices.astype(np.float64), embedding, head.faces)
    basis = embed(head.identity_basis, embedding, head.faces) - growth(head).basis(mean)
    prior = Coefficients.normal(np.ones(len(basis))) if prior is None else prior
    none = np.zeros_like(mean)
    return PointModel(mean, basis, none, np.zeros_like(basis), prior, {"identity": slice(0, len(basis))})
