"""Whether each model file is there, and whether it is what it should be.

Cheap enough for a panel: only sizes and times of files are looked at. Contents are looked at by `check` and by
`scan.scan`, whose findings are kept in `models.json`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..progress import Progress
from . import places
from .identify import Identified, identify, misfit
from .model_file import ModelFile
from .registry import MODELS, USERS


class State(enum.Enum):
    """Of a model file."""

    MISSING = "missing"
    FOUND = "found"  # there, and not yet looked into
    WRONG = "wrong"  # of another kind, or damaged
    USABLE = "usable"  # its content was recognised


@dataclass(frozen=True)
class Status:
    """A model file's state.

    Attributes:
        path: of the file; of a missing one that the user had chosen, where it was; else None.
        detail: what it is, or what is wrong, for the user; may be empty.
    """

    model: ModelFile
    state: State
    path: Path | None = None
    detail: str = ""


def status(model: ModelFile, model_folder: Path | None) -> Status:
    """The state of one model. Never raises: a missing or damaged file is a state."""
    return _status(model, model_folder, *_known(model_folder))


def statuses(model_folder: Path | None, models: Iterable[ModelFile] = MODELS) -> list[Status]:
    """The states of all models, in their order."""
    known = _known(model_folder)
    return [_status(model, model_folder, *known) for model in models]


def _known(model_folder: Path | None) -> tuple[dict[str, Path], dict[str, places.Checked]]:
    if model_folder is None:
        return {}, {}
    return places.chosen(model_folder), places.checked(model_folder)


def _status(
    model: ModelFile,
    model_folder: Path | None,
    chosen: Mapping[str, Path],
    checked: Mapping[str, places.Checked],
) -> Status:
    path, was = model.find(model_folder), chosen.get(model.key) if model.key else None
    if path is None:
        return Status(model, State.MISSING, was, f"It was at {was}, and is there no more." if was else "")
    if model.bundled is not None:
        return Status(model, State.USABLE, path)
    entry = checked.get(str(path))
    if entry is None or (entry.size, entry.modified) != places.version(path):
        return Status(model, State.FOUND, path)
    found = Identified(entry.kind, entry.variant, entry.detail, entry.problem)
    problem = misfit(model, found, path)
    return Status(model, State.WRONG if problem else State.USABLE, path, problem or entry.detail)


def look(path: Path) -> tuple[Identified, places.Checked]:
    """What a file is, and the same to be remembered."""
    size, modified = places.version(path)
    found = identify(path)
    return found, places.Checked(size, modified, found.kind, found.variant, found.detail, found.problem)


def check(
    model_folder: Path, progress: Progress | None = None, models: Iterable[ModelFile] = USERS, again: bool = False
) -> list[Status]:
    """Look into every file that is there and not yet known, and remember what it is.

    Args:
        again: into those that are known, too.
    Raises:
        OutputError: the model folder cannot be written. JobCancelled: on request.
    """
    progress = progress or Progress()
    models = list(models)
    found: dict[Path, places.Checked] = {}
    for index, status in enumerate(statuses(model_folder, models)):
        progress.stage(f"Looking at {status.model.title}", index / len(models))
        if status.path is not None and (status.state is State.FOUND or (again and status.state is not State.MISSING)):
            found[status.path] = look(status.path)[1]
    if found:
        places.remember(model_folder, found)
    progress.finish()
    return statuses(model_folder, models)
