"""The kinds of job a worker can run. Each imports what it needs when it first runs, and stays warm afterwards."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..options import ReconstructOptions
from ..progress import Progress
from ..tracking.options import TrackOptions

if TYPE_CHECKING:
    from ..depth.options import DepthOptions

PATHS = ("head", "model_folder")
"""Options that are paths."""
Options = TypeVar("Options")
JobFunction = Callable[[dict[str, Any], Progress], dict[str, Any]]


def values_of(options: Any) -> dict[str, Any]:
    """A job's options, a dataclass, JSON-ready."""
    return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(options).items()}


def options_of(kind: type[Options], values: dict[str, Any]) -> Options:
    """The other way round. Names this engine does not know are ignored, in options within options too."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    kept = {name: value for name, value in values.items() if name in known}
    for field in fields(kind):  # type: ignore[arg-type]
        inner = field.default_factory
        if isinstance(inner, type) and is_dataclass(inner) and isinstance(kept.get(field.name), Mapping):
            kept[field.name] = options_of(inner, kept[field.name])
    paths = {name: Path(kept[name]) for name in PATHS if kept.get(name) is not None}
    return kind(**kept | paths)


def reconstruct_arguments(photo: Path, folder: Path, options: ReconstructOptions) -> dict[str, Any]:
    """The JSON-ready arguments of a "reconstruct" job."""
    return {"photo": str(photo), "folder": str(folder), "options": values_of(options)}


def reconstruct(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Reconstruct `photo` into `folder`. Returns the result's name, warnings and seconds per stage."""
    progress.stage("Starting the engine", 0.0)
    from ..pipeline import reconstruct as run

    folder = Path(arguments["folder"])
    result = run(Path(arguments["photo"]), folder, options_of(ReconstructOptions, arguments["options"]), progress)
    return {
        "folder": str(folder),
        "name": result.name,
        "warnings": result.report.get("warnings", []),
        "seconds": result.report.get("seconds", {}),
    }


def several_arguments(photos: Sequence[Path], folder: Path, options: ReconstructOptions) -> dict[str, Any]:
    """The JSON-ready arguments of a "reconstruct_several" job."""
    rest = {name: value for name, value in reconstruct_arguments(Path(), folder, options).items() if name != "photo"}
    return {"photos": [str(photo) for photo in photos], **rest}


def reconstruct_several(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Reconstruct one head from `photos` into `folder`. Returns as `reconstruct` does, and of each photo whether it was
    used, and why not."""
    progress.stage("Starting the engine", 0.0)
    from ..several import reconstruct_several as run

    folder = Path(arguments["folder"])
    photos = [Path(photo) for photo in arguments["photos"]]
    report = (result := run(photos, folder, options_of(ReconstructOptions, arguments["options"]), progress)).report
    kept = ("file", "path", "used", "main", "reason")
    return {
        "folder": str(folder),
        "name": result.name,
        "warnings": report.get("warnings", []),
        "seconds": report.get("seconds", {}),
        "photos": [{name: photo[name] for name in kept} for photo in report["photos"]],
    }


def track_arguments(clip: Path, folder: Path, options: TrackOptions) -> dict[str, Any]:
    """The JSON-ready arguments of a "track" job."""
    return {"clip": str(clip), "folder": str(folder), "options": values_of(options)}


def track(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Track `clip` into `folder`. Returns the take's name, length, rate, warnings and seconds per stage."""
    progress.stage("Starting the engine", 0.0)
    from ..tracking.job import track as run

    folder = Path(arguments["folder"])
    report = run(Path(arguments["clip"]), folder, options_of(TrackOptions, arguments["options"]), progress)
    kept = ("name", "frames", "fps", "frames_with_face", "gaps", "warnings", "seconds")
    return {"folder": str(folder), **{name: report[name] for name in kept}}


def retarget(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Bring FLAME's numbers to a take, or a take to FLAME's numbers, see `engine.tracking.retarget_job`."""
    from ..tracking.retarget_job import run

    return run(arguments, progress)


def depth_arguments(photo: Path, folder: Path, options: DepthOptions) -> dict[str, Any]:
    """The JSON-ready arguments of a "depth" job."""
    return {"photo": str(photo), "folder": str(folder), "options": values_of(options)}


def depth(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Make the depth mesh of `photo` in `folder`. Returns warnings and seconds per stage."""
    progress.stage("Starting the engine", 0.0)
    from ..depth.options import DepthOptions

    options = options_of(DepthOptions, arguments["options"])
    photo, folder = Path(arguments["photo"]), Path(arguments["folder"])
    if options.method == "eg3d":
        from ..eg3d.job import eg3d_mesh

        report = eg3d_mesh(photo, folder, options, progress)
    else:
        from ..depth.job import depth_mesh

        report = depth_mesh(photo, folder, options, progress).report
    return {
        "folder": str(folder),
        "name": photo.stem,
        "warnings": report.get("warnings", []),
        "seconds": report.get("seconds", {}),
    }


def check(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """What this interpreter has: versions, devices, and whether a small computation runs on each."""
    progress.stage("Starting the engine", 0.0)
    import torch

    from ..devices import choose_device, versions
    from ..perception.runtime import load_mediapipe

    progress.stage("Looking for devices", 0.6)
    names = {"cpu": "CPU"}
    if torch.cuda.is_available():
        names["cuda"] = torch.cuda.get_device_name()
    if torch.backends.mps.is_available():
        names["mps"] = "Apple GPU"
    for device in names:
        progress.check()
        torch.ones(8, device=device).sum().item()
    if importlib.util.find_spec("mediapipe") is None:  # must show here, not at the first photo
        raise ModuleNotFoundError("No module named 'mediapipe'", name="mediapipe")
    load_mediapipe()
    return {
        "versions": versions(),
        "devices": names,
        "device": choose_device(arguments.get("device", "auto")),
        "threads": torch.get_num_threads(),
    }


def models(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Check, scan for, convert or download the user's model files, see `engine.models.jobs`."""
    from ..models.jobs import run

    return run(arguments, progress)


JOBS: Mapping[str, JobFunction] = {
    "reconstruct": reconstruct,
    "reconstruct_several": reconstruct_several,
    "track": track,
    "retarget": retarget,
    "depth": depth,
    "check": check,
    "models": models,
}
