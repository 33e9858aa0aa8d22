"""Small tools to build the meshes of props: subdividing, cutting, tubes, and how a prop goes along with a head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ...heads.model import HeadModel
from .scene import Prop

FOLLOWED = 4
"""Head vertices that a vertex of a prop goes along with."""
STILL = 0.0015
"""Skin that no expression moves by more than this many metres carries hair and hats."""
HANDLE_SPACING = 0.013
"""Metres between the head vertices that props follow: smooth, and close enough to keep hair on the scalp."""


@dataclass(frozen=True)
class Mesh:
    """Triangles with values at their corners.

    Attributes:
        vertices: (V,3) metres.
        faces: (F,3) int.
        values: (V,C) anything that is interpolated along: colour, alpha, texture coordinates.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    values: NDArray[np.float64]

    def with_values(self, values: NDArray) -> Mesh:
        """The same surface with other values (V,C)."""
        return Mesh(self.vertices, self.faces, np.asarray(values, np.float64).reshape(len(self.vertices), -1))


def join(meshes: Sequence[Mesh]) -> Mesh:
    """Several meshes with the same values as one."""
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]),
        np.concatenate([mesh.values for mesh in meshes]),
    )


def used(mesh: Mesh, keep: NDArray[np.bool_] | None = None) -> Mesh:
    """Only the chosen faces (F,) and the vertices that faces use."""
    faces = mesh.faces if keep is None else mesh.faces[keep]
    kept, renumbered = np.unique(faces, return_inverse=True)
    return Mesh(mesh.vertices[kept], np.reshape(renumbered, (-1, 3)), mesh.values[kept])


def edge_lengths(mesh: Mesh) -> NDArray[np.float64]:
    """(F,3) length of the edge that starts at each corner."""
    corners = mesh.vertices[mesh.faces]
    return np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)


def split_edges(mesh: Mesh, split: NDArray[np.bool_]) -> Mesh:
    """Halve the marked edges and divide the faces at them so that no gap opens.

    Args:
        split: (F,3) marks of the edge that starts at each corner; a mark on one side counts on both.
    """
    ends = np.sort(np.stack([mesh.faces, np.roll(mesh.faces, -1, axis=1)], axis=2), axis=2)
    key = ends[..., 0] * np.int64(len(mesh.vertices)) + ends[..., 1]
    edges, place = np.unique(key, return_inverse=True)
    place = place.reshape(-1, 3)
    marked = np.zeros(len(edges), bool)
    np.logical_or.at(marked, place, split)
    middle = np.where(marked, np.cumsum(marked) - 1 + len(mesh.vertices), -1)[place]
    first, second = np.divmod(edges[marked], len(mesh.vertices))
    return Mesh(
        np.concatenate([mesh.vertices, (mesh.vertices[first] + mesh.vertices[second]) / 2]),
        _divide(mesh.faces, middle),
        np.concatenate([mesh.values, (mesh.values[first] + mesh.values[second]) / 2]),
    )


def _divide(faces: NDArray[np.int64], middle: NDArray[np.int64]) -> NDArray[np.int64]:
    """(F',3) faces cut at the vertices (F,3) in the middle of their edges, -1 where an edge stays whole."""
    count = (middle >= 0).sum(axis=1)
    # Turn each face so that a lone mark is on its first edge, and a lone whole edge is its last.
    turn = np.where(count == 1, np.argmax(middle >= 0, axis=1), (np.argmin(middle, axis=1) + 1) % 3)
    order = (np.arange(3) + turn[:, None]) % 3
    a, b, c = np.take_along_axis(faces, order, 1).T
    ab, bc, ca = np.take_along_axis(middle, order, 1).T
    pieces = [
        (count == 0, (a, b, c)),
        (count == 1, (a, ab, c)), (count == 1, (ab, b, c)),
        (count == 2, (a, ab, c)), (count == 2, (ab, bc, c)), (count == 2, (ab, b, bc)),
        (count == 3, (a, ab, ca)), (count == 3, (ab, b, bc)), (count == 3, (ca, bc, c)), (count == 3, (ab, bc, ca)),
    ]  # fmt: skip
    return np.concatenate([np.stack([corner[chosen] for corner in face], axis=1) for chosen, face in pieces])


