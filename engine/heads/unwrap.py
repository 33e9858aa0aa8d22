"""A texture layout for head templates that come without one.

The skin is cut from the neck up the back of the head to the crown and laid into a disc by Tutte's embedding (Floater
1997, "Parametrization and smooth approximation of surface triangulations": positive weights and a convex rim never
fold), with weights that even out the stretch (Yoshizawa, Belyaev and Seidel 2004, "A fast and simple
stretch-minimizing mesh parameterization"). Each eyeball becomes two discs, front and back, in the corners. A mesh that
cannot be laid out so, because it is no surface, gets an island for each triangle.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .geometry import edges_of, pieces
from .sparse import laplacian, solve

Floats = NDArray[np.float64]
MARGIN = 0.01
"""Of the layout, kept free around each island."""
CORNER = 0.5 * (2**0.5 - 1) / (2**0.5 + 1)
"""Radius of the largest disc in a corner that the large disc of radius 1/2 leaves."""
ROUNDS = 8
"""Times the weights are adapted to the stretch."""
LOOSE, TIGHT = 1e-4, 1e-9
"""Tolerances of the rounds before and of the last."""
FRONT = 3.0
"""How much longer than at the back an edge at the front is meant to be: faces are looked at, not napes."""
OFF_MIDDLE = 20.0
"""How much longer a way seems that leaves the middle of the head's back."""


@dataclass(frozen=True)
class UvLayout:
    """Texture coordinates.

    Attributes:
        uv: (T,2) float32 in the unit square, origin lower left. faces: (F,3) int32 into `uv`.
    """

    uv: NDArray[np.float32]
    faces: NDArray[np.int32]


def unwrap(vertices: NDArray, faces: NDArray, slots: NDArray) -> UvLayout:
    """Lay a head's template flat, without overlaps.

    Args:
        vertices: (V,3), Y up, face to +Z. faces: (F,3).
        slots: (F,) 0 for skin, other numbers for eyeballs.
    """
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    sheet = _opened(faces, _cuts(vertices, faces, slots))
    charts = pieces(sheet, int(sheet.max()) + 1)[sheet[:, 0]]
    names, sizes = np.unique(charts, return_counts=True)
    owner = np.zeros(int(sheet.max()) + 1, np.int64)
    owner[sheet.ravel()] = faces.ravel()
    if len(names) > 5:
        return _apart(len(faces))
    uv = np.zeros((len(owner), 2))
    places = _discs()
    for rank, name in enumerate(names[np.argsort(-sizes, kind="stable")]):
        chosen, own = np.unique(sheet[charts == name], return_inverse=True)
        flat = _disc(vertices[owner[chosen]], own.reshape(-1, 3))
        if flat is None:
            return _apart(len(faces))
        centre, radius = places[rank]
        uv[chosen] = centre + radius * flat
    return UvLayout(uv.astype(np.float32), sheet.astype(np.int32))


def _discs() -> list[tuple[Floats, float]]:
    """Middles and radii of the large disc and the four in the corners."""
    small = [(np.array([x, y]), CORNER - MARGIN) for y in (CORNER, 1 - CORNER) for x in (CORNER, 1 - CORNER)]
    return [(np.array([0.5, 0.5]), 0.5 - MARGIN), *small]


def _cuts(vertices: Floats, faces: NDArray, slots: NDArray) -> set[tuple[int, int]]:
    """Edges to cut: the skin's seam at the back, and around the front of each eyeball."""
    cuts = set(_seam(vertices, faces[slots == 0]))
    for slot in np.unique(slots[slots > 0]):
        ball = faces[slots == slot]
        depth = vertices[ball].mean(1)[:, 2]
        places = vertices[np.unique(ball)]
        front = depth > (places[:, 2].min() + places[:, 2].max()) / 2
        ahead, behind = ({tuple(edge) for edge in edges_of(ball[side])} for side in (front, ~front))
        cuts |= ahead & behind
    return cuts


