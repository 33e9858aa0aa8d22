"""Flattens a surface with little distortion and a texel density chosen per triangle.

Starting from Tutte's embedding, which never folds, reweighted least squares (Rabinovich et al. 2017, "Scalable Locally
Injective Mappings") lower the symmetric Dirichlet energy between each triangle and its wanted size; the line search
keeps every triangle the right way round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

RIDGE = 1e-9
"""Keeps the linear systems solvable, relative to their mean diagonal."""
LEAST_AREA = 0.02
"""A triangle thinner than this share of an equilateral one is measured as if it were that wide."""


@dataclass(frozen=True)
class Flattening:
    """What is wanted.

    Attributes:
        triangles: (F,3) into V points, all the same way round.
        rest: (F,2,2) columns are the wanted edges 1-0 and 2-0 of each triangle, in the plane.
        weight: (F,) importance of each triangle's shape.
        start: (V,2) an embedding without folds.
        free: (V,2) bool, coordinates that may move.
    """

    triangles: NDArray[np.int64]
    rest: NDArray[np.float64]
    weight: NDArray[np.float64]
    start: NDArray[np.float64]
    free: NDArray[np.bool_]


def rest_edges(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """(F,2,2) each triangle laid flat, as columns edge 1-0 and edge 2-0; degenerate ones are given some height.

    Args:
        corners: (F,3,3) places of the corners.
    """
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    length = np.linalg.norm(first, axis=1)
    across = (first * second).sum(axis=1) / length
    height = np.sqrt(np.maximum((second**2).sum(axis=1) - across**2, 0))
    height = np.maximum(height, LEAST_AREA * length)
    return np.stack([np.stack([length, across], 1), np.stack([np.zeros_like(length), height], 1)], axis=1)


def tutte(triangles: NDArray[np.int64], boundary: NDArray[np.int64], places: NDArray[np.float64]) -> NDArray:
    """(V,2) every inner point in the middle of its neighbours (Tutte 1963); no folds inside a convex boundary.

    Args:
        triangles: (F,3).
        boundary: (B,) points on the rim.
        places: (B,2) theirs, on a convex polygon.
    """
    count = int(triangles.max()) + 1
    rows, columns = (triangles[:, [0, 1, 2, 1, 2, 0]].ravel(), triangles[:, [1, 2, 0, 0, 1, 2]].ravel())
    graph = sparse.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(count, count)).tocsr()
    graph.data[:] = 1
    laplacian = sparse.csc_matrix(sparse.diags(np.asarray(graph.sum(axis=1)).ravel()) - graph)
    inner = np.setdiff1d(np.arange(count), boundary)
    result = np.zeros((count, 2))
    result[boundary] = places
    result[inner] = linalg.splu(laplacian[inner][:, inner]).solve(-laplacian[inner][:, boundary] @ places)
    return result


def flatten(task: Flattening, steps: int = 300, tolerance: float = 1e-5) -> NDArray[np.float64]:
    """(V,2) the embedding with little distortion, coordinates in the units of `rest`."""
    inverse = np.linalg.inv(task.rest)
    weight = task.weight / task.weight.sum()
    derivatives = _derivatives(task.triangles, inverse, len(task.start))
    points, free = task.start.copy(), task.free.T.ravel()
    energy = _energy(_jacobians(task.triangles, inverse, points), weight)
    for _ in range(steps):
        system, wanted = _proxy(_jacobians(task.triangles, inverse, points), derivatives, weight)
        fixed = np.where(free, 0.0, points.T.ravel())
        columns = sparse.csc_matrix(system[:, free])
        normal = sparse.csc_matrix(columns.T @ columns)
        place = fixed.copy()
        place[free] = linalg.splu(normal + RIDGE * normal.diagonal().mean() * sparse.eye(int(free.sum()))).solve(
            columns.T @ (wanted - system @ fixed)
        )
        step = place.reshape(2, -1).T - points
        size = min(1.0, 0.8 * _first_fold(task.triangles, points, step))
        trial = _energy(_jacobians(task.triangles, inverse, points + size * step), weight)
        while trial > energy and size > 1e-8:
            size *= 0.5
            trial = _energy(_jacobians(task.triangles, inverse, points + size * step), weight)
        if trial > energy:
            break
        points, done, energy = points + size * step, energy - trial < tolerance * energy, trial
        if done:
            break
    return points


def _derivatives(triangles: NDArray, inverse: NDArray, count: int) -> list[sparse.csr_matrix]:
    """Two (F,V) matrices: the first and second column of a coordinate's Jacobian from its values at the points."""
    ends = np.stack([-inverse.sum(axis=1), inverse[:, 0], inverse[:, 1]], axis=1)
    rows = np.repeat(np.arange(len(triangles)), 3)
    shape = (len(triangles), count)
    return [sparse.csr_matrix((ends[:, :, k].ravel(), (rows, triangles.ravel())), shape=shape) for k in range(2)]


