"""A camera that circles an object, for a turntable in Blender."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from .camera import LONG_SIDE, render_frame
from .curves import SLOTS, Sheet, activate, write
from .transaction import Transaction

FRAMES = 120
"""Of one round."""
LENS = 85.0
"""Millimetres, on a sensor of `LONG_SIDE`: a portrait lens."""
ROOM = 1.1
"""What is in view over what there is."""


def build_orbit(
    scene: bpy.types.Scene,
    collection: bpy.types.Collection,
    item: bpy.types.Object,
    name: str,
    transaction: Transaction,
) -> bpy.types.Object:
    """Add an empty in the middle of an object that turns once in `FRAMES` frames from the scene's first on, and a
    camera on it, level, in front at first, that looks at it from so far away that all of the object is in view.

    Both are parented to the object, so that they go where it goes. The camera becomes the scene's where it has none.
    """
    corners = np.array([corner[:] for corner in item.bound_box])
    middle = (corners.min(0) + corners.max(0)) / 2
    radius = float(np.linalg.norm(corners.max(0) - corners.min(0))) / 2 or 1.0
    pivot: Any = transaction.add(bpy.data.objects.new(f"{name} Pivot", None))
    collection.objects.link(pivot)
    pivot.parent, pivot.location = item, Vector(middle.tolist())
    pivot.empty_display_type, pivot.empty_display_size = "CIRCLE", radius
    view = _camera(scene, radius, name, transaction)
    collection.objects.link(view)
    view.parent = pivot
    view.location = (0.0, -_distance(scene, radius), 0.0)
    track: Any = view.constraints.new("TRACK_TO")
    track.target, track.track_axis, track.up_axis = pivot, "TRACK_NEGATIVE_Z", "UP_Y"
    _turn(pivot, scene.frame_start, name, transaction)
    if scene.camera is None:
        transaction.on_failure(lambda: setattr(scene, "camera", None))
        scene.camera = view
    return view


def _camera(scene: bpy.types.Scene, radius: float, name: str, transaction: Transaction) -> bpy.types.Object:
    data = transaction.add(bpy.data.cameras.new(name))
    data.sensor_fit, data.sensor_width, data.lens = "AUTO", LONG_SIDE, LENS
    distance = _distance(scene, radius)
    data.clip_start, data.clip_end = 0.01 * distance, 100.0 * distance
    data.display_size = 0.2 * radius
    return transaction.add(bpy.data.objects.new(name, data))


def _distance(scene: bpy.types.Scene, radius: float) -> float:
    """From which a ball fits into the shorter side of the picture; the sensor lies along the longer one."""
    width, height = render_frame(scene)
    half = math.atan(LONG_SIDE / 2 / LENS * min(width, height) / max(width, height))
    return ROOM * radius / math.sin(half)


def _turn(pivot: bpy.types.Object, start: int, name: str, transaction: Transaction) -> None:
    """One round in an action of its own, at an even speed; the frame after its last is its first again."""
    action: Any = transaction.add(bpy.data.actions.new(name))
    slot = None
    if SLOTS:
        slot = action.slots.new(pivot.id_type, pivot.name)
    else:
        action.id_root = pivot.id_type
    sheet = Sheet(pivot, action, slot)
    write(sheet.new("rotation_euler", 2, "Orbit"), [start, start + FRAMES], [0.0, 2 * math.pi])
    activate(sheet, transaction)
