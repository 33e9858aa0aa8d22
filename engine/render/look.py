"""What parts of a head look like beyond their albedo: wet eyes, lashes that thin out towards their tips."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

EYE_GLOSS = 0.55
HAIR_CARDS = ("lashes",)
"""Materials that are drawn on strips with opacity."""
LASH_ROOT, LASH_TIP = 0.85, 0.05
"""Opacity of the lash strips, which stand for single hairs."""


class Materials(Protocol):
    """What is needed of a reconstruction."""

    @property
    def vertices(self) -> NDArray[np.float32]: ...
    @property
    def faces(self) -> NDArray[np.int32]: ...
    @property
    def polygons(self) -> NDArray[np.int32]: ...
    @property
    def polygon_materials(self) -> NDArray[np.int32]: ...
    @property
    def material_names(self) -> tuple[str, ...]: ...


def vertex_materials(head: Materials) -> NDArray[np.int32]:
    """(V,) material slot of each vertex. Materials share no vertices."""
    slots = np.zeros(len(head.vertices), np.int32)
    for corner in range(head.polygons.shape[1]):
        real = head.polygons[:, corner] >= 0
        slots[head.polygons[real, corner]] = head.polygon_materials[real]
    return slots


def face_materials(head: Materials) -> NDArray[np.int32]:
    """(F,) material slot of each triangle."""
    return vertex_materials(head)[head.faces[:, 0]]


def gloss(head: Materials) -> NDArray[np.float32]:
    """(F,) highlight strength of each triangle: eyes only."""
    wet = [name.startswith("eye") for name in head.material_names]
    return np.where(np.array(wet)[face_materials(head)], EYE_GLOSS, 0.0).astype(np.float32)


def lash_opacity(head: Materials) -> NDArray[np.float32]:
    """(V,) 1 everywhere but on lashes, which fade from root to tip.

    A lash vertex's place between root and tip is its distance from the skin, relative to the longest of its kind.
    """
    opacity = np.ones(len(head.vertices), np.float32)
    slots = vertex_materials(head)
    if "lashes" not in head.material_names or "skin" not in head.material_names:
        return opacity
    lashes = slots == head.material_names.index("lashes")
    if lashes.any():
        skin = head.vertices[slots == head.material_names.index("skin")]
        apart = ((head.vertices[lashes][:, None] - skin) ** 2).sum(-1)
        distance = np.sqrt(apart.min(1))
        along = np.clip(distance / max(float(np.quantile(distance, 0.9)), 1e-6), 0, 1)
        opacity[lashes] = LASH_ROOT + (LASH_TIP - LASH_ROOT) * along
    return opacity
