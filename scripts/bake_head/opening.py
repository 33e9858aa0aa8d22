"""Opens the skin of a head into one upright rectangle: face in the middle, seam down the back, both sides alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .unwrap import Flattening, flatten, rest_edges, tutte

SEAM_TILT = 0.6
"""The seam starts at the midline vertex with the largest height minus this much of its depth: behind the crown."""
TOP_SHARE = 0.33
"""Share of the seam that lies along the rectangle's top edge; the rest runs down its side."""
SHAPE_WEIGHT = 4.0
"""How much more the face's shape counts than the back's."""
FILL_WEIGHT = 1e-3
"""Weight of the triangles that hold the eye and mouth openings open."""
MOUTH_GAP = 0.035
"""Half the height at which the lips are held apart in the square, decimetres."""


def density(vertices: NDArray[np.float64]) -> NDArray[np.float64]:
    """(V,) wanted texels per length, face about 1; smooth.

    Args:
        vertices: (V,3) mean figure, decimetres: eyes at height 7.3, chin at 6.2, nose tip at depth 1.6.
    """
    x, y, z = np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]
    front = _ramp(z, 0.15, 0.85) * _ramp(y, 6.0, 6.4) * (1 - 0.6 * _ramp(y, 7.65, 8.15))
    features = np.exp(-((x / 0.55) ** 2) - (((y - 7.0) / 0.5) ** 2)) * _ramp(z, 0.8, 1.2)
    side = _ramp(y, 6.2, 6.6) * 0.14 * _ramp(z, -0.4, 0.3)
    return 0.28 + 0.12 * _ramp(y, 5.7, 6.3) + side + 0.5 * front + 0.22 * features


