"""Cuts a bust out of the standing figure along a smooth curve, as linear combinations of the figure's vertices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

OVERSHOOT = 0.9
"""How far a cut vertex may lie beyond its edge, as a share of it."""
SNAP = 0.3
"""A vertex this close to the cut, as a share of the cut edge, slides onto it instead of leaving a sliver."""


@dataclass(frozen=True)
class Cut:
    """What is left of a mesh above the cut.

    Attributes:
        follow: (V,N) each new vertex as weights of the old ones.
        uv_follow: (T,M) each new UV vertex as weights of the old ones.
        polygons: (P,4) into the new vertices, triangles end with -1.
        uv_polygons: (P,4) into the new UV vertices.
    """

    follow: sparse.csr_matrix
    uv_follow: sparse.csr_matrix
    polygons: NDArray[np.int32]
    uv_polygons: NDArray[np.int32]


class _Blends:
    """Collects vertices that lie on edges of the old mesh, each edge point once."""

    def __init__(self) -> None:
        self.index: dict[tuple[int, int], int] = {}
        self.rows: list[tuple[int, int, float]] = []

    def add(self, start: int, end: int, share: float) -> int:
        key = (start, end) if start < end else (end, start)
        if key not in self.index:
            self.index[key] = len(self.rows)
            self.rows.append((start, end, share))
        return self.index[key]

    def order(self, first: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Unmoved vertices of the chosen kind first, then the rest, either by their old number."""
        starts, ends, shares = (np.array(column) for column in zip(*self.rows, strict=True))
        return np.lexsort([ends, starts, ~((shares == 0) & first[starts])])

    def matrix(self, columns: int) -> sparse.csr_matrix:
        starts, ends, shares = (np.array(column) for column in zip(*self.rows, strict=True))
        rows = np.arange(len(starts))
        return sparse.csr_matrix(
            (
                np.concatenate([1 - shares, shares]),
                (np.concatenate([rows, rows]), np.concatenate([starts, ends])),
            ),
            shape=(len(rows), columns),
        )


def cut_mesh(
    polygons: NDArray[np.int32],
    uv_polygons: NDArray[np.int32],
    height: NDArray[np.float64],
    uv_count: int,
    first: NDArray[np.bool_],
    final: NDArray[np.float64],
) -> Cut:
    """Keep the part of a quad mesh where `height` is positive, with a smooth edge where it is zero.

    Args:
        polygons: (P,4) into N vertices, all quads.
        uv_polygons: (P,4) into `uv_count` UV vertices.
        height: (N,) signed distance from the cut; it is read linearly along edges.
        uv_count: number of UV vertices.
        first: (N,) vertices that are numbered first, in their old order, so that their numbers outlive a change of cut.
        final: (N,) the same distance on a related shape: `height` decides which edges are cut, so that the polygons
            do not depend on that shape; `final` decides where along them the cut runs.
    """
    slides = _snap(polygons, height)
    uv_slides = _uv_slides(polygons, uv_polygons, slides)
    level = height.copy()
    level[list(slides)] = 0.0
    vertices, uvs = _Blends(), _Blends()
    new_polygons: list[list[int]] = []
    new_uv_polygons: list[list[int]] = []
    kept = (level[polygons] > 0).any(axis=1)
    for polygon, uv_polygon in zip(polygons[kept].tolist(), uv_polygons[kept].tolist(), strict=True):
        corners: list[int] = []
        uv_corners: list[int] = []
        for here in range(4):
            there = (here + 1) % 4
            start, end = polygon[here], polygon[there]
            if level[start] >= 0:
                other = slides.get(start, -1)
                share = _crossing(final, start, other) if other >= 0 else 0.0
                other = other if other >= 0 else start
                corners.append(vertices.add(start, other, share))
                uv_here: int = uv_polygon[here]
                uv_other = uv_slides.get((start, uv_here), uv_here)
                uv_corners.append(uvs.add(uv_here, uv_other, share))
            if level[start] * level[end] < 0:
                share = _crossing(final, start, end)
                corners.append(vertices.add(start, end, share))
                uv_corners.append(uvs.add(uv_polygon[here], uv_polygon[there], share))
        for piece in _quads(len(corners)):
            new_polygons.append([corners[i] if i >= 0 else -1 for i in piece])
            new_uv_polygons.append([uv_corners[i] if i >= 0 else -1 for i in piece])
    order = vertices.order(first)
    number = np.append(np.argsort(order), -1)  # the last entry keeps the -1 of triangles
    return Cut(
        follow=vertices.matrix(len(height))[order],
        uv_follow=uvs.matrix(uv_count),
        polygons=number[np.array(new_polygons)].astype(np.int32),
        uv_polygons=np.array(new_uv_polygons, np.int32),
    )


def _crossing(height: NDArray[np.float64], start: int, end: int) -> float:
    """Where along an edge, 0 at its start, the height is zero; a little beyond its ends at most."""
    return float(np.clip(height[start] / (height[start] - height[end]), -OVERSHOOT, 1 + OVERSHOOT))


def _snap(polygons: NDArray[np.int32], height: NDArray[np.float64]) -> dict[int, int]:
    """Vertices to slide along one of their edges onto the cut: vertex -> the edge's other end."""
    edges = np.concatenate([polygons[:, [i, (i + 1) % 4]] for i in range(4)])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    edges = edges[height[edges[:, 0]] * height[edges[:, 1]] < 0]
    shares: dict[int, float] = {}
    slides: dict[int, int] = {}
    for first, second in edges.tolist():
        for start, end in ((first, second), (second, first)):
            share = _crossing(height, start, end)
            if share < shares.get(start, SNAP):
                shares[start], slides[start] = share, end
    return slides


def _uv_slides(
    polygons: NDArray[np.int32], uv_polygons: NDArray[np.int32], slides: dict[int, int]
) -> dict[tuple[int, int], int]:
    """The UV end of each slide: (vertex, its UV vertex) -> the UV vertex of the edge's other end on the same island."""
    result: dict[tuple[int, int], int] = {}
    near = np.isin(polygons, list(slides)).any(axis=1)
    for polygon, uv_polygon in zip(polygons[near].tolist(), uv_polygons[near].tolist(), strict=True):
        for corner, uv_corner in zip(polygon, uv_polygon, strict=True):
            if slides.get(corner, -1) in polygon:
                result[corner, uv_corner] = uv_polygon[polygon.index(slides[corner])]
    return result


def _quads(count: int) -> list[list[int]]:
    """Corner numbers of the quads and triangles that fill a convex polygon of 3 to 6 corners."""
    pieces = [[0, 1, 2, 3 if count > 3 else -1]]
    if count > 4:
        pieces.append([0, 3, 4, 5 if count > 5 else -1])
    return pieces
