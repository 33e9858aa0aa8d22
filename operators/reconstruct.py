"""Reconstruct from Image: the operator."""
# pyright: reportInvalidTypeForm=false
# (Blender reads property declarations from annotations.)

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import CollectionProperty, StringProperty

from ..engine.errors import EngineError, MediaError
from .addon import absolute, engine_settings, new_result_folder, prune
from .heads import FOLDER_KEY
from .job import EngineJob, ReconstructJob
from .modal import ModalJob
from .options import BUILD_CHOICES, CHOICES, ReconstructChoices, build_options, engine_options, scene_settings
from .session import SESSION
from .view import hide_bones, look_at

if TYPE_CHECKING:
    from .build import BuiltHead

KEPT = 20  # newest results and logs kept in the cache


class LIKENESS_OT_reconstruct(ModalJob, ReconstructChoices, bpy.types.Operator):
    """Build a rigged, textured head from a photo"""

    bl_idname = "likeness.reconstruct"
    bl_label = "Reconstruct from Image"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(
        name="Photo", description="Picture of one person's face", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )
    directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
    result_folder: StringProperty(
        name="Result",
        description="Finished result to build from, instead of running the engine",
        subtype="DIR_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """From the button or a dropped file: the sidebar's settings count, and Blender stays usable meanwhile. Several
        files dropped at once are photos of one person."""
        if len(self.files) > 1:
            operators: Any = bpy.ops
            files = [{"name": file.name} for file in self.files]
            operators.likeness.reconstruct_several("INVOKE_DEFAULT", directory=self.directory, files=files)
            return {"CANCELLED"}  # this one: the other has taken over
        settings = scene_settings(context)
        for name in CHOICES:
            if not self.properties.is_property_set(name):
                setattr(self, name, getattr(settings, name))
        if self.filepath:
            settings.photo = self.filepath
        else:
            self.filepath = settings.photo
        return self._start(context, wait=False)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From a script, in background mode, or when the settings of the last result are adjusted: at once."""
        return self._rebuild(context) if self.result_folder else self._start(context, wait=True)

    def draw(self, context: bpy.types.Context) -> None:
        """What can be adjusted afterwards without running the engine again."""
        layout: Any = self.layout
        column = layout.column()
        for name in BUILD_CHOICES:
            column.prop(self, name)

    def succeed(self, context: bpy.types.Context, job: EngineJob) -> set[str]:
        """Report what was made, and remember the result for adjustments."""
        assert isinstance(job, ReconstructJob)
        self.result_folder = str(job.folder)
        if self.look_at:
            look_at(context, job.built.head)
        for warning in (*job.result.get("warnings", ()), *job.built.warnings):
            self.report({"WARNING"}, warning)
        self.report({"INFO"}, f"{job.built.collection.name}: done in {job.seconds:.1f} s")
        return {"FINISHED"}

    def _start(self, context: bpy.types.Context, wait: bool) -> set[str]:
        try:
            start_reconstruction(context, self.filepath, self)
        except EngineError as error:
            return self.fail(error)
        return self.run_job(context, wait)

    def _rebuild(self, context: bpy.types.Context) -> set[str]:
        try:
            build(context, Path(self.result_folder), absolute(self.filepath), self)
        except (EngineError, OSError) as error:
            return self.fail(error)
        return {"FINISHED"}


def start_reconstruction(context: bpy.types.Context, filepath: str, choices: Any) -> ReconstructJob:
    """Start the session's job for one photo, with a new result folder in the cache.

    Raises:
        EngineError: no such photo, another job runs, or the engine or its cache cannot be used.
    """
    if not filepath:
        raise MediaError("No photo was chosen.", "Pick one in the sidebar, or drop one on the 3D viewport.")
    photo, settings = absolute(filepath), engine_settings()
    if not photo.is_file():
        raise MediaError(f"There is no photo at {photo}.", "Pick one that is there.")

    def make(process: Any) -> ReconstructJob:
        prune(settings.cache_folder / "logs", KEPT)
        prune(settings.cache_folder / "results", KEPT)
        folder = new_result_folder(settings.cache_folder / "results", photo.stem)
        try:
            return ReconstructJob(
                process,
                photo,
                folder,
                engine_options(choices, settings),
                lambda folder: build(context, folder, photo, choices),
            )
        except EngineError:
            folder.rmdir()
            raise

    return SESSION.start(make)


def build(context: bpy.types.Context, folder: Path, photo: Path, choices: Any) -> BuiltHead:
    """Build the head that lies in a result folder into the present scene."""
    from ..engine.result import Reconstruction
    from .build import build_head

    reconstruction = Reconstruction.load(folder, pictures=False)
    built = build_head(context, reconstruction, folder, build_options(choices, photo))
    built.head[FOLDER_KEY] = str(folder)
    hide_bones(built.rig)
    if not choices.pack_images and not bpy.data.filepath:
        built.warnings.append("The textures were packed: save the .blend first to keep them beside it.")
    return built
