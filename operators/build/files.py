"""Headless .blend files: an empty scene to build in, and saving it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ...engine.errors import OutputError
from .access import scene_of, view_layer_of


def new_scene() -> None:
    """Start an empty file, for headless runs only: whatever was open is gone. Extensions stay enabled.

    Colours are shown as they are ("Standard"), so that renders compare with the photo.
    """
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True, load_ui=False)
    settings: Any = scene_of(bpy.context).view_settings
    settings.view_transform = "Standard"


def save_blend(path: Path) -> None:
    """Save the open file, compressed, with picture paths relative to it, over whatever is at `path`.

    Raises:
        OutputError: it cannot be written.
    """
    frame_views()
    try:
        if path.is_dir():  # Blender 4.2 would replace it
            raise IsADirectoryError("it is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True, relative_remap=True, check_existing=False)
    except (OSError, RuntimeError) as error:
        raise OutputError(
            f"Cannot write {path}: {str(error).strip()}.", "Choose a folder you can write to, with free space."
        ) from error


def frame_views() -> None:
    """Let whoever opens the file see the head: 3D views look at it from close by, with its materials."""
    heads = [item for item in bpy.data.objects if item.type == "MESH" and "likeness_name" in item]
    if not heads:
        return
    view_layer_of(bpy.context).update()
    for screen in bpy.data.screens:
        for area in screen.areas:
            space = area.spaces.active
            if isinstance(space, bpy.types.SpaceView3D) and space.region_3d is not None:
                space.shading.type = "MATERIAL"
                space.clip_start = 0.01
                space.region_3d.view_location = heads[0].matrix_world.translation
                space.region_3d.view_distance = 4.0 * max(heads[0].dimensions[:])
