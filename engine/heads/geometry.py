"""What the loaders ask of meshes: pieces, nearest vertices and places, normals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
AT_ONCE = 64
"""Points whose nearest are sought together."""
CANDIDATES = 8
"""Triangles tried for each point: those with the nearest middles."""


def pieces(faces: NDArray, count: int) -> Ints:
    """(count,) the least vertex that each vertex is connected to."""
    label = np.arange(count)
    while True:
        new = label.copy()
        np.minimum.at(new, faces.ravel(), np.repeat(label[faces].min(1), faces.shape[1]))
        new = new[new]
        if (new == label).all():
            return label
        label = new


def nearest(points: NDArray, targets: NDArray, count: int = 1) -> tuple[Ints, Floats]:
    """The nearest targets (M,3) of each point (N,3): indices and distances (N,count), nearest first."""
    points, targets = np.asarray(points, np.float64), np.asarray(targets, np.float64)
    count = min(count, len(targets))
    rows, far = np.empty((len(points), count), np.int64), np.empty((len(points), count))
    order = _curve(points)
    for start in range(0, len(points), AT_ONCE):
        chosen = order[start : start + AT_ONCE]
        part = points[chosen]
        middle = part.mean(0)
        apart = np.linalg.norm(targets - middle, axis=1)
        radius = np.linalg.norm(part - middle, axis=1).max()
        # Whatever is among the nearest of some point lies no further from the middle than this.
        near = np.flatnonzero(apart <= np.partition(apart, count - 1)[count - 1] + 2 * radius + 1e-12)
        centred, goal = ((each - middle).astype(np.float32) for each in (part, targets[near]))
        away = (goal**2).sum(1) - 2 * centred @ goal.T
        best = near[np.argpartition(away, count - 1, axis=1)[:, :count] if count > 1 else away.argmin(1)[:, None]]
        true = np.linalg.norm(targets[best] - part[:, None], axis=2)
        rank = true.argsort(1, kind="stable")
        rows[chosen] = np.take_along_axis(best, rank, 1)
        far[chosen] = np.take_along_axis(true, rank, 1)
    return rows, far


def _curve(points: Floats) -> Ints:
    """(N,) an order in which points that follow each other lie near each other (Morton 1966)."""
    span = max(float(np.ptp(points, axis=0).max()), 1e-12) if len(points) else 1.0
    cell = ((points - points.min(0, initial=np.inf)) / span * 63).astype(np.int64)
    code = np.zeros(len(points), np.int64)
    for bit in range(6):
        for axis in range(3):
            code |= (cell[:, axis] >> bit & 1) << (3 * bit + axis)
    return np.argsort(code, kind="stable")


def mirrored(vertices: NDArray, tolerance: float = 1e-4) -> NDArray[np.int32]:
    """(V,) the vertex nearest to each vertex's mirror image in x = 0; itself within `tolerance` of the midline."""
    flipped = vertices * [-1, 1, 1]
    number = {place: row for row, place in enumerate(map(tuple, np.round(vertices, 6).tolist()))}
    image = np.array([number.get(place, -1) for place in map(tuple, (np.round(flipped, 6) + 0.0).tolist())])
    others = np.flatnonzero(image < 0)  # most heads are exactly symmetric
    image[others] = nearest(flipped[others], vertices)[0][:, 0]
    middle = np.abs(vertices[:, 0]) < tolerance
    return np.where(middle, np.arange(len(vertices)), image).astype(np.int32)


def face_normals(vertices: NDArray, faces: NDArray) -> Floats:
    """(F,3), twice the area long, outwards."""
    a, b, c = (np.asarray(vertices, np.float64)[faces[:, corner]] for corner in range(3))
    return np.cross(b - a, c - a)


def vertex_normals(vertices: NDArray, faces: NDArray) -> Floats:
    """(V,3) unit normals, weighted by area; zero for lone vertices."""
    normals = face_normals(vertices, faces)
    summed = np.stack(
        [np.bincount(faces.ravel(), np.repeat(normals[:, axis], 3), len(vertices)) for axis in range(3)], 1
    )
    return summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-20)


def edges_of(faces: NDArray) -> Ints:
    """(E,2) each edge once, lesser vertex first."""
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.unique(np.sort(sides, 1), axis=0).astype(np.int64)


@dataclass(frozen=True)
class Places:
    """Places on a mesh.

    Attributes:
        face: (N,) int64. weights: (N,3) barycentrics. distance: (N,) from the point asked for.
    """

    face: Ints
    weights: Floats
    distance: Floats

    def on(self, values: NDArray, faces: NDArray) -> Floats:
        """(N,...) values at vertices (V,...), interpolated."""
        return np.einsum("nc...,nc->n...", np.asarray(values, np.float64)[faces[self.face]], self.weights)


def closest_places(points: NDArray, vertices: NDArray, faces: NDArray, normals: NDArray | None = None) -> Places:
    """The nearest place of a mesh to each point.

    Args:
        points: (N,3). vertices: (V,3). faces: (F,3).
        normals: (N,3) unit; then only triangles that face the same way are taken, if any of the nearest does.
    """
    vertices = np.asarray(vertices, np.float64)
    corners = vertices[faces]
    tried = nearest(points, corners.mean(1), CANDIDATES)[0]  # (N,C)
    weights = closest_weights(np.asarray(points, np.float64)[:, None], corners[tried])
    places = np.einsum("ncij,nci->ncj", corners[tried], weights)
    away = np.linalg.norm(places - np.asarray(points)[:, None], axis=2)
    cost = away
    if normals is not None:
        facing = face_normals(vertices, faces)
        facing = facing / np.maximum(np.linalg.norm(facing, axis=1, keepdims=True), 1e-20)
        agree = np.einsum("ncj,nj->nc", facing[tried], normals)
        cost = away + np.where(agree < 0.2, 1.0 + np.linalg.norm(np.ptp(vertices, axis=0)), 0.0)
    best = cost.argmin(1)
    rows = np.arange(len(points))
    return Places(tried[rows, best], weights[rows, best], cost[rows, best])


def closest_weights(points: NDArray, corners: NDArray) -> Floats:
    """Barycentrics (...,3) of the point of each triangle (...,3,3) nearest to a point (...,3), broadcast."""
    a, b, c = (corners[..., corner, :] for corner in range(3))
    offset, ab, ac = points - a, b - a, c - a
    aa, bb, mixed = (ab * ab).sum(-1), (ac * ac).sum(-1), (ab * ac).sum(-1)
    pa, pb = (offset * ab).sum(-1), (offset * ac).sum(-1)
    area = np.maximum(aa * bb - mixed * mixed, 1e-30)
    v, w = (bb * pa - mixed * pb) / area, (aa * pb - mixed * pa) / area
    best = np.stack([1 - v - w, v, w], -1)
    outside = (best < 0).any(-1)
    least = np.where(outside, np.inf, 0.0)
    for first, second in ((0, 1), (1, 2), (2, 0)):
        start, along = corners[..., first, :], corners[..., second, :] - corners[..., first, :]
        share = ((points - start) * along).sum(-1) / np.maximum((along * along).sum(-1), 1e-30)
        share = np.clip(share, 0.0, 1.0)
        away = np.linalg.norm(start + share[..., None] * along - points, axis=-1)
        weights = np.zeros(best.shape)
        weights[..., first], weights[..., second] = 1 - share, share
        better = outside & (away < least)
        best = np.where(better[..., None], weights, best)
        least = np.where(better, away, least)
    return best
