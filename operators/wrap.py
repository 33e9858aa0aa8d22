"""Wrap Head to Depth: the operator."""
# pyright: reportInvalidTypeForm=false
# (Blender reads property declarations from annotations.)

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from bpy.props import BoolProperty, EnumProperty, FloatProperty

from ..engine.errors import EngineError
from .heads import DETAIL_KEY, NAME_KEY, active_head, newest_head

DEPTH_KEY = "likeness_depth"
"""On a depth mesh: the name of its photo, without extension."""
CAMERA_KEY = "likeness_depth_camera"
"""On a depth mesh: its photo's camera, JSON."""
DEPTH_HAIR_KEY = "likeness_depth_hair"
SAME_PLACE = 1e-4
"""Blender units, and parts of a turn, by which head and depth mesh may stand apart."""
MODES = (
    ("DISPLACEMENT", "Displacement", "A shape key moves the head's skin to the depth mesh", "MOD_DISPLACE", 0),
    ("HAIR", "Hair Object", "The depth mesh's hair becomes the head's, with the photo's texture", "STRANDS", 1),
)


def wrapped_head(context: bpy.types.Context) -> bpy.types.Object | None:
    """The active head; where a depth mesh is active, the newest head of its photo."""
    head, item = active_head(context), context.active_object
    if head is not None or item is None or DEPTH_KEY not in item:
        return head
    scene: Any = context.scene
    return newest_head(scene, item[DEPTH_KEY])


def depth_mesh_of(context: bpy.types.Context, head: bpy.types.Object) -> bpy.types.Object:
    """The depth mesh that was selected beside the head, else the newest of its photo.

    Raises:
        EngineError: there is none, it is of another photo, or it stands elsewhere.
    """
    scene: Any = context.scene
    meshes = [item for item in scene.objects if item.type == "MESH" and DEPTH_KEY in item]
    selected = [item for item in meshes if item.select_get()]
    if not meshes:
        raise EngineError(
            "There is no depth mesh in the scene.", "Make one of the head's photo with Depth Mesh from Image."
        )
    own = [item for item in selected or meshes if item[DEPTH_KEY] == head[NAME_KEY]]
    if not own:
        raise EngineError(
            f"“{(selected or meshes)[-1].name}” was made from another photo than “{head.name}”.",
            "Make a depth mesh of the head's photo with Depth Mesh from Image.",
        )
    depth: Any = own[-1]
    if np.abs(np.array(depth.matrix_world) - np.array(head.matrix_world)).max() > SAME_PLACE:
        raise EngineError(
            f"“{depth.name}” no longer stands where “{head.name}” does.",
            "Move them together again, or make the depth mesh anew.",
        )
    return depth


class LIKENESS_OT_wrap_depth(bpy.types.Operator):
    """Bring what the depth mesh of its photo shows to the head, as a shape key or as its hair"""

    bl_idname = "likeness.wrap_depth"
    bl_label = "Wrap Head to Depth"
    bl_options = {"REGISTER", "UNDO"}

    mode: EnumProperty(name="Mode", description="What the head gets", items=MODES, default="DISPLACEMENT")
    limit: FloatProperty(
        name="Limit (mm)", description="How far skin moves at most, millimetres", default=20.0, min=0.1, max=100.0
    )
    falloff: FloatProperty(
        name="Falloff (mm)",
        description="Along the skin, from the border of what the photo shows to full displacement, millimetres",
        default=8.0,
        min=0.1,
        max=100.0,
    )
    with_hair: BoolProperty(
        name="Hair", description="The skin under hair moves to the hair's surface, too", default=True
    )
    mirror: BoolProperty(
        name="Mirror",
        description="What the photo does not show moves as the other half of the head does",
        default=False,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """With a head, in Object Mode."""
        if context.mode != "OBJECT":
            cls.poll_message_set("Leave Edit Mode first")
            return False
        if wrapped_head(context) is None:
            cls.poll_message_set("Select a reconstructed head")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make the key or the hair, or say why not."""
        head = wrapped_head(context)
        assert head is not None
        try:
            self.report({"INFO"}, self._wrap(context, head))
        except EngineError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}

    def draw(self, context: bpy.types.Context) -> None:
        """What the mode has to say."""
        layout: Any = self.layout
        layout.use_property_split = True
        layout.prop(self, "mode")
        if self.mode == "DISPLACEMENT":
            for name in ("limit", "falloff", "with_hair", "mirror"):
                layout.prop(self, name)

    def _wrap(self, context: bpy.types.Context, head: bpy.types.Object) -> str:
        """Do it. Returns what there is to say."""
        from ..engine.depth.wrap import WrapOptions
        from .build.wrap import wrap_displacement, wrap_hair

        depth = depth_mesh_of(context, head)
        if self.mode == "HAIR":
            return f"{wrap_hair(context, head, depth).name} was made"
        options = WrapOptions(self.limit / 1e3, self.falloff / 1e3, self.with_hair, self.mirror)
        farthest = wrap_displacement(context, head, depth, options)
        return f"{DETAIL_KEY}: up to {1e3 * farthest:.1f} mm"
