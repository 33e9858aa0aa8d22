"""Animate from Video: the operator, and the choice of the clip."""
# pyright: reportInvalidTypeForm=false
# (Blender reads property declarations from annotations.)

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, StringProperty

from ..engine.errors import EngineError, MediaError
from ..engine.tracking.chunks import FOLDER as PARTIAL
from ..engine.tracking.take import Take
from .addon import absolute, engine_settings, new_result_folder, prune
from .animate_options import ANIMATE_CHOICES, AnimateChoices, take_options, track_options
from .heads import FOLDER_KEY, active_head, head_rig, result_folder
from .job import EngineJob, TrackJob
from .modal import ModalJob
from .session import SESSION
from .utility import may_drop
from .view import hide_bones, look_at

if TYPE_CHECKING:
    from .build.take_options import BuiltTake

KEPT = 20  # newest takes and logs kept in the cache
CLIP_TYPES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".gif")


@dataclass
class Animated:
    """What a clip became: the head that acts, whether it is new, its action, sentences for the user."""

    head: bpy.types.Object
    new: bool
    take: BuiltTake
    warnings: list[str] = field(default_factory=list)


class LIKENESS_OT_animate(ModalJob, AnimateChoices, bpy.types.Operator):
    """Make an action from footage of a face"""

    bl_idname = "likeness.animate"
    bl_label = "Animate from Video"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(
        name="Clip", description="Video, GIF, or the first of numbered pictures", subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )  # fmt: skip

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """From the button or a dropped file: the sidebar's settings count, and Blender stays usable meanwhile."""
        settings = clip_settings(context)
        for name in ANIMATE_CHOICES:
            if not self.properties.is_property_set(name):
                setattr(self, name, getattr(settings, name))
        if self.filepath:
            settings.clip = self.filepath
        else:
            self.filepath = settings.clip
        return self._start(context, wait=False)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From a script or in background mode: at once."""
        return self._start(context, wait=True)

    def succeed(self, context: bpy.types.Context, job: EngineJob) -> set[str]:
        """Report what was made."""
        assert isinstance(job, TrackJob)
        built: Animated = job.built
        if built.new:
            look_at(context, built.head)
        for warning in (*job.result.get("warnings", ()), *built.warnings):
            self.report({"WARNING"}, warning)
        first, last = built.take.frames
        self.report({"INFO"}, f"{job.clip.name}: frames {first} to {last}, done in {job.seconds:.1f} s")
        return {"FINISHED"}

    def _start(self, context: bpy.types.Context, wait: bool) -> set[str]:
        try:
            start_tracking(context, self.filepath, self)
        except EngineError as error:
            return self.fail(error)
        return self.run_job(context, wait)


class LIKENESS_OT_pick_clip(bpy.types.Operator):
    """Choose the footage of a face: a video, a GIF, or one of numbered pictures"""

    bl_idname = "likeness.pick_clip"
    bl_label = "Pick Clip"
    bl_options = {"INTERNAL", "UNDO"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_movie: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_image: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Open the file browser at the present clip."""
        self.filepath = clip_settings(context).clip
        manager: Any = context.window_manager
        manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take the chosen file."""
        clip_settings(context).clip = self.filepath
        return {"FINISHED"}


class LIKENESS_FH_clip(bpy.types.FileHandler):
    """Clips dropped on the 3D viewport"""

    bl_idname = "LIKENESS_FH_clip"
    bl_label = "Animate from Video"
    bl_import_operator = "likeness.animate"
    bl_file_extensions = ";".join(CLIP_TYPES)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Only over a 3D viewport, and not while a job runs."""
        return may_drop(context)


def clip_settings(context: bpy.types.Context) -> Any:
    """The sidebar's settings for clips of the context's scene."""
    scene: Any = context.scene
    return scene.likeness_clip


def start_tracking(context: bpy.types.Context, filepath: str, choices: Any) -> TrackJob:
    """Start the session's job for one clip.

    Raises:
        EngineError: no such clip, another job runs, or the engine or its cache cannot be used.
    """
    if not filepath:
        raise MediaError("No clip was chosen.", "Pick one in the sidebar, or drop one on the 3D viewport.")
    clip, settings = absolute(filepath), engine_settings()
    if not clip.exists():
        raise MediaError(f"There is no clip at {clip}.", "Pick one that is there.")
    actor = active_head(context) if choices.actor == "ACTIVE" else None
    head = None if actor is None else result_folder(actor)

    def make(process: Any) -> TrackJob:
        prune(settings.cache_folder / "logs", KEPT)
        prune(settings.cache_folder / "takes", KEPT)
        folder = take_folder(settings.cache_folder / "takes", clip.stem)
        options = track_options(choices, settings, head)
        name = None if actor is None else actor.name  # the object itself may be gone, or another one, by then
        return TrackJob(process, clip, folder, options, lambda folder: build(context, folder, clip, choices, name))

    return SESSION.start(make)