def cut(mesh: Mesh, level: NDArray) -> Mesh:
    """The part of a mesh where a value (V,) is positive, cut exactly along its zero line."""
    level = np.asarray(level, np.float64)
    inside = np.greater(level, 0)
    count = inside[mesh.faces].sum(axis=1)
    lone = np.where(count == 1, np.argmax(inside[mesh.faces], axis=1), np.argmin(inside[mesh.faces], axis=1))
    order = (np.arange(3) + lone[:, None]) % 3
    a, b, c = np.take_along_axis(mesh.faces, order, 1).T
    crossed = (count == 1) | (count == 2)
    a, b, c, count_crossed = a[crossed], b[crossed], c[crossed], count[crossed]
    ends, which = np.unique(
        np.sort(np.concatenate([np.stack([a, b], 1), np.stack([a, c], 1)]), axis=1), axis=0, return_inverse=True
    )
    share = (level[ends[:, 0]] / (level[ends[:, 0]] - level[ends[:, 1]]))[:, None] if len(ends) else np.zeros((0, 1))
    ab, ac = np.split(which.reshape(-1) + len(mesh.vertices), 2)
    tip, base = count_crossed == 1, count_crossed == 2
    faces = np.concatenate([
        mesh.faces[count == 3],
        np.stack([a, ab, ac], 1)[tip],
        np.stack([ab, b, c], 1)[base],
        np.stack([ab, c, ac], 1)[base],
    ])  # fmt: skip

    def between(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([values, values[ends[:, 0]] * (1 - share) + values[ends[:, 1]] * share])

    return used(Mesh(between(mesh.vertices), faces, between(mesh.values)))


def tube(
    path: NDArray, radius: NDArray | float, sides: int = 6, closed: bool = False, up: NDArray | None = None
) -> Mesh:
    """A round tube along points (N,3), without values.

    Args:
        radius: metres, one or (N,) or (N,2) for a flat section: along the first normal and across it.
        closed: the path ends where it starts, its last point is not repeated.
        up: (3,) about the first normal; None chooses one.
    """
    path = np.asarray(path, np.float64)
    ahead = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0)
    if not closed:
        ahead[0], ahead[-1] = path[1] - path[0], path[-1] - path[-2]
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    normals = _carried_normals(ahead, up)
    across = np.cross(ahead, normals)
    size = np.broadcast_to(
        np.asarray(radius, np.float64).reshape(-1, 1) if np.ndim(radius) < 2 else radius, (len(path), 2)
    )
    angle = np.arange(sides) * 2 * np.pi / sides
    ring = normals[:, None] * (np.cos(angle) * size[:, :1])[..., None]
    ring = ring + across[:, None] * (np.sin(angle) * size[:, 1:])[..., None]
    vertices = (path[:, None] + ring).reshape(-1, 3)
    faces = grid_faces(len(path), sides, wrap_rows=closed, wrap_columns=True)
    if not closed:
        vertices = np.concatenate([vertices, path[[0, -1]]])
        around = np.arange(sides)
        start = np.stack([np.full(sides, len(vertices) - 2), np.roll(around, -1), around], 1)
        last = (len(path) - 1) * sides
        end = np.stack([np.full(sides, len(vertices) - 1), around + last, np.roll(around, -1) + last], 1)
        faces = np.concatenate([faces, start, end])
    return Mesh(np.asarray(vertices, np.float64), faces, np.zeros((len(vertices), 0)))


def _carried_normals(ahead: NDArray, up: NDArray | None) -> NDArray:
    """(N,3) unit normals of a path with unit directions (N,3) that turn no more than they must."""
    normals = np.empty_like(ahead)
    normal = np.eye(3)[np.argmin(np.abs(ahead[0]))] if up is None else np.asarray(up, np.float64)
    for row, direction in enumerate(ahead):
        normal = normal - direction * (normal @ direction)
        normal = normal / np.linalg.norm(normal)
        normals[row] = normal
    return normals


def grid_faces(rows: int, columns: int, wrap_rows: bool = False, wrap_columns: bool = False) -> NDArray[np.int64]:
    """(F,3) triangles of a grid of vertices numbered row by row."""
    number = np.arange(rows * columns).reshape(rows, columns)
    if wrap_rows:
        number = np.concatenate([number, number[:1]])
    if wrap_columns:
        number = np.concatenate([number, number[:, :1]], axis=1)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
    return np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3)


