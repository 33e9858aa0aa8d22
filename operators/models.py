"""The Models panel's operators: locate, scan, check, convert, download. The engine's process looks into the files."""
# pyright: reportInvalidTypeForm=false
# (Blender reads property declarations from annotations.)

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, StringProperty

from ..engine.errors import EngineError, ModelFileError, WorkerError
from ..engine.models import places
from ..engine.models.convert import convertible
from ..engine.models.jobs import models_arguments
from ..engine.models.model_file import ModelFile
from ..engine.models.registry import MODELS, by_key
from ..engine.models.states import State, Status, statuses
from .addon import absolute, engine_settings
from .client import EngineProcess
from .job import EngineJob
from .modal import ModalJob, after_browser, redraw
from .session import SESSION

FRESH = 5.0
"""Seconds that the states are shown before files are looked for again."""
OFFLINE = "Allow Online Access in the preferences, under System, or get the file from its owner's page"


class Board:
    """What the panel shows: states, which entries are unfolded, and what the last job had to say.

    Attributes:
        unfolded: groups, and keys of models, that show more than a line.
        notes: of the last job.
    """

    def __init__(self) -> None:
        self.unfolded: set[str] = set()
        self.notes: list[str] = []
        self._folder: Path | None = None
        self._found: list[Status] = []
        self._chosen: frozenset[str] = frozenset()
        self._until = 0.0

    def states(self) -> list[Status]:
        """Of all models, in the registry's order; looked up anew after a while, cheap in between."""
        folder = engine_settings().model_folder
        if folder != self._folder or time.monotonic() > self._until:
            self._folder, self._found = folder, statuses(folder, MODELS)
            self._chosen = frozenset(places.chosen(folder)) if folder else frozenset()
            self._until = time.monotonic() + FRESH
        return self._found

    def chosen(self, key: str) -> bool:
        """Whether the user chose this model's file, or a scan did."""
        return key in self._chosen

    def refresh(self) -> None:
        """Look the states up anew when they are next drawn."""
        self._until = 0.0


BOARD = Board()


class ModelsJob(EngineJob):
    """One of the Models panel's jobs in the engine's process."""

    def __init__(self, process: EngineProcess, title: str, arguments: dict[str, Any]) -> None:
        super().__init__(process, title, "models", arguments)


def model_folder() -> Path:
    """Where the user's files and what is known of them are kept."""
    folder = engine_settings().model_folder
    assert folder is not None  # the preferences always have one
    return folder


def online() -> bool:
    """Whether the user lets Blender use the network."""
    return bool(bpy.app.online_access)


class ModelsOperator(ModalJob):
    """Mixed into the operators that run a `ModelsJob`."""

    def start(self, context: bpy.types.Context, wait: bool, title: str, arguments: dict[str, Any]) -> set[str]:
        """Start the job; what went wrong is reported."""
        BOARD.notes = []
        try:
            SESSION.start(lambda process: ModelsJob(process, title, arguments))
        except EngineError as error:
            return self.fail(error)
        return self.run_job(context, wait)

    def finish(self, context: bpy.types.Context, job: EngineJob) -> set[str]:
        """However it ended, files may have changed."""
        BOARD.refresh()
        return super().finish(context, job)

    def succeed(self, context: bpy.types.Context, job: EngineJob) -> set[str]:
        """One line in the status bar, the rest in the panel."""
        BOARD.notes = [str(note) for note in job.result.get("notes", ())]
        self.report({"WARNING" if job.result.get("wrong") else "INFO"}, str(job.result.get("summary", "")))
        return {"FINISHED"}


class LIKENESS_OT_run_models(ModelsOperator, bpy.types.Operator):
    """Look into model files"""

    bl_idname = "likeness.run_models"
    bl_label = "Look into Model Files"
    bl_options = {"INTERNAL"}

    action: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    path: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    key: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """In a window: without blocking."""
        return self._run(context, wait=False)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From a script: at once."""
        return self._run(context, wait=True)

    def _run(self, context: bpy.types.Context, wait: bool) -> set[str]:
        path = Path(self.path) if self.path else None
        title = f"{'Scanning' if self.action == 'scan' else 'Looking at'} {path.name if path else 'model files'}"
        return self.start(context, wait, title, models_arguments(self.action, model_folder(), path, self.key))


def _run_after_browser(
    operator: bpy.types.Operator, context: bpy.types.Context, action: str, path: Path, key: str = ""
) -> set[str]:
    operators: Any = bpy.ops
    return after_browser(operator, context, operators.likeness.run_models, action=action, path=str(path), key=key)


def idle(operator: type[bpy.types.Operator]) -> bool:
    """Whether no job runs; a button that is grey says why."""
    if SESSION.running is not None:
        operator.poll_message_set("The engine is busy")
        return False
    return True


class LIKENESS_OT_locate_model(bpy.types.Operator):
    """Choose this model's file where it lies on your disk; it is not copied"""

    bl_idname = "likeness.locate_model"
    bl_label = "Locate File"
    bl_options = {"INTERNAL"}

    key: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not while a job runs: it writes the same notes."""
        return idle(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Open the file browser."""
        manager: Any = context.window_manager
        manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remember the file, and look into it."""
        try:
            model = model_of(self.key)
            path = absolute(self.directory if model.folder and self.directory else self.filepath)
            if not model.there(path):
                what = "folder" if model.folder else "file"
                raise ModelFileError(f"There is no {what} at {path}.", f"Choose the {what} of {model.title}.")
            places.choose(model_folder(), {model.key: path})
        except EngineError as error:
            self.report({"ERROR"}, f"{error.message} \n{error.cure}")
            return {"CANCELLED"}
        BOARD.refresh()
        return _run_after_browser(self, context, "check", path, model.key)


class LIKENESS_OT_forget_model(bpy.types.Operator):
    """Forget where this model's file is; the file stays as it is"""

    bl_idname = "likeness.forget_model"
    bl_label = "Forget File"
    bl_options = {"INTERNAL"}

    key: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not while a job runs."""
        return idle(cls)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Forget it."""
        try:
            places.choose(model_folder(), {model_of(self.key).key: None})
        except EngineError as error:
            self.report({"ERROR"}, f"{error.message} \n{error.cure}")
            return {"CANCELLED"}
        BOARD.refresh()
        redraw(context)
        return {"FINISHED"}