def _seam(vertices: Floats, faces: NDArray) -> list[tuple[int, int]]:
    """Edges of the shortest way along the back from the lowest rim to the crown."""
    if not len(faces):
        return []
    label = pieces(faces, len(vertices))
    names, counts = np.unique(label[faces[:, 0]], return_counts=True)
    faces = faces[label[faces[:, 0]] == names[counts.argmax()]]
    used = np.unique(faces)
    rims = [rim for rim in _rims(faces) or []]
    rim = max(rims, key=len) if rims else used[np.argsort(vertices[used, 1])[:8]]
    start = int(rim[np.argmin(vertices[rim, 2] + np.abs(vertices[rim, 0]))])
    end = int(used[vertices[used, 1].argmax()])
    edges = edges_of(faces)
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    middle, half = vertices[used].mean(0), np.abs(vertices[used] - vertices[used].mean(0)).max()
    off = np.abs(vertices[edges, 0]).mean(1) + np.maximum(vertices[edges, 2].mean(1) - middle[2], 0)
    at_rim = np.isin(edges, np.concatenate([*rims, [-1]])).sum(1)
    cost = length * (1 + OFF_MIDDLE * off / half) * np.where(at_rim > 0, 50.0, 1.0)
    return _shortest(edges, cost, start, end)


def _shortest(edges: NDArray, cost: Floats, start: int, end: int) -> list[tuple[int, int]]:
    """Edges of Dijkstra's shortest path; empty where there is none."""
    around: dict[int, list[tuple[int, float]]] = {}
    for (a, b), price in zip(edges.tolist(), cost.tolist(), strict=True):
        around.setdefault(a, []).append((b, price))
        around.setdefault(b, []).append((a, price))
    best, before, queue = {start: 0.0}, {}, [(0.0, start)]
    while queue:
        spent, at = heapq.heappop(queue)
        if at == end:
            break
        if spent > best[at]:
            continue
        for other, price in around.get(at, []):
            if spent + price < best.get(other, np.inf):
                best[other], before[other] = spent + price, at
                heapq.heappush(queue, (spent + price, other))
    path = []
    while end in before:
        path.append((min(end, before[end]), max(end, before[end])))
        end = before[end]
    return path


def _opened(faces: NDArray, cuts: set[tuple[int, int]]) -> NDArray[np.int64]:
    """(F,3) texture vertices: corners of one vertex are one where their triangles share an uncut edge."""
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    corners = np.arange(3 * len(faces)).reshape(-1, 3)
    sided = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    turned = sides[:, 0] > sides[:, 1]
    sides, sided = np.sort(sides, 1), np.where(turned[:, None], sided[:, ::-1], sided)
    _, inverse, counts = np.unique(sides, axis=0, return_inverse=True, return_counts=True)
    inverse = inverse.ravel()
    order = np.argsort(inverse, kind="stable")
    pairs = order[np.flatnonzero(np.repeat(counts == 2, counts))].reshape(-1, 2)
    kept = np.array([tuple(edge) not in cuts for edge in sides[pairs[:, 0]].tolist()], bool)
    pairs = pairs[kept]
    joins = np.concatenate([np.stack([sided[pairs[:, 0], end], sided[pairs[:, 1], end]], 1) for end in (0, 1)])
    label = pieces(joins, 3 * len(faces))
    return np.unique(label, return_inverse=True)[1].reshape(-1, 3)


def _rims(faces: NDArray) -> list[NDArray[np.int64]] | None:
    """Boundary loops, each in order; None where a vertex has several."""
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).tolist()
    whole = {(a, b) for a, b in sides}
    if len(whole) < len(sides):
        return None
    following: dict[int, int] = {}
    for a, b in sorted(whole):
        if (b, a) not in whole:
            if a in following:
                return None
            following[a] = b
    loops = []
    while following:
        at, loop = min(following), []
        while at in following:
            loop.append(at)
            at = following.pop(at)
        loops.append(np.array(loop, np.int64))
    return loops


