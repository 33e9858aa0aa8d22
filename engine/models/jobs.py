"""What the Models panel asks of the engine's process: a job of kind "models" with an action. JSON in, JSON out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..progress import Progress
from .registry import by_key


def models_arguments(action: str, model_folder: Path, path: Path | None = None, key: str = "") -> dict[str, Any]:
    """The JSON-ready arguments of a "models" job.

    Args:
        action: one of `ACTIONS`.
        path: the folder to scan, or the file to convert. key: of the model to check, convert or download.
    """
    found = {"action": action, "model_folder": str(model_folder), "key": key}
    return found if path is None else {**found, "path": str(path)}


def run(arguments: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Do what a "models" job asks. Returns a line for the user under "summary", and more under "notes".

    Raises:
        EngineError: see `scan`, `convert`, `download` and `states.check`.
    """
    return ACTIONS[arguments["action"]](arguments, Path(arguments["model_folder"]), progress)


def _check(arguments: dict[str, Any], model_folder: Path, progress: Progress) -> dict[str, Any]:
    from .states import USERS, State, check

    models = (by_key(arguments["key"]),) if arguments["key"] else USERS
    found = check(model_folder, progress, models, again=True)
    wrong = [status for status in found if status.state is State.WRONG]
    usable = sum(status.state is State.USABLE for status in found)
    if arguments["key"]:
        summary = f"{found[0].model.title}: {found[0].detail or found[0].state.value}"
        return {"summary": summary, "notes": [], "wrong": bool(wrong)}
    notes = [f"{status.model.title}: {status.detail}" for status in wrong]
    summary = f"{usable} model files are usable, {len(wrong)} are wrong"
    return {"summary": summary, "notes": notes, "wrong": bool(wrong)}


def _scan(arguments: dict[str, Any], model_folder: Path, progress: Progress) -> dict[str, Any]:
    from .scan import scan

    report = scan(Path(arguments["path"]), model_folder, progress)
    return {"summary": report.summary(), "notes": list(report.notes), "found": sorted(report.found)}


def _convert(arguments: dict[str, Any], model_folder: Path, progress: Progress) -> dict[str, Any]:
    from .convert import convert

    model = by_key(arguments["key"]) if arguments["key"] else None
    target = convert(Path(arguments["path"]), model_folder, progress, model)
    return {"summary": f"Wrote {target}", "notes": [], "path": str(target)}


def _download(arguments: dict[str, Any], model_folder: Path, progress: Progress) -> dict[str, Any]:
    from . import places
    from .download import download
    from .states import look

    model = by_key(arguments["key"])
    target = download(model, model_folder, progress)
    places.remember(model_folder, {target: look(target)[1]}, {model.key: target})
    return {"summary": f"Downloaded {model.title}", "notes": [], "path": str(target)}


ACTIONS: Mapping[str, Callable[[dict[str, Any], Path, Progress], dict[str, Any]]] = {
    "check": _check,
    "scan": _scan,
    "convert": _convert,
    "download": _download,
}
