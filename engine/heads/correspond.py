"""Which place of one head is which place of another: found once for two templates, without anyone's help.

First a similarity by landmarks, or by eyes and nose where a head has none. Then the source is drawn onto the target by
a non-rigid iterative closest point method: every vertex is pulled to the nearest place of the target that faces the
same way, neighbours are held together, and the hold is loosened step by step (Amberg, Romdhani and Vetter, "Optimal
step nonrigid ICP algorithms for surface registration", CVPR 2007, section 3, with displacements for affine maps, so
that each step is one sparse system for each coordinate).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from .geometry import Places, closest_places, edges_of, vertex_normals
from .model import HeadModel
from .sparse import SparseRows, laplacian, solve

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
INSIDE = ("inner_mouth", "eye_sockets")
"""Skin that cannot be seen from outside, and that heads differ in."""
CONTOUR = 17
"""iBUG points that slide with the view; only those after them tie two heads together."""


@dataclass(frozen=True)
class Schedule:
    """Defaults of the registration.

    Attributes:
        stiffness: of each step, how much an edge resists as against the pull at a vertex.
        landmark: pull of a landmark, as against that of a vertex.
        reach: metres beyond which no place is taken, at the first and at the last step.
        facing: least cosine between the normals.
        sure: metres within which a place counts as found.
    """

    stiffness: tuple[float, ...] = (50, 50, 20, 20, 8, 8, 3, 3, 1, 1, 0.5, 0.5, 0.25, 0.25)
    landmark: float = 5.0
    reach: tuple[float, float] = (0.03, 0.008)
    facing: float = 0.6
    sure: float = 0.003


@dataclass(frozen=True)
class Registration:
    """A source head drawn onto a target.

    Attributes:
        vertices: (V,3) float64, the source's, where they come to lie on the target, metres.
        outer: (V,) the source's outer skin.
        target_outer: (W,) the target's.
    """

    vertices: Floats
    outer: Mask
    target_outer: Mask


@dataclass(frozen=True)
class Correspondence:
    """Where each vertex of head A lies on head B.

    Attributes:
        faces: (V,) int32 into B's faces, -1 where there is no such place.
        barycentrics: (V,3) float32.
        distance: (V,) metres that the two were apart after registration.
    """

    faces: NDArray[np.int32]
    barycentrics: NDArray[np.float32]
    distance: NDArray[np.float32]

    @property
    def valid(self) -> Mask:
        """(V,) True where a place was found."""
        return self.faces >= 0

    def carry(self, values: NDArray, triangles: NDArray) -> Floats:
        """(V,...) values at B's vertices (W,...), brought to A; zero where there is no place."""
        weights = np.where(self.valid[:, None], self.barycentrics, 0)
        corners = np.asarray(values, np.float64)[triangles[np.maximum(self.faces, 0)]]
        return np.einsum("nc...,nc->n...", corners, weights)


def correspond(a: HeadModel, b: HeadModel, schedule: Schedule | None = None) -> Correspondence:
    """The place on B's mean head of each vertex of A's, skin on skin.

    Raises:
        ModelFileError: a head has neither landmarks nor eyes.
    """
    schedule = schedule or Schedule()
    found = register(b, a, schedule)
    return places_on(a, b, found, schedule.sure)


def places_on(target: HeadModel, source: HeadModel, found: Registration, sure: float = Schedule.sure) -> Correspondence:
    """Where the target's vertices lie on the source that was drawn onto it."""
    chosen = np.flatnonzero(found.outer[source.faces].all(1))
    skin = np.flatnonzero(found.target_outer)
    normals = vertex_normals(target.vertices, target.faces)[skin]
    places = closest_places(target.vertices[skin], found.vertices, source.faces[chosen], normals)
    count = len(target.vertices)
    faces, weights = np.full(count, -1, np.int32), np.zeros((count, 3), np.float32)
    distance = np.full(count, np.inf, np.float32)
    near = places.distance < sure
    faces[skin[near]] = chosen[places.face[near]]
    weights[skin[near]] = places.weights[near]
    distance[skin] = places.distance
    return Correspondence(faces, weights, distance)


def register(source: HeadModel, target: HeadModel, schedule: Schedule | None = None) -> Registration:
    """Draw the source's mean head onto the target's.

    Raises:
        ModelFileError: a head has neither landmarks nor eyes.
    """
    from ..fitting.pose import similarity

    schedule = schedule or Schedule()
    outer, onto = outer_skin(source), outer_skin(target)
    own, wanted, weights = _anchors(source, target)
    places = own.on(source.vertices, source.faces)
    scale, rotation, shift = similarity(places, wanted)
    start = scale * source.vertices.astype(np.float64) @ rotation.T + shift
    skin = np.flatnonzero(source.regions["skin"])
    if len(places) <= len(_geometric(source)):
        weights = weights * 0  # eyes and nose only place the head
    moved = _drawn(source, target, start, skin, outer, onto, (own, wanted, weights), schedule)
    return Registration(moved, outer, onto)


def outer_skin(head: HeadModel) -> Mask:
    """(V,) skin that can be seen from outside."""
    outer = head.regions["skin"].copy()
    for name in INSIDE:
        if name in head.regions:
            outer &= ~head.regions[name]
    return outer


