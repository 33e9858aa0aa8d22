"""Everything Blender is told about, in one table, in order; and the way back."""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from typing import Any

import bpy
from bpy.app.handlers import persistent

from ..operators import animate, depth, flame_take, heads, light, models, several, takes, utility, wrap
from ..operators.addon import COMMAND
from ..operators.reconstruct import LIKENESS_OT_reconstruct
from ..operators.session import SESSION
from . import clip_panels, depth_panel, models_panel, panels, several_panel, thumbnail
from .preferences import LIKENESS_AP_preferences
from .settings import LIKENESS_PG_clip, LIKENESS_PG_depth, LIKENESS_PG_photo, LIKENESS_PG_settings, LIKENESS_PG_several

CLASSES: tuple[type, ...] = (
    LIKENESS_PG_settings,
    LIKENESS_PG_clip,
    LIKENESS_PG_depth,
    LIKENESS_PG_photo,
    LIKENESS_PG_several,
    LIKENESS_AP_preferences,
    LIKENESS_OT_reconstruct,
    utility.LIKENESS_OT_pick_photo,
    utility.LIKENESS_OT_cancel,
    utility.LIKENESS_OT_check_engine,
    utility.LIKENESS_FH_photo,
    several.LIKENESS_OT_reconstruct_several,
    several.LIKENESS_OT_add_photos,
    several.LIKENESS_OT_remove_photo,
    several.LIKENESS_OT_clear_photos,
    several.LIKENESS_OT_photo_camera,
    depth.LIKENESS_OT_depth_mesh,
    wrap.LIKENESS_OT_wrap_depth,
    animate.LIKENESS_OT_animate,
    animate.LIKENESS_OT_pick_clip,
    animate.LIKENESS_FH_clip,
    takes.LIKENESS_OT_import_take,
    takes.LIKENESS_OT_export_take,
    takes.LIKENESS_OT_retake,
    flame_take.LIKENESS_OT_import_flame_take,
    flame_take.LIKENESS_OT_play_flame_take,
    flame_take.LIKENESS_OT_export_flame,
    flame_take.LIKENESS_OT_write_flame,
    heads.LIKENESS_OT_neutral,
    heads.LIKENESS_OT_photo_expression,
    heads.LIKENESS_OT_view_key,
    heads.LIKENESS_OT_toggle_bones,
    heads.LIKENESS_OT_toggle_hair,
    heads.LIKENESS_OT_select_camera,
    light.LIKENESS_OT_photo_light,
    heads.LIKENESS_OT_open_folder,
    models.LIKENESS_OT_run_models,
    models.LIKENESS_OT_locate_model,
    models.LIKENESS_OT_forget_model,
    models.LIKENESS_OT_scan_models,
    models.LIKENESS_OT_check_models,
    models.LIKENESS_OT_convert_model,
    models.LIKENESS_OT_download_model,
    models.LIKENESS_OT_unfold_model,
    panels.LIKENESS_PT_reconstruct,
    panels.LIKENESS_PT_options,
    several_panel.LIKENESS_PT_several,
    depth_panel.LIKENESS_PT_depth,
    clip_panels.LIKENESS_PT_animate,
    clip_panels.LIKENESS_PT_animate_options,
    panels.LIKENESS_PT_head,
    panels.LIKENESS_PT_provenance,
    models_panel.LIKENESS_PT_models,
)


@persistent
def cancel_job(*arguments: Any) -> None:
    """Another file is about to be opened, or an undo about to be made: the head of a job that runs would come as a
    surprise there."""
    SESSION.cancel()


def run_command(argv: list[str]) -> int:
    """blender -b --command likeness ARGUMENTS: loaded when it is called."""
    from ..operators.command import run_command

    return run_command(argv)


HANDLERS = ((bpy.app.handlers.load_pre, cancel_job), (bpy.app.handlers.undo_pre, cancel_job))
_undo = ExitStack()


def register() -> None:
    """Register the table. If anything fails, nothing stays registered."""
    with ExitStack() as undo:
        undo.callback(thumbnail.forget)
        for kind in CLASSES:
            bpy.utils.register_class(kind)
            undo.callback(bpy.utils.unregister_class, kind)
        scene: Any = bpy.types.Scene
        scene.likeness = bpy.props.PointerProperty(type=LIKENESS_PG_settings)
        undo.callback(delattr, scene, "likeness")
        scene.likeness_clip = bpy.props.PointerProperty(type=LIKENESS_PG_clip)
        undo.callback(delattr, scene, "likeness_clip")
        scene.likeness_depth = bpy.props.PointerProperty(type=LIKENESS_PG_depth)
        undo.callback(delattr, scene, "likeness_depth")
        scene.likeness_several = bpy.props.PointerProperty(type=LIKENESS_PG_several)
        undo.callback(delattr, scene, "likeness_several")
        for handlers, handler in HANDLERS:
            handlers.append(handler)
            undo.callback(handlers.remove, handler)
        undo.callback(bpy.utils.unregister_cli_command, bpy.utils.register_cli_command(COMMAND, run_command))
        atexit.register(SESSION.close)
        undo.callback(atexit.unregister, SESSION.close)
        undo.callback(SESSION.close)
        _undo.push(undo.pop_all())


def unregister() -> None:
    """End the engine, and take everything back in reverse order."""
    _undo.close()
