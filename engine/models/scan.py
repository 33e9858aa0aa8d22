"""Look through a folder for model files, by what they hold and not by their names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelFileError
from ..progress import Progress
from . import places
from .identify import Identified, misfit
from .model_file import ModelFile
from .registry import USERS
from .states import State, look, status, statuses

DEEPEST, MOST_FILES = 8, 20_000
"""Folders within folders, and files, that are looked at."""
NAMED = 5
SKIPPED = ("node_modules", "__pycache__", "site-packages")
"""Folders that hold programs; those whose names begin with a dot are left out too."""


@dataclass(frozen=True)
class ScanReport:
    """What a scan found.

    Attributes:
        looked: number of files and folders that were looked into.
        found: by `ModelFile.key`, what was found and is used from now on.
        kept: keys of models that have a usable file already; it stays.
        notes: what the user should know: files without a place, and wrong ones by a model's name.
        complete: False where there were more files than are looked at.
    """

    looked: int
    found: dict[str, Path]
    kept: tuple[str, ...]
    notes: tuple[str, ...]
    complete: bool

    def summary(self) -> str:
        """One line for the user."""
        titles = [model.title for model in USERS if model.key in self.found]
        seen = f"{self.looked} file{'s' if self.looked != 1 else ''} looked at"
        more = "" if self.complete else f", more than {MOST_FILES} are there"
        again = f", {len(self.kept)} known already" if self.kept else ""
        return f"Found {', '.join(titles) or 'nothing new'}{again}; {seen}{more}"


def scan(folder: Path, model_folder: Path, progress: Progress | None = None) -> ScanReport:
    """Look through a folder and the folders in it, and remember what fits which model.

    A model that has a usable file keeps it. Links are not followed.

    Args:
        folder: to look through. model_folder: whose `models.json` is written.
    Raises:
        ModelFileError: there is no such folder, or it cannot be read.
        OutputError: the model folder cannot be written. JobCancelled: on request; nothing is remembered then.
    """
    progress = progress or Progress()
    progress.stage("Listing files", 0.0)
    paths, complete = _listed(folder, progress)
    known: dict[Path, places.Checked] = {}
    seen: list[tuple[Path, Identified]] = []
    for index, path in enumerate(paths):
        progress.check()
        if index % 20 == 0:
            progress.stage("Looking at files", 0.02 + 0.97 * index / len(paths))
        found, checked = look(path)
        if found.kind or _bears_name(path):
            seen.append((path, found))
            known[path] = checked
    chosen, kept = _choices(seen, model_folder)
    used = {*chosen.values(), *(status.path for status in statuses(model_folder, USERS))}
    places.remember(model_folder, {path: one for path, one in known.items() if path in used}, chosen)
    progress.finish()
    return ScanReport(len(paths), chosen, kept, tuple(_notes(seen)), complete)


def _listed(folder: Path, progress: Progress) -> tuple[list[Path], bool]:
    """Files below a folder, and folders that are a model as a whole; and whether these are all."""
    try:
        next(os.scandir(folder), None)
    except OSError as error:
        raise ModelFileError(
            f"The folder {folder} cannot be looked through ({error.strerror or error}).",
            "Choose a folder that is there and that you may read.",
        ) from error
    found: list[Path] = []
    for path in _walk(folder.resolve(), progress):
        if len(found) == MOST_FILES:
            return found, False
        found.append(path)
    return found, True


def _walk(folder: Path, progress: Progress) -> Iterator[Path]:
    depth = len(folder.parts)
    for place, folders, files in os.walk(folder):
        progress.check()
        here = Path(place)
        if "generic_neutral_mesh.obj" in files:  # ICT-FaceKit's shapes are hundreds of files of one model
            folders.clear()
            yield here
            continue
        deep = len(here.parts) - depth >= DEEPEST
        folders[:] = [] if deep else sorted(n for n in folders if not n.startswith(".") and n not in SKIPPED)
        for name in sorted(files):
            path = here / name
            if path.is_file() and not path.is_symlink() and name != places.NAME:
                yield path


def _bears_name(path: Path) -> bool:
    return any(path.name in model.files for model in USERS)


def _choices(seen: list[tuple[Path, Identified]], model_folder: Path) -> tuple[dict[str, Path], tuple[str, ...]]:
    """For each model without a usable file, the one that fits; by its owner's name if several do."""
    chosen: dict[str, Path] = {}
    kept = []
    for model in USERS:
        fitting = [path for path, found in seen if _fits(model, found, path)]
        if not fitting:
            continue
        now = status(model, model_folder)
        if now.state is State.USABLE or now.path in fitting:
            kept.append(model.key)
            continue
        chosen[model.key] = min(fitting, key=lambda path: _preference(model, path))
    return chosen, tuple(kept)


def _fits(model: ModelFile, found: Identified, path: Path) -> bool:
    """As `misfit`, but a file that does not tell its variant is nobody's: the user must say which it is."""
    return not misfit(model, found, path) and found.variant == (model.variant or found.variant)


def _preference(model: ModelFile, path: Path) -> tuple[int, int, str]:
    named = model.files.index(path.name) if path.name in model.files else len(model.files)
    return named, len(path.parts), str(path)


def _notes(seen: list[tuple[Path, Identified]]) -> Iterator[str]:
    homeless = [(path, found) for path, found in seen if not any(_fits(model, found, path) for model in USERS)]
    for path, found in homeless[:NAMED]:
        named = next((model for model in USERS if path.name in model.files), None)
        if found.problem:
            yield found.problem if str(path) in found.problem else f"{path}: {found.problem}"
        elif named is not None:
            yield f"{path}: {misfit(named, found, path)}"
        elif any(not misfit(model, found, path) for model in USERS):
            yield f"{path}: {found.detail}. Choose it with Locate File where it belongs."
    if len(homeless) > NAMED:
        yield f"{len(homeless) - NAMED} more files fit no model."
