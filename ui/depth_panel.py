"""The sidebar's part for depth meshes."""

from __future__ import annotations

from typing import Any

import bpy

from ..operators import depth, wrap
from ..operators.job import DepthJob
from ..operators.options import scene_settings
from ..operators.session import SESSION
from .panels import SidebarPanel, draw_progress
from .preferences import draw_error


class LIKENESS_PT_depth(SidebarPanel, bpy.types.Panel):
    """A mesh of what the photo shows: the choices, the button, the progress"""

    bl_label = "Depth Mesh"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Choices and what they lack, then button or progress bar, then Wrap Head to Depth, then the last error."""
        layout: Any = self.layout
        photo, running = scene_settings(context).photo, SESSION.running
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.enabled = running is None
        choices = depth.depth_settings(context)
        for name in depth.shown_choices(choices):
            column.prop(choices, name)
        lacking = depth.lacking(choices)
        if lacking:
            layout.label(text=lacking, icon="ERROR")
        if isinstance(running, DepthJob):
            draw_progress(layout, running)
        else:
            row = layout.row()
            row.scale_y = 1.6
            row.enabled = bool(photo) and running is None
            row.operator(depth.LIKENESS_OT_depth_mesh.bl_idname, icon="MOD_OCEAN")
            if not photo:
                layout.label(text="Pick a photo in the Reconstruct panel", icon="INFO")
        row = layout.row()
        row.operator_menu_enum(wrap.LIKENESS_OT_wrap_depth.bl_idname, "mode")
        if SESSION.error is not None and isinstance(SESSION.job, DepthJob):
            draw_error(layout, context, SESSION.error)
