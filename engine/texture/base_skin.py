"""The base skin in any head's UV: the open head's own, carried over to other models."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from ..heads.skin import REGION_NAMES, BaseSkin, Regions, load_base_skin
from .surface import UvSurface, uv_surface

FINEST = 1024
"""Texels of the open head that are looked at: the base skin holds no finer detail."""
KD_TREE = 4
"""FLANN's number of the one that is exact in few dimensions."""
NEIGHBOURS = 3
"""Nearest texels that a colour is the mean of."""
FARTHEST = 0.012
"""Metres beyond which a texel has no counterpart on the other head."""
SKIN, EYE = 0, 0.012
"""The number of skin among kinds; metres that an eyeball's radius is taken for."""


def base_skin(head: HeadModel, size: int) -> BaseSkin:
    """What an unpainted head looks like, in its own UV. Do not write into its arrays.

    Args:
        head: any model; others than the open head are laid over it (`engine.heads.correspond`).
        size: side of the square, texels.
    Raises:
        ModelFileError: the base skin's files are missing or damaged.
    """
    return load_base_skin(size) if head.name == "open" else _carried(head, size)


@lru_cache(maxsize=2)
def _carried(head: HeadModel, size: int) -> BaseSkin:
    from ..heads.complete import open_head_on
    from ..heads.loader import load_head

    return carried_skin(head, open_head_on(head).vertices, load_head(), size)


def carried_skin(head: HeadModel, drawn: NDArray, source: HeadModel, size: int) -> BaseSkin:
    """A base skin laid over another head, material by material: skin gives skin, eyes give eyes.

    Args:
        head: whose UV it is for.
        drawn: (V,3) metres, where the vertices of `source` lie on the mean of `head`.
        source: the open head.
        size: of the result.
    """
    surface, known = uv_surface(head, size), uv_surface(source, FINEST)
    skin = load_base_skin(FINEST)
    colours = known.flat(skin.albedo).astype(np.float32)
    albedo = np.broadcast_to(colours.mean(0), (len(surface.texels), 3)).copy()
    regions = np.zeros(len(surface.texels), np.uint8)
    texels, index = counterparts(head, drawn, source, size)
    albedo[texels] = colours[index].mean(1)
    regions[texels] = _numbers(known, skin)[index[:, 0]]
    picture = surface.padded(surface.picture(np.round(albedo).astype(np.uint8)))
    picture.setflags(write=False)
    return BaseSkin(picture, Regions(surface.picture(regions), size))


def counterparts(
    head: HeadModel, drawn: NDArray, source: HeadModel, size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which texels of a source head are those of another. Arguments as of `carried_skin`.

    Returns:
        (M,) texels of the head's surface at `size` that have counterparts, and (M,`NEIGHBOURS`) the nearest of the
        source's at `FINEST`, nearest first.
    """
    surface, known = uv_surface(head, size), uv_surface(source, FINEST)
    wanted, there = surface.gather(head.vertices, head.faces), known.gather(drawn, source.faces)
    own, other = (_kind(h, s) for h, s in ((head, surface), (source, known)))
    found = [(np.zeros(0, np.int64), np.zeros((0, NEIGHBOURS), np.int64))]
    for kind in np.unique(own):
        texels, sources = np.nonzero(own == kind)[0], np.nonzero(other == kind)[0]
        if not len(sources):
            continue
        places = (there[sources], wanted[texels])
        if kind != SKIN:  # eyes are of any size: what lies in the same direction
            places = tuple(_directions(points) * EYE for points in places)
        near, index = _nearest(*places)
        found.append((texels[near], sources[index[near]]))
    return np.concatenate([texels for texels, _ in found]), np.concatenate([index for _, index in found])


def _directions(points: NDArray) -> NDArray:
    """(N,3) unit vectors from the middle of an eyeball's points."""
    arms = points - (points.min(0) + points.max(0)) / 2
    return arms / np.maximum(np.linalg.norm(arms, axis=1, keepdims=True), 1e-9)


def _numbers(surface: UvSurface, skin: BaseSkin) -> NDArray[np.uint8]:
    """(N,) region of each texel as the region map has it, 0 for none."""
    found = np.zeros(len(surface.texels), np.uint8)
    for number, name in enumerate(REGION_NAMES):
        found[surface.flat(skin.regions[name]) > 0.5] = number + 1
    return found


def _kind(head: HeadModel, surface: UvSurface) -> NDArray[np.int64]:
    """(N,) 0 skin, 1 left eye, 2 right eye, 3 anything else."""
    kinds = {"skin": 0, "eye.L": 1, "eye.R": 2}
    slots = np.array([kinds.get(name, 3) for name in head.material_names])
    return slots[head.face_materials[surface.faces]]


def _nearest(places: NDArray, wanted: NDArray) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """(M,) whether there are places (N,3) near each wanted one (M,3), and (M,`NEIGHBOURS`) the nearest of them."""
    tree = cv2.flann.Index(np.ascontiguousarray(places, np.float32), {"algorithm": KD_TREE, "leaf_max_size": 12})
    index, square = tree.knnSearch(np.ascontiguousarray(wanted, np.float32), NEIGHBOURS, params={"checks": -1})
    return square[:, 0] < FARTHEST**2, index.astype(np.int64)
