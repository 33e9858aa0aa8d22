"""How rough and how specular each part of a head is, as maps.

The numbers are artist's defaults for a GGX lobe, no measurements: nose, forehead and lips shine most, ears and neck
least. Measured ones are in Weyrich et al. 2006, "Analysis of Human Faces Using a Measurement-based Skin Reflectance
Model".
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from .base_skin import base_skin
from .detail import DetailMaps
from .project import smoothstep
from .surface import UvSurface, surface_edges, uv_surface

FIELDS = 512
"""Side of the square on which regions are laid out, texels: their borders are broad."""
PLAIN_ROUGHNESS, PLAIN_SPECULAR = 0.48, 0.5
"""Of the cheeks, and of skin that no region claims. Specular 0.5 is what the index of refraction says."""
REGIONS = {
    "zone": (0.40, 0.55),
    "lips": (0.35, 0.55),
    "ears": (0.55, 0.42),
    "neck": (0.55, 0.42),
    "eyelids": (0.44, 0.50),
    "scalp": (0.55, 0.35),
    "inner_mouth": (0.25, 0.55),
}
"""Roughness and specular of the skin's regions, later ones over earlier ones; "zone" is forehead and nose."""
SLOTS = {"eye": (0.10, 0.55), "teeth": (0.22, 0.5), "tongue": (0.35, 0.5), "lashes": (0.60, 0.3)}
"""The same of what is not skin, by the first part of the slot's name."""
PIT = 0.05
"""By how much pits (three standard deviations deep) are rougher; they are less specular by as much: dirt and shadow."""
ROUNDS = 6
"""Of averaging regions over the mesh, so that they have no outline."""


@dataclass(frozen=True)
class MaterialMaps:
    """In the head model's UV square, row 0 on top; 255 is 1.

    Attributes:
        roughness: (S,S) uint8, as the Principled BSDF's and glTF's (the root of GGX's alpha).
        specular: (S,S) uint8, as the Principled BSDF's Specular IOR Level: 0.5 is what the index of refraction says.
    """

    roughness: NDArray[np.uint8]
    specular: NDArray[np.uint8]


def material_maps(head: HeadModel, size: int, detail: DetailMaps | None = None) -> MaterialMaps:
    """Roughness and specular by region, varied by the relief.

    Args:
        size: side of the maps, texels.
        detail: the relief, any size; None for none.
    """
    surface = uv_surface(head, min(size, FIELDS))
    values = _by_region(head, surface)
    for slot, name in enumerate(head.material_names):
        if name.split(".")[0] in SLOTS:
            values[head.face_materials[surface.faces] == slot] = SLOTS[name.split(".")[0]]
    large = cv2.resize(surface.padded(surface.picture(values)), (size, size), interpolation=cv2.INTER_LINEAR)
    if detail is not None:
        skin = head.face_materials[surface.faces] == head.material_names.index("skin")
        on_skin = cv2.resize(surface.picture(skin.astype(np.float32)), (size, size), interpolation=cv2.INTER_LINEAR)
        pits = PIT * on_skin * _pits(detail.height, size)
        large += np.stack([pits, -pits], -1)
    roughness, specular = np.moveaxis(np.round(255 * np.clip(large, 0.0, 1.0)).astype(np.uint8), -1, 0)
    return MaterialMaps(np.ascontiguousarray(roughness), np.ascontiguousarray(specular))


def _by_region(head: HeadModel, surface: UvSurface) -> NDArray[np.float32]:
    """(N,2) roughness and specular of the skin."""
    from .delight import averaged

    masks = {name: head.regions[name] for name in REGIONS if name in head.regions} | {"zone": zone(head)}
    names = [name for name in REGIONS if name in masks]
    soft = averaged(np.stack([masks[name] for name in names], 1).astype(float), surface_edges(head), ROUNDS)
    fields = dict(zip(names, surface.smooth(soft, head.faces).T, strict=True))
    base = base_skin(head, surface.size).regions
    fields["lips"] = surface.flat(cv2.GaussianBlur(base["lips"], (0, 0), 0.003 * surface.size))
    values = np.tile(np.array([PLAIN_ROUGHNESS, PLAIN_SPECULAR], np.float32), (len(surface.faces), 1))
    for name in REGIONS:
        if name in fields:
            values += np.clip(fields[name], 0, 1)[:, None] * (np.array(REGIONS[name], np.float32) - values)
    return values


def zone(head: HeadModel) -> NDArray[np.float32]:
    """(V,) 0..1 the oily part of the face: the nose, and the forehead from brow to brow up to the hair."""
    face, brows = head.regions["face"], head.vertices[head.regions["brows"]]
    x, y, _ = head.vertices.T
    half, level = float(np.abs(brows[:, 0]).max()), float(brows[:, 1].mean())
    above = smoothstep(y, level, level + 0.01) * (1 - smoothstep(np.abs(x), 0.6 * half, half))
    return np.maximum(head.regions["nose"], face * above).astype(np.float32)


def _pits(height: NDArray, size: int) -> NDArray[np.float32]:
    """(size,size) -1..1: 1 deep in the finest relief, -1 on its tops."""
    picture = height.astype(np.float32)
    fine = picture - cv2.GaussianBlur(picture, (0, 0), max(2.0, len(picture) / 512))
    deep = np.clip(-fine / max(3 * float(fine.std()), 1e-9), -1, 1)
    how = cv2.INTER_AREA if size < len(picture) else cv2.INTER_LINEAR
    return cv2.resize(deep, (size, size), interpolation=how)
