"""A camera for each further photo that a head was made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...engine.camera import Camera
from ...engine.result import Reconstruction
from ..heads import PHOTO_KEY
from .camera import build_camera, show_photo
from .images import find_photo, pack
from .space import Space
from .transaction import Transaction


def further_photos(reconstruction: Reconstruction) -> list[dict[str, Any]]:
    """The report's entries of the photos beside the main one; empty for a head from one photo."""
    entries = reconstruction.report.get("photos", [])
    return [entry for entry in entries if entry.get("used") and not entry.get("main")]


def build_further_cameras(
    collection: bpy.types.Collection,
    reconstruction: Reconstruction,
    folder: Path | None,
    parent: bpy.types.Object,
    frame: tuple[float, float],
    packed: bool,
    space: Space,
    transaction: Transaction,
) -> list[str]:
    """Make one camera a further photo, named after its file, the photo behind the head.

    Args:
        folder: the result folder, where upright copies of the photos are.
        parent: the cameras stand around it, as `build_camera` has it.
        frame: width and height of the render, in any unit.
        packed: store the photos in the .blend.
    Returns:
        Sentences for the user.
    """
    warnings = []
    for entry in further_photos(reconstruction):
        width, height = entry["image_size"]
        camera = Camera(np.array(entry["K"]), np.array(entry["world_to_camera"]), width, height)
        stem = Path(entry["file"]).stem
        view = build_camera(collection, camera, space, f"{stem} Camera", parent, frame, transaction)
        view[PHOTO_KEY] = entry["file"]
        photo = find_photo(None, folder / entry["picture"] if folder else None, width, height)
        if photo is None:
            warnings.append(f"{entry['file']} is not shown behind the head: its copy is gone from the result folder.")
            continue
        transaction.add(photo)
        photo.name = f"{stem} Photo"
        if packed:
            pack(photo)
        show_photo(view, photo)
    return warnings
