"""The command `models`: the states of model files, a scan, a conversion."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..errors import EngineError, ModelFileError
from ..progress import Progress
from .states import Status, check, statuses


def add_models_arguments(job: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    _common(job, argparse.SUPPRESS)
    job.set_defaults(model_folder=None, json=False)
    actions = job.add_subparsers(dest="action", metavar="ACTION", title="actions")
    scan = actions.add_parser("scan", help="look through a folder for model files, by what they hold")
    scan.add_argument("folder", type=Path, metavar="DIR")
    convert = actions.add_parser("convert", help="write a pickle or checkpoint as safetensors into the model folder")
    convert.add_argument("file", type=Path, metavar="FILE")
    for action in (scan, convert):
        _common(action, argparse.SUPPRESS)


def _common(job: argparse.ArgumentParser, default: Any) -> None:
    job.add_argument("--model-folder", type=Path, default=default, metavar="DIR", help="where your own model files are")
    job.add_argument("--json", action="store_true", default=default, help="print JSON on standard output")


def run_models(arguments: argparse.Namespace) -> int:
    """List the states, scan or convert. Returns the exit code."""
    try:
        found = _run(arguments)
    except EngineError as error:
        if arguments.json:
            print(json.dumps({"ok": False, "error": error.message, "cure": error.cure}, ensure_ascii=False))
        print(error, file=sys.stderr)
        return error.exit_code
    if arguments.json:
        print(json.dumps({"ok": True, **found}, ensure_ascii=False))
        return 0
    for line in (*found.get("notes", ()), found.get("summary", "")):
        print(line, file=sys.stderr)
    for entry in found["models"]:
        print(f"{entry['state']:8} {entry['title']:26} {entry['detail'] or entry['purpose']}")
    return 0


def _run(arguments: argparse.Namespace) -> dict[str, Any]:
    folder, found = arguments.model_folder, dict[str, Any]()
    if arguments.action is None:
        return {"models": [_entry(status) for status in (check_quietly(folder) if folder else statuses(None))]}
    if folder is None:
        raise ModelFileError(f"No model folder was given to {arguments.action}.", "Say --model-folder DIR.")
    from .jobs import models_arguments, run

    path = arguments.folder if arguments.action == "scan" else arguments.file
    found = run(models_arguments(arguments.action, folder.absolute(), path.absolute()), Progress())
    return {**found, "models": [_entry(status) for status in statuses(folder.absolute())]}


def check_quietly(model_folder: Path) -> list[Status]:
    """All states, after a look into files that are not known yet.

    Raises:
        OutputError: there are such files, and the model folder cannot be written.
    """
    check(model_folder.absolute())
    return statuses(model_folder.absolute())


def _entry(status: Status) -> dict[str, Any]:
    """A state for JSON."""
    model = status.model
    return {
        "key": model.key or model.files[0],
        "title": model.title,
        "group": model.group,
        "state": status.state.value,
        "path": str(status.path) if status.path else None,
        "detail": status.detail,
        "purpose": model.purpose,
        "used_by": model.used_by,
        "licence": model.licence,
        "source": model.source,
        "files": list(model.files),
        "size": model.size,
        "sha256": model.sha256,
    }
