"""How heights about the surface, laid out in the UV square, turn into slopes, normals and shading."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from ..render.lighting import C1, C2, C3, C4, irradiance
from .delight import DARKEST, smoothed
from .surface import UvSurface, surface_edges, vertex_normals

MILLIMETRES = 1000.0
SMALLEST = 0.02
"""Texels narrower than this (millimetres) are treated as this wide: slivers of the layout would make cliffs."""


@dataclass(frozen=True)
class Frame:
    """Tangents of the surface at every texel of a square, (S,S) float32 each; 1, 0, 1 off the islands.

    The first tangent t follows growing u, the second b completes it with the normal to a right-handed frame, which is
    how MikkTSpace, and with it Blender and glTF, read normal maps (Mikkelsen 2008, "Simulation of Wrinkled Surfaces
    Revisited").

    Attributes:
        along: millimetres that one texel to the right covers along t.
        shear, across: millimetres that one texel up covers along t and along b.
    """

    along: NDArray[np.float32]
    shear: NDArray[np.float32]
    across: NDArray[np.float32]

    def slopes(self, right: NDArray, down: NDArray) -> tuple[NDArray, NDArray]:
        """Slopes along t and b, from a height's change (millimetres) a texel to the right and a texel down."""
        along = right / self.along
        return along, -(down + self.shear * along) / self.across


@dataclass(frozen=True)
class LitFrame:
    """A frame, and how the solved light changes as the normal tilts.

    Attributes:
        towards: (S,S,2) float32, derivative of the logarithm of the light's brightness as the normal tilts towards t
            and b; about how fast a slope shows, 0 where light is even or frontal.
    """

    frame: Frame
    towards: NDArray[np.float32]

    def cut(self, box: tuple[slice, slice]) -> LitFrame:
        """A rectangle of it."""
        frame = self.frame
        return LitFrame(Frame(frame.along[box], frame.shear[box], frame.across[box]), self.towards[box])

    def operator(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(S,S) each: A and B in  change of log shading = -(A * right + B * down), for a height's differences."""
        frame, (t, b) = self.frame, np.moveaxis(self.towards, -1, 0)
        return (t - b * frame.shear / frame.across) / frame.along, -b / frame.across


def frame_of(head: HeadModel, vertices: NDArray, surface: UvSurface) -> Frame:
    """The tangents of a head whose vertices are (V,3) metres."""
    fields, _ = _at_corners(head, vertices, surface.size)
    return _frame(_laid_out(fields, head, surface))


def lit_frame(head: HeadModel, vertices: NDArray, light: NDArray, surface: UvSurface) -> LitFrame:
    """The same with the light (9,3) that falls on it, as `delight` divides it out: over smoothed normals."""
    fields, tangents = _at_corners(head, vertices, surface.size)
    normals = smoothed(vertex_normals(vertices, head.faces), surface_edges(head))
    gradient = log_light_gradient(normals, light)[_vertex_of_corner(head)]
    towards = np.einsum("nc,nkc->nk", gradient, tangents)
    laid = _laid_out(np.concatenate([fields, towards], 1), head, surface)
    return LitFrame(_frame(laid[..., :3]), laid[..., 3:])


def log_light_gradient(normals: NDArray, light: NDArray) -> NDArray[np.float64]:
    """(V,3) gradient over unit normals (V,3) of the logarithm of the light's mean brightness, light (9,3).

    Ramamoorthi and Hanrahan 2001, equation 11, differentiated by x, y and z. Only its tangential part means something.
    """
    x, y, z = normals.astype(np.float64).T
    none = np.zeros_like(x)
    one = none + C1
    by_x = [none, none, none, one, C2 * y, none, none, C2 * z, 2 * C4 * x]
    by_y = [none, one, none, none, C2 * x, C2 * z, none, none, -2 * C4 * y]
    by_z = [none, none, one, none, none, C2 * y, 6 * C3 * z, C2 * x, none]
    mean = np.asarray(light, np.float64).mean(-1)
    gradient = np.einsum("kjn,j->nk", np.array([by_x, by_y, by_z]), mean)
    level = np.maximum(irradiance(normals.astype(np.float64), light).mean(-1), DARKEST)
    return gradient / level[:, None]


def normal_picture(height: NDArray, frame: Frame) -> NDArray[np.uint8]:
    """(S,S,3) tangent-space normal map of a height (S,S) in millimetres: red right, green up (OpenGL), blue out."""
    right, down = differences(height)
    along, across = frame.slopes(right, down)
    length = np.sqrt(along * along + across * across + 1)
    return cv2.merge([np.round(part / length * 127 + 128).astype(np.uint8) for part in (-along, -across, 1)])


def differences(height: NDArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Central differences of a picture (S,S) a texel to the right and a texel down."""
    kernel = np.array([[-0.5, 0.0, 0.5]], np.float32)
    picture = height.astype(np.float32)
    none = np.ones((1, 1), np.float32)
    return cv2.sepFilter2D(picture, -1, kernel, none), cv2.sepFilter2D(picture, -1, none, kernel)


def _at_corners(head: HeadModel, vertices: NDArray, size: int) -> tuple[NDArray, NDArray]:
    """(T,3) along, shear, across (millimetres a texel), and (T,2,3) tangents t, b at the texture's vertices."""
    corners = vertices[head.faces].astype(np.float64)
    uv = head.uv[head.uv_faces].astype(np.float64) * size
    edges, flat = corners[:, 1:] - corners[:, :1], uv[:, 1:] - uv[:, :1]
    area = flat[:, 0, 0] * flat[:, 1, 1] - flat[:, 0, 1] * flat[:, 1, 0]
    # Times twice the flat area, which weighs the triangles around a vertex.
    by_u = edges[:, 0] * flat[:, 1, 1:] - edges[:, 1] * flat[:, 0, 1:]
    by_v = edges[:, 1] * flat[:, 0, :1] - edges[:, 0] * flat[:, 1, :1]
    sums = _summed(np.concatenate([by_u, by_v, area[:, None]], 1), head)
    sums[:, :6] *= MILLIMETRES / np.where(np.abs(sums[:, 6:]) > 1e-12, sums[:, 6:], 1e-12)
    by_u, by_v = sums[:, :3], sums[:, 3:6]
    normals = vertex_normals(vertices, head.faces)[_vertex_of_corner(head)].astype(np.float64)
    t = _unit(by_u - normals * np.einsum("nc,nc->n", by_u, normals)[:, None])
    b = np.cross(normals, t)
    along = np.maximum(np.linalg.norm(by_u, axis=1), SMALLEST)
    shear, across = np.einsum("nc,nc->n", by_v, t), np.einsum("nc,nc->n", by_v, b)
    across = np.where(across < 0, -1, 1) * np.maximum(np.abs(across), SMALLEST)
    return np.stack([along, shear, across], 1), np.stack([t, b], 1)


def _summed(values: NDArray, head: HeadModel) -> NDArray[np.float64]:
    """(T,C) values of triangles (F,C) summed at the texture's vertices."""
    index, count = head.uv_faces.ravel(), len(head.uv)
    return np.stack([np.bincount(index, np.repeat(column, 3), count) for column in values.T], 1).astype(np.float64)


def _vertex_of_corner(head: HeadModel) -> NDArray[np.int64]:
    """(T,) the mesh's vertex at each of the texture's."""
    vertex: NDArray[np.int64] = np.zeros(len(head.uv), np.int64)
    vertex[head.uv_faces.ravel()] = head.faces.ravel()
    return vertex


def _laid_out(fields: NDArray, head: HeadModel, surface: UvSurface) -> NDArray[np.float32]:
    return surface.padded(surface.picture(surface.smooth(fields.astype(np.float32), head.uv_faces)))


def _frame(laid: NDArray[np.float32]) -> Frame:
    along, shear, across = (np.ascontiguousarray(layer) for layer in np.moveaxis(laid[..., :3], -1, 0))
    across = np.where(across < 0, np.minimum(across, -SMALLEST), np.maximum(across, SMALLEST))
    return Frame(np.maximum(along, SMALLEST), shear, across)


def _unit(vectors: NDArray) -> NDArray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
