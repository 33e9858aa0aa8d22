"""Writing pictures so that a reader never sees half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError

JPEG_QUALITY = 93
COMPRESSION, RUN_LENGTHS = 3, 3
"""zlib's level and strategy (Z_RLE): a 2048 px albedo in a quarter of the default's time, no larger: filtered pixels
repeat at once or not at all."""


def write_png(path: Path, array: NDArray[np.uint8]) -> None:
    """Write a picture as PNG, whole or not at all (a temporary file in the same folder is renamed into place).

    Args:
        path: where to; its folder must exist.
        array: (H,W) grey, (H,W,3) RGB or (H,W,4) RGBA, uint8, row 0 on top.

    Raises:
        ValueError: the array is none of these.
        OutputError: the folder is missing or read-only, or the disk is full.
    """
    drawable = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype != np.uint8 or array.size == 0 or not drawable:
        raise ValueError(f"write_png wants (H,W), (H,W,3) or (H,W,4) uint8, not {array.shape} {array.dtype}.")
    _write(Path(path), array, "PNG", compress_level=COMPRESSION, compress_type=RUN_LENGTHS)


def write_jpeg(path: Path, array: NDArray[np.uint8]) -> None:
    """Write a photograph as JPEG, whole or not at all: (H,W,3) uint8 RGB, row 0 on top.

    Raises:
        ValueError: the array is no such picture.
        OutputError: the folder is missing or read-only, or the disk is full.
    """
    if array.dtype != np.uint8 or array.size == 0 or array.ndim != 3 or array.shape[2] != 3:
        raise ValueError(f"write_jpeg wants (H,W,3) uint8, not {array.shape} {array.dtype}.")
    _write(Path(path), array, "JPEG", quality=JPEG_QUALITY, subsampling=0)


def write_picture(path: Path, array: NDArray[np.uint8]) -> None:
    """Write (H,W,3) uint8 RGB in the format of the file's name: `.jpg` or `.jpeg`, else PNG.

    Raises:
        ValueError, OutputError: as `write_png` and `write_jpeg`.
    """
    (write_jpeg if Path(path).suffix.lower() in (".jpg", ".jpeg") else write_png)(path, array)


def _write(path: Path, array: NDArray[np.uint8], file_format: str, **options: int) -> None:
    from PIL import Image

    with whole_file(path) as file:
        Image.fromarray(np.ascontiguousarray(array)).save(file, file_format, **options)


@contextmanager
def whole_file(path: Path, mode: str = "wb", **how: Any) -> Iterator[Any]:
    """Open a file beside the wanted one, which it replaces when the block is done: whole or not at all.

    Args:
        mode, how: as for `open`.
    Raises:
        OutputError: the folder is missing or read-only, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, mode, **how) as file:
            yield file
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise OutputError(
            f"Cannot write {path}: {error.strerror or error}.",
            "Choose a folder you can write to, with free space.",
        ) from error
