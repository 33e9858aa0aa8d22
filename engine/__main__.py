"""The engine's command line: python -m engine reconstruct PHOTO [PHOTO...] --out DIR."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from .errors import EngineError
from .options import ReconstructOptions
from .progress import Progress


def parser() -> argparse.ArgumentParser:
    """The command-line contract; other programs build on it."""
    top = argparse.ArgumentParser(prog="python -m engine", description="Likeness: photos to rigged, textured heads.")
    commands = top.add_subparsers(dest="command", required=True)
    add_reconstruct_arguments(commands.add_parser("reconstruct", help="reconstruct the head in each photo"))
    return top


def add_reconstruct_arguments(job: argparse.ArgumentParser) -> None:
    """The arguments of a reconstruction, here and on Blender's command line."""
    job.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    job.add_argument(
        "-o", "--out", required=True, type=Path, metavar="DIR", help="one photo: its folder; several: one each"
    )
    job.add_argument("--texture-size", type=texture_size, default=2048, metavar="PIXELS", help="256 to 4096")
    job.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    job.add_argument("--head-model", choices=("open", "flame"), default="open")
    job.add_argument("--quality", choices=("draft", "standard", "best"), default="standard")
    job.add_argument("--face", type=int, default=None, metavar="N", help="which face, 0 is the largest")
    job.add_argument("--focal-length", type=float, default=None, metavar="PIXELS", help="overrides EXIF and the solver")
    job.add_argument("--model-folder", type=Path, default=None, metavar="DIR", help="where your own model files are")
    job.add_argument("--hair", choices=("as-seen", "bald"), default="as-seen", help="as the photo shows it, or none")
    job.add_argument(
        "--points",
        choices=("mediapipe", "dense", "fused"),
        default="mediapipe",
        help="whose points the head is fitted to: MediaPipe's, the engine's own network's, or both",
    )
    job.add_argument("--seed", type=int, default=0)
    job.add_argument("--json", action="store_true", help="print a JSON summary on standard output")


def chosen_options(arguments: argparse.Namespace) -> ReconstructOptions:
    """The parsed arguments as the engine's options."""
    return ReconstructOptions(
        texture_size=arguments.texture_size,
        device=arguments.device,
        head_model=arguments.head_model,
        quality=arguments.quality,
        face_index=arguments.face,
        focal_length_px=arguments.focal_length,
        model_folder=arguments.model_folder,
        hair=arguments.hair,
        points=arguments.points,
        seed=arguments.seed,
    )


def texture_size(text: str) -> int:
    """A side between 256 and 4096 pixels."""
    side = int(text)
    if not 256 <= side <= 4096:
        raise argparse.ArgumentTypeError("the texture's side must be 256 to 4096 pixels")
    return side


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


def run_reconstruct(arguments: argparse.Namespace) -> int:
    """Reconstruct every photo; a bad one does not stop the rest. Returns the exit code of the first failure, or 0."""
    from .pipeline import reconstruct

    options = chosen_options(arguments)
    entries = []
    exit_code = 0
    for photo, folder in zip(arguments.photos, folders(arguments.photos, arguments.out), strict=True):
        try:
            result = reconstruct(photo, folder, options, Progress(listener=_print_stage(photo.name)))
            entries.append({"photo": str(photo), "ok": True, "folder": str(folder), "report": result.report})
            print(f"{photo.name}: done, see {folder}", file=sys.stderr)
        except EngineError as error:
            exit_code = exit_code or error.exit_code
            entries.append({"photo": str(photo), "ok": False, "error": error.message, "cure": error.cure})
            print(f"{photo.name}: {error}", file=sys.stderr)
    if arguments.json:
        print(json.dumps({"ok": exit_code == 0, "results": entries}, ensure_ascii=False))
    return exit_code


def _print_stage(name: str):
    def listener(stage: str, fraction: float) -> None:
        print(f"{name}: {round(fraction * 100):3d} % {stage}", file=sys.stderr)

    return listener


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Returns the exit code."""
    return run_reconstruct(parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