class LIKENESS_OT_scan_models(bpy.types.Operator):
    """Look through a folder for model files, by what they hold and not by their names"""

    bl_idname = "likeness.scan_models"
    bl_label = "Scan Folder"
    bl_options = {"INTERNAL"}

    directory: StringProperty(name="Folder", subtype="DIR_PATH", options={"SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not while a job runs."""
        return idle(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Open the file browser."""
        manager: Any = context.window_manager
        manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Scan the chosen folder."""
        if not self.directory:
            self.report({"ERROR"}, "No folder was chosen.")
            return {"CANCELLED"}
        return _run_after_browser(self, context, "scan", absolute(self.directory))


class LIKENESS_OT_check_models(ModelsOperator, bpy.types.Operator):
    """Look into every model file that is there, and show which are usable"""

    bl_idname = "likeness.check_models"
    bl_label = "Check Files"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not while a job runs."""
        return idle(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """From the button: without blocking."""
        return self._check(context, wait=False)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From a script: at once."""
        return self._check(context, wait=True)

    def _check(self, context: bpy.types.Context, wait: bool) -> set[str]:
        return self.start(context, wait, "Checking model files", models_arguments("check", model_folder()))


class LIKENESS_OT_convert_model(ModelsOperator, bpy.types.Operator):
    """Write this file as safetensors into the model folder, once: it loads faster, and nothing in it can run"""

    bl_idname = "likeness.convert_model"
    bl_label = "Convert to Safetensors"
    bl_options = {"INTERNAL"}

    key: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not while a job runs."""
        return idle(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """From the button: without blocking."""
        return self._convert(context, wait=False)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From a script: at once."""
        return self._convert(context, wait=True)

    def _convert(self, context: bpy.types.Context, wait: bool) -> set[str]:
        try:
            path = model_of(self.key).require(model_folder())
        except EngineError as error:
            return self.fail(error)
        arguments = models_arguments("convert", model_folder(), path, self.key)
        return self.start(context, wait, f"Converting {path.name}", arguments)


class LIKENESS_OT_download_model(ModelsOperator, bpy.types.Operator):
    """Fetch this file from its owner into the model folder; what broke off before goes on"""

    bl_idname = "likeness.download_model"
    bl_label = "Download"
    bl_options = {"INTERNAL"}

    key: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with the user's leave to use the network, and not while a job runs."""
        if not online():
            cls.poll_message_set(OFFLINE)
            return False
        return idle(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """From the button: without blocking."""
        return self._download(context, wait=False)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From a script: at once."""
        return self._download(context, wait=True)

    def _download(self, context: bpy.types.Context, wait: bool) -> set[str]:
        try:
            model = model_of(self.key)
            if not online():
                raise WorkerError("Blender may not use the network.", f"{OFFLINE}.")
        except EngineError as error:
            return self.fail(error)
        arguments = models_arguments("download", model_folder(), key=self.key)
        return self.start(context, wait, f"Downloading {model.title}", arguments)


class LIKENESS_OT_unfold_model(bpy.types.Operator):
    """Show more or less of this"""

    bl_idname = "likeness.unfold_model"
    bl_label = "Unfold"
    bl_options = {"INTERNAL"}

    key: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Toggle it."""
        BOARD.unfolded ^= {self.key}
        redraw(context)
        return {"FINISHED"}


def model_of(key: str) -> ModelFile:
    """A model that users bring.

    Raises:
        ModelFileError: there is none of that key.
    """
    try:
        return by_key(key)
    except KeyError:
        raise ModelFileError(f"There is no model “{key}”.", "Use a button of the Models panel.") from None


def may_convert(status: Status) -> bool:
    """Whether a conversion makes something of a model's file."""
    return status.state is State.USABLE and status.path is not None and convertible(status.model, status.path)
