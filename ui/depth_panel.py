"""The sidebar's part for depth meshes."""

from __future__ import annotations

from typing import Any

import bpy

from ..operators import depth
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
        """Choices, then button or progress bar, then the last error."""
        layout: Any = self.layout
        photo, running = scene_settings(context).photo, SESSION.running
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.enabled = running is None
        for name in depth.CHOICES:
            column.prop(depth.depth_settings(context), name)
        if isinstance(running, DepthJob):
            draw_progress(layout, running)
        else:
            row = layout.row()
            row.scale_y = 1.6
            row.enabled = bool(photo) and running is None
            row.operator(depth.LIKENESS_OT_depth_mesh.bl_idname, icon="MOD_OCEAN")
            if not photo:
                layout.label(text="Pick a photo in the Reconstruct panel", icon="INFO")
        if SESSION.error is not None and isinstance(SESSION.job, DepthJob):
            draw_error(layout, context, SESSION.error)
