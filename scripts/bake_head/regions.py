"""Named vertex masks of the open head.

The outer skin is divided into face, scalp, ears and neck; lips, eyelids, brows and nose are parts of the face. The
mouth's lining and the eye sockets are skin too, but none of these.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import mouth
from .parts import Part
from .source import ROOT, HeadSource

MASKS = {"lips": "lips", "ears": "ears", "eyelids": "eyelids"}
"""Masks that MakeHuman paints in its own UV square."""
NOSE_TARGET, NOSE_SHARE = "nose/nose-trans-up", 0.62
"""A modelling target that moves the nose, and the share of its largest movement from which a vertex belongs to it."""
BROW = ((0.08, 0.10, 0.25), (0.25, 0.15, 0.27), (0.38, 0.16, 0.27), (0.56, 0.08, 0.19))
"""Distance from the midline, and the brow's lower and upper border above the eye's centre, on the mean figure."""
SOCKETS = ((0.0, 0.16), (0.54, 0.64))
"""Where the lining of the eye sockets lies in MakeHuman's UV square."""
HAIRLINE = ((-0.5, 6.65), (-0.15, 6.7), (0.25, 6.95), (0.55, 7.1), (0.74, 7.08), (0.86, 7.42), (1.0, 7.68), (1.2, 7.86))
"""Height of the hairline by depth (z, y) on the mean figure: nape, behind the ear, sideburn, temple, forehead."""
JAWLINE = ((0.4, 6.9), (0.55, 6.78), (0.72, 6.45), (1.0, 6.29), (1.25, 6.17), (1.6, 6.12))
"""Height of the jaw's lower border by depth."""
FACE_BACK = 0.66


def part_regions(parts: list[Part]) -> dict[str, NDArray[np.bool_]]:
    """(V,) mask of each part and material of the whole head, by name."""
    part_of = np.concatenate([np.full(len(part.vertices), i) for i, part in enumerate(parts)])
    regions: dict[str, NDArray[np.bool_]] = {}
    for i, part in enumerate(parts):
        for name in {part.name, part.name.split(".")[0], part.material}:
            regions[name] = regions.get(name, np.zeros(len(part_of), bool)) | (part_of == i)
    return regions


def skin_regions(
    source: HeadSource, skin: Part, mean: NDArray[np.float64], mirror: NDArray[np.int32]
) -> dict[str, NDArray[np.bool_]]:
    """(V,) masks of the skin block by name; `skin.uv` must be MakeHuman's.

    Args:
        source: the figure.
        skin: the bust's skin.
        mean: (N,3) the mean figure.
        mirror: the head's mirror pairs, the skin's first.
    """
    own_mirror = mirror[: len(skin.vertices)]
    regions = {name: mask | mask[own_mirror] for name, mask in _painted(source, skin).items()}
    moved = np.linalg.norm(skin.follow @ source.target(NOSE_TARGET), axis=1)
    regions["nose"] = moved > NOSE_SHARE * moved.max()
    eye = mean[source.vertex_groups["joint-l-eye"]].mean(axis=0)
    x, low, high = np.transpose(BROW)
    side, height = np.abs(skin.vertices[:, 0]), skin.vertices[:, 1] - eye[1]
    brow = (height > np.interp(side, x, low)) & (height < np.interp(side, x, high)) & (skin.vertices[:, 2] > FACE_BACK)
    regions["brows"] = brow & (side > x[0]) & (side < x[-1])
    lining = np.zeros(len(mean))
    lining[mouth.lining(source)[0]] = 1
    regions["inner_mouth"] = skin.follow @ lining > 0.5
    u, v = np.moveaxis(skin.uv[np.maximum(skin.uv_polygons, 0)], -1, 0)
    (left, right), (low, high) = SOCKETS
    socket = ((u > left) & (u < right) & (v > low) & (v < high)).all(axis=1)
    regions["eye_sockets"] = np.isin(np.arange(len(skin.vertices)), skin.polygons[socket])

    y, z = skin.vertices[:, 1], skin.vertices[:, 2]
    outer = ~regions["inner_mouth"] & ~regions["eye_sockets"]
    bare = y < np.interp(z, *np.transpose(HAIRLINE))
    regions["scalp"] = outer & ~bare & ~regions["ears"]
    regions["face"] = outer & bare & ~regions["ears"] & (z > FACE_BACK) & (y > np.interp(z, *np.transpose(JAWLINE)))
    regions["neck"] = outer & ~regions["scalp"] & ~regions["face"] & ~regions["ears"]
    for name in ("lips", "eyelids", "brows", "nose"):
        regions[name] &= regions["face"]
    for name in ("ears", "eyelids", "brows"):
        for side, sign in (("L", 1), ("R", -1)):
            regions[f"{name.removesuffix('s')}.{side}"] = regions[name] & (sign * skin.vertices[:, 0] > 0)
    return regions


def _painted(source: HeadSource, skin: Part) -> dict[str, NDArray[np.bool_]]:
    """(V,) masks sampled from MakeHuman's painted ones."""
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