def _jacobians(triangles: NDArray, inverse: NDArray, points: NDArray) -> NDArray[np.float64]:
    """(F,2,2) of the map from each wanted triangle to the plane."""
    corner = points[triangles]
    sides = np.stack([corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]], axis=2)
    return np.matmul(sides, inverse, dtype=np.float64)


def _energy(jacobian: NDArray, weight: NDArray) -> float:
    """Weighted symmetric Dirichlet energy |J|^2 + |1/J|^2; infinite where a triangle is folded."""
    area = np.linalg.det(jacobian)
    if (area <= 0).any():
        return np.inf
    return float(weight @ ((jacobian**2).sum(axis=(1, 2)) * (1 + area**-2)))


def _proxy(
    jacobian: NDArray, derivatives: list[sparse.csr_matrix], weight: NDArray
) -> tuple[sparse.csr_matrix, NDArray[np.float64]]:
    """The least-squares problem that stands in for the energy (Rabinovich et al. 2017, eq. 15): (4F,2V) and (4F,)."""
    left, stretch, right = np.linalg.svd(jacobian)
    mirrored = np.linalg.det(left @ right) < 0
    left[mirrored, :, 1] *= -1
    stretch[mirrored, 1] *= -1
    nearest = left @ right
    away = np.where(np.abs(stretch - 1) < 1e-6, 1 + 1e-6, stretch)
    amount = np.sqrt((away - away**-3) / (away - 1))
    stiff = (left * amount[:, None, :]) @ left.transpose(0, 2, 1) * np.sqrt(weight)[:, None, None]
    wanted = stiff @ nearest
    rows, values = [], []
    for i in range(2):
        for k in range(2):
            rows.append([sparse.diags(stiff[:, i, j]) @ derivatives[k] for j in range(2)])
            values.append(wanted[:, i, k])
    return sparse.csr_matrix(sparse.bmat(rows)), np.concatenate(values)


def _first_fold(triangles: NDArray, points: NDArray, step: NDArray) -> float:
    """The largest step before any triangle's area becomes zero."""
    corner, move = points[triangles], step[triangles]
    a, b = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    p, q = move[:, 1] - move[:, 0], move[:, 2] - move[:, 0]
    square, linear, constant = _cross(p, q), _cross(a, q) + _cross(p, b), _cross(a, b)
    root = np.sqrt(np.maximum(linear**2 - 4 * square * constant, 0))
    real = linear**2 >= 4 * square * constant
    with np.errstate(divide="ignore", invalid="ignore"):
        # The form that stays exact where the quadratic term vanishes.
        one, two = 2 * constant / (-linear + root), 2 * constant / (-linear - root)
    candidates = np.concatenate([one[real], two[real]])
    candidates = candidates[np.isfinite(candidates) & (candidates > 0)]
    return float(candidates.min(initial=np.inf))


def _cross(first: NDArray, second: NDArray) -> NDArray[np.float64]:
    return first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
