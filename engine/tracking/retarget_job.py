"""Between takes and FLAME's numbers: from a file to a folder, for the command line and for Blender's jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import FaceError, MediaError, OutputError
from ..progress import Progress
from ..staging import staged_folder
from .options import RetargetOptions


def retarget(
    file: Path, out: Path, options: RetargetOptions | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Bring a performance in FLAME's numbers to a take, or a take to FLAME's numbers, whichever the file holds.

    Args:
        file: FLAME's numbers (see `flame_layouts`), a take, a take's folder, or a Live Link CSV.
        out: folder for take.npz and livelink.csv, or for flame.npz.
    Returns:
        The report.
    Raises:
        EngineError: every expected failure, with a message for the user.
    """
    from .flame_layouts import holds_flame

    options, progress = options or RetargetOptions(), progress or Progress()
    if not file.exists():
        raise MediaError(f"There is no file {file}.", "Check the path, or choose the file again.")
    progress.stage("Reading the file", 0.0)
    report = (_to_take if holds_flame(file) else _to_numbers)(file, out, options, progress)
    progress.finish()
    return report


def _to_take(file: Path, out: Path, options: RetargetOptions, progress: Progress) -> dict[str, Any]:
    from ..heads.loader import load_head
    from .flame_layouts import read_flame
    from .flame_take import from_flame
    from .livelink import write_livelink

    given = read_flame(file, options.fps)
    progress.stage("Loading the models", 0.1)
    flame = load_head("flame", options.model_folder)
    head = load_head(options.head_model, options.model_folder)
    progress.stage("Retargeting", 0.5)
    take, missed = from_flame(given, flame, head)
    progress.stage("Writing the result", 0.9)
    with staged_folder(out) as scratch:
        take.save(scratch)
        write_livelink(scratch / "livelink.csv", take)
    seen = take.confidence > 0
    return {
        "name": file.stem,
        "direction": "take",
        "head_model": head.name,
        "frames": len(take),
        "fps": round(take.fps, 6),
        "frames_with_face": int(seen.sum()),
        "missed_mm": {"mean": round(float(missed[seen].mean()), 3), "max": round(float(missed[seen].max()), 3)},
        "warnings": _warnings(given.version),
    }


def _warnings(version: str) -> list[str]:
    if version:
        return []
    return ["The file does not say of which version of FLAME its numbers are; on another version they are other faces."]


def _to_numbers(file: Path, out: Path, options: RetargetOptions, progress: Progress) -> dict[str, Any]:
    from ..heads.loader import load_head
    from .flame_take import FILE, to_flame
    from .livelink import read_take

    take = read_take(file, options.fps)
    progress.stage("Loading the models", 0.1)
    flame = load_head("flame", options.model_folder)
    head, neutral, shape = _actor(file, options)
    progress.stage("Retargeting", 0.5)
    found = to_flame(take, flame, head, neutral, shape if head is flame else None)
    progress.stage("Writing the result", 0.9)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot write to {out}: {error.strerror or error}.", "Choose another folder.") from error
    found.save(out / FILE)
    return {
        "name": file.stem,
        "direction": "flame",
        "head_model": head.name,
        "frames": len(take),
        "fps": round(take.fps, 6),
        "version": found.version,
        "expressions": found.expression.shape[1],
        "warnings": [],
    }


def _actor(file: Path, options: RetargetOptions) -> tuple[Any, Any, Any]:
    """Model, vertices and identity of the head that acts; the mean of `head_model` where none is known."""
    from ..heads.loader import load_head
    from .actor import load_result
    from .take import FILE

    folder = file if file.is_dir() else file.parent
    beside = (folder / "head.npz").is_file() and (folder / FILE).is_file() and file.suffix.lower() != ".csv"
    place = options.head or (folder if beside else None)
    if place is None:
        return load_head(options.head_model, options.model_folder), None, None
    actor = load_result(place, pictures=False)
    head = load_head(actor.report.get("head_model", "open"), options.model_folder)
    if actor.vertices.shape != head.vertices.shape:
        raise FaceError(
            f"The head “{actor.name}” in {place} is not of the head model “{head.name}”.", "Choose the head that acts."
        )
    return head, actor.vertices, actor.identity


def retarget_arguments(file: Path, out: Path, options: RetargetOptions) -> dict[str, Any]:
    """The JSON-ready arguments of a "retarget" job."""
    from ..worker.jobs import values_of

    return {"file": str(file), "folder": str(out), "options": values_of(options)}


def run(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """A "retarget" job: retarget `file` into `folder`. Returns the report and the folder."""
    from ..worker.jobs import options_of

    progress.stage("Starting the engine", 0.0)
    folder = Path(arguments["folder"])
    options = options_of(RetargetOptions, arguments["options"])
    return {"folder": str(folder), **retarget(Path(arguments["file"]), folder, options, progress)}
