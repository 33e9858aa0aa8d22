"""Operators on takes that exist: read one onto a mesh, write one as Live Link CSV, redo part of an action."""
# pyright: reportInvalidTypeForm=false
# (Blender reads property declarations from annotations.)

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty, StringProperty

from ..engine.errors import EngineError
from ..engine.tracking.livelink import read_take, write_livelink
from .addon import absolute
from .animate_options import TakeChoices, take_options
from .heads import active_head, head_keys

TAKE_FILES = "*.csv;*.npz"


def acting_mesh(context: bpy.types.Context) -> bpy.types.Object | None:
    """The head that the active object belongs to, else the active mesh if it has shape keys."""
    item = active_head(context) or context.active_object
    return item if item is not None and head_keys(item) is not None else None


class TakeOperator(bpy.types.Operator):
    """Base of operators that need a mesh with shape keys."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with shape keys."""
        if acting_mesh(context) is None:
            cls.poll_message_set("Select a mesh with shape keys")
            return False
        return True

    def fail(self, error: EngineError) -> set[str]:
        """Report an error."""
        self.report({"ERROR"}, " \n".join(part for part in (error.message, error.cure) if part))
        return {"CANCELLED"}


class FileOperator(TakeOperator):
    """Base of operators that ask for a take's file."""

    filepath: StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default=TAKE_FILES, options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Open the file browser."""
        manager: Any = context.window_manager
        manager.fileselect_add(self)
        return {"RUNNING_MODAL"}


class LIKENESS_OT_import_take(TakeChoices, FileOperator):
    """Play a take on the selected head, or on any mesh whose shape keys have ARKit's names"""

    bl_idname = "likeness.import_take"
    bl_label = "Import Take"
    bl_options = {"REGISTER", "UNDO"}

    fps: FloatProperty(
        name="CSV Rate",
        description="Frames a second of a Live Link CSV; 0 tells it from the time codes",
        default=0.0,
        min=0.0,
        max=240.0,
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read the file and make the action."""
        from .build.access import scene_of
        from .build.action import apply_take_to_mesh, build_action

        mesh, path = acting_mesh(context), absolute(self.filepath)
        assert mesh is not None
        name = path.stem if path.suffix.lower() == ".csv" else path.parent.name
        try:
            take = read_take(path, self.fps or None)
            make = build_action if mesh == active_head(context) else apply_take_to_mesh
            built = make(mesh, take, take_options(self, name), scene_of(context))
        except EngineError as error:
            return self.fail(error)
        for warning in built.warnings:
            self.report({"WARNING"}, warning)
        if built.missing:
            self.report({"WARNING"}, f"No shape key for {', '.join(built.missing)}")
        self.report({"INFO"}, f"{name}: frames {built.frames[0]} to {built.frames[1]}")
        return {"FINISHED"}


class LIKENESS_OT_export_take(FileOperator):
    """Write what the shape keys and bones do as Live Link Face CSV"""

    bl_idname = "likeness.export_take"
    bl_label = "Export Live Link CSV"
    bl_options = {"REGISTER"}

    check_existing: BoolProperty(default=True, options={"HIDDEN"})
    first: IntProperty(name="First Frame", description="0 with Last Frame 0: all of the action", default=0)
    last: IntProperty(name="Last Frame", default=0)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Suggest a name."""
        mesh = acting_mesh(context)
        self.filepath = f"{mesh.name if mesh else 'take'}.csv"
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Sample the scene and write the file."""
        from .build.access import scene_of
        from .build.take_sample import take_from_action

        mesh = acting_mesh(context)
        assert mesh is not None
        path = absolute(self.filepath).with_suffix(".csv")
        part = (self.first, self.last) if self.first or self.last else (None, None)
        try:
            take = take_from_action(mesh, *part, scene_of(context))
            write_livelink(path, take)
        except EngineError as error:
            return self.fail(error)
        self.report({"INFO"}, f"{path.name}: {len(take)} frames")
        return {"FINISHED"}


class LIKENESS_OT_retake(TakeChoices, FileOperator):
    """Change the active action between two frames to what another take does there; the rest stays"""

    bl_idname = "likeness.retake"
    bl_label = "Retake Range"
    bl_options = {"REGISTER", "UNDO"}

    fps: FloatProperty(name="CSV Rate", description="Frames a second of a Live Link CSV", default=0.0, min=0.0)
    first: IntProperty(name="First Frame", default=1)
    last: IntProperty(name="Last Frame", default=250)
    blend: IntProperty(name="Blend", description="Frames over which one goes over into the other", default=5, min=1)
    additive: BoolProperty(name="Add", description="Add to what is there instead of replacing it", default=False)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Suggest the scene's preview range, or its range."""
        scene: Any = context.scene
        preview = scene.use_preview_range
        self.first = scene.frame_preview_start if preview else scene.frame_start
        self.last = scene.frame_preview_end if preview else scene.frame_end
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Read the take and mix it in."""
        from .build.access import scene_of
        from .build.retake import retake

        mesh, path = acting_mesh(context), absolute(self.filepath)
        assert mesh is not None
        try:
            take = read_take(path, self.fps or None)
            options = take_options(self, path.stem)
            built = retake(mesh, take, self.first, self.last, options, self.blend, self.additive, scene_of(context))
        except EngineError as error:
            return self.fail(error)
        self.report({"INFO"}, f"Frames {built.frames[0]} to {built.frames[1]} taken again")
        return {"FINISHED"}
