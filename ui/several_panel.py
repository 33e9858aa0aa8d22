"""The sidebar's part for several photos of one person."""

from __future__ import annotations

from typing import Any

import bpy

from ..operators import several
from ..operators.addon import absolute
from ..operators.heads import active_head, photo_cameras
from ..operators.job import SeveralJob
from ..operators.session import SESSION
from .panels import SidebarPanel, draw_progress
from .preferences import draw_error
from .text import wrapped
from .thumbnail import thumbnail_of

ICONS = {several.WAITING: "NONE", several.USED: "CHECKMARK", several.LEFT_OUT: "ERROR"}


class LIKENESS_PT_several(SidebarPanel, bpy.types.Panel):
    """Photos of one person, the button, the progress; a camera for each"""

    bl_label = "Several Photos"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """The list, then button or progress bar, then the last error and the cameras of the head."""
        layout: Any = self.layout
        photos, running = several.several_settings(context).photos, SESSION.running
        column = layout.column()
        column.enabled = running is None
        for index, photo in enumerate(photos):
            self.draw_photo(column, context, index, photo)
        row = column.row(align=True)
        row.operator(several.LIKENESS_OT_add_photos.bl_idname, icon="ADD")
        if len(photos):
            row.operator(several.LIKENESS_OT_clear_photos.bl_idname, text="Clear", icon="X")
        if isinstance(running, SeveralJob):
            draw_progress(layout, running)
        else:
            self.draw_button(layout, photos)
        if SESSION.error is not None and isinstance(SESSION.job, SeveralJob):
            draw_error(layout, context, SESSION.error)
        self.draw_cameras(layout, context)

    def draw_photo(self, layout: Any, context: bpy.types.Context, index: int, photo: Any) -> None:
        """One photo: its picture, whether it is used, what became of it."""
        path = absolute(photo.filepath)
        thumbnail = thumbnail_of(path)
        box = layout.box()
        row = box.row()
        if thumbnail is not None:
            row.template_icon(thumbnail.icon_id, scale=2.5)
        row.prop(photo, "use", text="")
        row.label(text=path.name, icon="ERROR" if thumbnail is None else ICONS[photo.status])
        row.operator(several.LIKENESS_OT_remove_photo.bl_idname, text="", icon="X").index = index
        note = "The file is not there" if thumbnail is None else photo.note
        column = box.column(align=True)
        for line in wrapped(context, note) if note else ():
            column.label(text=line)

    def draw_button(self, layout: Any, photos: Any) -> None:
        """The big button."""
        used = sum(photo.use for photo in photos)
        row = layout.row()
        row.scale_y = 1.6
        row.enabled = used > 0 and SESSION.running is None
        row.operator(several.LIKENESS_OT_reconstruct_several.bl_idname, icon="COMMUNITY")
        if not used:
            layout.label(text="Add photos of one person, or drop several here", icon="INFO")

    def draw_cameras(self, layout: Any, context: bpy.types.Context) -> None:
        """The photos' cameras of the selected head."""
        head = active_head(context)
        cameras = photo_cameras(head) if head else []
        if not cameras:
            return
        column = layout.column(align=True)
        column.label(text=f"{head.name}: photos" if head else "", icon="CAMERA_DATA")
        scene: Any = context.scene
        for camera in cameras:
            operator = column.operator(
                several.LIKENESS_OT_photo_camera.bl_idname, text=camera.name, depress=scene.camera == camera
            )
            operator.camera = camera.name
