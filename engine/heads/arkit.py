"""ARKit's 52 units on any head: carried over from the open head, and found again in FLAME's own coefficients.

The open head's displacements are carried along the correspondence and turned and scaled as the surface was (after
Sumner and Popovic, "Deformation transfer for triangle meshes", SIGGRAPH 2004, section 3, with one similarity at each
vertex for one affine map at each triangle). Where there is no correspondence, displacements are continued smoothly.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .arkit_names import ARKIT_NAMES
from .complete import complete, open_head_on, remember
from .correspond import Registration, places_on
from .geometry import edges_of
from .loader import load_head
from .model import HeadModel
from .sparse import laplacian, solve

Floats = NDArray[np.float64]
HOLD = 1e-3
"""How strongly displacements fade where nothing is known of them, as against an edge's pull."""


def arkit_head(head: HeadModel) -> HeadModel:
    """The head with ARKit's 52 units as its expressions, and all landmarks and regions: what the pipeline works with.

    Raises:
        ModelFileError: the head has neither landmarks nor eyes.
    """
    if head.expression_names == ARKIT_NAMES:
        return head
    if any(name not in head.embeddings for name in ("mediapipe", "ibug")) or "eyelids" not in head.regions:
        head = complete(head)
    result = replace(
        head,
        expression_basis=arkit_units(head).astype(np.float32),
        expression_names=ARKIT_NAMES,
        joint_expression_basis=None,
        published=head,
    )
    remember(result, open_head_on(head))
    return result


def arkit_units(head: HeadModel) -> Floats:
    """(52,V,3) displacements of ARKit's units at weight 1, metres. Units that the head has by name are its own."""
    names = {name: row for row, name in enumerate(head.expression_names)}
    missing = [name for name in ARKIT_NAMES if name not in names]
    units = np.zeros((len(ARKIT_NAMES), *head.vertices.shape))
    for row, name in enumerate(ARKIT_NAMES):
        if name in names:
            units[row] = head.expression_basis[names[name]]
    if missing:
        rows = [ARKIT_NAMES.index(name) for name in missing]
        units[rows] = carried_units(head)[rows]
    return units


def carried_units(head: HeadModel) -> Floats:
    """(52,V,3) the open head's units on another head's skin and eyes; parts that neither are stay in place."""
    source = load_head("open")
    found = open_head_on(head)
    places = places_on(head, source, found)
    known = np.flatnonzero(places.valid)
    maps = places.carry(_similarities(source, found), source.faces)
    order = [source.expression_names.index(name) for name in ARKIT_NAMES]
    basis = np.moveaxis(source.expression_basis[order].astype(np.float64), 0, 1)  # (V,52,3)
    moved = np.einsum("vij,vkj->vki", maps, places.carry(basis, source.faces))
    result = np.zeros((len(head.vertices), len(order), 3))
    result[known] = moved[known]
    _continue(head, places.valid, result)
    for side in ("L", "R"):
        _turn_eye(head, source, f"eye.{side}", basis, result)
    return np.moveaxis(result, 1, 0)


def _continue(head: HeadModel, known: NDArray[np.bool_], values: Floats) -> None:
    """Fill in values (V,...) of the skin where they are not known: smoothly, and fading away from those that are."""
    skin = head.regions["skin"]
    edges = edges_of(head.faces[skin[head.faces].all(1)])
    open_ = np.flatnonzero(skin & ~known)
    if not len(open_):
        return
    number = np.full(len(skin), -1)
    number[open_] = np.arange(len(open_))
    ends = np.concatenate([edges, edges[:, ::-1]])
    held = (number[ends[:, 0]] >= 0) & known[ends[:, 1]]
    at, beside = number[ends[held, 0]], ends[held, 1]
    right = np.zeros((len(open_), values[0].size))
    np.add.at(right, at, values[beside].reshape(len(beside), -1))
    both = (number[edges] >= 0).all(1)
    extra = HOLD + np.bincount(at, minlength=len(open_))
    system = laplacian(number[edges[both]], np.ones(both.sum()), extra)
    solved = solve(system, right, np.zeros_like(right), 1e-4)
    values[open_] = solved.reshape(len(open_), *values.shape[1:])


def _similarities(source: HeadModel, found: Registration) -> Floats:
    """(V,3,3) how each place of the source was turned and scaled when it was drawn onto the target.

    From its triangles: edges and normal before and after, averaged over those at a vertex by area.
    """
    before = _frames(source.vertices.astype(np.float64), source.faces)
    after = _frames(found.vertices, source.faces)
    area = np.maximum(np.linalg.det(before), 1e-18)
    maps = after @ np.linalg.inv(before + 1e-12 * np.eye(3))
    summed = np.zeros((len(source.vertices), 3, 3))
    for corner in range(3):
        np.add.at(summed, source.faces[:, corner], area[:, None, None] * maps)
    weight = np.bincount(source.faces.ravel(), np.repeat(area, 3), len(summed))
    maps = summed / np.maximum(weight, 1e-18)[:, None, None]
    u, size, vt = np.linalg.svd(maps)
    u[..., -1] *= np.sign(np.linalg.det(u @ vt))[:, None]
    return size.mean(1)[:, None, None] * (u @ vt)


def _frames(vertices: Floats, faces: NDArray) -> Floats:
    """(F,3,3) columns: two edges, and the normal, as long as the root of the triangle's area."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    normal = np.cross(b - a, c - a)
    length = np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    return np.stack([b - a, c - a, normal / np.sqrt(length)], 2)


def _turn_eye(head: HeadModel, source: HeadModel, name: str, basis: Floats, result: Floats) -> None:
    """Let an eyeball turn as the open head's does, about its own joint."""
    from ..fitting.pose import rigid

    mine, other = head.regions.get(name), source.regions[name]
    if mine is None or not mine.any() or name not in head.joint_names:
        return
    places = source.vertices[other].astype(np.float64)
    offset = head.vertices[mine].astype(np.float64) - head.joints[head.joint_names.index(name)]
    for unit in range(basis.shape[1]):
        moved = basis[other, unit]
        if np.abs(moved).max() > 1e-6:
            rotation, _ = rigid(places, places + moved)
            result[mine, unit] = offset @ (rotation - np.eye(3)).T
