"""The maps as files of the result folder, which Blender's builder looks for by these names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..media.write import whole_file, write_png

if TYPE_CHECKING:  # Blender's builder imports the names below, and must not wait for OpenCV
    from .detail import DetailMaps
    from .materials import MaterialMaps

NORMAL, HEIGHT, ROUGHNESS, SPECULAR = "normal.png", "height.png", "roughness.png", "specular.png"
HEIGHT_SPAN = 0.002
"""Metres between black and white in height.png; the surface itself is the middle grey."""
WHITE = 65535


def save_maps(folder: Path, detail: DetailMaps, materials: MaterialMaps) -> None:
    """Write normal.png, height.png (16 bit), roughness.png and specular.png.

    Raises:
        OutputError: the folder cannot be written.
    """
    write_png(folder / NORMAL, detail.normal)
    write_height(folder / HEIGHT, detail.height)
    write_png(folder / ROUGHNESS, materials.roughness)
    write_png(folder / SPECULAR, materials.specular)


def write_height(path: Path, height: NDArray) -> None:
    """A height (S,S) in metres as 16-bit grey: (height / HEIGHT_SPAN + 1/2) of white, clipped.

    Raises:
        OutputError: the file cannot be written.
    """
    from PIL import Image

    grey = np.round((height.astype(np.float64) / HEIGHT_SPAN + 0.5).clip(0, 1) * WHITE).astype(np.uint16)
    with whole_file(path) as file:
        Image.fromarray(grey).save(file, "PNG", compress_level=3, compress_type=3)


def read_height(path: Path) -> NDArray[np.float32]:
    """What `write_height` wrote, (S,S) metres."""
    from PIL import Image

    with Image.open(path) as picture:
        grey = np.asarray(picture, np.float64)
    return ((grey / WHITE - 0.5) * HEIGHT_SPAN).astype(np.float32)
