"""The add-on's preferences."""
# pyright: reportInvalidTypeForm=false
# (Blender reads property declarations from annotations.)

from __future__ import annotations

import sys
from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty

from ..operators.addon import PACKAGE, user_folder
from ..operators.models import ModelsJob
from ..operators.session import SESSION
from ..operators.utility import LIKENESS_OT_check_engine
from .text import wrapped

DEVICES = (
    ("AUTO", "Automatic", "A CUDA or Apple graphics card where there is one, else the CPU"),
    ("CPU", "CPU", "The processor: works everywhere"),
    ("CUDA", "CUDA", "An NVIDIA graphics card"),
    ("MPS", "MPS", "An Apple graphics card"),
)


class LIKENESS_AP_preferences(bpy.types.AddonPreferences):
    """Where the engine runs and where its files are."""

    bl_idname = PACKAGE

    interpreter: StringProperty(
        name="Engine Interpreter",
        description="Python 3.11 or newer with torch and mediapipe; empty for Blender's own with the bundled packages",
        subtype="FILE_PATH",
    )
    device: EnumProperty(name="Device", description="Where the engine computes", items=DEVICES, default="AUTO")
    model_folder: StringProperty(
        name="Model Folder", description="Your own model files; empty for the add-on's folder", subtype="DIR_PATH"
    )
    cache_folder: StringProperty(
        name="Cache Folder", description="Results and logs; empty for the add-on's folder", subtype="DIR_PATH"
    )

    def draw(self, context: bpy.types.Context) -> None:
        """The preferences' page."""
        layout: Any = self.layout
        layout.use_property_split = True
        layout.prop(self, "interpreter", placeholder=sys.executable)
        layout.prop(self, "device")
        layout.prop(self, "model_folder", placeholder=str(user_folder("models")))
        layout.prop(self, "cache_folder", placeholder=str(user_folder("cache")))
        layout.separator()
        draw_engine(layout, context)
        layout.separator()
        from .models_panel import draw_models  # it draws errors with what is below

        layout.use_property_split = False
        layout.label(text="Models", icon="FILE_3D")
        draw_models(layout, context)


def draw_engine(layout: Any, context: bpy.types.Context) -> None:
    """The Check Engine button with what it found."""
    running = SESSION.running
    if isinstance(running, ModelsJob):
        layout.label(text="The engine is at work, see below", icon="INFO")
    elif running is not None:
        layout.progress(factor=running.fraction, text=f"{running.title}: {running.stage}")
    else:
        layout.operator(LIKENESS_OT_check_engine.bl_idname, icon="CHECKMARK")
    if SESSION.error is not None and not isinstance(SESSION.job, ModelsJob):
        draw_error(layout, context, SESSION.error)
    elif SESSION.engine_report is not None:
        draw_report(layout, SESSION.engine_report)


def draw_report(layout: Any, report: dict[str, Any]) -> None:
    """Versions and devices, a line each."""
    layout.separator(factor=0.0)  # see draw_error
    lines = [*report.get("versions", {}).items()]
    chosen = report.get("device", "")
    for device, name in report.get("devices", {}).items():
        lines.append((device.upper(), f"{name} (used)" if device == chosen else name))
    column = layout.column(align=True)
    for name, value in lines:
        row = column.split(factor=0.4)
        name_side = row.row()
        name_side.alignment = "RIGHT"
        name_side.label(text=name)
        row.label(text=str(value), icon="ERROR" if value == "missing" else "NONE")


def draw_error(layout: Any, context: bpy.types.Context, error: Any) -> None:
    """What went wrong, and the cure, wrapped to the region's width.

    Blender keeps a progress bar that is under the mouse, and draws what takes its place as a full bar: the gap of no
    height does.
    """
    layout.separator(factor=0.0)
    column = layout.column(align=True)
    column.alert = True
    for index, line in enumerate(wrapped(context, error.message)):
        column.label(text=line, icon="ERROR" if index == 0 else "BLANK1")
    column = layout.column(align=True)
    for line in wrapped(context, error.cure):
        column.label(text=line, icon="BLANK1")
