"""The engine's command line: `python -m engine reconstruct`, `track`, `retarget`, `depth` and `models`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import add_engine_arguments, add_fit_arguments
from .depth.cli import add_depth_arguments, chosen_depth_options
from .errors import EngineError
from .models.command import add_models_arguments, run_models
from .options import ReconstructOptions
from .progress import Progress
from .tracking.retarget_cli import add_retarget_arguments, chosen_retarget_options

PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".exr", ".heic", ".heif")
"""What is taken for a photo in a folder."""

if TYPE_CHECKING:
    from .tracking.options import TrackOptions


def parser() -> argparse.ArgumentParser:
    """The command-line contract; other programs build on it."""
    top = argparse.ArgumentParser(prog="python -m engine", description="Likeness: photos to rigged, textured heads.")
    commands = top.add_subparsers(dest="command", required=True)
    add_reconstruct_arguments(commands.add_parser("reconstruct", help="reconstruct the head in each photo"))
    add_track_arguments(commands.add_parser("track", help="make an animated take from each clip"))
    add_retarget_arguments(
        commands.add_parser("retarget", help="FLAME's numbers to a take, or a take to FLAME's numbers")
    )
    add_depth_arguments(commands.add_parser("depth", help="make a textured mesh of what each photo shows"))
    add_models_arguments(commands.add_parser("models", help="your own model files: list, scan, convert"))
    return top


def add_reconstruct_arguments(job: argparse.ArgumentParser) -> None:
    """The arguments of a reconstruction, here and on Blender's command line."""
    job.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    job.add_argument(
        "-o", "--out", required=True, type=Path, metavar="DIR", help="one head: its folder; several: one each"
    )
    job.add_argument(
        "--several", action="store_true", help="all photos, or those in folders, show one person: make one head of them"
    )
    job.add_argument(
        "--texture",
        choices=("photo", "ganfit", "linear"),
        default="photo",
        help="the photo's own pixels, or a model of skin fitted to it: generated, or linear",
    )
    job.add_argument("--quality", choices=("draft", "standard", "best"), default="standard")
    job.add_argument("--hair", choices=("as-seen", "bald"), default="as-seen", help="as the photo shows it, or none")
    add_fit_arguments(job)
    job.add_argument(
        "--detail",
        choices=("photo", "deca"),
        default="photo",
        help="wrinkles by the photo's shading, or by DECA; needs its file and FLAME with its texture layout",
    )
    add_common_arguments(job)


def chosen_options(arguments: argparse.Namespace) -> ReconstructOptions:
    """The parsed arguments as the engine's options."""
    return ReconstructOptions(
        texture_size=arguments.texture_size,
        device=arguments.device,
        head_model=arguments.head_model,
        texture=arguments.texture,
        quality=arguments.quality,
        face_index=arguments.face,
        focal_length_px=arguments.focal_length,
        model_folder=arguments.model_folder,
        hair=arguments.hair,
        points=arguments.points,
        start=arguments.start_from,
        detail=arguments.detail,
        seed=arguments.seed,
    )


def texture_size(text: str) -> int:
    """A side between 256 and 4096 pixels."""
    side = int(text)
    if not 256 <= side <= 4096:
        raise argparse.ArgumentTypeError("the texture's side must be 256 to 4096 pixels")
    return side


def add_track_arguments(job: argparse.ArgumentParser) -> None:
    """The arguments of tracking, here and on Blender's command line."""
    job.add_argument(
        "clips", nargs="+", type=Path, metavar="CLIP", help="video, GIF, folder or first picture of numbered ones"
    )
    job.add_argument(
        "-o", "--out", required=True, type=Path, metavar="DIR", help="one clip: its folder; several: one each"
    )
    job.add_argument("--head", type=Path, metavar="DIR", help="a reconstruction whose head acts; else one is solved")
    job.add_argument("--start", type=float, default=0.0, metavar="S", help="seconds")
    job.add_argument("--end", type=float, default=None, metavar="S", help="seconds; default: all")
    job.add_argument("--fps", type=float, default=None, metavar="F", help="of the take; default: the clip's")
    job.add_argument("--sequence-fps", type=float, default=25.0, metavar="F", help="of numbered pictures")
    job.add_argument("--face", type=int, default=0, metavar="N", help="which face, 0 is the largest")
    job.add_argument("--focal-length", type=float, default=None, metavar="PIXELS", help="of the footage")
    job.add_argument("--smoothing", choices=("take", "streaming", "none"), default="take")
    job.add_argument("--smooth-amount", type=float, default=1.0, metavar="X", help="2 smooths twice as much")
    job.add_argument("--no-calibration", action="store_true", help="leave the face's rest as it was solved")
    job.add_argument("--no-contacts", action="store_true", help="do not close blinks and lips wholly")
    job.add_argument(
        "--start-from",
        choices=("points", "smirk", "fast"),
        default="points",
        help="believe SMIRK's answers beside the points, or take them alone (fast); needs its file and FLAME's",
    )
    job.add_argument("--flame", action="store_true", help="write flame.npz as well, the take in FLAME's numbers")
    job.add_argument("--no-preview", action="store_true", help="write no preview.mp4")
    add_common_arguments(job)


def add_common_arguments(job: argparse.ArgumentParser) -> None:
    """What both commands that make a head take."""
    job.add_argument("--texture-size", type=texture_size, default=2048, metavar="PIXELS", help="256 to 4096")
    add_engine_arguments(job)


