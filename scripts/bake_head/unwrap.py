"""Flattens half a head into a rectangle with little distortion and a texel density chosen per place.

The surface is opened along the midline at the back. Starting from Tutte's embedding, which never folds, a quasi-Newton
descent lowers the symmetric Dirichlet energy (Smith and Schaefer 2015, eq. 1) between each triangle and its wanted size;
the line search keeps every triangle the right way round.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

MEMORY = 12
"""Past steps that the quasi-Newton descent remembers."""
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


def flatten(task: Flattening, steps: int = 400, tolerance: float = 1e-6) -> NDArray[np.float64]:
    """(V,2) the embedding with little distortion, coordinates in the units of `rest`."""
    inverse = np.linalg.inv(task.rest)
    weight = task.weight / task.weight.sum()
    free = task.free.ravel()
    solve = _preconditioner(task, inverse, weight, free)
    points = task.start.copy()
    energy, slope = _energy(task.triangles, inverse, weight, points)
    slope = slope.ravel()[free]
    history: deque[tuple[NDArray, NDArray]] = deque(maxlen=MEMORY)
    for _ in range(steps):
        step = np.zeros(points.size)
        step[free] = -_two_loop(slope, history, solve)
        step = step.reshape(points.shape)
        size = min(1.0, 0.9 * _first_fold(task.triangles, points, step))
        descent = float(slope @ step.ravel()[free])
        while True:
            trial = points + size * step
            new_energy, new_slope = _energy(task.triangles, inverse, weight, trial)
            if new_energy <= energy + 1e-4 * size * descent or size < 1e-9:
                break
            size *= 0.5
        if size < 1e-9:
            break
        new_slope = new_slope.ravel()[free]
        moved, bent = (trial - points).ravel()[free], new_slope - slope
        if moved @ bent > 1e-14:
            history.append((moved, bent))
        done = energy - new_energy < tolerance * energy
        points, energy, slope = trial, new_energy, new_slope
        if done:
            break
    return points


def _energy(
    triangles: NDArray, inverse: NDArray, weight: NDArray, points: NDArray
) -> tuple[float, NDArray[np.float64]]:
    """Weighted symmetric Dirichlet energy |J|^2 + |1/J|^2 and its gradient; infinite where a triangle is folded."""
    corner = points[triangles]
    edges = np.stack([corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]], axis=2)
    jacobian = edges @ inverse
    area = np.linalg.det(jacobian)
    if (area <= 0).any():
        return np.inf, np.zeros_like(points)
    square = (jacobian**2).sum(axis=(1, 2))
    energy = float(weight @ (square * (1 + area**-2)))
    cofactor = np.stack(
        [np.stack([jacobian[:, 1, 1], -jacobian[:, 1, 0]], 1), np.stack([-jacobian[:, 0, 1], jacobian[:, 0, 0]], 1)], 1
    )
    inner = 2 * jacobian * (1 + area**-2)[:, None, None] - 2 * (square * area**-3)[:, None, None] * cofactor
    at_edges = weight[:, None, None] * inner @ inverse.transpose(0, 2, 1)
    slope = np.zeros_like(points)
    for corner_number, share in ((1, at_edges[:, :, 0]), (2, at_edges[:, :, 1]), (0, -at_edges.sum(axis=2))):
        for axis in range(2):
            slope[:, axis] += np.bincount(triangles[:, corner_number], share[:, axis], len(points))
    return energy, slope


def _preconditioner(task: Flattening, inverse: NDArray, weight: NDArray, free: NDArray):
    """Solver with the stiffness matrix of the wanted triangles, the Hessian's dominant part near the solution."""
    count = len(task.start)
    ends = np.stack([-inverse.sum(axis=1), inverse[:, 0], inverse[:, 1]], axis=1)
    blocks = 4 * weight[:, None, None] * (ends @ ends.transpose(0, 2, 1))
    rows, columns = np.repeat(task.triangles, 3, axis=1).ravel(), np.tile(task.triangles, (1, 3)).ravel()
    stiffness = sparse.coo_matrix((blocks.ravel(), (rows, columns)), shape=(count, count))
    both = sparse.csc_matrix(sparse.kron(stiffness, sparse.eye(2)))
    ridge = 1e-8 * both.diagonal().mean() * sparse.eye(int(free.sum()))
    return linalg.splu(sparse.csc_matrix(both[free][:, free] + ridge)).solve


def _two_loop(slope: NDArray, history: deque, solve) -> NDArray[np.float64]:
    """The inverse Hessian's guess times the gradient (Nocedal 1980)."""
    direction, factors = slope.copy(), []
    for moved, bent in reversed(history):
        factors.append((moved @ direction) / (moved @ bent))
        direction -= factors[-1] * bent
    direction = solve(direction)
    for (moved, bent), factor in zip(history, reversed(factors), strict=True):
        direction += (factor - (bent @ direction) / (moved @ bent)) * moved
    return direction


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
