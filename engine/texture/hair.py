"""Hair roots painted on the scalp, under the hair itself (`engine.hair`): where it grows, strands in its colour."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from ..heads.skin import BaseSkin
from .complete import FLOOR, TRUST, soften, sparse, spread, to_vertices
from .harmonic import extend
from .project import Projection, sample, smoothstep, weighted
from .surface import UvSurface, surface_edges

SCALP_PRIOR = 0.3
"""Pull of the scalp region's prior, hair or skin, against the membrane; a seen vertex pulls with `TRUST`."""
MANY_HAIRS = 0.3
"""Share of the seen scalp that must be hair for the unseen scalp to get hair."""
WHORL = np.array([0.0, 0.80, -0.60])
"""Direction of the crown's whorl, from which the strands run, seen from the middle of the scalp."""
SWIRL = 0.10
"""Turns that strands make around the whorl before they run straight."""
OCTAVES = ((67, 3, 0.5), (211, 5, 0.8), (631, 9, 1.0), (1511, 13, 0.8))
"""Strands around the head, variations along them, and strength of each layer of detail."""
CONTRAST = (0.08, 0.45)
"""Limits of the strands' contrast: deviation of the logarithm of brightness."""
PURE = (0.5, 0.9)
"""Share of hair in a pixel from which its colour counts as hair's."""
JAW = 0.045
"""Over this height above the mouth the cheek becomes the jaw, metres."""
SQUARELY = (0.5, 0.7)
"""Cosines of the view angle between which hair over the cheek counts as lying on it."""
ROOT_SHADE = 0.3
"""How much darker the scalp is under its hair."""
RAGGED = 0.06
"""How far single strands move an invented hairline, in shares of cover."""


@dataclass(frozen=True)
class Hair:
    """Hair at the surface texels.

    Attributes:
        texels: (n,) those with hair.
        color: (n,3) linear RGB.
        cover: (n,) 0..1, how much of each texel hair covers.
        allowed: (N,) 0..1, low where hair in the photo hangs in front of the head rather than lies on it.
        mean: (3,) linear RGB of the hair seen, None where the head counts as bald.
    """

    texels: NDArray[np.int64]
    color: NDArray[np.float32]
    cover: NDArray[np.float32]
    allowed: NDArray[np.float32]
    mean: NDArray[np.float32] | None


def no_hair(surface: UvSurface) -> Hair:
    """A bald scalp, on which hair in the photo is not painted either."""
    count = len(surface.texels)
    none = np.zeros((0, 3), np.float32)
    return Hair(np.zeros(0, np.int64), none, none[:, 0], np.zeros(count, np.float32), None)


def grow_hair(
    head: HeadModel,
    surface: UvSurface,
    base: BaseSkin,
    seen: Projection,
    color: NDArray[np.float32],
    on_skin: NDArray[np.bool_],
    seed: int,
) -> Hair:
    """The person's hair on the whole scalp; on the seen part only what is seen, if most of the seen scalp is bare.

    Args:
        color: (N,3) the photo without its light.
        on_skin: (N,) texels that may bear hair.
    """
    scalp = surface.flat(base.regions["scalp"])
    hair = seen.seen * seen.hair * on_skin
    share = float((hair * scalp).sum() / max(float((seen.seen * scalp).sum()), 1e-6))
    hairiness = float(smoothstep(np.array(share), 0.5 * MANY_HAIRS, 1.5 * MANY_HAIRS))
    if hairiness == 0.0 or hair.sum() < 1.0:
        return Hair(np.zeros(0, np.int64), color[:0], hair[:0], np.ones_like(hair), None)
    field = cover_field(head, surface, seen, on_skin, hairiness)
    haired = np.nonzero(on_skin & ((field > 0.05) | (hair > 0)))[0]
    detail = strands(head, surface, haired, seed)
    allowed = _lies_on(head, surface, seen)
    seen_hair, seen_skin = seen.hair[haired], seen.skin[haired]
    share_seen = seen_hair / np.maximum(seen_hair + seen_skin, 1e-3) * allowed[haired]
    known = soften(seen.visible * np.minimum(seen.hair + seen.skin, 1) * on_skin, surface, 0.008)[haired]
    cover = smoothstep(field[haired] + RAGGED * detail, 0.3, 0.7)
    cover += known * (share_seen - cover)
    contrast = strand_contrast(color, hair, surface)
    pure = hair * smoothstep(seen.hair, *PURE) + np.float32(1e-6) * hair
    combed = np.take(spread(color, pure, surface, head), haired, axis=0)
    combed = weighted(combed, np.exp(contrast * detail - 0.5 * contrast**2))
    return Hair(haired, combed, cover, allowed, (pure @ color / pure.sum()).astype(np.float32))