def _ramp(value: NDArray, low: float, high: float) -> NDArray[np.float64]:
    share = np.clip((value - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def open_head(
    vertices: NDArray[np.float64], polygons: NDArray[np.int32], mirror: NDArray[np.int32], height: float
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """UV of the outer skin in a rectangle of width 1.

    Args:
        vertices: (V,3) mean figure, symmetric, decimetres.
        polygons: (P,4) the outer skin only, triangles end with -1; none crosses the midline.
        mirror: (V,) the vertex on the other side; itself on the midline.
        height: of the rectangle.
    Returns:
        (T,2) UV in [0,1] x [0,height] and (P,4) into it. Vertices of the seam appear twice.
    """
    left = np.where(polygons < 0, 0, vertices[polygons, 0]).sum(axis=1) > 0
    triangles = _triangles(polygons[left])
    used, compact = np.unique(triangles, return_inverse=True)
    triangles = compact.reshape(-1, 3)
    points = _flatten_half(vertices[used], triangles, mirror[used] == used, height)
    seam = points[:, 0] > 0.5 + 1e-9
    right_of = np.where(seam, np.arange(len(used)) + len(used), np.arange(len(used)))
    uv = np.concatenate([points, points * [-1, 1] + [1, 0]])
    number_left = np.full(len(vertices), -1)
    number_left[used] = np.arange(len(used))
    number_right = np.full(len(vertices), -1)
    number_right[mirror[used]] = right_of
    table = np.where(left[:, None], number_left[polygons], number_right[polygons])
    table = np.where(polygons < 0, -1, table)
    kept, renumbered = np.unique(table, return_inverse=True)
    renumbered = renumbered.reshape(table.shape) - int(kept[0] < 0)
    return uv[kept[kept >= 0]], renumbered.astype(np.int32)


def _flatten_half(
    vertices: NDArray[np.float64], triangles: NDArray[np.int64], middle: NDArray[np.bool_], height: float
) -> NDArray[np.float64]:
    """(V,2) the left half in [0.5,1] x [0,height]."""
    loops = sorted(boundary_loops(triangles), key=lambda loop: -np.ptp(vertices[loop, 1]))
    outer, holes = loops[0], loops[1:]
    filled, outer, places = _fill_mouth(vertices, triangles, outer, middle)
    for hole in holes:
        filled, places = _fan(filled, hole, places, places[hole].mean(axis=0))
    middle = np.concatenate([middle, np.zeros(len(places) - len(middle), bool)])
    middle[len(vertices)] = True
    outer = _from_collar_front(outer, middle)
    on_edge, corners = _edges(places, outer, middle)
    scale = density(places)[filled].mean(axis=1)
    rest = rest_edges(places[filled]) * scale[:, None, None]
    area = np.linalg.det(rest) / 2
    rest *= np.sqrt(0.5 * height / area[: len(triangles)].sum())
    weight = area * np.where(np.arange(len(filled)) < len(triangles), 1.0, FILL_WEIGHT)
    weight *= 1 + (SHAPE_WEIGHT - 1) * _ramp(scale, 0.4, 0.9)
    rim = _rim(places, outer, corners, scale=density(places), height=height)
    free = np.ones((len(places), 2), bool)
    for edge, axis in ((on_edge == 0, 0), (on_edge == 1, 1), (on_edge == 2, 0), (on_edge == 3, 1)):
        free[outer[edge], axis] = False
    free[outer[corners]] = False
    start = tutte(filled, outer, rim)
    return flatten(Flattening(filled, rest, weight, start, free))[: len(vertices)]


def _fill_mouth(
    vertices: NDArray[np.float64], triangles: NDArray[np.int64], outer: NDArray[np.int64], middle: NDArray[np.bool_]
) -> tuple[NDArray, NDArray, NDArray]:
    """Closes the half mouth with a fan about a new point on the midline.

    Returns:
        triangles with the fan last, the outer loop past the new point, and (V+1,3) places with the lips held apart.
    """
    ahead = np.roll(outer, -1)
    lips_start = [i for i in range(len(outer)) if middle[outer[i]] and not middle[ahead[i]]]
    arcs = []
    for i in lips_start:
        rolled = np.roll(outer, -i)
        end = 1 + int(np.argmax(middle[rolled[1:]]))
        arcs.append(rolled[: end + 1])
    lips = max(arcs, key=lambda arc: float(vertices[arc, 1].mean()))  # the other arc is the collar
    first, second = (float(vertices[lips[end], 1]) for end in (0, -1))
    places = np.concatenate([vertices, [vertices[lips[[0, -1]]].mean(axis=0)]])
    corner = int(np.argmax(vertices[lips, 0]))
    rise = np.sqrt(np.clip(1 - (vertices[lips, 0] / vertices[lips, 0].max()) ** 2, 0, None)) * MOUTH_GAP
    upper = (np.arange(len(lips)) < corner) == (first > second)
    places[lips, 1] += np.where(upper, rise, -rise)
    centre = len(vertices)
    fan = np.stack([lips[1:], lips[:-1], np.full(len(lips) - 1, centre)], axis=1)
    start = int(np.flatnonzero(outer == lips[0])[0])
    rest = np.roll(outer, -start)[len(lips) - 1 :]
    return np.concatenate([triangles, fan]), np.concatenate([[lips[0], centre], rest]), places


def _fan(
    triangles: NDArray[np.int64], hole: NDArray[np.int64], places: NDArray[np.float64], centre: NDArray[np.float64]
) -> tuple[NDArray, NDArray]:
    fan = np.stack([np.roll(hole, -1), hole, np.full(len(hole), len(places))], axis=1)
    return np.concatenate([triangles, fan]), np.concatenate([places, [centre]])


def _from_collar_front(outer: NDArray[np.int64], middle: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The outer loop, turned so that it starts where it leaves the midline in front and runs along the collar."""
    leaves = middle[outer] & ~middle[np.roll(outer, -1)]
    return np.roll(outer, -int(np.argmax(leaves)))


def _edges(
    places: NDArray[np.float64], outer: NDArray[np.int64], middle: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Edge of the rectangle (1 collar, 2 side, 3 top, 0 face) of each rim point, and the places of the four corners."""
    back = 1 + int(np.argmax(middle[outer[1:]]))
    along = np.where(middle[outer], places[outer, 1] - SEAM_TILT * places[outer, 2], -np.inf)
    crown = int(np.argmax(along))
    seam = _lengths(places[outer[back : crown + 1]], np.ones(crown + 1 - back))
    corner = back + int(np.argmin(np.abs(seam / seam[-1] - (1 - TOP_SHARE))))
    corners = np.array([0, back, corner, crown])
    edge = np.searchsorted(corners, np.arange(len(outer)), side="right") % 4
    return edge, corners


def _rim(
    places: NDArray[np.float64], outer: NDArray[np.int64], corners: NDArray[np.int64], scale: NDArray, height: float
) -> NDArray[np.float64]:
    """(B,2) start of each rim point on the rectangle, spaced by the wanted lengths."""
    targets = np.array([[0.5, 0], [1, 0], [1, height], [0.5, height], [0.5, 0]], float)
    bounds = [*corners.tolist(), len(outer)]
    loop = np.append(outer, outer[0])
    pieces = []
    for side in range(4):
        stretch = loop[bounds[side] : bounds[side + 1] + 1]
        share = _lengths(places[stretch], scale[stretch])
        share = share / share[-1]
        pieces.append(targets[side] + share[:-1, None] * (targets[side + 1] - targets[side]))
    return np.concatenate(pieces)


def _lengths(path: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B,) scaled length along a path from its first point."""
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1) * (scale[1:] + scale[:-1]) / 2
    return np.concatenate([[0.0], np.cumsum(np.maximum(steps, 1e-6))])


def boundary_loops(triangles: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Each rim of a surface as a loop of vertices, the surface on its left."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    present = {(int(a), int(b)) for a, b in edges}
    ahead = {a: b for a, b in sorted(present) if (b, a) not in present}
    loops = []
    while ahead:
        start = min(ahead)
        loop = [start]
        while (following := ahead.pop(loop[-1])) != start:
            loop.append(following)
        loops.append(np.array(loop))
    return loops


def _triangles(polygons: NDArray[np.int32]) -> NDArray[np.int64]:
    """(F,3) quads split along the first diagonal, as the baked head splits them."""
    faces = np.stack([polygons[:, [0, 1, 2]], polygons[:, [0, 2, 3]]], axis=1).reshape(-1, 3).astype(np.int64)
    return faces[faces[:, 2] >= 0]
