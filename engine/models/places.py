"""`models.json` in the model folder: which files the user chose, and what was found in them. Imports nothing heavy.

A damaged or foreign file counts as empty: choices are then made anew, nothing else is lost.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import OutputError

NAME = "models.json"
MOST_BYTES = 4 << 20
CHOOSE_FOLDER = "Choose a model folder you can write to in the add-on's preferences."


@dataclass(frozen=True)
class Checked:
    """What was found in a file when it was looked at.

    Attributes:
        size: bytes. modified: nanoseconds. With another size or time the file is another, and this counts no more.
        kind, variant, detail, problem: see `identify.Identified`.
    """

    size: int
    modified: int
    kind: str
    variant: str
    detail: str
    problem: str


def chosen(model_folder: Path) -> dict[str, Path]:
    """The files the user chose, by `ModelFile.key`. They may be gone."""
    found = _read(model_folder).get("chosen")
    pairs = found.items() if isinstance(found, dict) else ()
    return {key: Path(path) for key, path in pairs if isinstance(path, str) and path and "\0" not in path}


def checked(model_folder: Path) -> dict[str, Checked]:
    """What was found, by path."""
    found = _read(model_folder).get("checked")
    entries: dict[str, Checked] = {}
    for path, values in found.items() if isinstance(found, dict) else ():
        with contextlib.suppress(TypeError):
            entry = Checked(**values)
            if all(isinstance(value, str) for value in (entry.kind, entry.variant, entry.detail, entry.problem)):
                entries[path] = entry
    return entries


def version(path: Path) -> tuple[int, int]:
    """Size and time of a file, or of a folder's members, to tell whether it changed; (-1, -1) where it is gone."""
    try:
        found = path.stat()
        return (0 if path.is_dir() else found.st_size), found.st_mtime_ns
    except OSError:
        return -1, -1


def choose(model_folder: Path, choices: Mapping[str, Path | None]) -> None:
    """Remember files by key; None forgets one.

    Raises:
        OutputError: the folder cannot be written.
    """
    stored = {key: str(path) for key, path in chosen(model_folder).items()}
    for key, path in choices.items():
        stored.pop(key, None)
        if path is not None:
            stored[key] = str(path)
    _write(model_folder, {"chosen": stored, "checked": _checked_values(model_folder)})


def remember(model_folder: Path, found: Mapping[Path, Checked], choices: Mapping[str, Path] | None = None) -> None:
    """Remember what was found in files, and files by key. What was found in files that are gone is forgotten.

    Raises:
        OutputError: the folder cannot be written.
    """
    entries = {path: values for path, values in _checked_values(model_folder).items() if Path(path).exists()}
    entries |= {str(path): asdict(entry) for path, entry in found.items()}
    stored = {key: str(path) for key, path in {**chosen(model_folder), **(choices or {})}.items()}
    _write(model_folder, {"chosen": stored, "checked": entries})


def _checked_values(model_folder: Path) -> dict[str, Any]:
    return {path: asdict(entry) for path, entry in checked(model_folder).items()}


def _read(model_folder: Path) -> dict[str, Any]:
    path = model_folder / NAME
    try:
        if path.stat().st_size > MOST_BYTES:
            return {}
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(model_folder: Path, content: dict[str, Any]) -> None:
    path = model_folder / NAME
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        model_folder.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({"version": 1, **content}, indent=1), encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.", CHOOSE_FOLDER) from error
