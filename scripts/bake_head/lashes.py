"""Lashes: one plain strip of quads per lid, from the lid's edge outwards, of natural length.

The strips follow the figure's own, longer ones, which turn with the lids. They stay strips, roots on one long side and
tips on the other, so that a renderer can fade them and a scene can cut strands out of them.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .parts import Part
from .source import HeadSource

ROWS = (0.0, 0.3, 0.62, 1.0)
"""Rows of the strip, from root to tip."""
LENGTH = {
    "upper": ((0.0, 0.16, 0.42, 0.75, 1.0), (0.12, 0.5, 1.08, 1.0, 0.55)),
    "lower": ((0.0, 0.15, 0.5, 0.8, 1.0), (0.08, 0.24, 0.5, 0.52, 0.3)),
}
"""Length along the lid, from the nose outwards, as a share of the figure's lashes."""
HELPERS = {"upper": "eyelashes-2", "lower": "eyelashes-1"}
UV_SCALE = 0.6


def lash_part(source: HeadSource, mean: NDArray[np.float64], lid: str, side: str) -> Part:
    """The lashes of one lid.

    Args:
        source: the figure.
        mean: (N,3) the mean figure.
        lid: "upper" or "lower".
        side: "L" or "R".
    """
    polygons, _ = source.mesh.group(f"helper-{side.lower()}-{HELPERS[lid]}")
    grid = strip_grid(polygons, mean)
    columns, depth = grid.shape
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(mean[grid[:, 0]], axis=0), axis=1))])
    length = np.interp(along / along[-1], *LENGTH[lid])
    place = (depth - 1) * length[:, None] * np.array(ROWS)
    below = np.minimum(place.astype(int), depth - 2)
    share = place - below
    column = np.arange(columns)[:, None]
    number = np.arange(columns * len(ROWS))
    follow = sparse.csr_matrix(
        (
            np.concatenate([1 - share.ravel(), share.ravel()]),
            (np.tile(number, 2), np.concatenate([grid[column, below].ravel(), grid[column, below + 1].ravel()])),
        ),
        shape=(len(number), len(mean)),
    )
    vertices = follow @ mean
    index = number.reshape(columns, len(ROWS))
    quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], axis=-1).reshape(-1, 4)
    if _facing(vertices, quads) @ _facing(mean, polygons) < 0:
        quads = quads[:, ::-1]
    uv = np.stack([np.repeat(along, len(ROWS)), np.tile(np.array(ROWS) * along[-1] / 5, columns)], axis=1)
    return Part(
        name=f"lashes.{lid}.{side}",
        material="lashes",
        vertices=vertices,
        polygons=quads.astype(np.int32),
        uv=uv,
        uv_polygons=quads.astype(np.int32),
        follow=follow,
        bone="head",
        uv_scale=UV_SCALE,
    )


def strip_grid(polygons: NDArray[np.int32], places: NDArray[np.float64]) -> NDArray[np.int64]:
    """The vertices of a strip as a grid: columns from the nose outwards, in each from root to tip.

    Args:
        polygons: (P,4) quads of one strip with four corners.
        places: (N,3); the roots are the long side that lies further back.
    """
    uses = Counter(polygons.ravel().tolist())
    edges = Counter(tuple(sorted((int(quad[i]), int(quad[i - 1])))) for quad in polygons for i in range(4))
    border: dict[int, list[int]] = {}
    for (first, second), count in edges.items():
        if count == 1:
            border.setdefault(first, []).append(second)
            border.setdefault(second, []).append(first)
    loop: list[int] = [min(vertex for vertex, count in uses.items() if count == 1)]
    loop.append(border[loop[0]][0])
    while len(loop) < len(border):
        one, other = border[loop[-1]]
        loop.append(other if one == loop[-2] else one)
    cuts = [*(i for i, vertex in enumerate(loop) if uses[vertex] == 1), len(loop)]
    loop.append(loop[0])
    sides = [loop[start : end + 1] for start, end in pairwise(cuts)]
    roots = min(sorted(sides, key=len)[2:], key=lambda side: places[side, 2].mean())
    if abs(places[roots[0], 0]) > abs(places[roots[-1], 0]):
        roots = roots[::-1]
    rows, seen = [roots], set(roots)
    while len(seen) < len(uses):
        row = [_beyond(vertex, seen, edges) for vertex in rows[-1]]
        rows.append(row)
        seen.update(row)
    return np.array(rows).T


def _beyond(vertex: int, seen: set[int], edges: Counter) -> int:
    """The one neighbour that no earlier row contains."""
    ends = (set(edge) - {vertex} for edge in edges if vertex in edge)
    return next(end for (end,) in ends if end not in seen)


def _facing(points: NDArray[np.float64], polygons: NDArray) -> NDArray[np.float64]:
    """(3,) sum of the polygons' area vectors."""
    corners = points[polygons]
    return np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]).sum(axis=0)
