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
BLOCK = 1 << 15


@dataclass(frozen=True)
class UvSurface:
    """Texels of one head model at one size; independent of the person.

    N texels lie on the surface; flat arrays of length N are in row-major order.

    Attributes:
        size: side of the square, texels.
        mask: (S,S) bool, True on an island.
        texels: (N,) int64 row * S + column of each texel.
        faces: (N,) int64 triangle of each texel.
        weights: (N,3) float32 barycentrics.
        mirror_map: (S,S,2) float32 x, y texel coordinates of the mirrored surface point for cv2.remap; -1 if none.
        outside: (M,) int64 row * S + column of each texel that lies on no island.
        gutter: (M,) int64 the same of the nearest texel on an island, to pad islands.
        coarse: the same at a quarter of the size, for large textures.
    """

    size: int
    mask: NDArray[np.bool_]
    texels: NDArray[np.int64]
    faces: NDArray[np.int64]
    weights: NDArray[np.float32]
    mirror_map: NDArray[np.float32]
    outside: NDArray[np.int64]
    gutter: NDArray[np.int64]
    coarse: UvSurface | None = None

    def gather(
        self, values: NDArray, triangles: NDArray[np.int32], part: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Interpolate per-vertex values (V,C) to the surface texels, (N,C), or to the texels `part` only."""
        faces, weights = (self.faces, self.weights) if part is None else (self.faces[part], self.weights[part])
        return _interpolate(values.astype(np.float32)[triangles], faces, weights)

    def smooth(self, values: NDArray, triangles: NDArray[np.int32]) -> NDArray[np.float32]:
        """`gather` for values that vary slowly, made at a quarter of the resolution."""
        if self.coarse is None:
            return self.gather(values, triangles)
        small = self.coarse.padded(self.coarse.picture(self.coarse.gather(values, triangles)))
        large = cv2.resize(small, (self.size, self.size), interpolation=cv2.INTER_LINEAR)
        return self.flat(large.reshape(self.size, self.size, -1))

    def flat(self, picture: NDArray) -> NDArray:
        """The surface texels, (N,) or (N,C), of a picture (S,S[,C]). Many times faster than `picture[mask]`."""
        return np.take(picture.reshape(self.size * self.size, *picture.shape[2:]), self.texels, axis=0)

    def picture(self, flat: NDArray, fill: float = 0.0) -> NDArray:
        """Flat values (N,) or (N,C) laid out as a picture (S,S[,C]), uint8 if they are, else float32."""
        dtype = np.uint8 if flat.dtype == np.uint8 else np.float32
        out = np.full((self.size, self.size, *flat.shape[1:]), fill, dtype)
        # Channel by channel a mask is filled much faster than in one go.
        layers = [(out, flat)] if flat.ndim == 1 else zip(np.moveaxis(out, -1, 0), flat.T, strict=True)
        for layer, values in layers:
            layer[self.mask] = values
        return out

    def padded(self, picture: NDArray) -> NDArray:
        """The picture with every texel off the islands taking the nearest island's colour (no seams in mip maps)."""
        out = picture.copy()
        pixels = out.reshape(self.size * self.size, *picture.shape[2:])
        pixels[self.outside] = np.take(pixels, self.gutter, axis=0)
        return out


@lru_cache(maxsize=4)
def uv_surface(head: HeadModel, size: int) -> UvSurface:
    """The surface of a head model at a texture size; kept warm between jobs."""
    import torch

    from ..render.rasterize import rasterize_uv

    raster = rasterize_uv(torch.tensor(head.uv), torch.tensor(head.uv_faces), size)
    face = raster.face.numpy()
    mask = face >= 0
    texels = np.flatnonzero(mask)
    faces = np.take(face, texels).astype(np.int64)
    weights = np.take(raster.barycentrics.numpy().reshape(-1, 3), texels, axis=0)
    mirror_map = _mirror_map(head, size, texels, faces, weights)
    coarse = uv_surface(head, size // 4) if size >= LARGE else None
    return UvSurface(size, mask, texels, faces, weights, mirror_map, *_padding(mask), coarse)


def _interpolate(corners: NDArray[np.float32], faces: NDArray, weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,C) values between the corners' (F,3,C), in blocks that fit the processor's cache."""
    out = np.empty((len(faces), corners.shape[2]), np.float32)
    for start in range(0, len(faces), BLOCK):
        part = slice(start, start + BLOCK)
        np.einsum("nkc,nk->nc", np.take(corners, faces[part], axis=0), weights[part], out=out[part])
    return out


def _mirror_map(head: HeadModel, size: int, texels: NDArray, faces: NDArray, weights: NDArray) -> NDArray[np.float32]:
    corners, found = mirrored_uv_corners(head)
    places = (corners * [1, -1] + [0, 1]) * size - 0.5
    places[~found] = -1
    out = np.full((size * size, 2), -1, np.float32)
    out[texels] = _interpolate(places.astype(np.float32), faces, weights)
    return out.reshape(size, size, 2)


def _padding(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Flat indices of the texels off the islands, and of the texel on an island nearest to each."""
    off = (~mask).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(off, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    place = np.zeros(labels.max() + 1, np.int64)
    place[labels[mask]] = np.flatnonzero(mask)
    outside = np.flatnonzero(off)
    return outside, place[np.take(labels, outside)]


@lru_cache(maxsize=2)
def _cached_edges(head: HeadModel) -> NDArray[np.int32]:
    return edges_of(head.faces)


def surface_edges(head: HeadModel) -> NDArray[np.int32]:
    """(E,2) edges of the head's mesh, kept warm between jobs."""
    return _cached_edges(head)


def vertex_normals(vertices: NDArray, faces: NDArray[np.int32]) -> NDArray[np.float32]:
    """(V,3) unit normals, averaged over the triangles around a vertex, weighted by area."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.stack(
        [np.bincount(faces.ravel(), np.repeat(normals[:, axis], 3), len(vertices)) for axis in range(3)], axis=1
    )
    return (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)).astype(np.float32)
