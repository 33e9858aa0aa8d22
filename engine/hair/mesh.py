"""From grids and strips of points to one mesh with texture coordinates that knows which part of the head it follows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .field import closed
from .grid import ScalpGrid
from .locks import KNOTS, Locks
from .shell import HairShell

SEEN = 0.3
"""Faces whose texture is less opaque than this all over are left out."""


@dataclass(frozen=True)
class Piece:
    """Part of the hair: fields as in `HairShell`, `close` and `full` its positions."""

    close: NDArray
    full: NDArray
    anchors: NDArray[np.int32]
    weights: NDArray[np.float32]
    faces: NDArray[np.int64]
    uv: NDArray
    uv_faces: NDArray[np.int64]


def sheet(
    grid: ScalpGrid, close: NDArray, full: NDArray, opacity: NDArray, band: tuple[float, float], step: int = 1
) -> Piece:
    """A grid of nodes as a surface around the head, without what is transparent.

    Args:
        close, full: (R,C,3) metres.
        opacity: (h,w) of the unrolled picture. band: its top and height in the atlas, shares of the atlas's height.
        step: of the rows and columns taken; divides the columns.
    """
    last, count = full.shape[0] - 1, full.shape[1]
    rows = np.unique(np.append(np.arange(0, last + 1, step), last))
    columns = np.arange(0, count, step)
    part = np.ix_(rows, columns)
    kept = _opaque_cells(opacity, rows / last, len(columns))
    node = np.arange(len(rows) * len(columns)).reshape(len(rows), -1)
    place = np.arange(len(rows) * (len(columns) + 1)).reshape(len(rows), -1)
    u = np.append(columns, count) / count
    inset = 0.5 / opacity.shape[0]
    v = 1 - band[0] - band[1] * (inset + (1 - 2 * inset) * rows / last)
    uv = np.stack(np.broadcast_arrays(u[None], v[:, None]), -1).reshape(-1, 2)
    return Piece(
        close[part].reshape(-1, 3),
        full[part].reshape(-1, 3),
        grid.anchors[part].reshape(-1, 3),
        grid.weights[part].reshape(-1, 3),
        _triangles(np.concatenate([node, node[:, :1]], 1), kept),
        uv,
        _triangles(place, kept),
    )


def _triangles(index: NDArray, kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Two triangles for each kept cell of a grid of indices (R,C), seen counter-clockwise from outside."""
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    both = np.stack([np.stack([a, d, b], -1), np.stack([b, d, c], -1)], 2)
    return both[kept].reshape(-1, 3).astype(np.int64)


def _opaque_cells(opacity: NDArray, edges: NDArray[np.float64], columns: int) -> NDArray[np.bool_]:
    """(R-1,columns) whether anything in a cell of the picture is opaque."""
    height, width = opacity.shape
    wide = closed(opacity, 2)
    peak = cv2.dilate(wide, np.ones((3, -(-width // columns) + 2), np.uint8))[:, 2:-2]
    x = ((np.arange(columns) + 0.5) / columns * width).astype(int)
    tops = np.floor(edges[:-1] * height).astype(int)
    ends = np.ceil(edges[1:] * height).astype(int)
    return np.stack([peak[top:end, x].max(0) for top, end in zip(tops, ends, strict=True)]) > SEEN


def strips(grid: ScalpGrid, locks: Locks) -> Piece:
    """Locks as strips of quads, each cut in two."""
    count = len(locks.row)
    row = np.clip(np.round(locks.row), 0, grid.anchors.shape[0] - 1).astype(int)
    column = np.round(locks.column).astype(int) % grid.anchors.shape[1]
    anchors = np.repeat(grid.anchors[row, column][:, :, None], 2, 2)
    weights = np.repeat(grid.weights[row, column][:, :, None], 2, 2)
    index = np.arange(count * KNOTS * 2).reshape(count, KNOTS, 2)
    a, b, c, d = index[:, :-1, 0], index[:, :-1, 1], index[:, 1:, 1], index[:, 1:, 0]
    faces = np.stack([np.stack([a, d, b], -1), np.stack([b, d, c], -1)], 2).reshape(-1, 3)
    return Piece(
        locks.close.reshape(-1, 3),
        locks.full.reshape(-1, 3),
        anchors.reshape(-1, 3),
        weights.reshape(-1, 3),
        faces,
        locks.uv.reshape(-1, 2),
        faces,
    )


def join(pieces: list[Piece], albedo: NDArray[np.uint8]) -> HairShell:
    """One mesh of all pieces, without the vertices and texture points that no face uses."""
    starts = np.cumsum([0] + [len(piece.full) for piece in pieces])
    uv_starts = np.cumsum([0] + [len(piece.uv) for piece in pieces])
    faces = np.concatenate([piece.faces + start for piece, start in zip(pieces, starts, strict=False)])
    uv_faces = np.concatenate([piece.uv_faces + start for piece, start in zip(pieces, uv_starts, strict=False)])
    used, corners = np.unique(faces, return_inverse=True)
    uv_used, uv_corners = np.unique(uv_faces, return_inverse=True)

    def gathered(name: str, index: NDArray) -> NDArray:
        return np.concatenate([getattr(piece, name) for piece in pieces])[index]

    return HairShell(
        vertices=gathered("full", used).astype(np.float32),
        close=gathered("close", used).astype(np.float32),
        faces=corners.reshape(-1, 3).astype(np.int32),
        uv=gathered("uv", uv_used).astype(np.float32),
        uv_faces=uv_corners.reshape(-1, 3).astype(np.int32),
        albedo=albedo,
        anchors=gathered("anchors", used).astype(np.int32),
        anchor_weights=gathered("weights", used).astype(np.float32),
    )
