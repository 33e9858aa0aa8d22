"""Pictures: the albedo atlas and the confidence map, packed into the .blend or kept as files."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from ...engine.errors import OutputError
from .access import set_color_space, set_pixels
from .transaction import Transaction

COLOR, DATA = "sRGB", "Non-Color"
PHOTO_NAMES = ("photo.png", "photo.jpg")


def load_picture(
    name: str,
    source: Path | None,
    pixels: NDArray[np.uint8],
    keep_in: Path | None,
    transaction: Transaction,
    color: bool = True,
) -> bpy.types.Image:
    """Bring a picture of the result into Blender.

    Args:
        name: of the image data-block.
        source: the PNG the engine wrote; None or a missing file: `pixels` are used.
        pixels: (H,W), (H,W,3) or (H,W,4) uint8, row 0 on top.
        keep_in: folder that gets a copy of its own, which the image refers to; None packs it.
        color: sRGB colour, else plain data.
    Raises:
        OutputError: `keep_in` cannot be written.
    """
    if source is not None and source.is_file():
        path = _copy(source, keep_in, name, transaction) if keep_in else source
        image = transaction.add(bpy.data.images.load(str(path), check_existing=False))
        image.name = name
        set_color_space(image, COLOR if color else DATA)
    else:
        image = _from_pixels(name, pixels, transaction, color)
        if keep_in:
            path = _free_path(keep_in, name, ".png")
            image.filepath_raw, image.file_format = str(path), "PNG"
            transaction.on_failure(lambda: path.unlink(missing_ok=True))
            _save(image, path)
    if keep_in is None:
        pack(image)
    return image


def pack(image: bpy.types.Image) -> None:
    """Store the picture inside the .blend, to be unpacked beside it if the user wants files."""
    suffix = Path(image.filepath).suffix or (".exr" if image.is_float else ".png")
    image.pack()
    image.filepath_raw = f"//{image.name}{suffix}"


def find_photo(folder: Path | None, photo: Path | None, width: int, height: int) -> bpy.types.Image | None:
    """The photo as Blender sees it: the engine's upright copy, else the file itself. None if there is none or if
    Blender sees another format of picture (Blender ignores EXIF rotation)."""
    candidates = [folder / name for name in PHOTO_NAMES] if folder else []
    candidates += [photo] if photo else []
    for path in candidates:
        if not path.is_file():
            continue
        image = bpy.data.images.load(str(path), check_existing=False)
        if image.size[0] > 0 and abs(image.size[0] * height - image.size[1] * width) <= max(width, height):
            return image
        bpy.data.images.remove(image)
    return None


def _from_pixels(name: str, pixels: NDArray[np.uint8], transaction: Transaction, color: bool) -> bpy.types.Image:
    height, width = pixels.shape[:2]
    channels = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, 2)
    rgba = np.full((height, width, 4), 255, np.uint8)
    rgba[..., : channels.shape[2]] = channels
    image = transaction.add(bpy.data.images.new(name, width, height, alpha=True))
    set_color_space(image, COLOR if color else DATA)  # before the pixels: it empties the image
    set_pixels(image, rgba[::-1] / np.float32(255.0))
    return image


def _free_path(folder: Path, stem: str, suffix: str) -> Path:
    """A name in `folder` that no file has yet."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    path, count = folder / f"{stem}{suffix}", 0
    while path.exists():
        count += 1
        path = folder / f"{stem}.{count:03d}{suffix}"
    return path


def _copy(source: Path, folder: Path, name: str, transaction: Transaction) -> Path:
    path = _free_path(folder, name, source.suffix)
    transaction.on_failure(lambda: path.unlink(missing_ok=True))
    try:
        shutil.copyfile(source, path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    return path


def _save(image: bpy.types.Image, path: Path) -> None:
    try:
        image.save()
    except RuntimeError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: Exception) -> OutputError:
    reason = error.strerror if isinstance(error, OSError) else str(error).strip()
    return OutputError(f"Cannot write {path}: {reason}.", "Choose a folder you can write to, with free space.")