def _anchors(source: HeadModel, target: HeadModel) -> tuple[Places, Floats, Floats]:
    """Places on the source (N), where they are on the target (N,3), and their weights (N,)."""
    if "ibug" in source.embeddings and "ibug" in target.embeddings:
        mine, other = source.embeddings["ibug"], target.embeddings["ibug"]
        both = mine.valid & other.valid & (np.arange(68) >= CONTOUR)
        own = Places(
            mine.faces[both].astype(np.int64), mine.barycentrics[both].astype(np.float64), np.zeros(both.sum())
        )
        wanted = other.positions(target.vertices.astype(np.float64), target.faces)[both]
        return own, wanted, np.ones(both.sum())
    own = closest_places(_geometric(source), source.vertices, source.faces)
    return own, _geometric(target), np.ones(len(own.face))


def _geometric(head: HeadModel) -> Floats:
    """(5,3) front poles of the eyes, nose tip, and the forehead and chin straight above and below it."""
    eyes = [head.vertices[head.regions.get(f"eye.{side}", np.zeros(0, int))] for side in "LR"]
    if not all(len(eye) for eye in eyes):
        raise ModelFileError(
            f"The head model “{head.name}” has neither landmarks nor eyes, so it cannot be compared with another.",
            "Put its landmark file beside it.",
        )
    middles = [(eye.min(0) + eye.max(0)) / 2 for eye in eyes]
    poles = [np.array([*middle[:2], eye[:, 2].max()]) for middle, eye in zip(middles, eyes, strict=True)]
    between, apart = (middles[0] + middles[1]) / 2, np.linalg.norm(middles[0] - middles[1])
    across, up, _ = ((head.vertices - between) / apart).T
    line = head.regions["skin"] & (np.abs(across) < 0.12)

    def foremost(low: float, high: float) -> NDArray:
        rows = np.flatnonzero(line & (up > low) & (up < high))
        if not len(rows):
            raise ModelFileError(f"The head model “{head.name}” is no upright face.", "Choose a model of a head.")
        return head.vertices[rows[head.vertices[rows, 2].argmax()]]

    return np.stack([*poles, foremost(-1.1, -0.2), foremost(0.6, 0.8), foremost(-1.9, -1.6)]).astype(np.float64)


def _drawn(
    source: HeadModel,
    target: HeadModel,
    start: Floats,
    skin: NDArray,
    outer: Mask,
    onto: Mask,
    anchors: tuple[Places, Floats, Floats],
    schedule: Schedule,
) -> Floats:
    """(V,3) the source's vertices, its skin on the target's; the rest keeps the similarity."""
    number = np.full(len(start), -1)
    number[skin] = np.arange(len(skin))
    edges = edges_of(source.faces[(number[source.faces] >= 0).all(1)])
    edges = number[edges]
    faces = target.faces[onto[target.faces].all(1)]
    own_faces = source.faces[(number[source.faces] >= 0).all(1)]
    reaches = np.geomspace(*schedule.reach, len(schedule.stiffness))
    moved = np.zeros((len(skin), 3))
    for stiffness, reach in zip(schedule.stiffness, reaches.tolist(), strict=True):
        places = start.copy()
        places[skin] += moved
        normals = vertex_normals(places, own_faces)[skin]
        pulled, goal = _pulled(places[skin], normals, outer[skin], target, faces, reach, schedule.facing)
        system, right = _with_anchors(
            pulled, (goal - start[skin]) * pulled[:, None], anchors, start, number, source.faces, schedule.landmark
        )
        ring = laplacian(edges, np.full(len(edges), stiffness), np.full(len(skin), 1e-6))
        moved = solve(_sum(ring, system), right, moved, 1e-3)
    result = start.copy()
    result[skin] += moved
    return result


def _pulled(
    points: Floats, normals: Floats, outer: Mask, target: HeadModel, faces: NDArray, reach: float, facing: float
) -> tuple[Floats, Floats]:
    """(N,) pull of each point, 0 or 1, and where to (N,3)."""
    goal, pull = points.copy(), np.zeros(len(points))
    rows = np.flatnonzero(outer)
    places = closest_places(points[rows], target.vertices, faces, normals[rows])
    found = places.on(target.vertices, faces)
    theirs = vertex_normals(target.vertices, faces)
    agree = (places.on(theirs, faces) * normals[rows]).sum(1)
    taken = (places.distance < reach) & (agree > facing)
    goal[rows[taken]], pull[rows[taken]] = found[taken], 1.0
    return pull, goal


def _with_anchors(
    pull: Floats,
    right: Floats,
    anchors: tuple[Places, Floats, Floats],
    start: Floats,
    number: NDArray,
    faces: NDArray,
    weight: float,
) -> tuple[SparseRows, Floats]:
    """The pulls as a matrix, with the landmarks' added: each ties three vertices."""
    places, wanted, share = anchors
    corners = number[faces[places.face]]
    inside = (corners >= 0).all(1) & (share > 0)
    corners, bary = corners[inside], places.weights[inside]
    lack = (wanted - places.on(start, faces))[inside]
    pairs = weight * bary[:, :, None] * bary[:, None, :]
    rows = np.broadcast_to(corners[:, :, None], pairs.shape).ravel()
    columns = np.broadcast_to(corners[:, None, :], pairs.shape).ravel()
    right = right.copy()
    np.add.at(right, corners, weight * bary[..., None] * lack[:, None])
    return SparseRows.of(rows, columns, pairs.ravel(), pull), right


def _sum(first: SparseRows, second: SparseRows) -> SparseRows:
    """The sum of two matrices."""
    count = len(first.diagonal)
    rows = [np.repeat(np.arange(count), np.diff(np.append(part.starts, len(part.values)))) for part in (first, second)]
    columns = np.concatenate([first.columns, second.columns])
    values = np.concatenate([first.values, second.values])
    return SparseRows.of(np.concatenate(rows), columns, values, np.zeros(count))
