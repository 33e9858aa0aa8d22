"""Smooth extension of values over a mesh: the membrane that carries colour from seen to unseen skin.

Working on the surface rather than in the UV square means that islands and seams of the layout leave no trace.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def edges_of(faces: NDArray[np.int32]) -> NDArray[np.int32]:
    """(E,2) unique undirected edges of triangles (F,3)."""
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.unique(np.sort(pairs, axis=1), axis=0)


def extend(
    edges: NDArray[np.int32],
    values: NDArray[np.floating],
    weights: NDArray[np.floating],
    stiffness: float = 1.0,
    pull: float = 1e-4,
    iterations: int = 400,
    tolerance: float = 1e-4,
) -> NDArray[np.float64]:
    """Spread known per-vertex values over the whole surface as a membrane.

    Minimises sum_v w_v (x_v - y_v)^2 + stiffness * sum_(a,b) (x_a - x_b)^2 + pull * sum_v (x_v - mean)^2 by
    conjugate gradients with a diagonal preconditioner. `pull` decides parts that no known value reaches.

    Args:
        edges: (E,2) vertex pairs.
        values: (V,C) known values; ignored where the weight is 0.
        weights: (V,) trust, 0 where unknown.
    Returns:
        (V,C) smooth values everywhere.
    """
    count = len(values)
    weights = weights.astype(np.float64)
    # Channels first: every sum then runs along memory.
    known = np.ascontiguousarray(np.where(weights[:, None] > 0, values, 0.0).T, dtype=np.float64)
    mean = (known @ weights / max(weights.sum(), 1e-12))[:, None]
    a, b = (np.ascontiguousarray(ends, np.int64) for ends in edges.T)  # what `bincount` counts by
    diagonal = weights + stiffness * np.bincount(edges.ravel(), minlength=count) + pull

    def apply(x: NDArray[np.float64]) -> NDArray[np.float64]:
        neighbours = [np.bincount(a, channel[b], count) + np.bincount(b, channel[a], count) for channel in x]
        return diagonal * x - stiffness * np.stack(neighbours)

    target = weights * known + pull * mean
    x = np.where(weights > 0, known, mean)
    residual = target - apply(x)
    preconditioned = residual / diagonal
    direction = preconditioned.copy()
    energy = _dots(residual, preconditioned)
    goal = tolerance**2 * np.maximum(_dots(target, target / diagonal), 1e-12)
    for _ in range(iterations):
        if np.all(energy <= goal):
            break
        along = apply(direction)
        step = energy / np.maximum(_dots(direction, along), 1e-30)
        x += step * direction
        residual -= step * along
        preconditioned = residual / diagonal
        fresh = _dots(residual, preconditioned)
        direction = preconditioned + fresh / np.maximum(energy, 1e-30) * direction
        energy = fresh
    return x.T


def _dots(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C,1) sum over each channel of the product of two (C,V)."""
    return np.einsum("cv,cv->c", first, second)[:, None]
