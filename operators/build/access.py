"""Small ways into Blender's data that differ between versions, or that its type stubs get wrong."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray


def scene_of(context: bpy.types.Context) -> bpy.types.Scene:
    """The context's scene."""
    scene: Any = context.scene
    return scene


def view_layer_of(context: bpy.types.Context) -> bpy.types.ViewLayer:
    """The context's view layer."""
    view_layer: Any = context.view_layer
    return view_layer


def node_tree_of(block: bpy.types.Material | bpy.types.World) -> Any:
    """The node tree of a new material or world. Blender 5.0 makes it by itself and deprecates asking for it."""
    if block.node_tree is None:
        block.use_nodes = True
    return block.node_tree


def shape_keys_of(head: bpy.types.Object) -> bpy.types.Key:
    """The shape keys of a mesh object that has some."""
    data: Any = head.data
    return data.shape_keys


def vector(values: NDArray) -> Vector:
    """Three numbers as Blender's vector."""
    return Vector(values.tolist())


def set_pixels(image: bpy.types.Image, pixels: NDArray) -> None:
    """Fill an image.

    Args:
        pixels: (H,W,4) float32, row 0 at the BOTTOM.
    """
    target: Any = image.pixels
    target.foreach_set(np.ascontiguousarray(pixels, np.float32).ravel())
    image.update()


def set_color_space(image: bpy.types.Image, name: str) -> None:
    """Say how an image's numbers are to be read, for example "sRGB" or "Non-Color"."""
    settings: Any = image.colorspace_settings
    settings.name = name