def vertex_normals(vertices: NDArray, faces: NDArray) -> NDArray[np.float64]:
    """(V,3) unit normals, weighted by the faces' areas."""
    corners = np.asarray(vertices, np.float64)[faces]
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros((len(vertices), 3))
    for corner in range(3):
        np.add.at(total, faces[:, corner], area)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def coloured(mesh: Mesh, colour: NDArray | Sequence[float]) -> Mesh:
    """The mesh in one colour (3,), or with colours (V,3)."""
    return Mesh(mesh.vertices, mesh.faces, np.broadcast_to(np.asarray(colour, np.float64), (len(mesh.vertices), 3)))


def follow(head: HeadModel, points: NDArray, handles: NDArray[np.int64] | None = None) -> tuple[NDArray, NDArray]:
    """What each point goes along with: weights fade out before one handle is exchanged for another.

    Args:
        points: (N,3) metres on the mean head.
        handles: head vertices to choose from; None takes those that no expression moves.
    Returns:
        (N,4) int32 head vertices and (N,4) float32 weights whose rows sum to 1.
    """
    handles = still_handles(head) if handles is None else handles
    distance, place = KDTree(head.vertices[handles]).query(points, FOLLOWED + 1)
    nearness = 1 / np.maximum(distance, 1e-4)
    weights = np.maximum(nearness[:, :FOLLOWED] - nearness[:, FOLLOWED:], 1e-6) ** 1.5
    weights /= weights.sum(axis=1, keepdims=True)
    return handles[np.asarray(place)[:, :FOLLOWED]].astype(np.int32), weights.astype(np.float32)


@lru_cache(maxsize=2)
def still_handles(head: HeadModel) -> NDArray[np.int64]:
    """(H,) vertices spread over the skin that expressions leave in place."""
    moved = np.linalg.norm(head.expression_basis, axis=2).max(axis=0)
    hidden = head.regions["eye_sockets"] | head.regions["inner_mouth"]
    return spread(head, head.regions["skin"] & (moved < STILL) & ~hidden, HANDLE_SPACING)


def spread(head: HeadModel, mask: NDArray[np.bool_], spacing: float) -> NDArray[np.int64]:
    """(H,) vertices of a mask that are no nearer to each other than `spacing` metres."""
    candidates = np.flatnonzero(mask)
    places = head.vertices[candidates]
    left = np.full(len(candidates), np.inf)
    chosen = [0]
    while True:
        left = np.minimum(left, np.linalg.norm(places - places[chosen[-1]], axis=1))
        if left.max() < spacing:
            return candidates[np.sort(chosen)]
        chosen.append(int(np.argmax(left)))


def make_prop(
    name: str,
    region: str,
    mesh: Mesh,
    anchors: NDArray,
    weights: NDArray,
    gloss: float = 0.0,
    opacity: float = 1.0,
) -> Prop:
    """A prop of a mesh whose values are its colour, (V,3) or one grey (V,1).

    Args:
        anchors, weights: (V,A), or (A,) for a rigid prop.
    """
    count = len(mesh.vertices)
    colour = np.clip(np.broadcast_to(mesh.values, (count, 3)), 0, None)
    return Prop(
        name=name,
        region=region,
        vertices=mesh.vertices.astype(np.float32),
        faces=mesh.faces.astype(np.int32),
        colour=np.ascontiguousarray(colour, np.float32),
        anchors=np.ascontiguousarray(np.broadcast_to(anchors, (count, np.shape(anchors)[-1])), np.int32),
        weights=np.ascontiguousarray(np.broadcast_to(weights, (count, np.shape(weights)[-1])), np.float32),
        gloss=gloss,
        opacity=opacity,
    )


def mirrored(head: HeadModel, prop: Prop) -> Prop:
    """The prop with left and right exchanged."""
    return replace(
        prop,
        vertices=prop.vertices * np.array([-1, 1, 1], np.float32),
        faces=np.ascontiguousarray(prop.faces[:, ::-1]),
        anchors=head.mirror[prop.anchors].astype(np.int32),
    )