def chosen_track_options(arguments: argparse.Namespace) -> TrackOptions:
    """The parsed arguments as the engine's options."""
    from .tracking.options import TrackOptions

    return TrackOptions(
        start=arguments.start,
        end=arguments.end,
        fps=arguments.fps,
        sequence_fps=arguments.sequence_fps,
        head=arguments.head,
        face_index=arguments.face,
        focal_length_px=arguments.focal_length,
        smoothing=arguments.smoothing,
        smooth_amount=arguments.smooth_amount,
        calibrate=not arguments.no_calibration,
        contacts=not arguments.no_contacts,
        texture_size=arguments.texture_size,
        device=arguments.device,
        head_model=arguments.head_model,
        model_folder=arguments.model_folder,
        start_from=arguments.start_from,
        flame=arguments.flame,
        preview=not arguments.no_preview,
        seed=arguments.seed,
    )


def folders(photos: Sequence[Path], out: Path) -> list[Path]:
    """A result folder for every photo: `out` itself for one, else one named after each file, never the same twice."""
    if len(photos) == 1:
        return [out]
    taken: set[str] = set()
    chosen = []
    for photo in photos:
        name, number = photo.stem or "photo", 1
        while name.casefold() in taken:
            number += 1
            name = f"{photo.stem}-{number}"
        taken.add(name.casefold())
        chosen.append(out / name)
    return chosen


def photos_of_person(paths: Sequence[Path]) -> list[Path]:
    """The photos given, and in place of each folder the pictures in it, by name."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(item for item in path.iterdir() if item.suffix.lower() in PICTURES) if path.is_dir() else []
        found += inside or [path]
    return found


def run_reconstruct(arguments: argparse.Namespace) -> int:
    """Reconstruct every photo; a bad one does not stop the rest. Returns the exit code of the first failure, or 0."""
    from .pipeline import reconstruct

    if arguments.several:
        return run_several(arguments)
    options = chosen_options(arguments)

    def work(photo: Path, folder: Path, progress: Progress) -> dict[str, Any]:
        return reconstruct(photo, folder, options, progress).report

    return _run_all("photo", arguments.photos, arguments, work)


def run_several(arguments: argparse.Namespace) -> int:
    """Reconstruct one head from all photos. Returns the exit code. In the JSON summary it stands under the first photo;
    the report's "photos" names all."""
    from .several import reconstruct_several

    photos, options = photos_of_person(arguments.photos), chosen_options(arguments)

    def work(first: Path, folder: Path, progress: Progress) -> dict[str, Any]:
        return reconstruct_several(photos, folder, options, progress).report

    return _run_all("photo", photos[:1], arguments, work)


def run_track(arguments: argparse.Namespace) -> int:
    """Track every clip; a bad one does not stop the rest. Returns the exit code of the first failure, or 0."""
    from .tracking.job import track

    options = chosen_track_options(arguments)

    def work(clip: Path, folder: Path, progress: Progress) -> dict[str, Any]:
        return track(clip, folder, options, progress)

    return _run_all("clip", arguments.clips, arguments, work)


def run_retarget(arguments: argparse.Namespace) -> int:
    """Bring one file to a take, or a take to FLAME's numbers. Returns the exit code."""
    from .tracking.retarget_job import retarget

    options = chosen_retarget_options(arguments)

    def work(file: Path, folder: Path, progress: Progress) -> dict[str, Any]:
        return retarget(file, folder, options, progress)

    return _run_all("file", [arguments.file], arguments, work)


def run_depth(arguments: argparse.Namespace) -> int:
    """Make every photo's depth mesh; a bad one does not stop the rest. Returns the first failure's exit code, or 0."""
    options = chosen_depth_options(arguments)

    def by_eg3d(photo: Path, folder: Path, progress: Progress) -> dict[str, Any]:
        from .eg3d.cli import interruptible
        from .eg3d.job import eg3d_mesh

        with interruptible(progress):
            return eg3d_mesh(photo, folder, options, progress)

    def work(photo: Path, folder: Path, progress: Progress) -> dict[str, Any]:
        from .depth.job import depth_mesh

        return depth_mesh(photo, folder, options, progress, more=arguments.more_photos).report

    return _run_all("photo", arguments.photos, arguments, by_eg3d if options.method == "eg3d" else work)


def _run_all(
    kind: str,
    paths: Sequence[Path],
    arguments: argparse.Namespace,
    work: Callable[[Path, Path, Progress], dict[str, Any]],
) -> int:
    entries = []
    exit_code = 0
    for path, folder in zip(paths, folders(paths, arguments.out), strict=True):
        try:
            report = work(path, folder, Progress(listener=_print_stage(path.name)))
            entries.append({kind: str(path), "ok": True, "folder": str(folder), "report": report})
            print(f"{path.name}: done, see {folder}", file=sys.stderr)
        except EngineError as error:
            exit_code = exit_code or error.exit_code
            entries.append({kind: str(path), "ok": False, "error": error.message, "cure": error.cure})
            print(f"{path.name}: {error}", file=sys.stderr)
    if arguments.json:
        print(json.dumps({"ok": exit_code == 0, "results": entries}, ensure_ascii=False))
    return exit_code


def _print_stage(name: str):
    shown = ""

    def listener(stage: str, fraction: float) -> None:
        nonlocal shown
        line = f"{name}: {round(fraction * 100):3d} % {stage}"
        if line != shown:
            print(line, file=sys.stderr)
        shown = line

    return listener


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Returns the exit code."""
    arguments = parser().parse_args(argv)
    runs = {"track": run_track, "retarget": run_retarget, "depth": run_depth, "models": run_models}
    return runs.get(arguments.command, run_reconstruct)(arguments)


if __name__ == "__main__":
    sys.exit(main())
