"""Named vertex masks of the open head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .parts import Part
from .source import ROOT, HeadSource

MASKS = {"lips": "lips", "ears": "ears", "eyelids": "eyelids"}
"""Masks that MakeHuman paints in its own UV square."""


def part_regions(parts: list[Part]) -> dict[str, NDArray[np.bool_]]:
    """(V,) mask of each part and material of the whole head, by name."""
    part_of = np.concatenate([np.full(len(part.vertices), i) for i, part in enumerate(parts)])
    regions: dict[str, NDArray[np.bool_]] = {}
    for i, part in enumerate(parts):
        for name in {part.name, part.name.split(".")[0], part.material}:
            regions[name] = regions.get(name, np.zeros(len(part_of), bool)) | (part_of == i)
    return regions


def painted_regions(source: HeadSource, skin: Part) -> dict[str, NDArray[np.bool_]]:
    """(V,) masks of the skin block by name, sampled from MakeHuman's painted masks; `skin.uv` must be MakeHuman's."""
    from cv2 import IMREAD_GRAYSCALE, imdecode

    regions = {}
    for name, file in MASKS.items():
        data = np.frombuffer(source.read(f"{ROOT}textures/mpfb_{file}.jpg"), np.uint8)
        picture = imdecode(data, IMREAD_GRAYSCALE)
        height, width = picture.shape
        columns = np.clip((skin.uv[:, 0] * width).astype(int), 0, width - 1)
        rows = np.clip(((1 - skin.uv[:, 1]) * height).astype(int), 0, height - 1)
        inside = picture[rows, columns] > 127
        mask = np.zeros(len(skin.vertices), bool)
        corners = skin.polygons >= 0
        mask[skin.polygons[corners]] = inside[skin.uv_polygons[corners]]
        regions[name] = mask
    return regions


def face_region(
    vertices: NDArray[np.float64], skin: NDArray[np.bool_], regions: dict[str, NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    """(V,) forehead to chin, ear to ear, without ears and mouth interior.

    Args:
        vertices: (V,3) mean head, metres.
        skin: (V,) the skin block.
        regions: needs "ears", "lips" and "eyelids".
    """
    ears, lips, lids = (vertices[regions[name]] for name in ("ears", "lips", "eyelids"))
    top = lids[:, 1].mean() + 0.065
    bottom = lips[:, 1].min() - 0.045
    back = ears[:, 2].min() + 0.3 * np.ptp(ears[:, 2])
    y, z = vertices[:, 1], vertices[:, 2]
    return skin & ~regions["ears"] & (y < top) & (y > bottom) & (z > back)