def _disc(places: Floats, faces: NDArray) -> Floats | None:
    """A chart (N,3) in the unit disc (N,2), upright and not mirrored; None where it is no disc."""
    loops = _rims(faces)
    count = len(places)
    if not loops:
        return None
    length = [np.linalg.norm(places[loop] - places[np.roll(loop, -1)], axis=1).sum() for loop in loops]
    rim = loops.pop(int(np.argmax(length)))
    fans = [np.stack([loop, np.full_like(loop, count + i), np.roll(loop, -1)], 1) for i, loop in enumerate(loops)]
    filled = np.concatenate([faces, *fans])
    places = np.concatenate([places, *(places[loop].mean(0, keepdims=True) for loop in loops)])
    edges = edges_of(filled)
    if len(places) - len(edges) + len(filled) != 1:  # Euler: a disc
        return None
    step = np.linalg.norm(places[rim] - places[np.roll(rim, 1)], axis=1)
    angle = 2 * np.pi * np.cumsum(step) / step.sum()
    flat = np.zeros((len(places), 2))
    flat[rim] = np.stack([np.cos(angle), np.sin(angle)], 1)
    even, wanted = np.ones(len(edges)), _wanted(places, edges)
    weights = even
    for _ in range(ROUNDS):
        flat = _embedded(flat, edges, weights, rim, LOOSE)
        weights = weights * _stretch(flat, wanted, edges)
    for final in (weights, even):  # the first folds only where its weights differ too much to solve for
        flat = _embedded(flat, edges, final, rim, TIGHT)
        if (_areas(flat, faces) > 0).all():
            return _upright(flat[:count], places[:count])
    return None


def _embedded(flat: Floats, edges: NDArray, weights: Floats, rim: NDArray, tolerance: float) -> Floats:
    """Every inner point in the weighted middle of its neighbours."""
    inner = np.ones(len(flat), bool)
    inner[rim] = False
    number = np.cumsum(inner) - 1
    both = inner[edges].all(1)
    mixed = np.concatenate([edges, edges[:, ::-1]])
    heavy = np.concatenate([weights, weights])
    held = inner[mixed[:, 0]] & ~inner[mixed[:, 1]]
    extra = np.bincount(number[mixed[held, 0]], heavy[held], inner.sum())
    right = np.zeros((inner.sum(), 2))
    np.add.at(right, number[mixed[held, 0]], heavy[held, None] * flat[mixed[held, 1]])
    result = flat.copy()
    system = laplacian(number[edges[both]], weights[both], extra)
    result[inner] = solve(system, right, flat[inner], tolerance)
    return result


def _wanted(places: Floats, edges: NDArray) -> Floats:
    """(E,) how long each edge is meant to be: as in space, and longer at the front."""
    depth = places[edges, 2].mean(1)
    share = (depth - depth.min()) / max(np.ptp(depth), 1e-9)
    true = np.linalg.norm(places[edges[:, 0]] - places[edges[:, 1]], axis=1)
    return np.maximum(true, 1e-9) * (1 + (FRONT - 1) * share * share)


def _stretch(flat: Floats, wanted: Floats, edges: NDArray) -> Floats:
    """(E,) how much longer each edge is than it is meant to be: one with less weight grows."""
    ratio = np.linalg.norm(flat[edges[:, 0]] - flat[edges[:, 1]], axis=1) / wanted
    return np.clip(ratio / np.median(ratio), 0.2, 5.0) ** 0.5


def _areas(flat: Floats, faces: NDArray) -> Floats:
    a, b, c = (flat[faces[:, corner]] for corner in range(3))
    first, second = b - a, c - a
    return first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]


def _upright(flat: Floats, places: Floats) -> Floats:
    """Turned so that up in the layout is up in space, as far as a turn can."""
    ahead = places[:, 2] > np.median(places[:, 2])
    place = places[ahead, :2] - places[ahead, :2].mean(0)
    around = flat[ahead] - flat[ahead].mean(0)
    cross = around.T @ place
    turn = np.arctan2(cross[0, 1] - cross[1, 0], cross[0, 0] + cross[1, 1])
    cosine, sine = np.cos(turn), np.sin(turn)
    return flat @ np.array([[cosine, sine], [-sine, cosine]])


def _apart(count: int) -> UvLayout:
    """Every triangle on an island of its own, two to a cell of a grid."""
    side = max(int(np.ceil(np.sqrt(count / 2))), 1)
    cell, upper = np.arange(count) // 2, np.arange(count) % 2
    corner = np.stack([cell % side, cell // side], 1)[:, None]
    lower = np.array([[0.1, 0.1], [0.8, 0.1], [0.1, 0.8]])
    shapes = np.stack([lower, 1 - lower])[upper]
    uv = (corner + shapes) / side
    return UvLayout(uv.reshape(-1, 2).astype(np.float32), np.arange(3 * count, dtype=np.int32).reshape(-1, 3))
