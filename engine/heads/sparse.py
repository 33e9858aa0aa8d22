"""Sparse symmetric systems in NumPy alone: the engine ships without SciPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SparseRows:
    """A sparse square matrix, row after row.

    Attributes:
        columns: (M,) of each entry. values: (M,). starts: (N,) the first entry of each row; none is empty.
        diagonal: (N,).
    """

    columns: NDArray[np.intp]
    values: Floats
    starts: NDArray[np.intp]
    diagonal: Floats

    @staticmethod
    def of(rows: NDArray, columns: NDArray, values: NDArray, diagonal: NDArray) -> SparseRows:
        """A matrix from a diagonal (N,) and entries (M,) in any order; those at the same place add up."""
        count = len(diagonal)
        own = np.arange(count)
        rows, columns = np.concatenate([own, rows]), np.concatenate([own, columns])
        values = np.concatenate([diagonal, values]).astype(np.float64)
        order = np.argsort(rows, kind="stable")
        rows, columns, values = rows[order], columns[order], values[order]
        on = rows == columns
        total = np.bincount(rows[on], values[on], count).astype(np.float64)
        return SparseRows(columns, values, np.searchsorted(rows, own), total)

    def __matmul__(self, dense: NDArray) -> Floats:
        """(N,K) the product with (N,K)."""
        return np.add.reduceat(self.values[:, None] * dense[self.columns], self.starts)


def laplacian(edges: NDArray, weights: NDArray, extra: NDArray) -> SparseRows:
    """A graph's Laplacian plus a diagonal.

    Args:
        edges: (E,2) each once. weights: (E,) positive. extra: (N,) added to the diagonal.
    """
    ends = np.concatenate([edges, edges[:, ::-1]])
    both = np.concatenate([weights, weights])
    return SparseRows.of(ends[:, 0], ends[:, 1], -both, extra + np.bincount(ends[:, 0], both, len(extra)))


def solve(matrix: SparseRows, right: NDArray, start: NDArray, tolerance: float = 1e-8, most: int = 4000) -> Floats:
    """The solution (N,K) of a positive definite system by conjugate gradients with a diagonal preconditioner.

    Hestenes and Stiefel 1952; each column is a system of its own.

    Args:
        right: (N,K). start: (N,K) a guess.
        tolerance: of the residual, relative to the right side. most: steps at most.
    """
    x = np.array(start, np.float64)
    scale = 1.0 / np.maximum(matrix.diagonal, 1e-30)[:, None]
    residual = right - matrix @ x
    goal = (tolerance * np.linalg.norm(right, axis=0)) ** 2 + 1e-300
    direction = scale * residual
    energy = (residual * direction).sum(0)
    for _ in range(most):
        if ((residual**2).sum(0) <= goal).all():
            break
        pushed = matrix @ direction
        step = energy / np.maximum((direction * pushed).sum(0), 1e-300)
        x += step * direction
        residual -= step * pushed
        prepared = scale * residual
        new = (residual * prepared).sum(0)
        direction = prepared + new / np.maximum(energy, 1e-300) * direction
        energy = new
    return x
