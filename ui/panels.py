"""The sidebar's tab."""

from __future__ import annotations

from typing import Any

import bpy

from ..operators import heads, light, surface, utility
from ..operators.addon import absolute
from ..operators.job import DepthJob, SeveralJob, TrackJob
from ..operators.models import ModelsJob
from ..operators.options import scene_settings
from ..operators.reconstruct import LIKENESS_OT_reconstruct
from ..operators.session import SESSION
from .preferences import draw_error
from .text import wrapped
from .thumbnail import thumbnail_of

ELSEWHERE = (SeveralJob, TrackJob, DepthJob, ModelsJob)
"""Jobs that other panels show."""


class SidebarPanel:
    """Place of all panels."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Likeness"


def options_layout(panel: Any) -> Any:
    """A panel's layout for choices: names on the left, grey while a job runs."""
    layout = panel.layout
    layout.use_property_split = True
    layout.use_property_decorate = False
    layout.enabled = SESSION.running is None
    return layout


def draw_progress(layout: Any, job: Any) -> None:
    """Stage, fraction, and the way out."""
    layout.progress(factor=job.fraction, text=job.stage)
    row = layout.row()
    row.scale_y = 1.2
    row.operator(utility.LIKENESS_OT_cancel.bl_idname, text="Cancel (Esc)", icon="CANCEL")


class LIKENESS_PT_reconstruct(SidebarPanel, bpy.types.Panel):
    """The photo, the button, the progress"""

    bl_label = "Reconstruct"

    def draw(self, context: bpy.types.Context) -> None:
        """Photo, then button or progress bar, then the last error."""
        layout: Any = self.layout
        settings = scene_settings(context)
        running = SESSION.running
        column = layout.column()
        column.enabled = running is None
        thumbnail = thumbnail_of(absolute(settings.photo)) if settings.photo else None
        if thumbnail is not None:
            column.template_icon(thumbnail.icon_id, scale=8.0)
        row = column.row(align=True)
        row.prop(settings, "photo", text="")
        row.operator(utility.LIKENESS_OT_pick_photo.bl_idname, text="", icon="FILE_FOLDER")
        if running is None or isinstance(running, ELSEWHERE):
            self.draw_button(layout, settings)
        else:
            draw_progress(layout, running)
        if SESSION.error is not None and not isinstance(SESSION.job, ELSEWHERE):
            draw_error(layout, context, SESSION.error)

    def draw_button(self, layout: Any, settings: Any) -> None:
        """The big button."""
        row = layout.row()
        row.scale_y = 1.6
        row.enabled = bool(settings.photo) and SESSION.running is None
        row.operator(LIKENESS_OT_reconstruct.bl_idname, icon="USER")
        if not settings.photo:
            layout.label(text="Pick a photo, or drop one here", icon="INFO")


class LIKENESS_PT_options(SidebarPanel, bpy.types.Panel):
    """Choices for the next reconstruction"""

    bl_label = "Options"
    bl_parent_id = "LIKENESS_PT_reconstruct"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Two groups: what the engine does, what is built."""
        layout = options_layout(self)
        settings = scene_settings(context)
        column = layout.column()
        for name in ("head_model", "start", "quality", "texture", "texture_size", "detail", "face", "hair"):
            column.prop(settings, name)
        column.separator()
        column.prop(settings, "identity_keys")
        column = layout.column(heading="Build")
        column.prop(settings, "rig")
        column.prop(settings, "camera")
        row = column.row()
        row.enabled = settings.camera
        row.prop(settings, "match_render")
        for name in ("world_light", "keep_expression", "pack_images", "look_at"):
            column.prop(settings, name)


class LIKENESS_PT_head(SidebarPanel, bpy.types.Panel):
    """The selected head: expressions, camera, provenance"""

    bl_label = "Head"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a reconstructed head."""
        return heads.active_head(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Buttons for the head, then what it was made from."""
        layout: Any = self.layout
        head = heads.active_head(context)
        assert head is not None
        layout.label(text=head.name, icon="OUTLINER_OB_MESH")
        column = layout.column(align=True)
        for warning in heads.warnings(head):
            for index, line in enumerate(wrapped(context, warning)):
                column.label(text=line, icon="INFO" if index == 0 else "BLANK1")
        row = layout.row(align=True)
        row.operator(heads.LIKENESS_OT_neutral.bl_idname)
        row.operator(heads.LIKENESS_OT_photo_expression.bl_idname)
        row = layout.row(align=True)
        row.operator(heads.LIKENESS_OT_select_camera.bl_idname, text="Camera", icon="CAMERA_DATA")
        rig = heads.head_rig(head)
        if rig is not None:
            visible = not rig.hide_get()
            row.operator(heads.LIKENESS_OT_toggle_bones.bl_idname, icon="BONE_DATA", depress=visible)
        row.operator(heads.LIKENESS_OT_open_folder.bl_idname, text="Files", icon="FILE_FOLDER")
        layout.operator(light.LIKENESS_OT_photo_light.bl_idname, icon="LIGHT_SUN")
        self.draw_hair(layout, head)
        column = layout.column(align=True)
        for label, socket in surface.relief_sockets(head):
            column.prop(socket, "default_value", text=label, slider=True)
        self.draw_viewer(layout, head)  # last: its slider comes and goes

    def draw_hair(self, layout: Any, head: bpy.types.Object) -> None:
        """Whether hair is shown, and how full it is."""
        hair = heads.head_hair(head)
        volume = heads.hair_volume(hair) if hair is not None else None
        if hair is None or volume is None:
            return
        shown = heads.hair_shown(hair)
        row = layout.row(align=True)
        row.operator(heads.LIKENESS_OT_toggle_hair.bl_idname, icon="STRANDS", depress=shown)
        slider = row.row(align=True)
        slider.enabled = shown
        slider.prop(volume, "value", text="Volume", slider=True)

    def draw_viewer(self, layout: Any, head: bpy.types.Object) -> None:
        """Step through the expression keys; the slider is the key shown."""
        view_key = heads.LIKENESS_OT_view_key.bl_idname
        shown = heads.shown_key(head)
        column = layout.column(align=True)
        row = column.row(align=True)
        row.operator(view_key, text="", icon="TRIA_LEFT").step = -1
        row.operator_menu_enum(view_key, "key", text=shown or "View Key")
        row.operator(view_key, text="", icon="TRIA_RIGHT").step = 1
        keys = heads.head_keys(head)
        if shown and keys is not None:
            column.prop(keys.key_blocks[shown], "value", text="Value", slider=True)


class LIKENESS_PT_provenance(SidebarPanel, bpy.types.Panel):
    """What the head was made from, and under which licences"""

    bl_label = "Provenance"
    bl_parent_id = "LIKENESS_PT_head"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Wrapped lines."""
        layout: Any = self.layout
        head = heads.active_head(context)
        column = layout.column(align=True)
        for line in heads.licences(head) if head else ():
            for part in wrapped(context, line):
                column.label(text=part)
