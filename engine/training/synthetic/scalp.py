"""The surface that hair stands on: distance to it, and its hairline."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ...heads.model import HeadModel
from .propmesh import Mesh, split_edges, used, vertex_normals

NEAR = 0.03
"""Metres beneath the skin up to which a point counts as sunk in, not as behind the head."""


@lru_cache(maxsize=2)
def outer_skin(head: HeadModel) -> Mesh:
    """The bust's skin without sockets and mouth, edges up to about 5 mm, with (V,3) normals as values."""
    hidden = head.regions["eye_sockets"] | head.regions["inner_mouth"]
    outside = head.regions["skin"] & ~hidden
    vertices = head.vertices.astype(np.float64)
    faces = head.faces[outside[head.faces].all(axis=1)].astype(np.int64)
    mesh = used(Mesh(vertices, faces, vertex_normals(vertices, faces)))
    for _ in range(2):
        corners = mesh.vertices[mesh.faces]
        mesh = split_edges(mesh, np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2) > 0.006)
    return mesh.with_values(vertex_normals(mesh.vertices, mesh.faces))


@lru_cache(maxsize=2)
def smooth_skin(head: HeadModel) -> Mesh:
    """`outer_skin` without the ears."""
    mesh = outer_skin(head)
    ears = head.vertices[head.regions["ears"]]
    apart, _ = KDTree(ears).query(mesh.vertices)
    return used(mesh, (apart[mesh.faces] > 0.004).all(axis=1))


@lru_cache(maxsize=2)
def _tree(head: HeadModel) -> KDTree:
    return KDTree(smooth_skin(head).vertices)


def height(head: HeadModel, points: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N,) metres of points above the skin, ears left out, and (N,3) the direction away from it."""
    skin = smooth_skin(head)
    distance, nearest = _tree(head).query(points, 4)
    share = 1 / np.maximum(distance, 1e-4) ** 2
    share /= share.sum(axis=1, keepdims=True)
    normal = (skin.values[nearest] * share[..., None]).sum(axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    foot = (skin.vertices[nearest] * share[..., None]).sum(axis=1)
    return ((points - foot) * normal).sum(axis=1), normal


def lifted(head: HeadModel, points: NDArray, least: float | NDArray) -> NDArray[np.float64]:
    """(N,3) points, those that are sunk in the skin or nearer than `least` metres pushed out of it."""
    points = np.asarray(points, np.float64)
    for _ in range(2):
        above, normal = height(head, points)
        missing = np.where(above > -NEAR, np.maximum(least - above, 0), 0)
        points = points + normal * missing[:, None]
    return points
