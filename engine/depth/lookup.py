"""What a camera sees of a mesh, with numpy alone: for Blender, whose Python has no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera

AT_ONCE = 1 << 21
"""Pairs of a triangle and a pixel that are looked at together."""
RIM = 1e-9
"""Barycentric coordinates down to minus this are inside: neighbours leave no gap between them."""


@dataclass(frozen=True)
class Seen:
    """What is nearest in each pixel.

    Attributes:
        depth: (H,W) metres along the optical axis, infinite where nothing is.
        face: (H,W) int64, -1 where nothing is.
    """

    depth: NDArray[np.float64]
    face: NDArray[np.int64]

    def at(self, pixels: NDArray) -> NDArray[np.float64]:
        """(...) depth at pixels (...,2), between centres linearly; NaN beside the mesh or the picture."""
        height, width = self.depth.shape
        place = np.nan_to_num(pixels, nan=-9.0) - 0.5
        low = np.clip(np.floor(place), -2, [width, height]).astype(np.int64)
        share = np.clip(place - low, 0, 1)
        column, row = low[..., 0], low[..., 1]
        inside = (column >= 0) & (row >= 0) & (column < width - 1) & (row < height - 1)
        column, row = np.where(inside, column, 0), np.where(inside, row, 0)
        upper = _between(self.depth[row, column], self.depth[row, column + 1], share[..., 0])
        lower = _between(self.depth[row + 1, column], self.depth[row + 1, column + 1], share[..., 0])
        found = _between(upper, lower, share[..., 1])
        return np.where(inside & np.isfinite(found), found, np.nan)

    def face_at(self, pixels: NDArray) -> NDArray[np.int64]:
        """(...) the face in the pixel that holds each place (...,2), -1 where none is."""
        height, width = self.face.shape
        cell = np.floor(np.nan_to_num(pixels, nan=-9.0)).astype(np.int64)
        inside = (cell >= 0).all(-1) & (cell < [width, height]).all(-1)
        column, row = np.where(inside[..., None], cell, 0)[..., 0], np.where(inside[..., None], cell, 0)[..., 1]
        return np.where(inside, self.face[row, column], -1)


def see_mesh(vertices: NDArray, faces: NDArray, camera: Camera) -> Seen:
    """Draw a mesh's depth through a camera.

    Args:
        vertices: (V,3) metres, world. faces: (F,3).
    """
    depth = camera.to_camera(vertices.astype(np.float64))[:, 2]
    places = camera.project(vertices.astype(np.float64))
    height, width = camera.height, camera.width
    nearest, owner = np.zeros(height * width), np.full(height * width, -1, np.int64)
    faces = faces.astype(np.int64)
    number = np.flatnonzero((depth[faces] > 0).all(1))
    corners = places[faces[number]]
    low = np.floor(np.maximum(corners.min(1) - 0.5, 0)).astype(np.int64)
    high = np.floor(np.minimum(corners.max(1) - 0.5, [width - 1, height - 1])).astype(np.int64)
    spans = (high - low).max(1) + 1
    number, corners, low, spans = (each[(high >= low).all(1)] for each in (number, corners, low, spans))
    side = 1
    while len(spans) and side < 2 * spans.max():
        ours = np.flatnonzero((spans <= side) & (spans > side // 2))
        step = max(1, AT_ONCE // side**2)
        for start in range(0, len(ours), step):
            part = ours[start : start + step]
            _draw(corners[part], depth[faces[number[part]]], low[part], number[part], side, width, (nearest, owner))
        side *= 2
    with np.errstate(divide="ignore"):
        return Seen((1 / nearest).reshape(height, width), owner.reshape(height, width))


def _draw(
    corners: NDArray,
    depth: NDArray,
    low: NDArray,
    number: NDArray,
    side: int,
    width: int,
    buffers: tuple[NDArray, NDArray],
) -> None:
    """Triangles (N,3,2), none wider than `side` pixels, into inverse depth and face of each pixel."""
    nearest, owner = buffers
    offset = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2)
    cells = low[:, None] + offset
    a, b, c = (corners[:, None, k] - (cells + 0.5) for k in range(3))
    parts = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], -1)
    area = parts.sum(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts /= area
    inside = (parts >= -RIM).all(-1) & (cells[..., 0] < width) & (cells[..., 1] < len(nearest) // width)
    triangle, place = np.nonzero(inside)
    inverse = (parts[triangle, place] / depth[triangle]).sum(-1)  # straight on the screen
    flat = cells[triangle, place] @ [1, width]
    np.maximum.at(nearest, flat, inverse)
    won = nearest[flat] == inverse
    owner[flat[won]] = number[triangle[won]]


def _cross(one: NDArray, two: NDArray) -> NDArray:
    return one[..., 0] * two[..., 1] - one[..., 1] * two[..., 0]


def _between(one: NDArray, two: NDArray, share: NDArray) -> NDArray:
    """Linear, one end alone where the other is infinite."""
    with np.errstate(invalid="ignore"):
        mixed = one + share * (two - one)
    return np.where(np.isfinite(one) & np.isfinite(two), mixed, np.minimum(one, two))
