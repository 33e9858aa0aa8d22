"""What a user's head model lacks for the pipeline, brought over from the open head: landmarks and regions.

FLAME's own MediaPipe file has 105 of the 478 points and its masks know no eyelids; without its further files it has
neither. The open head has all, and `correspond` knows where they are on another head.
"""

from __future__ import annotations

from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from .correspond import Registration, register
from .geometry import closest_places, vertex_normals
from .loader import load_head
from .model import HeadModel, LandmarkEmbedding

Floats = NDArray[np.float64]
NEEDED = ("mediapipe", "ibug")
EYES = ("eye.L", "eye.R")

_registered: WeakKeyDictionary[HeadModel, Registration] = WeakKeyDictionary()


def open_head_on(head: HeadModel) -> Registration:
    """The open head drawn onto another, found once for each.

    Raises:
        ModelFileError: the head has neither landmarks nor eyes.
    """
    if head not in _registered:
        _registered[head] = register(load_head("open"), head)
    return _registered[head]


def remember(head: HeadModel, found: Registration) -> None:
    """Spare a head that differs from another in no place the search."""
    _registered[head] = found


def complete(head: HeadModel) -> HeadModel:
    """The head with every landmark and region of the open head. What it has of its own is kept.

    Regions that it has no geometry for, such as teeth, are empty.

    Raises:
        ModelFileError: the head has neither landmarks nor eyes.
    """
    found = open_head_on(head)
    embeddings = dict(head.embeddings)
    for name in NEEDED:
        own, carried = head.embeddings.get(name), _carried(head, found, name)
        if own is None or len(own.faces) != len(carried.faces):
            embeddings[name] = carried
        elif not own.valid.all():
            weights = np.where(own.valid[:, None], own.barycentrics, carried.barycentrics)
            embeddings[name] = LandmarkEmbedding(np.where(own.valid, own.faces, carried.faces), weights)
    result = replace(head, embeddings=embeddings, regions=_regions(head, found))
    remember(result, found)
    return result


def _carried(head: HeadModel, found: Registration, name: str) -> LandmarkEmbedding:
    """The open head's landmarks on another head: on its skin, and those of the eyes on its eyes."""
    source = load_head("open")
    points = source.embeddings[name]
    places = points.positions(found.vertices, source.faces)
    normals = vertex_normals(found.vertices, source.faces)
    normals = np.einsum("nck,nc->nk", normals[source.faces[points.faces]], points.barycentrics)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    faces, weights = np.full(len(places), -1, np.int32), np.zeros((len(places), 3), np.float32)
    slots = source.face_materials[points.faces]
    for part in ("skin", *EYES):
        rows = np.flatnonzero((slots == source.material_names.index(part)) & points.valid)
        mask = found.target_outer if part == "skin" else head.regions.get(part, np.zeros(len(head.vertices), bool))
        chosen = np.flatnonzero(mask[head.faces].all(1))
        if not len(rows) or not len(chosen):
            continue
        sought, facing = (places[rows], normals[rows]) if part == "skin" else _on_ball(head, source, part, name, rows)
        there = closest_places(sought, head.vertices, head.faces[chosen], facing)
        faces[rows], weights[rows] = chosen[there.face], there.weights
    return LandmarkEmbedding(faces, weights)


def _on_ball(head: HeadModel, source: HeadModel, part: str, name: str, rows: NDArray) -> tuple[Floats, Floats]:
    """Points (N,3) of the open head's eye on another's, in the same direction from the middle; and that direction."""
    places = source.embeddings[name].positions(source.vertices.astype(np.float64), source.faces)[rows]
    (middle, radius), (other, size) = (_ball(each.vertices[each.regions[part]]) for each in (source, head))
    outwards = places - middle
    length = np.linalg.norm(outwards, axis=1, keepdims=True)
    return other + outwards * size / radius, outwards / np.maximum(length, 1e-12)


def _ball(points: NDArray) -> tuple[Floats, float]:
    """Middle and radius of an eyeball's vertices."""
    low, high = points.min(0).astype(np.float64), points.max(0).astype(np.float64)
    return (low + high) / 2, float(np.median(high - low)) / 2


def _regions(head: HeadModel, found: Registration) -> dict[str, NDArray[np.bool_]]:
    """All of the open head's regions."""
    source = load_head("open")
    regions = dict(head.regions)
    skin = np.flatnonzero(head.regions["skin"])
    inside = np.flatnonzero(source.regions["skin"][source.faces].all(1))
    normals = vertex_normals(head.vertices, head.faces)[skin]
    places = closest_places(head.vertices[skin], found.vertices, source.faces[inside], normals)
    for name, mask in source.regions.items():
        if name not in regions:
            regions[name] = np.zeros(len(head.vertices), bool)
            regions[name][skin] = places.on(mask.astype(np.float64), source.faces[inside]) > 0.5
            regions[name].setflags(write=False)
    return regions
