"""Takes from and to FLAME's numbers. The engine's process converts them; it needs the user's FLAME."""
# pyright: reportInvalidTypeForm=false
# (Blender reads property declarations from annotations.)

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty, StringProperty

from ..engine.errors import EngineError, MediaError, OutputError
from ..engine.models.registry import FLAME_VERSIONS
from ..engine.models.states import State as FileState
from ..engine.tracking.options import RetargetOptions
from ..engine.tracking.retarget_job import retarget_arguments
from ..engine.tracking.take import Take
from .addon import absolute, engine_settings, new_result_folder, prune
from .animate_options import TAKE_CHOICES, TakeChoices, take_options
from .client import EngineProcess
from .heads import active_head, head_keys, result_folder
from .job import BuildJob, EngineJob, TrackJob
from .modal import ModalJob, after_browser
from .models import BOARD
from .session import SESSION
from .takes import FileOperator, acting_mesh

if TYPE_CHECKING:
    from .build.take_options import BuiltTake

KEPT = 20  # newest takes kept in the cache
FILES = "*.npz;*.pkl"


class RetargetJob(TrackJob):
    """Retargets a file in the engine's process, then does something with the folder in the caller's. To the panels it
    is a job of footage: it stands in the same place."""

    def __init__(
        self, process: EngineProcess, file: Path, folder: Path, options: RetargetOptions, build: Callable[[Path], Any]
    ) -> None:
        self.clip = file
        BuildJob.__init__(
            self, process, file.name, "retarget", retarget_arguments(file, folder, options), folder, build
        )


def flame_there() -> bool:
    """Whether one of FLAME's files is in the model folder; cheap enough for a panel."""
    return any(found.model in FLAME_VERSIONS and found.state is not FileState.MISSING for found in BOARD.states())


def head_model_of(head: bpy.types.Object) -> Any:
    """The head model of a reconstructed head; the open head's for any other mesh."""
    folder = result_folder(head)
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8")) if folder else {}
    except (OSError, ValueError):
        report = {}
    return report.get("head_model", "open")


class FlameTakeChoices(TakeChoices):
    """How numbers become an action."""

    fps: FloatProperty(
        name="Rate", description="Frames a second; 0 for the file's own", default=0.0, min=0.0, max=240.0
    )


FLAME_TAKE_CHOICES = (*TAKE_CHOICES, *FlameTakeChoices.__annotations__)


