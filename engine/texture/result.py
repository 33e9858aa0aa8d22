"""What the texture stage hands on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TextureResult:
    """Appearance of one head in the head model's UV square. Row 0 is the TOP of the picture (v = 1).

    Attributes:
        albedo: (S,S,3) uint8 sRGB, light-free, complete: one atlas for all materials.
        confidence: (S,S) uint8, 255 seen squarely in the photo, 0 invented.
        illumination: (9,3) float32, order-2 spherical harmonics irradiance in the HEAD's frame (world), linear RGB:
            shaded = albedo_linear * sum_k illumination[k] * H_k(normal), H as in `engine.render.lighting`.
        skin_color: (3,) float32 linear RGB, the person's mean skin albedo.
        hair_color: (3,) float32 linear RGB.
        warnings: sentences for the report.
    """

    albedo: NDArray[np.uint8]
    confidence: NDArray[np.uint8]
    illumination: NDArray[np.float32]
    skin_color: NDArray[np.float32]
    hair_color: NDArray[np.float32]
    warnings: tuple[str, ...] = ()
