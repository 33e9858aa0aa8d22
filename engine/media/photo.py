"""A photo as the engine sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Photo:
    """An upright sRGB picture.

    Attributes:
        path: where it came from.
        pixels: (H,W,3) uint8 sRGB, EXIF rotation applied, alpha composited over mid grey.
        alpha: (H,W) uint8 or None; the file's own transparency (a cut-out is a person mask).
        focal_length_px: from EXIF, in pixels of `pixels`, or None.
        reduction: side of the original over side of `pixels` (1.0 unless the file was huge).
        warnings: sentences for the report.
    """

    path: Path
    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    focal_length_px: float | None = None
    reduction: float = 1.0
    warnings: tuple[str, ...] = field(default=())

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @property
    def height(self) -> int:
        return self.pixels.shape[0]
