"""Small operators around a reconstruction: picking the photo, cancelling, checking the engine; and dropped files."""
# pyright: reportInvalidTypeForm=false
# (Blender reads property declarations from annotations.)

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty, StringProperty

from ..engine.errors import EngineError
from .addon import engine_settings
from .job import EngineJob
from .modal import ModalJob, redraw
from .options import scene_settings
from .session import SESSION

PHOTO_TYPES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".exr", ".heic", ".heif")


class LIKENESS_OT_pick_photo(bpy.types.Operator):
    """Choose the photo of a face"""

    bl_idname = "likeness.pick_photo"
    bl_label = "Pick Photo"
    bl_options = {"INTERNAL", "UNDO"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_image: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Open the file browser at the present photo."""
        self.filepath = scene_settings(context).photo
        manager: Any = context.window_manager
        manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take the chosen file."""
        scene_settings(context).photo = self.filepath
        return {"FINISHED"}


class LIKENESS_OT_cancel(bpy.types.Operator):
    """Stop the reconstruction; the scene stays as it is"""

    bl_idname = "likeness.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while something runs."""
        return SESSION.running is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask the job to stop. The operator that runs it sees to the rest."""
        assert SESSION.running is not None
        SESSION.running.cancel()
        redraw(context)
        return {"FINISHED"}


class LIKENESS_OT_check_engine(ModalJob, bpy.types.Operator):
    """Start the engine and show its versions and devices"""

    bl_idname = "likeness.check_engine"
    bl_label = "Check Engine"
    bl_options = {"INTERNAL"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """From the button: without blocking."""
        return self._check(context, wait=False)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From a script: at once."""
        return self._check(context, wait=True)

    def _check(self, context: bpy.types.Context, wait: bool) -> set[str]:
        SESSION.engine_report = None
        arguments = {"device": engine_settings().device}
        try:
            SESSION.start(lambda process: EngineJob(process, "Check Engine", "check", arguments))
        except EngineError as error:
            return self.fail(error)
        return self.run_job(context, wait)

    def succeed(self, context: bpy.types.Context, job: EngineJob) -> set[str]:
        """Keep the report for the preferences."""
        SESSION.engine_report = job.result
        versions = job.result.get("versions", {})
        self.report({"INFO"}, "Engine: " + ", ".join(f"{name} {version}" for name, version in versions.items()))
        return {"FINISHED"}


class LIKENESS_FH_photo(bpy.types.FileHandler):
    """Photos dropped on the 3D viewport"""

    bl_idname = "LIKENESS_FH_photo"
    bl_label = "Reconstruct from Image"
    bl_import_operator = "likeness.reconstruct"
    bl_file_extensions = ";".join(PHOTO_TYPES)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Only over a 3D viewport, and not while a job runs."""
        return may_drop(context)


def may_drop(context: bpy.types.Context) -> bool:
    """Whether a dropped file can start a job here."""
    area: Any = context.area
    return area is not None and area.type == "VIEW_3D" and SESSION.running is None
