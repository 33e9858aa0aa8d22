"""What a depth mesh knows and a head does not, brought to the head: as displacement of its skin, or as hair.

Both stand in one frame. Each vertex of the head that the photo's camera sees, in the photo's expression, is moved along
its normal to where the depth mesh lies; the amount is then that of the neutral head. Numpy alone: Blender runs this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..errors import EngineError
from .boundary import vertex_normals
from .lookup import Seen, see_mesh

Floats = NDArray[np.float64]
SIDE = 1024
"""Pixels of the longer side through which depth is looked up."""
STEPS = 24
"""Places along a normal, each way, between which the surface is looked for."""
FACING = (0.2, 0.45)
"""Cosines to the line of sight between which a vertex comes to be believed: at the outline depth is a guess."""
HIDDEN = 0.003
"""Metres by which a vertex may lie behind what the camera sees of the head and still be seen."""
STEEPEST = 0.7
"""Displacement rises no faster along the skin: folds as of ears would come out as spikes."""
SMOOTHING = 3
"""Rounds of averaging with neighbours: a photo's noise is finer than a head's vertices are apart."""
NEAREST = 0.008
"""Metres from a vertex's mirror image to the vertex that takes its place."""
CRUMB = 0.02
"""Share of the hair's faces below which a piece that hangs with nothing is left out."""
ROWS = 512
"""Vertices whose mirror images are looked for together."""


@dataclass(frozen=True)
class WrapOptions:
    """How a head is brought to a depth mesh.

    Attributes:
        limit: metres that a vertex moves at most.
        falloff: metres along the skin over which displacement fades in from the border of what is wrapped.
        hair: the skin under hair moves to the hair's surface, too.
        mirror: what the photo does not show moves as the other half of the head does.
    """

    limit: float = 0.02
    falloff: float = 0.008
    hair: bool = True
    mirror: bool = False


@dataclass(frozen=True)
class Surface:
    """A mesh in the head's frame, metres.

    Attributes:
        vertices: (V,3). faces: (F,3), counter-clockwise seen from outside.
        groups: (V,) weights 0..1 by name, see `groups`; without any, all is taken for skin.
    """

    vertices: NDArray
    faces: NDArray
    groups: dict[str, NDArray]


def displacement(
    posed: NDArray,
    neutral: NDArray,
    faces: NDArray,
    skin: NDArray[np.bool_],
    depth: Surface,
    camera: Camera,
    options: WrapOptions | None = None,
) -> Floats:
    """Displacements (V,3), metres, of the neutral head's vertices.

    Args:
        posed: (V,3) the head as it is in the photo. neutral: (V,3). faces: (F,3), all of it, eyes and teeth too.
        skin: (V,) which vertices may move.
        camera: the photo's; its picture may be any part of it.
    Raises:
        EngineError: the camera sees no skin of the head that the depth mesh shows.
    """
    options = options or WrapOptions()
    camera = camera.scaled(min(1.0, SIDE / max(camera.width, camera.height)))
    normals = vertex_normals(posed, faces).astype(np.float64)
    seen = see_mesh(depth.vertices, depth.faces, camera)
    there = skin & _is_seen(posed, normals, faces, camera) & _wanted(posed, depth, seen, camera, options.hair)
    amount = np.full(len(posed), np.nan)
    amount[there] = _amount(posed[there].astype(np.float64), normals[there], seen, camera, options.limit)
    there &= np.isfinite(amount)
    if not there.any():
        raise EngineError(
            "The photo's camera sees no part of the head that the depth mesh shows.",
            "Use a depth mesh of the head's own photo.",
        )
    edges = _edges(faces)
    weight = _faded(_border_distance(neutral, edges, there, skin, options.falloff) / options.falloff)
    weight *= _ramp(_cosine(posed, normals, camera))
    amount = _tamed(np.nan_to_num(amount), neutral, edges[skin[edges].all(1)])
    moved = weight * _smoothed(amount, there, edges)
    if options.mirror:
        moved += np.where(skin, (1 - weight) * _mirrored(neutral, moved), 0)
    return vertex_normals(neutral, faces) * moved[:, None]