def take_folder(parent: Path, name: str) -> Path:
    """A new folder for a clip's take, or the one in which a cancelled job left what it had."""
    for folder in sorted(parent.glob(f"{name}*")) if parent.is_dir() else ():
        if folder.is_dir() and [item.name for item in folder.iterdir()] == [PARTIAL]:
            return folder
    return new_result_folder(parent, name)


def build(context: bpy.types.Context, folder: Path, clip: Path, choices: Any, actor: str | None) -> Animated:
    """Build the take that lies in a result folder into the present scene: nothing changes if it fails.

    Args:
        actor: name of the head that acts; None, or one that is gone, for a new one.
    """
    from .build.action import build_action
    from .build.footage import set_scene_rate

    scene: Any = context.scene
    take = Take.load(folder)
    with ExitStack() as undo:
        if choices.set_scene:
            undo.callback(_restore_rate, scene, _rate(scene))
            set_scene_rate(scene, take.fps, choices.start_frame, choices.start_frame + len(take) - 1)
        head = bpy.data.objects.get(actor) if actor else None
        warnings: list[str] = []
        new = head is None
        if head is None:
            head = _new_head(context, folder, undo)
        built = build_action(head, take, take_options(choices, clip.stem), scene)
        undo.pop_all()
    warnings += built.warnings
    if built.missing:
        warnings.append(f"“{head.name}” has no shape key for {', '.join(built.missing[:5])}.")
    warnings += _show_footage(scene, head, built, take, clip, choices)
    return Animated(head, new, built, warnings)


def _new_head(context: bpy.types.Context, folder: Path, undo: ExitStack) -> bpy.types.Object:
    """The person of the clip."""
    from ..engine.result import Reconstruction
    from .build import build_head

    undo.callback(_remove_all_but, _data_blocks())
    built = build_head(context, Reconstruction.load(folder, pictures=False), folder)
    built.head[FOLDER_KEY] = str(folder)
    hide_bones(built.rig)
    return built.head


def _remove_all_but(before: set[bpy.types.ID]) -> None:
    """Remove every data-block that was not there before."""
    bpy.data.batch_remove(list(_data_blocks() - before))


def _data_blocks() -> set[bpy.types.ID]:
    """Every data-block of the file."""
    data: Any = bpy.data
    return set(data.user_map())


def _show_footage(
    scene: bpy.types.Scene, head: bpy.types.Object, built: BuiltTake, take: Take, clip: Path, choices: Any
) -> list[str]:
    """The clip behind the head and its sound. What does not work is a warning: the action is there."""
    from .build.footage import add_sound, clip_start
    from .build.retime import scene_rate

    start = clip_start(take, choices.start_frame, scene_rate(scene))
    warnings = []
    if choices.background:
        try:
            _show_clip(scene, head, built.camera, take, clip, round(start))
        except EngineError as error:
            warnings.append(str(error))
    if choices.sound:
        add_sound(scene, clip, start, clip.stem)
    return warnings


def _show_clip(
    scene: bpy.types.Scene, head: bpy.types.Object, camera: bpy.types.Object | None, take: Take, clip: Path, first: int
) -> None:
    """The clip behind the head in the footage's camera, which is made where there is none; nothing if it fails."""
    from .build.footage import build_clip_camera, show_clip
    from .build.home import home_matrix
    from .build.transaction import Transaction

    with Transaction() as transaction:
        if camera is None:
            home = home_matrix(head_rig(head) or head)
            camera = build_clip_camera(scene, head, take, f"{clip.stem} Camera", home, False, transaction)
        show_clip(camera, clip, first, size=(take.camera.width, take.camera.height))
    scene.camera = camera


def _rate(scene: bpy.types.Scene) -> tuple[int, float, int, int]:
    return scene.render.fps, scene.render.fps_base, scene.frame_start, scene.frame_end


def _restore_rate(scene: bpy.types.Scene, rate: tuple[int, float, int, int]) -> None:
    scene.render.fps, scene.render.fps_base, scene.frame_start, scene.frame_end = rate
