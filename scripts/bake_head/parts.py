"""The blocks a head is assembled from, and the rules by which a block follows the MakeHuman figure.

Every rule is linear, so it is one matrix: displacements of the figure's vertices in, displacements of the block's
vertices out. Identity targets, expression units and bones all pass through the same matrix.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


@dataclass(frozen=True)
class Part:
    """One block of the head.

    Attributes:
        name: for example "skin", "eye.L", "teeth.upper"; mirror pairs end with .L and .R.
        material: material slot.
        vertices: (V,3) on the mean head, decimetres in the figure's space.
        polygons: (P,4) into `vertices`, triangles end with -1, counter-clockwise seen from outside.
        uv: (T,2).
        uv_polygons: (P,4) into `uv`, corner for corner as `polygons`.
        follow: (V,N) weights of the figure's vertices; displacements of the block = follow @ displacements.
        bone: the one bone that carries the block, or None to blend the figure's own weights by `follow`.
        rigid_units: expression units in which the block moves by these (V,3) displacements instead of by `follow`.
        uv_scale: how large the block's UV islands are wanted, relative to the skin's texel density.
        keeps_shape: over identities the block only moves, turns and grows evenly.
        tone: (V,2) what the painter of the base skin has to know about each vertex, or None.
    """

    name: str
    material: str
    vertices: NDArray[np.float64]
    polygons: NDArray[np.int32]
    uv: NDArray[np.float64]
    uv_polygons: NDArray[np.int32]
    follow: sparse.csr_matrix
    bone: str | None = None
    rigid_units: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    uv_scale: float = 1.0
    keeps_shape: bool = False
    tone: NDArray[np.float64] | None = None


def pick(
    polygons: NDArray[np.int32], uv_polygons: NDArray[np.int32], uv: NDArray[np.float64], vertex_count: int
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int32], sparse.csr_matrix]:
    """Renumber some polygons of the figure to a block of their own.

    Args:
        polygons: (P,4) into the figure's `vertex_count` vertices.
        uv_polygons: (P,4) into `uv`.
        uv: (M,2).
    Returns:
        polygons, uv, UV polygons and the follow matrix of the block.
    """
    used, compact = np.unique(polygons, return_inverse=True)
    uv_used, uv_compact = np.unique(uv_polygons, return_inverse=True)
    return (
        compact.reshape(polygons.shape).astype(np.int32),
        uv[uv_used],
        uv_compact.reshape(polygons.shape).astype(np.int32),
        follow_vertices(used, vertex_count),
    )


def follow_vertices(indices: NDArray, vertex_count: int) -> sparse.csr_matrix:
    """Each vertex of the block is one vertex of the figure."""
    rows = np.arange(len(indices))
    return sparse.csr_matrix((np.ones(len(rows)), (rows, indices)), shape=(len(rows), vertex_count))


def follow_affine(
    points: NDArray[np.float64], anchors: NDArray[np.int32], figure: NDArray[np.float64], stiffness: float = 1e-3
) -> sparse.csr_matrix:
    """The block moves as the affine map that best explains how the anchors move.

    Args:
        points: (V,3) on the mean head.
        anchors: (A,) vertices of the figure, at least four, not in one plane.
        figure: (N,3) the mean figure.
        stiffness: ridge weight, relative to the anchors' extent, that keeps thin directions from being stretched.
    """
    origin = figure[anchors].mean(axis=0)
    local = figure[anchors] - origin
    ridge = stiffness * np.trace(local.T @ local) / 3 * np.eye(3)
    weights = (points - origin) @ np.linalg.solve(local.T @ local + ridge, local.T) + 1 / len(anchors)
    rows = np.repeat(np.arange(len(points)), len(anchors))
    columns = np.tile(anchors, len(points))
    return sparse.csr_matrix((weights.ravel(), (rows, columns)), shape=(len(points), len(figure)))


def cap_polygons(rings: int, around: int) -> NDArray[np.int32]:
    """(P,4) polygons of a fan about point 0 and of the bands between `rings` rings of `around` points that follow it.

    The fan's triangles end with -1.
    """
    here = np.arange(around)
    there = (here + 1) % around
    zero = np.zeros(around, int)
    polygons = [np.stack([zero, 1 + here, 1 + there, zero - 1], axis=1)]
    for ring in range(rings - 1):
        inner, outer = 1 + ring * around, 1 + (ring + 1) * around
        polygons.append(np.stack([inner + here, outer + here, outer + there, inner + there], axis=1))
    return np.concatenate(polygons).astype(np.int32)
