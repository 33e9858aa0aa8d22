"""Which texels taken for skin are believable: collars, shadows and the backdrop leak in where a mask is off."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from .project import Projection, smoothstep
from .surface import UvSurface

SIDE = 512
"""Side of the picture on which skin is judged, texels."""
FLOOR = 0.01
"""Added to linear colours before logarithms are taken."""
FRONT = (0.4, 0.7)
"""Cosines of the view angle between which the face counts as seen from the front."""
FEATURES = ("lips", "brows", "eyelids", "nose")
"""What may be of any colour."""
TINT = (0.32, 0.6)
"""Difference in the logarithm of red to blue or green to the mean at which doubt begins and is complete."""
LEVEL = (0.4, 0.85)
"""The same for brightness."""
NECK = 2.2
"""How much more a difference counts on the neck, where collars and the chin's shadow are."""
BEARDED = 0.6
"""With less of the beard's area like skin than that, the person has a beard."""


def believable(
    head: HeadModel,
    surface: UvSurface,
    seen: Projection,
    color: NDArray[np.float32],
    expected: NDArray[np.float32],
    skin: NDArray[np.float32],
    beard: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where what was seen may be painted, and where it is plain skin, from which unseen skin may be coloured.

    The neck and the rim of the face must resemble the face in colour and brightness. Its front, its features and a
    beard may look as they do.

    Args:
        color: (N,3) linear RGB without light.
        expected: (N,3) linear RGB: the base skin in the person's mean colour.
        skin: (N,) what was taken for skin, 0..1.
        beard: (N,) where a beard may grow, 0..1.
    Returns:
        Both (N,), 0..1.
    """
    own = np.logical_or.reduce([head.regions[name] for name in FEATURES])
    regions = np.stack([head.regions["face"], own, head.regions["neck"]])
    face, features, neck = surface.smooth(regions.T.astype(np.float32), head.faces).T
    free = np.maximum(smoothstep(seen.facing, *FRONT) * smoothstep(face, 0.4, 0.9), smoothstep(features, 0.0, 0.3))
    # Every few texels are enough to judge by.
    stride = max(1, surface.size // SIDE)
    chosen = np.zeros_like(surface.mask)
    chosen[::stride, ::stride] = True
    part = np.nonzero(surface.flat(chosen))[0]
    rows, columns = np.divmod(surface.texels[part], surface.size)
    layers = np.concatenate(
        [color[part], expected[part], np.stack([free, beard, neck, np.ones_like(free)], 1)[part]], 1
    )
    picture = np.zeros((-(-surface.size // stride),) * 2 + layers.shape[1:], np.float32)
    picture[rows // stride, columns // stride] = layers * skin[part, None]
    picture = cv2.GaussianBlur(picture, (0, 0), 1.5)
    weight = picture[..., -1]
    means = picture / np.maximum(weight, 1e-3)[..., None]
    ratio = np.log((means[..., :3] + FLOOR) / (means[..., 3:6] + FLOOR))
    free, beard = means[..., 6], means[..., 7]
    ratio *= 1 + NECK * means[..., 8:9]
    level = np.abs(ratio.mean(-1))
    tint = np.maximum(np.abs(ratio[..., 0] - ratio[..., 2]), np.abs(1.5 * (ratio[..., 1] - ratio.mean(-1))))
    strict = (1 - smoothstep(level, *LEVEL)) * (1 - smoothstep(tint, *TINT))
    front_of_beard = weight * free * beard
    if (front_of_beard * strict).sum() < BEARDED * front_of_beard.sum():
        free = np.maximum(free, beard)
    plain = 0.2 * free + (1 - 0.2 * free) * strict
    scores = np.where(weight[..., None] > 0.02, np.dstack([free + (1 - free) * strict, plain]), 1.0).astype(np.float32)
    # What surrounds a wrong texel is a mixture: it goes too.
    scores = cv2.GaussianBlur(cv2.erode(scores, np.ones((5, 5), np.uint8)), (0, 0), 2.0)
    scores = surface.flat(cv2.resize(scores, (surface.size, surface.size), interpolation=cv2.INTER_LINEAR))
    return scores[:, 0], scores[:, 1]
