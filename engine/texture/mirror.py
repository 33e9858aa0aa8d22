"""Where each texel's mirrored twin lies in the UV square."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel


def mirrored_uv_corners(head: HeadModel) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """UV of the mirrored surface point at every triangle corner.

    Polygons, not triangles, are paired: the two sides may be split along different diagonals.

    Returns:
        corners: (F,3,2) the UV at the mirror image of each corner; interpolate them with a texel's barycentrics.
        found: (F,) False where the mirrored polygon does not exist.
    """
    owner = triangle_polygons(head)
    corners = np.zeros((len(head.faces), 3, 2), np.float32)
    twin_of_polygon = _twins(head.polygons, head.mirror)
    twins = twin_of_polygon[owner]
    wanted = head.mirror[head.faces]
    candidates = head.polygons[twins]
    hits = candidates[:, None, :] == wanted[:, :, None]
    found = (twins >= 0) & hits.any(-1).all(-1)
    places = hits.argmax(-1)
    texture_vertices = np.take_along_axis(head.uv_polygons[twins], places, axis=1)
    corners[found] = head.uv[texture_vertices[found]]
    return corners, found


def _twins(polygons: NDArray[np.int32], mirror: NDArray[np.int32]) -> NDArray[np.int64]:
    """(P,) the polygon between the mirrored vertices of each, -1 where there is none."""
    mirrored = np.where(polygons >= 0, mirror[polygons], -1)
    _, group = np.unique(np.sort(np.concatenate([polygons, mirrored]), axis=1), axis=0, return_inverse=True)
    polygon_of = np.full(group.max() + 1, -1)
    polygon_of[group[: len(polygons)]] = np.arange(len(polygons))
    return polygon_of[group[len(polygons) :]]


def triangle_polygons(head: HeadModel) -> NDArray[np.int64]:
    """(F,) the polygon each triangle was cut from: it shares a directed edge and holds all corners. -1 if none."""
    starts, ends, owners = _rings(head.polygons)
    count = len(head.vertices)
    edges = starts * count + ends
    order = np.argsort(edges, kind="stable")
    result = np.full(len(head.faces), -1)
    for corner in (2, 1, 0):  # the first edge that decides comes last
        wanted = head.faces[:, corner].astype(np.int64) * count + head.faces[:, (corner + 1) % 3]
        place = order[np.minimum(np.searchsorted(edges, wanted, sorter=order), len(edges) - 1)]
        candidate = owners[place]
        holds = (head.polygons[candidate][:, None] == head.faces[:, :, None]).any(-1).all(-1)
        result = np.where((edges[place] == wanted) & holds, candidate, result)
    return result


def _rings(polygons: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """First vertex, last vertex and polygon of every polygon's directed edges. Triangles end with -1."""
    following = np.roll(polygons, -1, axis=1)
    following = np.where(following < 0, polygons[:, :1], following)
    real = polygons >= 0
    return polygons[real].astype(np.int64), following[real].astype(np.int64), np.nonzero(real)[0]
