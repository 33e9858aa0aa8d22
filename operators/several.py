"""Reconstruct from Photos: the operator, and the list of photos of one person."""
# pyright: reportInvalidTypeForm=false
# (Blender reads property declarations from annotations.)

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, IntProperty, StringProperty

from ..engine.errors import EngineError, MediaError
from .addon import absolute, engine_settings, new_result_folder, prune
from .heads import HeadOperator, active_head, look_through, photo_cameras
from .job import EngineJob, SeveralJob
from .modal import ModalJob
from .options import BUILD_CHOICES, CHOICES, ReconstructChoices, engine_options, scene_settings
from .reconstruct import KEPT, build
from .session import SESSION
from .view import look_at

WAITING, USED, LEFT_OUT = "WAITING", "USED", "LEFT_OUT"
STATUSES = (
    (WAITING, "Waiting", "Not yet reconstructed from"),
    (USED, "Used", "The head was made from it"),
    (LEFT_OUT, "Left Out", "The engine could not use it"),
)


class LIKENESS_OT_reconstruct_several(ModalJob, ReconstructChoices, bpy.types.Operator):
    """Build one rigged, textured head from all photos in the list: each place of the skin from the photo that shows it
    best"""

    bl_idname = "likeness.reconstruct_several"
    bl_label = "Reconstruct from Photos"
    bl_options = {"REGISTER", "UNDO"}

    directory: StringProperty(
        name="Folder", description="Where the photos are", subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"}
    )
    files: CollectionProperty(
        name="Photos",
        description="Pictures of one person's face; without them, those in the sidebar's list",
        type=bpy.types.OperatorFileListElement,
        options={"HIDDEN", "SKIP_SAVE"},
    )
    result_folder: StringProperty(
        name="Result",
        description="Finished result to build from, instead of running the engine",
        subtype="DIR_PATH",
        options={"HIDDEN", "SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """From the button or dropped files: the sidebar's settings count, and Blender stays usable meanwhile."""
        settings = scene_settings(context)
        for name in CHOICES:
            if not self.properties.is_property_set(name):
                setattr(self, name, getattr(settings, name))
        if len(self.files):  # dropped: another person's photos than those listed before, as likely as not
            photos = several_settings(context).photos
            photos.clear()
            add_photos(photos, chosen_files(self))
        return self._start(context, listed_photos(context), wait=False)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From a script, in background mode, or when the settings of the last result are adjusted: at once."""
        if self.result_folder:
            return self._rebuild(context)
        return self._start(context, chosen_files(self) or listed_photos(context), wait=True)

    def draw(self, context: bpy.types.Context) -> None:
        """What can be adjusted afterwards without running the engine again."""
        layout: Any = self.layout
        column = layout.column()
        for name in BUILD_CHOICES:
            column.prop(self, name)

    def succeed(self, context: bpy.types.Context, job: EngineJob) -> set[str]:
        """Report what was made and what was left out, and remember the result for adjustments."""
        assert isinstance(job, SeveralJob)
        self.result_folder = str(job.folder)
        entries = job.result.get("photos", [])
        show_statuses(several_settings(context).photos, entries)
        if self.look_at:
            look_at(context, job.built.head)
        for warning in (*job.result.get("warnings", ()), *job.built.warnings):
            self.report({"WARNING"}, warning)
        used = sum(entry["used"] for entry in entries)
        name = job.built.collection.name
        self.report({"INFO"}, f"{name}: {used} of {len(entries)} photos, done in {job.seconds:.1f} s")
        return {"FINISHED"}

    def _start(self, context: bpy.types.Context, photos: Sequence[Path], wait: bool) -> set[str]:
        try:
            start_several(context, photos, self)
        except EngineError as error:
            return self.fail(error)
        return self.run_job(context, wait)

    def _rebuild(self, context: bpy.types.Context) -> set[str]:
        folder = Path(self.result_folder)
        try:
            build(context, folder, folder / "photo.jpg", self)
        except (EngineError, OSError) as error:
            return self.fail(error)
        return {"FINISHED"}


class LIKENESS_OT_add_photos(bpy.types.Operator):
    """Choose photos of one person, several at once"""

    bl_idname = "likeness.add_photos"
    bl_label = "Add Photos"
    bl_options = {"INTERNAL", "UNDO"}

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE"})
    filter_image: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Open the file browser where the last photo of the list is."""
        photos = several_settings(context).photos
        if len(photos):
            self.directory = str(absolute(photos[-1].filepath).parent)
        manager: Any = context.window_manager
        manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take the chosen files, those not listed yet."""
        chosen = chosen_files(self)
        if not chosen:
            self.report({"WARNING"}, "No photo was chosen")
            return {"CANCELLED"}
        add_photos(several_settings(context).photos, chosen)
        SESSION.forget()
        return {"FINISHED"}


class LIKENESS_OT_remove_photo(bpy.types.Operator):
    """Take this photo off the list; the file stays"""

    bl_idname = "likeness.remove_photo"
    bl_label = "Remove Photo"
    bl_options = {"INTERNAL", "UNDO"}

    index: IntProperty(min=0, options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove one."""
        photos = several_settings(context).photos
        if self.index >= len(photos):
            return {"CANCELLED"}
        photos.remove(self.index)
        SESSION.forget()
        return {"FINISHED"}


class LIKENESS_OT_clear_photos(bpy.types.Operator):
    """Take all photos off the list; the files stay"""

    bl_idname = "likeness.clear_photos"
    bl_label = "Clear Photos"
    bl_options = {"INTERNAL", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with photos."""
        return len(several_settings(context).photos) > 0

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove all."""
        several_settings(context).photos.clear()
        SESSION.forget()
        return {"FINISHED"}


class LIKENESS_OT_photo_camera(HeadOperator):
    """Look through the camera of one of the photos that the head was made from"""

    bl_idname = "likeness.photo_camera"
    bl_label = "Photo's Camera"
    bl_options = {"REGISTER", "UNDO"}

    camera: StringProperty(name="Camera", description="Name of the camera object", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Make it the scene's camera, and look through it where there is a viewport."""
        head = active_head(context)
        assert head is not None
        found = next((camera for camera in photo_cameras(head) if camera.name == self.camera), None)
        if found is None:
            self.report({"ERROR"}, f"“{head.name}” has no photo's camera “{self.camera}”")
            return {"CANCELLED"}
        look_through(context, found)
        return {"FINISHED"}


def several_settings(context: bpy.types.Context) -> Any:
    """The sidebar's list of photos of the context's scene."""
    scene: Any = context.scene
    return scene.likeness_several


def chosen_files(operator: Any) -> list[Path]:
    """What a file browser, a drop or a script gave an operator with `directory` and `files`."""
    folder = absolute(operator.directory)
    return [folder / file.name for file in operator.files if file.name]


def listed_photos(context: bpy.types.Context) -> list[Path]:
    """The photos of the list that are not excluded."""
    return [absolute(photo.filepath) for photo in several_settings(context).photos if photo.use]


def add_photos(photos: Any, paths: Sequence[Path]) -> None:
    """Append files to the list, each once."""
    known = {absolute(photo.filepath) for photo in photos}
    for path in paths:
        if path not in known:
            known.add(path)
            photos.add().filepath = str(path)


def show_statuses(photos: Any, entries: Sequence[dict[str, Any]]) -> None:
    """Note in the list what became of each photo of a finished job."""
    found = {entry["path"]: entry for entry in entries}
    for photo in photos:
        entry = found.get(str(absolute(photo.filepath)))
        photo.status = WAITING if entry is None else USED if entry["used"] else LEFT_OUT
        photo.note = "" if entry is None else "seen from the front" if entry["main"] else entry["reason"]


def start_several(context: bpy.types.Context, photos: Sequence[Path], choices: Any) -> SeveralJob:
    """Start the session's job for photos of one person, with a new result folder in the cache.

    Raises:
        EngineError: no photos, another job runs, or the engine or its cache cannot be used.
    """
    if not photos:
        raise MediaError("No photos were chosen.", "Add some to the list, or drop several on the 3D viewport at once.")
    settings = engine_settings()

    def make(process: Any) -> SeveralJob:
        prune(settings.cache_folder / "logs", KEPT)
        prune(settings.cache_folder / "results", KEPT)
        folder = new_result_folder(settings.cache_folder / "results", photos[0].stem)
        try:
            return SeveralJob(
                process,
                photos,
                folder,
                engine_options(choices, settings),
                lambda folder: build(context, folder, folder / "photo.jpg", choices),
            )
        except EngineError:
            folder.rmdir()
            raise

    return SESSION.start(make)
