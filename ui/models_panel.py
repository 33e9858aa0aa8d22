"""Model files, in the sidebar and in the preferences: which are there, what they are for, where others come from."""

from __future__ import annotations

from typing import Any

import bpy

from ..engine.models.registry import BUILT_IN, GROUPS
from ..engine.models.states import State, Status
from ..operators import models
from ..operators.addon import PACKAGE
from ..operators.session import SESSION
from .panels import SidebarPanel, draw_progress
from .preferences import draw_error
from .text import wrapped

ICONS = {
    State.MISSING: "RADIOBUT_OFF",
    State.FOUND: "QUESTION",
    State.WRONG: "ERROR",
    State.USABLE: "CHECKMARK",
}
TITLES = {State.MISSING: "Missing", State.FOUND: "Found", State.WRONG: "Wrong", State.USABLE: "Usable"}


class LIKENESS_PT_models(SidebarPanel, bpy.types.Panel):
    """Model files: which are there, and where the others come from"""

    bl_label = "Models"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """The list, then the way to the preferences."""
        layout: Any = self.layout
        draw_models(layout, context)
        layout.operator("preferences.addon_show", text="Engine and Folders", icon="PREFERENCES").module = PACKAGE


def draw_models(layout: Any, context: bpy.types.Context) -> None:
    """Buttons for all files or the progress, the groups, and what the last job said. Looks into no file."""
    if isinstance(SESSION.running, models.ModelsJob):
        draw_progress(layout, SESSION.running)
    else:
        row = layout.row(align=True)
        row.operator(models.LIKENESS_OT_scan_models.bl_idname, icon="VIEWZOOM")
        row.operator(models.LIKENESS_OT_check_models.bl_idname, icon="FILE_REFRESH")
    if isinstance(SESSION.job, models.ModelsJob) and SESSION.error is not None:
        draw_error(layout, context, SESSION.error)
    column = layout.column(align=True)
    for note in models.BOARD.notes:
        for index, line in enumerate(wrapped(context, note)):
            column.label(text=line, icon="INFO" if index == 0 else "BLANK1")
    states = models.BOARD.states()
    for group in GROUPS:
        draw_group(layout, context, group, [status for status in states if status.model.group == group])


def draw_group(layout: Any, context: bpy.types.Context, group: str, states: list[Status]) -> None:
    """A heading with how many are there; unfolded, a line each. Something wrong shows in any case."""
    usable = sum(status.state is State.USABLE for status in states)
    open_ = fold(layout, group, f"{group} ({usable} of {len(states)})")
    column = layout.column()
    for status in states:
        if open_ or status.state is State.WRONG:
            draw_model(column, context, status)


def fold(layout: Any, key: str, text: str) -> bool:
    """A line that unfolds what is under it. Returns whether it is unfolded."""
    open_ = key in models.BOARD.unfolded
    row = layout.row()
    row.alignment = "LEFT"
    icon = "DISCLOSURE_TRI_DOWN" if open_ else "DISCLOSURE_TRI_RIGHT"
    row.operator(models.LIKENESS_OT_unfold_model.bl_idname, text=text, icon=icon, emboss=False).key = key
    return open_


def draw_model(layout: Any, context: bpy.types.Context, status: Status) -> None:
    """One model: its name and state; unfolded, all there is to say and do."""
    model = status.model
    row = layout.row()
    open_ = fold(row, model.key or model.title, model.title)
    row.label(text=TITLES[status.state], icon=ICONS[status.state])
    if not open_:
        return
    box = layout.box()
    column = box.column(align=True)
    column.alert = status.state is State.WRONG
    if status.detail:
        draw_text(column, context, status.detail)
    column = box.column(align=True)
    for line in facts(status):
        draw_text(column, context, line)
    if model.group != BUILT_IN:
        draw_buttons(box, status)


def facts(status: Status) -> list[str]:
    """What is known of a model, in lines."""
    model = status.model
    lines = [model.purpose, f"Used by {model.used_by}" if model.used_by else "Not used yet"]
    lines += [f"Licence: {model.licence}", f"File: {' or '.join(model.files)}"]
    if model.size:
        lines.append(f"Size: about {human(model.size)}")
    if model.sha256:
        lines.append(f"SHA-256: {model.sha256}{'…' if len(model.sha256) < 64 else ''}")
    if status.path is not None and status.state is not State.MISSING and model.group != BUILT_IN:
        lines.append(f"At {status.path}")
    return lines


def human(size: int) -> str:
    """A size in the unit that suits it."""
    for unit, one in (("GB", 1e9), ("MB", 1e6)):
        if size >= one:
            return f"{size / one:.3g} {unit}"
    return f"{max(1, round(size / 1e3))} KB"


def draw_text(column: Any, context: bpy.types.Context, text: str) -> None:
    """Wrapped lines."""
    for line in wrapped(context, text):
        column.label(text=line)


def draw_buttons(layout: Any, status: Status) -> None:
    """What can be done about a model."""
    model = status.model
    column = layout.column(align=True)
    text = "Locate Folder" if model.folder else "Locate File"
    row = column.row(align=True)
    row.operator(models.LIKENESS_OT_locate_model.bl_idname, text=text, icon="FILE_FOLDER").key = model.key
    if models.BOARD.chosen(model.key):
        row.operator(models.LIKENESS_OT_forget_model.bl_idname, text="", icon="X").key = model.key
    if model.source:
        column.operator("wm.url_open", text="Open Owner's Page", icon="URL").url = model.source
    if model.download and status.state is not State.USABLE:
        column.operator(models.LIKENESS_OT_download_model.bl_idname, icon="IMPORT").key = model.key
    if models.may_convert(status):
        column.operator(models.LIKENESS_OT_convert_model.bl_idname, icon="EXPORT").key = model.key
