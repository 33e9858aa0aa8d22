"""Arranges the blocks' UV islands in one square: the head upright across the top, the rest on shelves below."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from .parts import Part

MARGIN = 0.006
HEAD_WIDTH = 0.985


def arrange(parts: list[Part]) -> list[NDArray[np.float64]]:
    """(T,2) new UV of each part, within 0..1, islands apart by `MARGIN`."""
    result = [part.uv.copy() for part in parts]
    islands = [(p, island) for p, part in enumerate(parts) for island in _islands(part)]
    head = max(range(len(islands)), key=lambda i: len(islands[i][1]))
    part, island = islands.pop(head)
    upright = np.stack([result[part][island, 1], -result[part][island, 0]], axis=1)
    upright -= upright.min(axis=0)
    scale = HEAD_WIDTH / upright[:, 0].max()
    upright *= scale
    shelf = 1 - MARGIN - upright[:, 1].max()
    result[part][island] = upright + np.array([(1 - HEAD_WIDTH) / 2, shelf])

    placed = [(p, rows, (parts[p].uv[rows] - parts[p].uv[rows].min(axis=0)) * parts[p].uv_scale) for p, rows in islands]
    placed.sort(key=lambda item: -item[2][:, 1].max())
    x, height = MARGIN, 0.0
    shelf -= MARGIN
    for p, rows, box in placed:
        size = box.max(axis=0)
        if x + size[0] > 1 - MARGIN:
            x, shelf, height = MARGIN, shelf - height - MARGIN, 0.0
        height = max(height, size[1])
        result[p][rows] = box + np.array([x, shelf - size[1]])
        x += size[0] + MARGIN
    return result


def _islands(part: Part) -> list[NDArray[np.int64]]:
    """UV vertices of each connected island."""
    corners = np.where(part.uv_polygons < 0, part.uv_polygons[:, :1], part.uv_polygons)
    edges = np.concatenate([corners[:, [i, (i + 1) % 4]] for i in range(4)])
    count = len(part.uv)
    graph = sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    number, label = connected_components(graph, directed=False)
    return [np.flatnonzero(label == i) for i in range(number)]
