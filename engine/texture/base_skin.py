"""The base skin in any head's UV: the open head's own, carried over to other models."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from ..heads.skin import REGION_NAMES, BaseSkin, Regions, load_base_skin
from .surface import UvSurface, uv_surface

FINEST = 1024
"""Texels of the open head that are looked at: the base skin holds no finer detail."""
NEIGHBOURS = 3
"""Nearest texels that a colour is the mean of."""
FARTHEST = 0.012
"""Metres on the open head beyond which a texel of another head has no counterpart."""


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
    from ..heads.adopt import open_head_places
    from ..heads.loader import load_head

    return carried_skin(head, open_head_places(head), load_head(), size)


def carried_skin(head: HeadModel, places: NDArray, source: HeadModel, size: int) -> BaseSkin:
    """A base skin laid over another head, material by material: skin gives skin, eyes give eyes.

    Args:
        head: whose UV it is for.
        places: (V,3) metres, where each of its vertices lies on the mean of `source`; NaN where nowhere.
        source: the open head.
        size: of the result.
    """
    surface, known = uv_surface(head, size), uv_surface(source, FINEST)
    skin = load_base_skin(FINEST)
    colours = known.flat(skin.albedo).astype(np.float32)
    numbers = _numbers(known, skin)
    albedo = np.broadcast_to(colours.mean(0), (len(surface.texels), 3)).copy()
    regions = np.zeros(len(surface.texels), np.uint8)
    wanted = surface.gather(places, head.faces)
    there = known.gather(source.vertices, source.faces)
    own, other = (_kind(h, s) for h, s in ((head, surface), (source, known)))
    for kind in np.unique(own):
        texels = np.nonzero((own == kind) & np.isfinite(wanted).all(1))[0]
        sources = np.nonzero(other == kind)[0]
        if len(texels) and len(sources):
            near, index = _nearest(there[sources], wanted[texels])
            texels, index = texels[near], sources[index[near]]
            albedo[texels] = colours[index].mean(1)
            regions[texels] = numbers[index[:, 0]]
    picture = surface.padded(surface.picture(np.round(albedo).astype(np.uint8)))
    picture.setflags(write=False)
    return BaseSkin(picture, Regions(surface.picture(regions), size))


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
    from scipy.spatial import cKDTree

    distance, index = cKDTree(places).query(wanted, k=NEIGHBOURS, workers=-1)
    return distance[:, 0] < FARTHEST, index