class LIKENESS_OT_import_flame_take(FlameTakeChoices, FileOperator):
    """Play a performance in FLAME's numbers (SMIRK's, DECA's, EMOCA's, or exported here) on the selected head"""

    bl_idname = "likeness.import_flame_take"
    bl_label = "Import FLAME Take"
    bl_options: set[str] = set()  # done again, it would ask the engine again

    filter_glob: StringProperty(default=FILES, options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Hand the file on."""
        choices = {name: getattr(self, name) for name in FLAME_TAKE_CHOICES}
        operators: Any = bpy.ops
        return after_browser(self, context, operators.likeness.play_flame_take, filepath=self.filepath, **choices)


class FlameOperator(ModalJob):
    """Mixed into the operators that run a `RetargetJob`."""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """In a window: without blocking."""
        return self._run(context, wait=False)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From a script: at once."""
        return self._run(context, wait=True)

    def _run(self, context: bpy.types.Context, wait: bool) -> set[str]:
        try:
            self.start(context)
        except EngineError as error:
            return self.fail(error)
        return self.run_job(context, wait)

    if TYPE_CHECKING:

        def start(self, context: bpy.types.Context) -> None:
            """Start the job: each operator's own."""


class LIKENESS_OT_play_flame_take(FlameTakeChoices, FlameOperator, bpy.types.Operator):
    """Play a performance in FLAME's numbers"""

    bl_idname = "likeness.play_flame_take"
    bl_label = "Import FLAME Take"
    bl_options = {"INTERNAL", "UNDO"}

    filepath: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def start(self, context: bpy.types.Context) -> None:
        """Let the engine make a take of the file."""
        mesh, file, settings = acting_mesh(context), absolute(self.filepath), engine_settings()
        if mesh is None:
            raise MediaError("No mesh with shape keys is selected.", "Select the head that is to act.")
        if not file.is_file():
            raise MediaError(f"There is no file at {file}.", "Pick one that is there.")
        options = RetargetOptions(head_model_of(mesh), None, self.fps or None, settings.model_folder)
        name, choices, whole = mesh.name, take_options(self, file.stem), mesh == active_head(context)

        def make(process: EngineProcess) -> RetargetJob:
            prune(settings.cache_folder / "takes", KEPT)
            folder = new_result_folder(settings.cache_folder / "takes", file.stem)
            return RetargetJob(process, file, folder, options, lambda folder: play(folder, name, choices, whole))

        SESSION.start(make)

    def succeed(self, context: bpy.types.Context, job: EngineJob) -> set[str]:
        """Report what was made."""
        assert isinstance(job, RetargetJob)
        built: BuiltTake = job.built
        for warning in (*job.result.get("warnings", ()), *built.warnings):
            self.report({"WARNING"}, warning)
        if built.missing:
            self.report({"WARNING"}, f"No shape key for {', '.join(built.missing)}")
        self.report({"INFO"}, f"{job.clip.name}: frames {built.frames[0]} to {built.frames[1]}")
        return {"FINISHED"}


def play(folder: Path, name: str, choices: Any, whole: bool) -> BuiltTake:
    """Play the take in a folder on a mesh; `whole` for a reconstructed head, with its bones."""
    from .build.access import scene_of
    from .build.action import apply_take_to_mesh, build_action

    mesh = bpy.data.objects.get(name)
    if mesh is None or head_keys(mesh) is None:
        raise MediaError(f"“{name}” is gone.", "Select the head that is to act, and import the file again.")
    make = build_action if whole else apply_take_to_mesh
    return make(mesh, Take.load(folder), choices, scene_of(bpy.context))


class LIKENESS_OT_export_flame(FileOperator):
    """Write what the shape keys and bones do in the numbers of your FLAME, as .npz"""

    bl_idname = "likeness.export_flame"
    bl_label = "Export FLAME Parameters"
    bl_options: set[str] = set()

    filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})
    check_existing: BoolProperty(default=True, options={"HIDDEN"})
    first: IntProperty(name="First Frame", description="0 with Last Frame 0: all of the action", default=0)
    last: IntProperty(name="Last Frame", default=0)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with shape keys that are animated."""
        if not super().poll(context):
            return False
        mesh = acting_mesh(context)
        keys = None if mesh is None else head_keys(mesh)
        if keys is None or keys.animation_data is None:
            cls.poll_message_set("Play a take on this head first")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Suggest a name."""
        mesh = acting_mesh(context)
        self.filepath = f"{mesh.name if mesh else 'take'} FLAME.npz"
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Hand the file on."""
        operators: Any = bpy.ops
        return after_browser(
            self, context, operators.likeness.write_flame, filepath=self.filepath, first=self.first, last=self.last
        )


class LIKENESS_OT_write_flame(FlameOperator, bpy.types.Operator):
    """Write what the shape keys and bones do in FLAME's numbers"""

    bl_idname = "likeness.write_flame"
    bl_label = "Export FLAME Parameters"
    bl_options = {"INTERNAL"}

    filepath: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    first: IntProperty(options={"HIDDEN", "SKIP_SAVE"})
    last: IntProperty(options={"HIDDEN", "SKIP_SAVE"})

    def start(self, context: bpy.types.Context) -> None:
        """Sample the scene, and let the engine convert the take."""
        from .build.access import scene_of
        from .build.take_sample import take_from_action

        mesh, settings = acting_mesh(context), engine_settings()
        if mesh is None:
            raise MediaError("No mesh with shape keys is selected.", "Select the head that acts.")
        path = absolute(self.filepath).with_suffix(".npz")
        part = (self.first, self.last) if self.first or self.last else (None, None)
        take = take_from_action(mesh, *part, scene_of(context))
        options = RetargetOptions(head_model_of(mesh), result_folder(mesh), None, settings.model_folder)

        def make(process: EngineProcess) -> RetargetJob:
            folder = new_result_folder(settings.cache_folder / "takes", path.stem)
            take.save(folder)
            return RetargetJob(process, folder / "take.npz", folder, options, lambda folder: hand_over(folder, path))

        SESSION.start(make)

    def succeed(self, context: bpy.types.Context, job: EngineJob) -> set[str]:
        """Report what was written."""
        assert isinstance(job, RetargetJob)
        self.report({"INFO"}, f"{job.built.name}: {job.result.get('frames')} frames in {job.result.get('version')}")
        return {"FINISHED"}


def hand_over(folder: Path, path: Path) -> Path:
    """Move the numbers out of the cache to where the user wants them.

    Raises:
        OutputError: they cannot be written there.
    """
    from ..engine.tracking.flame_take import FILE  # not at Blender's start: much comes with it

    try:
        shutil.copyfile(folder / FILE, path)
    except OSError as error:
        raise OutputError(
            f"Cannot write {path}: {error.strerror or error}.", "Choose a folder you can write to."
        ) from error
    shutil.rmtree(folder, ignore_errors=True)
    return path
