"""The head's surface seen from the UV square: which point of the mesh each texel stands for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from .harmonic import edges_of
from .mirror import mirrored_uv_corners

LARGE = 1024
"""From this texture size on, smooth fields are made at a quarter of it."""


@dataclass(frozen=True)
class UvSurface:
    """Texels of one head model at one size; independent of the person.

    N texels lie on the surface; flat arrays of length N are in row-major order.

    Attributes:
        size: side of the square, texels.
        mask: (S,S) bool, True on an island.
        faces: (N,) int64 triangle of each texel.
        weights: (N,3) float32 barycentrics.
        mirror_map: (S,S,2) float32 x, y texel coordinates of the mirrored surface point for cv2.remap; -1 if none.
        gutter: (S,S,2) int32 row, column of the nearest texel on an island, to pad islands.
        coarse: the same at a quarter of the size, for large textures.
    """

    size: int
    mask: NDArray[np.bool_]
    faces: NDArray[np.int64]
    weights: NDArray[np.float32]
    mirror_map: NDArray[np.float32]
    gutter: NDArray[np.int32]
    coarse: UvSurface | None = None

    def gather(
        self, values: NDArray, triangles: NDArray[np.int32], part: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Interpolate per-vertex values (V,C) to the surface texels, (N,C), or to the texels `part` only."""
        faces, weights = (self.faces, self.weights) if part is None else (self.faces[part], self.weights[part])
        columns = values.shape[1]
        corners = np.take(values.astype(np.float32)[triangles].reshape(len(triangles), -1), faces, axis=0)
        first, second, third = (corners[:, k * columns : (k + 1) * columns] * weights[:, k : k + 1] for k in range(3))
        return first + second + third

    def smooth(self, values: NDArray, triangles: NDArray[np.int32]) -> NDArray[np.float32]:
        """`gather` for values that vary slowly, made at a quarter of the resolution."""
        if self.coarse is None:
            return self.gather(values, triangles)
        small = self.coarse.padded(self.coarse.picture(self.coarse.gather(values, triangles)))
        return cv2.resize(small, (self.size, self.size), interpolation=cv2.INTER_LINEAR).reshape(
            self.size, self.size, -1
        )[self.mask]

    def picture(self, flat: NDArray, fill: float = 0.0) -> NDArray[np.float32]:
        """Flat values (N,) or (N,C) laid out as a picture (S,S[,C])."""
        out = np.full((self.size, self.size, *flat.shape[1:]), fill, np.float32)
        out[self.mask] = flat
        return out

    def padded(self, picture: NDArray) -> NDArray:
        """The picture with every texel off the islands taking the nearest island's colour (no seams in mip maps)."""
        return picture[self.gutter[..., 0], self.gutter[..., 1]]


def uv_surface(head: HeadModel, size: int) -> UvSurface:
    """The surface of a head model at a texture size; kept warm between jobs."""
    return _cached(_Key(head), size)


class _Key:
    """Compares head models by identity, since arrays cannot be hashed."""

    def __init__(self, head: HeadModel) -> None:
        self.head = head

    def __hash__(self) -> int:
        return id(self.head)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.head is self.head


@lru_cache(maxsize=4)
def _cached(key: _Key, size: int) -> UvSurface:
    import torch

    from ..render.rasterize import rasterize_uv

    head = key.head
    raster = rasterize_uv(torch.tensor(head.uv), torch.tensor(head.uv_faces), size)
    face = raster.face.numpy()
    mask = face >= 0
    faces = face[mask].astype(np.int64)
    weights = raster.barycentrics.numpy()[mask]
    coarse = _cached(key, size // 4) if size >= LARGE else None
    return UvSurface(size, mask, faces, weights, _mirror_map(head, size, mask, faces, weights), _gutter(mask), coarse)


def _mirror_map(head: HeadModel, size: int, mask: NDArray, faces: NDArray, weights: NDArray) -> NDArray[np.float32]:
    corners, found = mirrored_uv_corners(head)
    uv = np.einsum("nkc,nk->nc", corners[faces], weights)
    texels = np.stack([uv[:, 0] * size - 0.5, (1 - uv[:, 1]) * size - 0.5], -1)
    texels[~found[faces]] = -1
    out = np.full((size, size, 2), -1, np.float32)
    out[mask] = texels
    return out


def _gutter(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    outside = (~mask).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    rows, columns = np.nonzero(mask)
    place = np.zeros((labels.max() + 1, 2), np.int32)
    place[labels[mask]] = np.stack([rows, columns], -1)
    return place[labels]


@lru_cache(maxsize=2)
def _cached_edges(key: _Key) -> NDArray[np.int32]:
    return edges_of(key.head.faces)


def surface_edges(head: HeadModel) -> NDArray[np.int32]:
    """(E,2) edges of the head's mesh, kept warm between jobs."""
    return _cached_edges(_Key(head))


def vertex_normals(vertices: NDArray, faces: NDArray[np.int32]) -> NDArray[np.float32]:
    """(V,3) unit normals, averaged over the triangles around a vertex, weighted by area."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.stack(
        [np.bincount(faces.ravel(), np.repeat(normals[:, axis], 3), len(vertices)) for axis in range(3)], axis=1
    )
    return (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)).astype(np.float32)
