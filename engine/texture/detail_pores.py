"""Skin's finest relief, which few photos resolve: made up, faint, alike all over, so that it has no border."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from .base_skin import base_skin
from .surface import UvSurface

PORE_SIZE = 0.5
"""Of a pore and the plateau beside it, millimetres: half a wavelength. At least two texels."""
RELIEF = 0.006
"""Standard deviation on the cheeks, millimetres: faint beside wrinkles. An artist's default."""
NOSE, NECK, LIPS = 1.3, 0.6, 1.2
"""Times that, on those parts."""
LIP_FADE = 0.004
"""How far lips fade into skin, sides of the square."""
CREASE = 6.0
"""Lips' creases are so many times longer than wide."""


def pore_height(head: HeadModel, surface: UvSurface, texel: float, seed: int) -> NDArray[np.float32]:
    """(S,S) millimetres: pits between plateaus on the skin, upright creases on the lips; 0 elsewhere.

    Args:
        texel: millimetres that a texel of the face covers.
    """
    size = surface.size
    strength, lips = _places(head, surface)
    noise = np.random.default_rng(seed).standard_normal((size, size), dtype=np.float32)
    sigma = max(PORE_SIZE, 2 * texel) / texel / 2.5
    grain = _unit(cv2.GaussianBlur(noise, (0, 0), sigma) - cv2.GaussianBlur(noise, (0, 0), 2 * sigma))
    pits = np.float32(0.45) - np.log1p(np.exp(-1.5 * grain)) / np.float32(1.5)  # flat on top, steep downwards
    wide = dict(sigmaX=sigma, sigmaY=CREASE * sigma)
    creases = cv2.GaussianBlur(noise, (0, 0), **wide)
    creases = _unit(creases - cv2.GaussianBlur(creases, (0, 0), sigmaX=2.5 * sigma, sigmaY=sigma))
    return np.float32(RELIEF) * (strength * _unit(pits) * (1 - lips) + LIPS * strength * lips * creases)


def _places(head: HeadModel, surface: UvSurface) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(S,S) how strong pores are, 0 off the skin; and (S,S) what is lips."""
    inner, nose, neck = (head.regions[name].astype(np.float32) for name in ("inner_mouth", "nose", "neck"))
    fields = surface.smooth(np.stack([inner, nose, neck], 1), head.faces)
    skin = head.face_materials[surface.faces] == head.material_names.index("skin")
    strength = skin * (1 - fields[:, 0]) * (1 + (NOSE - 1) * fields[:, 1]) * (1 + (NECK - 1) * fields[:, 2])
    lips = cv2.GaussianBlur(base_skin(head, surface.size).regions["lips"], (0, 0), LIP_FADE * surface.size)
    return surface.picture(strength), lips


def _unit(picture: NDArray) -> NDArray[np.float32]:
    picture = picture - picture.mean()
    return (picture / max(float(picture.std()), 1e-9)).astype(np.float32)
