"""Arranges all UV islands in one square: the head upright and large, the small blocks in a strip below it.

The layout is made once, by `python -m scripts.bake_head.layout_uv`, and stored in `uv.npz` beside this file; baking
only reads it. So textures stay valid when the mean head changes, and an optimiser's last digits never reach the asset.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from .opening import open_head
from .parts import Part

STORE = Path(__file__).with_name("uv.npz")
BORDER = 0.004
"""Gap to the edge of the square: 8 texels of 2048."""
GAP = 0.006
"""Gap between islands: 12 texels of 2048."""
STRIP = 0.232
"""Height of the strip below the head's island."""
INNER_SCALE = 0.4
"""Texel density of the mouth's inside and of the eye sockets, relative to the other small blocks'."""


@dataclass(frozen=True)
class Layout:
    """UV of one block.

    Attributes:
        uv: (T,2) within the unit square, origin at the lower left.
        polygons: (P,4) into `uv`, corner for corner as the block's polygons.
    """

    uv: NDArray[np.float64]
    polygons: NDArray[np.int32]


@dataclass(frozen=True)
class _Island:
    part: int
    rows: NDArray[np.int64]
    box: NDArray[np.float64]


def stored(parts: list[Part]) -> list[Layout]:
    """The stored layout.

    Raises:
        ValueError: it belongs to other polygons.
    """
    with np.load(STORE, allow_pickle=False) as file:
        uv, polygons, checksum = file["uv"], file["polygons"], int(file["checksum"])
    if checksum != polygon_checksum(parts):
        raise ValueError("The parts' polygons have changed: run `python -m scripts.bake_head.layout_uv`, then `.skin`.")
    bounds = np.cumsum([len(part.polygons) for part in parts])[:-1]
    layouts = []
    for piece in np.split(polygons, bounds):
        first, last = piece[piece >= 0].min(), piece.max()
        layouts.append(Layout(uv[first : last + 1].astype(np.float64), np.where(piece < 0, -1, piece - first)))
    return layouts


def store(parts: list[Part], layouts: list[Layout]) -> None:
    """Write the layout for `stored`."""
    polygons, count = [], 0
    for layout in layouts:
        polygons.append(np.where(layout.polygons < 0, -1, layout.polygons + count))
        count += len(layout.uv)
    np.savez_compressed(
        STORE,
        uv=np.concatenate([layout.uv for layout in layouts]).astype(np.float32),
        polygons=np.concatenate(polygons).astype(np.int32),
        checksum=np.int64(polygon_checksum(parts)),
    )


def polygon_checksum(parts: list[Part]) -> int:
    """CRC-32 of all parts' polygons and of the skin's old UV polygons, which say where its islands end."""
    tables = [part.polygons for part in parts] + [parts[0].uv_polygons]
    return zlib.crc32(b"".join(np.ascontiguousarray(table, "<i4").tobytes() for table in tables))


def arrange(parts: list[Part], mirror: NDArray[np.int32]) -> list[Layout]:
    """The final UV of each part. Islands do not overlap, and face the same way as their polygons.

    Args:
        parts: the blocks; the first is the skin, still in MakeHuman's UV.
        mirror: (V,) of the skin: the vertex on the other side.
    """
    labels = [island_labels(part) for part in parts]
    layouts = [Layout(part.uv.copy(), part.uv_polygons) for part in parts]
    outer = outer_polygons(parts[0], labels[0])
    islands = []
    for number, (part, label) in enumerate(zip(parts, labels, strict=True)):
        if number == 0:
            inner = np.unique(label[part.uv_polygons[~outer, 0]])
            islands += [_sized(part, number, label == i, INNER_SCALE) for i in inner]
        else:
            islands += [_sized(part, number, label == i, part.uv_scale) for i in range(label.max() + 1)]
    for island, place in zip(islands, _pack([island.box for island in islands]), strict=True):
        layouts[island.part].uv[island.rows] = place
    layouts[0] = _with_head(parts[0], layouts[0].uv, outer, mirror)
    return layouts


