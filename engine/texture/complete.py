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
from .project import BLOCK, mix, smoothstep
from .surface import UvSurface, surface_edges

FLOOR = 2e-3
"""Added to linear colours before taking logarithms, so that black stays finite."""
TRUST = 4.0
"""Pull of a fully seen vertex against the membrane's stiffness of 1 per edge."""
SPARSE_TEXELS = 250_000
"""About how many texels are averaged into vertex colours; more changes nothing visible."""
MIRROR_REACH = 0.85
"""Weight of the mirrored side against base skin where only the mirrored side was seen."""


@dataclass(frozen=True)
class Layer:
    """One source of colour at the surface texels: (N,3) linear RGB and its trust (N,), 0..1."""

    color: NDArray[np.float32]
    weight: NDArray[np.float32]


def sparse(surface: UvSurface) -> slice:
    """The texels from which `to_vertices` works."""
    step = max(1, len(surface.faces) // SPARSE_TEXELS)
    return slice(step // 2, None, step)


def to_vertices(
    values: NDArray, weights: NDArray, surface: UvSurface, head: HeadModel
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted means of texel values around each vertex.

    Args:
        values, weights: (n,C) and (n,), at the texels `sparse(surface)` only.
    Returns:
        (V,C) means (0 where nothing was seen) and (V,) mean weights.
    """
    part = sparse(surface)
    corners = head.faces[surface.faces[part]].ravel()
    share = surface.weights[part]
    count = len(head.vertices)
    trusted = (share * weights[:, None]).ravel()
    total = np.bincount(corners, trusted, count)
    cover = np.bincount(corners, share.ravel(), count)
    sums = [np.bincount(corners, trusted * np.repeat(values[:, c], 3), count) for c in range(values.shape[1])]
    return np.stack(sums, 1) / np.maximum(total, 1e-9)[:, None], total / np.maximum(cover, 1e-9)


def match(
    source: NDArray, target: NDArray, weights: NDArray, surface: UvSurface, head: HeadModel
) -> NDArray[np.float32]:
    """The source recoloured so that its low frequencies meet the target's where that is trusted.

    Args:
        source, target: (N,3) linear RGB texels.
        weights: (N,) where the target is known.
    """
    part = sparse(surface)
    ratio = np.log((target[part] + FLOOR) / (source[part] + FLOOR))
    known, trust = to_vertices(ratio, weights[part], surface, head)
    gain = surface.smooth(np.exp(extend(surface_edges(head), known, TRUST * trust**2)), head.faces)
    for start in range(0, len(gain), BLOCK):
        at = slice(start, start + BLOCK)
        gain[at] *= source[at] + FLOOR
        gain[at] -= FLOOR
    return gain


def spread(color: NDArray, weights: NDArray, surface: UvSurface, head: HeadModel) -> NDArray[np.float32]:
    """Known texel colours (N,3), averaged and carried smoothly over the whole surface, (N,3)."""
    part = sparse(surface)
    known, trust = to_vertices(np.log(color[part] + FLOOR), weights[part], surface, head)
    field = extend(surface_edges(head), known, TRUST * trust**2)
    return surface.smooth(np.exp(field) - FLOOR, head.faces)


def mirrored(layer: Layer, surface: UvSurface) -> Layer:
    """What the other side of the head shows, carried over to this one."""
    color = cv2.remap(
        surface.padded(surface.picture(layer.color)), surface.mirror_map, None, cv2.INTER_LINEAR, borderValue=0
    )
    weight = cv2.remap(surface.picture(layer.weight), surface.mirror_map, None, cv2.INTER_LINEAR, borderValue=0)
    return Layer(surface.flat(color), surface.flat(weight))


def soften(
    weight: NDArray, surface: UvSurface, fraction: float, open_to: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Ramp a weight down inside its area so that it reaches 0 at the border; `fraction` of the square's side wide.

    Args:
        open_to: (N,) texels towards which there is no border, whatever their weight.
    """
    reach = max(1.0, fraction * surface.size)
    picture = surface.picture(weight)
    inside = (picture > 0.02) | ~surface.mask
    if open_to is not None:
        inside |= surface.picture(open_to) > 0
    inside = inside.astype(np.uint8)
    distance = surface.flat(cv2.distanceTransform(inside, cv2.DIST_L2, 3))
    return weight * smoothstep(distance, 0.0, reach)


def blend(direct: Layer, twin: Layer, base: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mix the photo, the mirrored photo and the base by trust. All are matched already. (N,3) linear."""
    mixed = base.copy()
    for source, weight in ((twin.color, twin.weight * np.float32(MIRROR_REACH)), (direct.color, direct.weight)):
        mix(mixed, source, weight)
    return mixed
