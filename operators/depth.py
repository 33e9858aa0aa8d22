"""Depth Mesh from Image: the operator."""
# pyright: reportInvalidTypeForm=false
# (Blender reads property declarations from annotations.)

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, StringProperty

from ..engine.eg3d.options import LOOKING, TUNING
from ..engine.errors import EngineError, MediaError
from ..engine.worker.protocol import Message, Stage
from .addon import EngineSettings, absolute, engine_settings, new_result_folder, prune
from .job import DepthJob, EngineJob, State
from .modal import ModalJob
from .options import HEAD_MODELS, STARTS, scene_settings
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
    ("EG3D", "EG3D", "A whole head with hair, by EG3D's generator, whose file is in the model folder"),
)
INVERSIONS = (
    ("REGRESS", "Regress", "Take the trained regressor's guess: seconds, and someone who resembles the photo"),
    ("OPTIMISE", "Optimise", "Look for the photo among the generator's heads: hours without a graphics card"),
    ("TUNE", "Tune", "Optimise, then bend the generator until its picture is the photo: longer, and closest"),
)
GRIDS = (
    ("128", "128", "Draft"),
    ("256", "256", "Fine enough for most uses"),
    ("512", "512", "As published; twice as fine, eight times the work"),
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
    start: EnumProperty(
        name="Start From", description="What that head's fit begins with", items=STARTS, default="POINTS"
    )
    inversion: EnumProperty(
        name="Inversion", description="How the photo's head is found in the generator", items=INVERSIONS,
        default="OPTIMISE",
    )  # fmt: skip
    steps: IntProperty(
        name="Steps",
        description="Of looking for the photo's head; 0 takes 500, or 200 where a trained regressor gives the start",
        default=0,
        min=0,
        soft_max=1000,
    )
    tuning_steps: IntProperty(
        name="Tuning Steps", description="Of bending the generator", default=350, min=1, soft_max=1000
    )
    grid: EnumProperty(
        name="Grid", description="Samples of the volume along its side; more give finer shape", items=GRIDS,
        default="256",
    )  # fmt: skip
    turntable: IntProperty(
        name="Turntable",
        description="Frames of a film of the head, kept with the result; 0 for none",
        default=0,
        min=0,
        soft_max=240,
    )
    orbit: BoolProperty(
        name="Orbit Camera", description="Add a camera that circles the head in 120 frames", default=False
    )
    keep_best: BoolProperty(
        name="Esc Keeps Best",
        description="Esc while it looks or tunes finishes with the best head so far; Esc again cancels",
        default=True,
    )
    resume: BoolProperty(
        name="Resume",
        description="The next time with the same photo, go on from where the search was last kept, every 50 steps; "
        "Esc Keeps Best keeps the last step too",
        default=True,
    )


CHOICES = tuple(DepthChoices.__annotations__)
EG3D_CHOICES = ("inversion", "steps", "tuning_steps", "grid", "turntable", "orbit", "keep_best", "resume")
"""Those that only the method EG3D heeds; and those that it does not."""
OTHER_CHOICES = ("resolution", "close_back", "fit_texture")
STATES = 3
"""Newest states of inversions kept in the cache; each takes up to half a gigabyte."""


def shown_choices(choices: Any) -> list[str]:
    """The choices that count with the chosen method, in their order."""
    if choices.method != "EG3D":
        return [name for name in CHOICES if name not in EG3D_CHOICES]
    kind = choices.inversion
    hidden = {*OTHER_CHOICES, *(() if kind == "TUNE" else ("tuning_steps",))}
    hidden |= {"steps", "keep_best", "resume"} if kind == "REGRESS" else set()
    return [name for name in CHOICES if name not in hidden]


def lacking(choices: Any) -> str:
    """What the chosen method lacks, for one line in the panel; empty where nothing is known to be missing."""
    if choices.method != "EG3D":
        return ""
    from ..engine.eg3d.files import missing

    return missing(engine_settings().model_folder, choices.inversion.lower())


class KeepingDepthJob(DepthJob):
    """A depth mesh whose inversion, when cancelled, ends with the best so far; cancelled again, it ends at once."""

    finishing = False

    def cancel(self, wait: bool = False) -> None:
        """As `EngineJob.cancel`, but where the engine inverts, and may end in its own time, it is only told."""
        if wait or self.finishing or self.state is not State.RUNNING or self.stage not in (LOOKING, TUNING):
            super().cancel(wait)
            return
        self.finishing = True
        self.process.cancel(self._number)
        self.stage = "Finishing with the best so far"

    def _hear(self, message: Message) -> None:
        if self.finishing and isinstance(message, Stage) and message.stage in (LOOKING, TUNING):
            return  # said before the engine heard of it: the bar must not look as if Esc had done nothing
        super()._hear(message)


def depth_settings(context: bpy.types.Context) -> Any:
    """The sidebar's settings of the context's scene."""
    scene: Any = context.scene
    return scene.likeness_depth


def depth_options(choices: Any, settings: EngineSettings) -> DepthOptions:
    """What the engine is told."""
    from ..engine.depth.options import DepthOptions
    from ..engine.eg3d.options import Eg3dOptions

    return DepthOptions(
        method=choices.method.lower(),
        resolution=int(choices.resolution),
        faces=choices.faces,
        close_back=choices.close_back,
        fit_texture=choices.fit_texture,
        head_model=choices.head_model.lower(),
        start=choices.start.lower(),
        device=settings.device,
        model_folder=settings.model_folder,
        eg3d=Eg3dOptions(
            inversion=choices.inversion.lower(),
            steps=choices.steps or None,
            tuning_steps=choices.tuning_steps,
            grid=int(choices.grid),
            turntable=choices.turntable,
            keep_best=choices.keep_best,
            resume=str(settings.cache_folder / "inversions") if choices.resume else "",
        ),
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
    photo, settings, eg3d = absolute(filepath), engine_settings(), choices.method == "EG3D"
    if not photo.is_file():
        raise MediaError(f"There is no photo at {photo}.", "Pick one that is there.")

    def built(folder: Path) -> Any:
        from .build.depth import build_depth

        return build_depth(context, folder, photo.stem, eg3d and choices.orbit)

    def make(process: Any) -> DepthJob:
        prune(settings.cache_folder / "results", KEPT)
        if eg3d and choices.resume:
            (settings.cache_folder / "inversions").mkdir(parents=True, exist_ok=True)
            prune(settings.cache_folder / "inversions", STATES)
        folder = new_result_folder(settings.cache_folder / "results", f"{photo.stem}-depth")
        try:
            kind = KeepingDepthJob if eg3d and choices.keep_best else DepthJob
            return kind(process, photo, folder, depth_options(choices, settings), built)
        except EngineError:
            folder.rmdir()
            raise

    return SESSION.start(make)