def _lies_on(head: HeadModel, surface: UvSurface, seen: Projection) -> NDArray[np.float32]:
    """(N,) 1 where seen hair is painted: not on ears and neck, and on the jaw only where it is seen squarely."""
    height = head.vertices[:, 1]
    hanging = _bare(head).astype(np.float32)
    jaw = smoothstep(height[head.regions["lips"]].max() - height, -JAW, 0.0)
    off, jaw = surface.smooth(np.stack([hanging, jaw], 1), head.faces).T
    return (1 - smoothstep(off, 0.2, 0.7)) * (1 - jaw * (1 - smoothstep(seen.facing, *SQUARELY)))


def _bare(head: HeadModel) -> NDArray[np.bool_]:
    """(V,) ears, and all below the chin: hair in front of them hangs from above."""
    height = head.vertices[:, 1]
    return head.regions["ears"] | head.regions["neck"] | (height < height[head.regions["face"]].min())


def cover_field(
    head: HeadModel, surface: UvSurface, seen: Projection, on_skin: NDArray[np.bool_], hairiness: float
) -> NDArray[np.float32]:
    """(N,) smooth, 0.5 at the hairline: observed where the photo shows it, else the scalp's prior.

    A membrane joins both, so that hair seen on the temples continues around the head, and ears stay bare.
    """
    part = sparse(surface)
    hair, skin = seen.hair[part], seen.skin[part]
    observed = seen.visible[part] * np.maximum(hair, skin) * on_skin[part]
    share = hair / np.maximum(hair + skin, 1e-6)
    known, trust = to_vertices(share[:, None], observed, surface, head)
    known[_bare(head)] = 0
    prior = head.regions["scalp"] * hairiness
    bare = head.regions["face"] | _bare(head)
    strength = TRUST * trust**2 + SCALP_PRIOR * (head.regions["scalp"] | bare) + TRUST * head.regions["ears"]
    values = (TRUST * trust[:, None] ** 2 * known + SCALP_PRIOR * prior[:, None]) / np.maximum(strength, 1e-9)[:, None]
    values[head.regions["ears"]] = 0
    field = extend(surface_edges(head), values, strength)
    return surface.smooth(field, head.faces)[:, 0]


def strands(head: HeadModel, surface: UvSurface, part: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
    """(n,) detail of mean 0 and deviation 1, at the texels `part`, that runs from the whorl outwards like hair."""
    scalp = head.vertices[head.regions["scalp"]]
    points = surface.gather(head.vertices - (scalp.min(0) + scalp.max(0)) / 2, head.faces, part)
    axis = (WHORL / np.linalg.norm(WHORL)).astype(np.float32)
    forward = np.cross([1.0, 0.0, 0.0], axis).astype(np.float32)
    along = points @ axis / np.maximum(np.linalg.norm(points, axis=1), 1e-6)
    down = np.arccos(np.clip(along, -1, 1)) / np.float32(np.pi)
    around = np.arctan2(points[:, 0], points @ forward) / np.float32(2 * np.pi)
    rng = np.random.default_rng(seed)
    waves = _noise(rng, around % 1.0, down, 23, 4)
    around = around + SWIRL * np.exp(-8 * down) + 0.004 * waves
    total = np.zeros(len(points), np.float32)
    spacing = np.sin(np.pi * np.clip(down, 0, 1))  # strands crowd together at the whorl: fine ones fade there
    around = around % 1.0
    for columns, rows, strength in OCTAVES:
        fade = np.minimum(spacing * (8 * OCTAVES[0][0] / columns) + 0.3, 1)
        total += strength * fade * _noise(rng, around, down, columns, rows)
    return total / max(float(total.std()), 1e-6)


def _noise(rng: np.random.Generator, around: NDArray, down: NDArray, columns: int, rows: int) -> NDArray[np.float32]:
    """Values of a random grid that closes around the head, between its points by linear interpolation.

    Args:
        around, down: (n,) 0..1.
    """
    grid = rng.standard_normal((rows + 1, columns)).astype(np.float32)
    grid = np.concatenate([grid, grid[:, :1]], 1)
    places = cv2.merge([around * columns + 0.5, down * rows + 0.5]).reshape(-1, 2)
    return sample(grid, places)


def strand_contrast(color: NDArray[np.float32], hair: NDArray[np.float32], surface: UvSurface) -> float:
    """Deviation of the logarithm of brightness within the photographed hair, slow changes left out."""
    sure = surface.picture(hair) > 0.7
    if sure.sum() < 100:
        return CONTRAST[0]
    rows, columns = (np.nonzero(sure.any(axis))[0] for axis in (1, 0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    weight = sure[box].astype(np.float32)
    light = surface.picture(np.log(color @ np.array([0.2126, 0.7152, 0.0722], np.float32) + FLOOR))[box] * weight
    radius = 0.01 * surface.size
    around = cv2.GaussianBlur(light, (0, 0), radius) / np.maximum(cv2.GaussianBlur(weight, (0, 0), radius), 1e-3)
    return float(np.clip((light - around)[weight > 0].std(), *CONTRAST))
