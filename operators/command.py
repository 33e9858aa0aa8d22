"""The command line: blender -b --command likeness reconstruct PHOTO... -o DIR, and the same with the bpy module."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy

from ..engine.__main__ import add_reconstruct_arguments, chosen_options, folders, photos_of_person
from ..engine.errors import EngineError, JobCancelled
from ..engine.result import Reconstruction
from ..engine.staging import staged_folder
from .addon import COMMAND, engine_settings, launch
from .build import BuildOptions, build_head, new_scene, save_blend
from .client import EngineProcess
from .job import ReconstructJob, SeveralJob, State
from .session import Session
from .view import hide_bones


def parser() -> argparse.ArgumentParser:
    """The engine's arguments, and Blender's own."""
    top = argparse.ArgumentParser(
        prog=f"blender -b --command {COMMAND}", description="Likeness: photos to .blend files with rigged heads."
    )
    commands = top.add_subparsers(dest="command", required=True)
    job = commands.add_parser("reconstruct", help="reconstruct the head in each photo, and save it as a .blend")
    add_reconstruct_arguments(job)
    job.add_argument("--identity-keys", type=int, default=20, metavar="N", help="shape keys that change who it is")
    job.add_argument("--keep-expression", action="store_true", help="start with the photo's expression")
    job.add_argument("--no-rig", action="store_true", help="leave the armature out")
    job.add_argument("--interpreter", type=Path, default=None, metavar="PYTHON", help="runs the engine instead")
    return top


def run_command(argv: Sequence[str]) -> int:
    """Run the command line. Returns the exit code of the first failure, or 0."""
    try:
        arguments = parser().parse_args(argv)
    except SystemExit as stop:  # Blender wants a number, not an exception
        return stop.code if isinstance(stop.code, int) else 2
    session = Session(lambda: launch(arguments.interpreter))
    try:
        return reconstruct_all(session, arguments)
    except KeyboardInterrupt:
        return JobCancelled.exit_code
    finally:
        session.close()


def reconstruct_all(session: Session, arguments: argparse.Namespace) -> int:
    """Reconstruct every photo; a bad one does not stop the rest."""
    entries = []
    exit_code = 0
    photos: list[Path] = arguments.photos
    person: list[Path] = []
    if arguments.several:
        person = photos_of_person(photos)
        photos = person[:1]  # the head stands under the first photo's name
    for photo, out in zip(photos, folders(photos, arguments.out), strict=True):
        try:
            blend = reconstruct_photo(session, photo.resolve(), out.resolve(), arguments, person)
            entries.append({"photo": str(photo), "ok": True, "folder": str(out), "blend": str(blend)})
            print(f"{photo.name}: done, see {blend}", file=sys.stderr, flush=True)
        except EngineError as error:
            exit_code = exit_code or error.exit_code
            entries.append({"photo": str(photo), "ok": False, "error": error.message, "cure": error.cure})
            print(f"{photo.name}: {error}", file=sys.stderr, flush=True)
    if arguments.json:
        print(json.dumps({"ok": exit_code == 0, "results": entries}, ensure_ascii=False), flush=True)
    return exit_code


def reconstruct_photo(
    session: Session, photo: Path, out: Path, arguments: argparse.Namespace, person: Sequence[Path] = ()
) -> Path:
    """Reconstruct one photo into a fresh scene. Returns the .blend, which lies with the engine's files in `out`.

    Args:
        person: reconstruct one head from all these photos instead.
    Raises:
        EngineError: why there is none. Then `out` is as it was.
    """
    options = replace(
        chosen_options(arguments),
        identity_keys=arguments.identity_keys,
        model_folder=arguments.model_folder or engine_settings().model_folder,
    )
    new_scene()
    name = f"{photo.stem}.blend"
    with staged_folder(out) as scratch:

        def build(folder: Path) -> None:
            build_blend(folder, photo, folder / name, arguments)

        def make(process: EngineProcess) -> ReconstructJob | SeveralJob:
            if person:
                return SeveralJob(process, [path.resolve() for path in person], scratch, options, build)
            return ReconstructJob(process, photo, scratch, options, build)

        job = session.start(make)
        job.run(on_stage=lambda stage, fraction: print_stage(photo.name, stage, fraction))
        if job.error is not None:
            raise job.error
        if job.state is State.CANCELLED:
            raise JobCancelled
    return out / name


def build_blend(folder: Path, photo: Path, blend: Path, arguments: argparse.Namespace) -> None:
    """Build the head of a result folder into the open, empty scene, save it, and add that to the report."""
    started = time.perf_counter()
    options = BuildOptions(
        identity_keys=arguments.identity_keys,
        keep_expression=arguments.keep_expression,
        rig=not arguments.no_rig,
        photo=photo,
        match_render=True,
        world_light=True,
    )
    built = build_head(bpy.context, Reconstruction.load(folder, pictures=False), folder, options)
    hide_bones(built.rig)
    save_blend(blend)
    path = folder / "report.json"
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    report["blend"] = blend.name
    report["blender"] = bpy.app.version_string
    report.setdefault("warnings", []).extend(built.warnings)
    report.setdefault("seconds", {})["Building the head"] = round(time.perf_counter() - started, 3)
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False), encoding="utf-8")


def print_stage(name: str, stage: str, fraction: float) -> None:
    """A line a stage, on standard error."""
    print(f"{name}: {round(fraction * 100):3d} % {stage}", file=sys.stderr, flush=True)
