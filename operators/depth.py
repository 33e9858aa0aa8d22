"""Depth Mesh from Image: the operator."""
# pyright: reportInvalidTypeForm=false
# (Blender reads property declarations from annotations.)

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from ..engine.errors import EngineError, MediaError
from .addon import EngineSettings, absolute, engine_settings, new_result_folder, prune
from .job import DepthJob, EngineJob
from .modal import ModalJob
from .options import HEAD_MODELS, scene_settings
from .reconstruct import KEPT
from .session import SESSION

if TYPE_CHECKING:
    from ..engine.depth.options import DepthOptions

METHODS = (
    ("AUTO", "Automatic", "DPT-Large where its file is there, else the bundled network where it is sure"),
    ("UNET", "Bundled Network", "Depth by the bundled network, brought to scale by the fitted head"),
    ("DPT", "DPT-Large", "Depth by MiDaS' DPT-Large, whose file is in the model folder"),
    ("INFLATE", "No Network", "The fitted head's depth; hair and shoulders are rounded off"),
    ("HEAD", "Head Alone", "The fitted head's depth and nothing else"),
)
RESOLUTIONS = (
    ("512", "512", "Quick"),
    ("1024", "1K", "As fine as most photos' faces"),
    ("2048", "2K", "For large, sharp photos"),
    ("4096", "4K", "Takes several GB of memory"),
)


class DepthChoices:
    """Properties shared by the operator and the scene's settings."""

    method: EnumProperty(name="Depth", description="Where depth comes from", items=METHODS, default="AUTO")
    resolution: EnumProperty(
        name="Resolution", description="Longer side of the depth map, pixels", items=RESOLUTIONS, default="1024"
    )
    faces: IntProperty(
        name="Faces", description="Most faces of the mesh's front", default=200_000, min=1000, soft_max=1_000_000
    )
    close_back: BoolProperty(name="Close Back", description="Close the mesh behind", default=False)
    fit_texture: BoolProperty(
        name="Refine Texture", description="Fit texture and camera by drawing and comparing; slow", default=False
    )
    head_model: EnumProperty(
        name="Head Model", description="The head whose frame the mesh is in", items=HEAD_MODELS, default="OPEN"
    )


CHOICES = tuple(DepthChoices.__annotations__)


def depth_settings(context: bpy.types.Context) -> Any:
    """The sidebar's settings of the context's scene."""
    scene: Any = context.scene
    return scene.likeness_depth


def depth_options(choices: Any, settings: EngineSettings) -> DepthOptions:
    """What the engine is told."""
    from ..engine.depth.options import DepthOptions

    return DepthOptions(
        method=choices.method.lower(),
        resolution=int(choices.resolution),
        faces=choices.faces,
        close_back=choices.close_back,
        fit_texture=choices.fit_texture,
        head_model=choices.head_model.lower(),
        device=settings.device,
        model_folder=settings.model_folder,
    )


class LIKENESS_OT_depth_mesh(ModalJob, DepthChoices, bpy.types.Operator):
    """Build a textured mesh of what the photo shows, with hair and collar, where its head stands"""

    bl_idname = "likeness.depth_mesh"
    bl_label = "Depth Mesh from Image"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(
        name="Photo", description="Picture of one person's face", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """From the button: the sidebar's settings count, and Blender stays usable meanwhile."""
        settings = depth_settings(context)
        for name in CHOICES:
            if not self.properties.is_property_set(name):
                setattr(self, name, getattr(settings, name))
        self.filepath = self.filepath or scene_settings(context).photo
        return self._start(context, wait=False)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """From a script or in background mode: at once."""
        return self._start(context, wait=True)

    def draw(self, context: bpy.types.Context) -> None:
        """Nothing can be adjusted afterwards."""

    def succeed(self, context: bpy.types.Context, job: EngineJob) -> set[str]:
        """Say what was made."""
        assert isinstance(job, DepthJob)
        for warning in job.result.get("warnings", ()):
            self.report({"WARNING"}, warning)
        place = "where its head stands" if job.built.beside is not None else "at the 3D cursor"
        self.report({"INFO"}, f"{job.built.item.name}: {place}, done in {job.seconds:.1f} s")
        return {"FINISHED"}

    def _start(self, context: bpy.types.Context, wait: bool) -> set[str]:
        try:
            start_depth(context, self.filepath, self)
        except EngineError as error:
            return self.fail(error)
        return self.run_job(context, wait)


def start_depth(context: bpy.types.Context, filepath: str, choices: Any) -> DepthJob:
    """Start the session's job for one photo, with a new result folder in the cache.

    Raises:
        EngineError: no such photo, another job runs, or the engine or its cache cannot be used.
    """
    if not filepath:
        raise MediaError("No photo was chosen.", "Pick one in the Reconstruct panel.")
    photo, settings = absolute(filepath), engine_settings()
    if not photo.is_file():
        raise MediaError(f"There is no photo at {photo}.", "Pick one that is there.")

    def built(folder: Path) -> Any:
        from .build.depth import build_depth

        return build_depth(context, folder, photo.stem)

    def make(process: Any) -> DepthJob:
        prune(settings.cache_folder / "results", KEPT)
        folder = new_result_folder(settings.cache_folder / "results", f"{photo.stem}-depth")
        try:
            return DepthJob(process, photo, folder, depth_options(choices, settings), built)
        except EngineError:
            folder.rmdir()
            raise

    return SESSION.start(make)
