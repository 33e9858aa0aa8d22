"""What a new head looks like at first sight."""

from __future__ import annotations

from math import radians
from typing import Any

import bpy
from mathutils import Euler, Vector

ANGLE = Euler((radians(82.0), 0.0, radians(24.0)))  # from the front, a little from the side and from above
DISTANCE = 2.6  # in heights of the head


def hide_bones(rig: bpy.types.Object | None) -> None:
    """Hide a head's armature in the viewport: bones drawn over the eyes spoil the first look. It works all the same."""
    if rig is not None:
        rig.hide_set(True)


def look_at(context: bpy.types.Context, head: bpy.types.Object) -> bool:
    """Show a head large, with its textures, in the viewport the operator was called from; False if it was not."""
    area: Any = context.area
    if area is None or area.type != "VIEW_3D":
        return False
    layer: Any = context.view_layer
    layer.update()  # a new head has not been placed by Blender yet
    space = area.spaces.active
    view = space.region_3d
    corners = [head.matrix_world @ Vector(corner) for corner in head.bound_box]
    low, high = (Vector([pick(axis) for axis in zip(*corners, strict=True)]) for pick in (min, max))
    view.view_perspective = "PERSP"
    view.view_location = (low + high) / 2
    view.view_distance = DISTANCE * (high - low).z
    view.view_rotation = ANGLE.to_quaternion()
    if space.shading.type in {"WIREFRAME", "SOLID"}:  # textures in solid mode need no shaders to be compiled
        space.shading.type, space.shading.color_type = "SOLID", "TEXTURE"
    return True
