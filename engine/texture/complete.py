"""Filling what the photo does not show: the other side mirrored, then base skin and hair, all matched in colour.

Sources are matched before they are mixed: the logarithm of the ratio between the photo and a source is known where both
are seen, and a membrane over the mesh carries it everywhere else (`harmonic.extend`). Where two sources meet, their
low frequencies agree, so a plain cross-fade leaves no seam.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from .harmonic import extend
from .project import Projection, sample, smoothstep
from .surface import UvSurface, surface_edges

FLOOR = 2e-3
"""Added to linear colours before taking logarithms, so that black stays finite."""
TRUST = 4.0
"""Pull of a fully seen vertex against the membrane's stiffness of 1 per edge."""
SPARSE_TEXELS = 250_000
"""About how many texels are averaged into vertex colours; more changes nothing visible."""
MIRROR_REACH = 0.85
"""Weight of the mirrored side against base skin where only the mirrored side was seen."""
SCALP_PRIOR = 0.3
"""Pull of the scalp region's prior, hair or skin, against the membrane; a seen vertex pulls with `TRUST`."""
MANY_HAIRS = 0.3
"""Share of the seen scalp that must be hair for the unseen scalp to get hair."""


@dataclass(frozen=True)
class Layer:
    """One source of colour at the surface texels: (N,3) linear RGB and its trust (N,), 0..1."""

    color: NDArray[np.float32]
    weight: NDArray[np.float32]


def to_vertices(
    values: NDArray, weights: NDArray, surface: UvSurface, head: HeadModel
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted means of texel values around each vertex.

    Returns:
        (V,C) means (0 where nothing was seen) and (V,) mean weights.
    """
    step = max(1, len(weights) // SPARSE_TEXELS)
    part = slice(step // 2, None, step)
    corners = head.faces[surface.faces[part]].ravel()
    share = surface.weights[part]
    count = len(head.vertices)
    trusted = (share * weights[part, None]).ravel()
    total = np.bincount(corners, trusted, count)
    cover = np.bincount(corners, share.ravel(), count)
    sums = [np.bincount(corners, trusted * np.repeat(values[part, c], 3), count) for c in range(values.shape[1])]
    return np.stack(sums, 1) / np.maximum(total, 1e-9)[:, None], total / np.maximum(cover, 1e-9)


def match(
    source: NDArray, target: NDArray, weights: NDArray, surface: UvSurface, head: HeadModel
) -> NDArray[np.float32]:
    """The source recoloured so that its low frequencies meet the target's where that is trusted.

    Args:
        source, target: (N,3) linear RGB texels.
        weights: (N,) where the target is known.
    """
    ratio = np.log((target + FLOOR) / (source + FLOOR))
    known, trust = to_vertices(ratio, weights, surface, head)
    field = extend(surface_edges(head), known, TRUST * trust**2)
    return (source + FLOOR) * np.exp(surface.smooth(field, head.faces)) - FLOOR


def spread(color: NDArray, weights: NDArray, surface: UvSurface, head: HeadModel) -> NDArray[np.float32]:
    """Known texel colours (N,3), averaged and carried smoothly over the whole surface, (N,3)."""
    known, trust = to_vertices(np.log(color + FLOOR), weights, surface, head)
    field = extend(surface_edges(head), known, TRUST * trust**2)
    return np.exp(surface.smooth(field, head.faces)) - FLOOR


def mirrored(layer: Layer, surface: UvSurface) -> Layer:
    """What the other side of the head shows, carried over to this one."""
    color = cv2.remap(
        surface.padded(surface.picture(layer.color)), surface.mirror_map, None, cv2.INTER_LINEAR, borderValue=0
    )
    weight = cv2.remap(surface.picture(layer.weight), surface.mirror_map, None, cv2.INTER_LINEAR, borderValue=0)
    return Layer(color[surface.mask], weight[surface.mask])


def soften(weight: NDArray, surface: UvSurface, fraction: float) -> NDArray[np.float32]:
    """Ramp a weight down inside its area so that it reaches 0 at the border; `fraction` of the square's side wide."""
    reach = max(1.0, fraction * surface.size)
    picture = surface.picture(weight)
    inside = ((picture > 0.02) | ~surface.mask).astype(np.uint8)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[surface.mask]
    return weight * smoothstep(distance, 0.0, reach)


def strands(head: HeadModel, surface: UvSurface, part: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
    """(n,) multiplicative detail around 1, at the texels `part`, that runs from the crown down like combed hair."""
    points = surface.gather(head.vertices, head.faces, part)
    scalp = head.vertices[head.regions["scalp"]]
    x, y, z = (points - (scalp.min(0) + scalp.max(0)) / 2).T
    around = (np.arctan2(x, z) / (2 * np.pi)) % 1.0
    down = np.arctan2(np.hypot(x, z), y) / np.pi
    rng = np.random.default_rng(seed)
    total = np.zeros(len(points), np.float32)
    for columns, rows, strength in ((97, 3, 0.10), (311, 5, 0.14), (997, 9, 0.12)):
        noise = rng.standard_normal((rows + 1, columns)).astype(np.float32)
        noise = np.concatenate([noise, noise[:, :1]], 1)
        places = np.stack([around * columns + 0.5, down * rows + 0.5], -1).astype(np.float32)
        total += strength * sample(noise, places)
    return np.exp(total)


def hair_cover(
    head: HeadModel, surface: UvSurface, seen: Projection, on_skin: NDArray[np.bool_], hairiness: float
) -> NDArray[np.float32]:
    """(N,) how much each texel is covered by hair: observed where the photo shows it, else the scalp's prior.

    A membrane joins both, so that hair seen on the temples continues around the head, and ears stay bare.
    """
    observed = seen.visible * np.maximum(seen.hair, seen.skin) * on_skin
    share = seen.hair / np.maximum(seen.hair + seen.skin, 1e-6)
    known, trust = to_vertices(share[:, None], observed, surface, head)
    prior = head.regions["scalp"] * hairiness
    bare = head.regions["ears"] | head.regions["face"] | head.regions["neck"]
    strength = TRUST * trust**2 + SCALP_PRIOR * (head.regions["scalp"] | bare) + TRUST * head.regions["ears"]
    values = (TRUST * trust[:, None] ** 2 * known + SCALP_PRIOR * prior[:, None]) / np.maximum(strength, 1e-9)[:, None]
    values[head.regions["ears"]] = 0
    field = extend(surface_edges(head), values, strength)
    return smoothstep(surface.smooth(field, head.faces)[:, 0], 0.3, 0.7)


def blend(direct: Layer, twin: Layer, base: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mix the photo, the mirrored photo and the base by trust. All are matched already. (N,3) linear."""
    below = twin.weight[:, None] * MIRROR_REACH
    under = below * twin.color + (1 - below) * base
    top = direct.weight[:, None]
    return top * direct.color + (1 - top) * under
