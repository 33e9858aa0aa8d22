"""Lighting the scene as a head's photo was lit, for heads that are there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .heads import HeadOperator, active_head, result_folder

if TYPE_CHECKING:
    from ..engine.result import Reconstruction

LIGHT_KEY = "likeness_light"
"""Custom property of a head: the light's nine harmonics and the camera's position, three numbers each, engine space."""


def light_numbers(reconstruction: Reconstruction) -> list[float]:
    """The value of `LIGHT_KEY`: 30 numbers."""
    rows = np.concatenate([reconstruction.illumination, reconstruction.camera.position[None]])
    return [float(number) for number in rows.ravel()]


def head_light(head: bpy.types.Object) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The light (9,3) of the head's photo and its camera's position (3,); None if neither the head nor its result
    folder knows them."""
    numbers: Any = head.get(LIGHT_KEY)
    if numbers is None:
        folder = result_folder(head)
        if folder is None:
            return None
        from ..engine.result import Reconstruction

        numbers = light_numbers(Reconstruction.load(folder, pictures=False))
    rows = np.array([float(number) for number in numbers]).reshape(10, 3)
    return rows[:9], rows[9]


class LIKENESS_OT_photo_light(HeadOperator):
    """Light the scene as the photo was lit, turned with the head. The scene's earlier world stays in the file"""

    bl_idname = "likeness.photo_light"
    bl_label = "Photo's Light"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Give the scene a world of the head's light."""
        head = active_head(context)
        assert head is not None
        light = head_light(head)
        if light is None:
            self.report({"ERROR"}, f"“{head.name}” does not know its photo's light, and its result folder is gone")
            return {"CANCELLED"}
        from .build.access import scene_of
        from .build.transaction import Transaction
        from .build.world import build_world, turn_world

        with Transaction() as transaction:
            world = build_world(scene_of(context), *light, f"{head.name} World", transaction)
            turn_world(world, head.matrix_world)
        return {"FINISHED"}
