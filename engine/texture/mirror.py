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
    polygon_of = {frozenset(row[row >= 0].tolist()): index for index, row in enumerate(head.polygons)}
    owner = triangle_polygons(head)
    corners = np.zeros((len(head.faces), 3, 2), np.float32)
    found = np.zeros(len(head.faces), bool)
    twin_of_polygon = np.array(
        [polygon_of.get(frozenset(head.mirror[row[row >= 0]].tolist()), -1) for row in head.polygons]
    )
    twins = twin_of_polygon[owner]
    wanted = head.mirror[head.faces]
    candidates = head.polygons[twins]
    hits = candidates[:, None, :] == wanted[:, :, None]
    found = (twins >= 0) & hits.any(-1).all(-1)
    places = hits.argmax(-1)
    texture_vertices = np.take_along_axis(head.uv_polygons[twins], places, axis=1)
    corners[found] = head.uv[texture_vertices[found]]
    return corners, found


def triangle_polygons(head: HeadModel) -> NDArray[np.int64]:
    """(F,) the polygon each triangle was cut from, found by shared vertices."""
    owners: dict[tuple[int, int], list[int]] = {}
    for index, row in enumerate(head.polygons):
        ring = [int(vertex) for vertex in row if vertex >= 0]
        for first, second in zip(ring, ring[1:] + ring[:1], strict=True):
            owners.setdefault((first, second), []).append(index)
    sets = [frozenset(row[row >= 0].tolist()) for row in head.polygons]
    result = np.full(len(head.faces), -1)
    for index, (a, b, c) in enumerate(head.faces.tolist()):
        for edge in ((a, b), (b, c), (c, a)):
            match = next((p for p in owners.get(edge, ()) if {a, b, c} <= sets[p]), -1)
            if match >= 0:
                result[index] = match
                break
    return result
