"""Fewer triangles: vertices that lie in one cell of a grid become one, where the planes around them want it.

Lindstrom, "Out-of-Core Simplification of Large Polygonal Models", SIGGRAPH 2000: one pass over the triangles, and the
quadric of Garland and Heckbert (1997) in every cell. Marching cubes' triangles, evenly small, suit it well.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
ROUNDS = 10
ENOUGH = 0.9
"""Of the triangles asked for: as near as the search goes."""
STIFF = 1e-3
"""Singular values below this share of the largest do not move a vertex: flat regions keep their mean (section 3.2)."""


def simplify(vertices: NDArray, faces: Ints, most: int) -> tuple[NDArray[np.float32], Ints]:
    """A mesh of at most `most` triangles, or the same where it has no more.

    Args:
        vertices: (V,3). faces: (F,3), not degenerate.
    Returns:
        Vertices (U,3) and triangles (G,3), the orientation kept.
    Raises:
        ValueError: `most` is less than 4.
    """
    if most < 4:
        raise ValueError("a mesh has at least four triangles")
    if len(faces) <= most:
        return np.asarray(vertices, np.float32), faces
    points = np.asarray(vertices, np.float64)
    corners = points[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    cell, best = np.sqrt(2 * area / most), (np.zeros(len(points), np.int64), faces[:0])
    for _ in range(ROUNDS):
        found = _clustered(points, faces, cell)
        if len(best[1]) < len(found[1]) <= most:
            best = found
        if ENOUGH * most <= len(found[1]) <= most:
            break
        # Triangles go with the square of the cells' size.
        cell *= np.sqrt(max(len(found[1]), 1) / (0.5 * (1 + ENOUGH) * most))
    label, kept = best
    return _placed(points, faces, label), kept


def _clustered(points: NDArray, faces: Ints, cell: float) -> tuple[Ints, Ints]:
    """Which cell each vertex (V,) is in, numbered, and the triangles (G,3) whose corners lie in three cells."""
    places = np.floor((points - points.min(0)) / cell).astype(np.int64)
    wide = places.max(0) + 1
    flat = (places[:, 0] * wide[1] + places[:, 1]) * wide[2] + places[:, 2]
    _, label = np.unique(flat, return_inverse=True)
    corners = label[faces]
    apart = (corners[:, 0] != corners[:, 1]) & (corners[:, 1] != corners[:, 2]) & (corners[:, 2] != corners[:, 0])
    corners = corners[apart]
    first = corners.argmin(1)[:, None]
    a, b, c = np.take_along_axis(corners, (first + np.arange(3)) % 3, 1).T  # the least corner first
    count = int(label.max()) + 1
    keys, number = np.unique((a * count + b) * count + c, return_index=True)
    back = (a[number] * count + c[number]) * count + b[number]
    kept = number[~np.isin(back, keys)]  # two triangles back to back enclose nothing
    return label, np.stack([a[kept], b[kept], c[kept]], 1)


def _placed(points: NDArray, faces: Ints, label: Ints) -> NDArray[np.float32]:
    """(U,3) of each cell the point nearest to the planes of its triangles, near the mean of its vertices."""
    count = int(label.max()) + 1
    members = np.bincount(label, minlength=count)[:, None]
    mean = np.stack([np.bincount(label, points[:, k], count) for k in range(3)], 1) / members
    corners = points[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    matrix, vector = np.zeros((count, 3, 3)), np.zeros((count, 3))
    outer = normal[:, :, None] * normal[:, None]
    for corner in range(3):
        own = label[faces[:, corner]]
        # About the cell's mean, which keeps the numbers small.
        distance = (normal * (corners[:, corner] - mean[own])).sum(1)
        for i in range(3):
            vector[:, i] += np.bincount(own, normal[:, i] * distance, count)
            for j in range(3):
                matrix[:, i, j] += np.bincount(own, outer[:, i, j], count)
    moved = (np.linalg.pinv(matrix, STIFF, hermitian=True) @ vector[..., None])[..., 0]
    reach = np.zeros(count)
    np.maximum.at(reach, label, np.linalg.norm(points - mean[label], axis=1))
    length = np.linalg.norm(moved, axis=1)
    share = np.minimum(1, reach / np.maximum(length, 1e-30))  # not out of its own vertices
    return (mean + moved * share[:, None]).astype(np.float32)
