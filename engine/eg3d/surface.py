"""Surfaces in volumes: marching cubes slice by slice, and the largest connected piece of a mesh.

Lorensen and Cline, "Marching Cubes", SIGGRAPH 1987. Their table is ambiguous where a face of a cube has its inner
corners across from each other, and can leave holes there; this one is made by a rule (inner corners are kept apart on
such faces) that both cubes of a face follow, so that the surface is closed wherever the volume does not end in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Table:
    """What marching cubes draws in a cube.

    Corner c of a cube is at ((c >> 2) & 1, (c >> 1) & 1, c & 1); bit c of a case says that it lies inside. Edges are
    numbered by axis, four each, in the order of `edges`.

    Attributes:
        edges: (12,4) axis, then the edge's lower corner.
        counts: (256,) triangles of each case. first: (256,) the first of them in `triangles`.
        triangles: (T,3) edges, counter-clockwise as seen from where the volume is lower.
    """

    edges: Ints
    counts: Ints
    first: Ints
    triangles: Ints


@lru_cache(maxsize=1)
def table() -> Table:
    """The table, made from the rule."""
    edges = [(axis, *_corner_without(axis, number)) for axis in range(3) for number in range(4)]
    by_corners = {}
    for number, (axis, *low) in enumerate(edges):
        high = list(low)
        high[axis] = 1
        by_corners[frozenset((_index(low), _index(high)))] = number
    cases = [_triangles(case, by_corners) for case in range(256)]
    counts = np.array([len(case) for case in cases])
    flat = np.array([triangle for case in cases for triangle in case], np.int64)
    return Table(np.array(edges), counts, np.concatenate([[0], counts.cumsum()[:-1]]), flat)


def _corner_without(axis: int, number: int) -> list[int]:
    corner = [number >> 1, number & 1]
    corner.insert(axis, 0)
    return corner


def _index(corner: Iterable[int]) -> int:
    a, b, c = corner
    return 4 * a + 2 * b + c


def _faces() -> list[list[int]]:
    """Corners of the six faces, counter-clockwise as seen from outside the cube."""
    found = []
    for axis in range(3):
        for side in (0, 1):
            square = [(0, 0), (1, 0), (1, 1), (0, 1)]  # counter-clockwise for axes (axis + 1, axis + 2)
            corners = []
            for first, second in square if side else square[::-1]:
                corner = [0, 0, 0]
                corner[axis], corner[(axis + 1) % 3], corner[(axis + 2) % 3] = side, first, second
                corners.append(_index(corner))
            found.append(corners)
    return found


def _triangles(case: int, by_corners: dict[frozenset[int], int]) -> list[tuple[int, int, int]]:
    """Triangles of one case: on each face a line around every run of inner corners, the lines joined, a fan in each."""
    following = {}
    for face in _faces():
        inside = [bool(case >> corner & 1) for corner in face]
        crossed = [by_corners[frozenset((face[k], face[(k + 1) % 4]))] for k in range(4)]
        for k in range(4):
            if inside[k] and not inside[k - 1]:  # a run starts here; where does it end?
                end = next(k + n for n in range(4) if not inside[(k + n + 1) % 4]) % 4
                following[crossed[k - 1]] = crossed[end]
    found = []
    while following:
        start, after = next(iter(following.items()))
        loop = [start]
        del following[start]
        while after != start:
            loop.append(after)
            after = following.pop(after)
        found += _fan(loop, by_corners)
    return found


def _fan(loop: list[int], by_corners: dict[frozenset[int], int]) -> list[tuple[int, int, int]]:
    """A closed line as triangles around one of its points, chosen so that no diagonal lies in a face of the cube.

    There the neighbouring cube might draw it too, and four triangles would meet in one line.
    """
    on_face = [{by_corners[frozenset((face[k - 1], face[k]))] for k in range(4)} for face in _faces()]

    def flat(turned: list[int]) -> int:
        return sum(turned[0] in face and point in face for point in turned[2:-1] for face in on_face)

    best = min((loop[k:] + loop[:k] for k in range(len(loop))), key=flat)
    return [(best[0], best[k], best[k + 1]) for k in range(1, len(best) - 1)]


@dataclass(eq=False)
class MarchingCubes:
    """Takes a volume slice after slice, so that it never has to be there as a whole.

    Attributes:
        level: of the surface; what is above lies inside.
    """

    level: float
    _vertices: list[Floats] = field(default_factory=list)
    _faces: list[Ints] = field(default_factory=list)
    _count: int = 0
    _at: int = -1
    _last: _Slice | None = None

    def add(self, values: Floats) -> None:
        """The next slice (J,K) along the first axis."""
        self._at += 1
        new = self._slice(np.asarray(values, np.float32))
        if self._last is not None:
            self._between(self._last, new)
        self._last = new

    def mesh(self) -> tuple[Floats, Ints]:
        """Vertices (V,3), in voxels, and triangles (F,3), counter-clockwise as seen from where the volume is lower."""
        if not self._vertices:
            return np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int64)
        faces = np.concatenate(self._faces) if self._faces else np.zeros((0, 3), np.int64)
        return np.concatenate(self._vertices), faces

    def _slice(self, values: Floats) -> _Slice:
        inside = values > self.level
        bits = inside.astype(np.uint8)
        # Bits of corners 0..3: (j, k), (j, k + 1), (j + 1, k), (j + 1, k + 1).
        code = bits[:-1, :-1] | bits[:-1, 1:] << 1 | bits[1:, :-1] << 2 | bits[1:, 1:] << 3
        down = self._placed(inside[:-1] ^ inside[1:], values[:-1], values[1:], 1)
        across = self._placed(inside[:, :-1] ^ inside[:, 1:], values[:, :-1], values[:, 1:], 2)
        return _Slice(values, inside, code.astype(np.uint8), down, across)

    def _placed(self, crossed: NDArray[np.bool_], low: Floats, high: Floats, axis: int) -> Ints:
        """Numbers of the vertices on edges of the newest slice, or before it (axis 0); elsewhere anything."""
        j, k = np.nonzero(crossed)
        start = low[j, k]
        share = (self.level - start) / (high[j, k] - start)
        place = np.stack([np.full(len(j), self._at - (axis == 0)), j, k], 1).astype(np.float32)
        place[:, axis] += share
        numbers = np.zeros(crossed.shape, np.int64)
        numbers[j, k] = self._count + np.arange(len(j))
        self._vertices.append(place)
        self._count += len(j)
        return numbers

    def _between(self, before: _Slice, after: _Slice) -> None:
        case = before.code | after.code << 4
        j, k = np.nonzero((case != 0) & (case != 255))
        if not len(j):
            return
        through = self._placed(before.inside ^ after.inside, before.values, after.values, 0)
        rule, cases = table(), case[j, k]
        counts = rule.counts[cases]
        cell = np.repeat(np.arange(len(j)), counts)
        number = np.arange(len(cell)) - np.repeat(counts.cumsum() - counts, counts)
        used = rule.triangles[rule.first[cases][cell] + number]
        axis, *offset = np.moveaxis(rule.edges[used], -1, 0)
        rows, columns = j[cell][:, None] + offset[1], k[cell][:, None] + offset[2]
        found = np.empty(used.shape, np.int64)
        for which, first, numbers in (
            (0, 0, through), (1, 0, before.down), (1, 1, after.down), (2, 0, before.across), (2, 1, after.across),
        ):  # fmt: skip
            chosen = (axis == which) & (offset[0] == first)
            found[chosen] = numbers[rows[chosen], columns[chosen]]
        self._faces.append(found)


@dataclass(frozen=True, eq=False)
class _Slice:
    """A slice: its values (J,K), which are inside, cases of its squares (J-1,K-1), vertices along its two axes."""

    values: Floats
    inside: NDArray[np.bool_]
    code: NDArray[np.uint8]
    down: Ints
    across: Ints


def marching_cubes(volume: NDArray, level: float) -> tuple[Floats, Ints]:
    """Vertices (V,3), in voxels, and triangles (F,3) of the surface where a volume (I,J,K) has a value.

    Triangles are counter-clockwise as seen from where the volume is lower.
    """
    march = MarchingCubes(level)
    for values in volume:
        march.add(values)
    return march.mesh()


def components(faces: Ints, count: int) -> Ints:
    """(count,) least index that each vertex is connected to (Zhang et al. 2020, "FastSV": few rounds for any shape)."""
    first, second = np.concatenate([faces[:, :2], faces[:, 1:]]).T
    parent = np.arange(count)
    while True:
        grand = parent[parent]
        new = parent.copy()
        for one, other in ((first, second), (second, first)):
            np.minimum.at(new, parent[one], grand[other])  # hook the tree
            np.minimum.at(new, one, grand[other])  # and the vertex
        new = np.minimum(new, grand)
        if (new == parent).all():
            return parent
        parent = new


def largest_piece(vertices: NDArray, faces: Ints) -> tuple[NDArray, Ints, Ints]:
    """The connected piece with the most triangles: its vertices, triangles, and which vertices (U,) they were."""
    if not len(faces):
        return vertices[:0], faces, np.zeros(0, np.int64)
    label = components(faces, len(vertices))[faces[:, 0]]
    chosen = faces[label == np.bincount(label).argmax()]
    kept, renumbered = np.unique(chosen, return_inverse=True)
    return vertices[kept], renumbered.reshape(-1, 3), kept