def island_labels(part: Part) -> NDArray[np.int32]:
    """(T,) number of the connected island of each UV vertex."""
    corners = np.where(part.uv_polygons < 0, part.uv_polygons[:, :1], part.uv_polygons)
    edges = np.concatenate([corners[:, [i, (i + 1) % 4]] for i in range(4)])
    count = len(part.uv)
    graph = sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def outer_polygons(skin: Part, label: NDArray[np.int32]) -> NDArray[np.bool_]:
    """(P,) the skin that is seen from outside: the head's island and those that reach the collar.

    Args:
        label: (T,) island of each UV vertex.
    """
    corners = np.where(skin.polygons < 0, skin.polygons[:, :1], skin.polygons)
    edges = np.concatenate([corners[:, [i, (i + 1) % 4]] for i in range(4)])
    owner = np.tile(np.arange(len(corners)), 4)
    real = edges[:, 0] != edges[:, 1]
    _, back, count = np.unique(np.sort(edges[real], axis=1), axis=0, return_inverse=True, return_counts=True)
    of_polygon = label[skin.uv_polygons[:, 0]]
    chosen = set(of_polygon[owner[real][count[back.ravel()] == 1]].tolist())
    chosen.add(int(np.bincount(of_polygon).argmax()))
    return np.isin(of_polygon, sorted(chosen))


def _with_head(skin: Part, uv: NDArray[np.float64], outer: NDArray[np.bool_], mirror: NDArray[np.int32]) -> Layout:
    """The skin's UV with the outer skin opened into its rectangle."""
    width, height = 1 - 2 * BORDER, 1 - STRIP - 2 * BORDER
    opened, opened_polygons = open_head(skin.vertices, skin.polygons[outer], mirror, height / width)
    kept = np.unique(skin.uv_polygons[~outer])
    kept = kept[kept >= 0]
    number = np.full(len(uv) + 1, -1)
    number[kept] = np.arange(len(kept))
    polygons = number[skin.uv_polygons]
    polygons[outer] = np.where(opened_polygons < 0, -1, opened_polygons + len(kept))
    placed = opened * width + np.array([BORDER, BORDER + STRIP])
    return Layout(np.concatenate([uv[kept], placed]), polygons.astype(np.int32))


def _sized(part: Part, number: int, chosen: NDArray[np.bool_], scale: float) -> _Island:
    """One island at the size of its surface, in decimetres, times `scale`; its lower left corner at the origin."""
    rows = np.flatnonzero(chosen)
    polygons = chosen[part.uv_polygons[:, 0]]
    flat = np.concatenate([part.uv, np.zeros((len(part.uv), 1))], axis=1)
    wide = surface_area(part.vertices, part.polygons[polygons]) / surface_area(flat, part.uv_polygons[polygons])
    turned = _signed_area(part.uv, part.uv_polygons[polygons]) < 0
    box = part.uv[rows] * ([-1, 1] if turned else [1, 1]) * np.sqrt(wide) * scale
    return _Island(number, rows, box - box.min(axis=0))


def _signed_area(uv: NDArray[np.float64], polygons: NDArray[np.int32]) -> float:
    last = np.where(polygons[:, 3] < 0, polygons[:, 2], polygons[:, 3])
    return float(np.cross(uv[polygons[:, 2]] - uv[polygons[:, 0]], uv[last] - uv[polygons[:, 1]]).sum()) / 2


def surface_area(points: NDArray[np.float64], polygons: NDArray[np.int32]) -> float:
    """Area of quads and triangles (P,4) between points (N,3)."""
    last = np.where(polygons[:, 3] < 0, polygons[:, 2], polygons[:, 3])
    across = np.cross(points[polygons[:, 2]] - points[polygons[:, 0]], points[last] - points[polygons[:, 1]])
    return float(np.linalg.norm(across, axis=1).sum()) / 2


def _pack(boxes: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """The islands on shelves in the strip, all enlarged by the same factor as far as they fit."""
    sizes = np.array([box.max(axis=0) for box in boxes])
    factor = 1.0
    while (corners := _shelves(sizes * factor)) is None:
        factor *= 0.99
    return [box * factor + corner for box, corner in zip(boxes, corners, strict=True)]


def _shelves(sizes: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Lower left corners of boxes filled in from the tallest, column by column; None where they do not fit.

    A column holds one box, or several of no greater width on top of each other.
    """
    corners = np.zeros_like(sizes)
    order = sorted(range(len(sizes)), key=lambda i: (-round(sizes[i, 1], 9), -round(sizes[i, 0], 9), i))
    columns: list[list[float]] = []  # left, width, filled height
    right = BORDER
    top = BORDER + STRIP - GAP
    for i in order:
        width, height = sizes[i]
        for column in columns:
            if width <= column[1] + 1e-12 and column[2] + height <= top:
                corners[i] = column[0], column[2]
                column[2] += height + GAP
                break
        else:
            if right + width > 1 - BORDER or BORDER + height > top:
                return None
            corners[i] = right, BORDER
            columns.append([right, width, BORDER + height + GAP])
            right += width + GAP
    return corners
