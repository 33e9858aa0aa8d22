"""What each part of a depth mesh is: skin, hair, cloth, glasses, eyes or the mouth's inside, as weights of vertices.

The engine's masks say it, at the resolution that depth is worked out at. A beard counts as skin, as it does in the
head's texture; hats and hands that the masks leave out count as cloth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from .fill import sampled
from .glb import GROUPS
from .view import View

Floats = NDArray[np.float32]
BEARDED = ("skin", "brow", "lip", "ear", "neck", "hair")
"""Regions of the parts network that make skin of what the masks call neither skin nor hair."""
SURE_GLASSES = 0.5
"""Least probability of glasses that is believed."""


def shares_of(view: View) -> Floats:
    """(G,h,w) how far each pixel of the person belongs to each of `GROUPS`; they sum to 1, outside the person to 0."""
    glasses = _glasses(view)
    free = 1 - glasses
    eyes = view.eyes * free
    mouth = view.mouth * (1 - view.eyes) * free
    free = np.clip(free - eyes - mouth, 0, 1)
    hair = np.minimum(view.hair, free)
    skin = np.minimum(view.skin, free - hair)
    rest = np.clip(free - hair - skin, 0, 1)
    cloth = rest * _cloth_share(view)
    parts = np.stack([skin + rest - cloth, hair, cloth, glasses, eyes, mouth])
    return (parts * view.mask / np.maximum(parts.sum(0), 1e-6)).astype(np.float32)


def vertex_groups(shares: NDArray, camera: Camera, vertices: NDArray) -> dict[str, Floats]:
    """Weights (V,) 0..1 by name, of those `GROUPS` that any vertex belongs to.

    Args:
        shares: (G,h,w) what the camera's pixels show, see `shares_of`.
        vertices: (V,3) metres, world. Those of a closed back belong where the front before them does.
    """
    pixels = camera.project(vertices.astype(np.float64))
    weights = np.stack([sampled(share, pixels) for share in shares])
    weights /= np.maximum(weights.sum(0), 1e-6)  # at the outline, where the pixels beyond have none
    return {name: part for name, part in zip(GROUPS, weights, strict=True) if part.max(initial=0) > 0.5}


def _glasses(view: View) -> Floats:
    found = np.zeros(view.shape, np.float32) if view.frames is None else view.frames
    if view.parts is not None:
        seen = view.parts.on_picture(view.parts.region("glasses") * view.parts.confidence, *view.shape, 0.0)
        found = np.maximum(found, np.where(seen > SURE_GLASSES, seen, 0))
    return np.clip(found, 0, 1).astype(np.float32)


def _cloth_share(view: View) -> Floats:
    """(h,w) of what is neither skin nor hair, how much is cloth; all of it where no network says otherwise."""
    if view.parts is None:
        return np.ones(view.shape, np.float32)
    skin = sum(view.parts.region(name) for name in BEARDED) * view.parts.confidence
    return 1 - view.parts.on_picture(np.asarray(skin), *view.shape, 0.0)