def hair_of(depth: Surface, uv: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """The part of a depth mesh that is hair.

    Args:
        uv: (V,2) texture coordinates.
    Returns:
        (N,3) vertices, (M,3) faces, (N,2) texture coordinates.
    Raises:
        EngineError: it has no hair, or does not say what of it is.
    """
    if not depth.groups:
        raise EngineError(
            "The depth mesh does not say which part of it is hair.",
            "Choose Displacement, or make the mesh anew, by another method than EG3D.",
        )
    weight = depth.groups.get("hair", np.zeros(len(depth.vertices)))
    faces = depth.faces[(weight[depth.faces] > 0.5).all(1)]
    if len(faces):
        piece = _pieces(depth.vertices, faces)
        size = np.bincount(piece)
        faces = faces[size[piece] >= CRUMB * len(faces)]
    if not len(faces):
        raise EngineError("The depth mesh shows no hair.", "Choose Displacement, or use a photo that shows hair.")
    used, local = np.unique(faces, return_inverse=True)
    return depth.vertices[used], local.reshape(-1, 3), uv[used]


def _is_seen(posed: NDArray, normals: NDArray, faces: NDArray, camera: Camera) -> NDArray[np.bool_]:
    """(V,) turned to the camera, with nothing of the head in front."""
    nearest = see_mesh(posed, faces, camera).at(camera.project(posed.astype(np.float64)))
    behind = camera.to_camera(posed.astype(np.float64))[:, 2] - nearest
    return (_cosine(posed, normals, camera) > FACING[0]) & (np.nan_to_num(behind, nan=np.inf) < HIDDEN)


def _wanted(posed: NDArray, depth: Surface, seen: Seen, camera: Camera, hair: bool) -> NDArray[np.bool_]:
    """(V,) where the photo shows what is to be wrapped: eyes, mouth, glasses and clothes are not the head's skin."""
    face = seen.face_at(camera.project(posed.astype(np.float64)))
    if not depth.groups:
        return face >= 0
    none = np.zeros(len(depth.vertices))
    weight = depth.groups.get("skin", none) + hair * depth.groups.get("hair", none)
    return (face >= 0) & (weight[depth.faces[face]].mean(1) > 0.5)


def _amount(points: Floats, normals: Floats, seen: Seen, camera: Camera, limit: float) -> Floats:
    """(N,) metres along the normals to the surface, `limit` at most each way; NaN where there is none."""
    steps = np.linspace(-limit, limit, 2 * STEPS + 1)
    places = points[:, None] + steps[:, None] * normals[:, None]
    before = seen.at(camera.project(places)) - camera.to_camera(places)[..., 2]  # positive: before the surface
    found = np.where(before[:, STEPS] > 0, -limit, limit)  # the surface is further away than that
    best = np.full(len(points), np.inf)
    for k in range(len(steps) - 1):
        one, two = before[:, k], before[:, k + 1]
        crossed = (one <= 0) & (two >= 0)  # outwards, from behind the surface to before it
        at = steps[k] - one * (steps[k + 1] - steps[k]) / np.where(crossed & (two != one), two - one, 1)
        nearer = crossed & (np.abs(at) < best)
        best, found = np.where(nearer, np.abs(at), best), np.where(nearer, at, found)
    return np.where(np.isnan(before[:, STEPS]), np.nan, found)


def _cosine(posed: NDArray, normals: NDArray, camera: Camera) -> Floats:
    """(V,) between normals and lines of sight."""
    towards = camera.position - posed
    return (normals * towards).sum(1) / np.linalg.norm(towards, axis=1)


def _ramp(cosine: Floats) -> Floats:
    return _faded((cosine - FACING[0]) / (FACING[1] - FACING[0]))


def _faded(share: Floats) -> Floats:
    """Smooth from 0 at 0 to 1 at 1."""
    share = np.clip(share, 0, 1)
    return share * share * (3 - 2 * share)


def _edges(faces: NDArray) -> NDArray[np.int64]:
    """(E,2) each once."""
    return np.unique(np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).astype(np.int64), axis=1), axis=0)


def _border_distance(
    vertices: NDArray, edges: NDArray, there: NDArray[np.bool_], skin: NDArray[np.bool_], farthest: float
) -> Floats:
    """(V,) metres along edges to the next skin vertex that is not wrapped, `farthest` at most."""
    own = edges[skin[edges].all(1)]
    return _rising(np.where(there, farthest, 0.0), own, _lengths(vertices, own))


def _tamed(amount: Floats, vertices: NDArray, edges: NDArray) -> Floats:
    """(V,) the amounts, smaller where they rise too fast on the way out, and likewise on the way in."""
    steps = STEEPEST * _lengths(vertices, edges)
    out, into = (_rising(np.maximum(sign * amount, 0), edges, steps) for sign in (1, -1))
    return out - into


def _rising(values: Floats, edges: NDArray, steps: Floats) -> Floats:
    """(V,) the largest values below the given ones that differ by no more than a step (E,) along each edge."""
    while True:
        before = values.copy()
        np.minimum.at(values, edges[:, 0], before[edges[:, 1]] + steps)
        np.minimum.at(values, edges[:, 1], before[edges[:, 0]] + steps)
        if np.array_equal(before, values):
            return values


def _lengths(vertices: NDArray, edges: NDArray) -> Floats:
    return np.linalg.norm(np.diff(vertices[edges].astype(np.float64), axis=1)[:, 0], axis=1)


def _smoothed(amount: Floats, there: NDArray[np.bool_], edges: NDArray) -> Floats:
    """(V,) means with the neighbours that are wrapped, too."""
    own = edges[there[edges].all(1)]
    one, two = own.T
    count = np.bincount(own.ravel(), minlength=len(amount))
    for _ in range(SMOOTHING):
        total = np.bincount(one, amount[two], len(amount)) + np.bincount(two, amount[one], len(amount))
        amount = np.where(count > 0, (amount + total / np.maximum(count, 1)) / 2, amount)
    return amount


def _mirrored(vertices: NDArray, values: Floats) -> Floats:
    """(V,) the values of the other half's vertices; 0 where there is none at the mirror image."""
    found = np.zeros(len(values))
    places = vertices.astype(np.float64)
    square = (places**2).sum(1)
    for start in range(0, len(places), ROWS):
        images = places[start : start + ROWS] * [-1, 1, 1]
        apart = square - 2 * images @ places.T + (images**2).sum(1)[:, None]
        nearest = apart.argmin(1)
        near = apart[np.arange(len(images)), nearest] < NEAREST**2
        found[start : start + ROWS] = np.where(near, values[nearest], 0)
    return found


def _pieces(vertices: NDArray, faces: NDArray) -> NDArray[Any]:
    """(F,) which connected piece each face belongs to; vertices in one place are one."""
    _, same = np.unique(vertices, axis=0, return_inverse=True)
    corners = same.ravel()[faces]
    label = np.arange(corners.max() + 1)
    while True:
        least = label[corners].min(1)
        before = label.copy()
        for k in range(3):
            np.minimum.at(label, corners[:, k], least)
        label = label[label]
        if np.array_equal(before, label):
            return label[corners[:, 0]]
