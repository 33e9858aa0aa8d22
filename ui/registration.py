"""Everything Blender is told about, in one table, in order; and the way back."""

from __future__ import annotations

import atexit
from typing import Any

import bpy
from bpy.app.handlers import persistent

from ..operators import heads, utility
from ..operators.addon import COMMAND
from ..operators.reconstruct import LIKENESS_OT_reconstruct
from ..operators.session import SESSION
from . import panels, thumbnail
from .preferences import LIKENESS_AP_preferences
from .settings import LIKENESS_PG_settings

CLASSES: tuple[type, ...] = (
    LIKENESS_PG_settings,
    LIKENESS_AP_preferences,
    LIKENESS_OT_reconstruct,
    utility.LIKENESS_OT_pick_photo,
    utility.LIKENESS_OT_cancel,
    utility.LIKENESS_OT_check_engine,
    utility.LIKENESS_FH_photo,
    heads.LIKENESS_OT_neutral,
    heads.LIKENESS_OT_photo_expression,
    heads.LIKENESS_OT_view_key,
    heads.LIKENESS_OT_select_camera,
    heads.LIKENESS_OT_open_folder,
    panels.LIKENESS_PT_reconstruct,
    panels.LIKENESS_PT_options,
    panels.LIKENESS_PT_head,
    panels.LIKENESS_PT_provenance,
    panels.LIKENESS_PT_models,
)


@persistent
def cancel_before_load(*arguments: Any) -> None:
    """Another file is about to be opened: a job that runs would build its head into the wrong one."""
    SESSION.cancel()


def run_command(argv: list[str]) -> int:
    """blender -b --command likeness ARGUMENTS: loaded when it is called."""
    from ..operators.command import run_command

    return run_command(argv)


HANDLERS = ((bpy.app.handlers.load_pre, cancel_before_load),)
_commands: list[Any] = []


def register() -> None:
    """Register the table."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    scene: Any = bpy.types.Scene
    scene.likeness = bpy.props.PointerProperty(type=LIKENESS_PG_settings)
    for handlers, handler in HANDLERS:
        handlers.append(handler)
    _commands.append(bpy.utils.register_cli_command(COMMAND, run_command))
    atexit.register(SESSION.close)


def unregister() -> None:
    """Take everything back, and end the engine."""
    SESSION.close()
    atexit.unregister(SESSION.close)
    while _commands:
        bpy.utils.unregister_cli_command(_commands.pop())
    for handlers, handler in HANDLERS:
        if handler in handlers:
            handlers.remove(handler)
    scene: Any = bpy.types.Scene
    del scene.likeness
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
    thumbnail.forget()
