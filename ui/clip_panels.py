"""The sidebar's part for footage."""

from __future__ import annotations

from typing import Any

import bpy

from ..operators import animate, flame_take, takes
from ..operators.heads import active_head
from ..operators.job import TrackJob
from ..operators.session import SESSION
from .panels import SidebarPanel, draw_progress, options_layout
from .preferences import draw_error


class LIKENESS_PT_animate(SidebarPanel, bpy.types.Panel):
    """The clip, the button, the progress; takes in and out"""

    bl_label = "Animate"

    def draw(self, context: bpy.types.Context) -> None:
        """Clip, who acts, then button or progress bar."""
        layout: Any = self.layout
        settings, running = animate.clip_settings(context), SESSION.running
        column = layout.column()
        column.enabled = running is None
        row = column.row(align=True)
        row.prop(settings, "clip", text="")
        row.operator(animate.LIKENESS_OT_pick_clip.bl_idname, text="", icon="FILE_FOLDER")
        column.row().prop(settings, "actor", expand=True)
        if settings.actor == "ACTIVE":
            head = active_head(context)
            text = f"{head.name} acts" if head else "No head selected: a new one is made"
            column.label(text=text, icon="USER" if head else "INFO")
        if isinstance(running, TrackJob):
            draw_progress(layout, running)
        else:
            row = layout.row()
            row.scale_y = 1.6
            row.enabled = bool(settings.clip) and running is None
            row.operator(animate.LIKENESS_OT_animate.bl_idname, icon="RENDER_ANIMATION")
        if SESSION.error is not None and isinstance(SESSION.job, TrackJob):
            draw_error(layout, context, SESSION.error)
        row = layout.row(align=True)
        row.operator(takes.LIKENESS_OT_import_take.bl_idname, icon="IMPORT")
        row.operator(takes.LIKENESS_OT_retake.bl_idname, text="Retake", icon="FILE_REFRESH")
        layout.operator(takes.LIKENESS_OT_export_take.bl_idname, icon="EXPORT")
        if flame_take.flame_there():
            row = layout.row(align=True)
            row.operator(flame_take.LIKENESS_OT_import_flame_take.bl_idname, text="Import FLAME", icon="IMPORT")
            row.operator(flame_take.LIKENESS_OT_export_flame.bl_idname, text="Export FLAME", icon="EXPORT")


class LIKENESS_PT_animate_options(SidebarPanel, bpy.types.Panel):
    """Choices for the next take"""

    bl_label = "Options"
    bl_parent_id = "LIKENESS_PT_animate"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """What is tracked, what carries it, how strongly, and what comes with it."""
        layout = options_layout(self)
        settings = animate.clip_settings(context)
        groups = (
            ("start", "end", "face"),
            ("start_from", "smoothing", "smooth_amount"),
            ("motion", "gaze", "jaw"),
            ("brows", "eyes", "mouth", "mirror"),
            ("start_frame", "reduce", "nla", "markers"),
            ("set_scene", "background", "sound", "keep_partial"),
        )
        for names in groups:
            column = layout.column(align=True)
            for name in names:
                column.prop(settings, name)
        if settings.actor == "NEW" or active_head(context) is None:
            layout.prop(settings, "head_model")
            layout.prop(settings, "texture_size")
