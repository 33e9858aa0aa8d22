"""The add-on's own place in Blender: its package name, its preferences, its folders, and how its engine is started."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import bpy

from ..engine.errors import OutputError
from ..engine.options import DeviceName
from .client import Launch

PACKAGE = (__package__ or "").rpartition(".")[0]
ROOT = Path(__file__).resolve().parents[1]
COMMAND = "likeness"
INTERPRETER_VARIABLE = "LIKENESS_PYTHON"
CHOOSE_CACHE = "Choose a cache folder you can write to in the add-on's preferences."


@dataclass(frozen=True)
class EngineSettings:
    """The preferences as the operators need them.

    Attributes:
        interpreter: the Python that runs the engine; None for Blender's own.
        device: where torch runs.
        model_folder: the user's own model files, or None.
        cache_folder: results and logs.
    """

    interpreter: Path | None
    device: DeviceName
    model_folder: Path | None
    cache_folder: Path


def preferences() -> bpy.types.AddonPreferences | None:
    """The add-on's preferences; None where it runs from source without being enabled."""
    blender: Any = bpy.context.preferences
    addon = blender.addons.get(PACKAGE) if blender else None
    return addon.preferences if addon else None


def engine_settings() -> EngineSettings:
    """The preferences, with the defaults for what is left empty."""
    chosen = preferences()
    interpreter = getattr(chosen, "interpreter", "") or os.environ.get(INTERPRETER_VARIABLE, "")
    model_folder = getattr(chosen, "model_folder", "")
    cache_folder = getattr(chosen, "cache_folder", "")
    return EngineSettings(
        interpreter=absolute(interpreter) if interpreter else None,
        device=cast(DeviceName, getattr(chosen, "device", "AUTO").lower()),
        model_folder=absolute(model_folder) if model_folder else user_folder("models"),
        cache_folder=absolute(cache_folder) if cache_folder else user_folder("cache"),
    )


def absolute(path: str) -> Path:
    """A path as typed by the user: relative to the .blend (//) or to the home folder (~)."""
    return Path(os.path.expanduser(bpy.path.abspath(path)))


def user_folder(name: str) -> Path:
    """A folder of our own, the only kind Blender lets an extension write to. It may not exist yet."""
    if PACKAGE.startswith("bl_ext."):
        return Path(bpy.utils.extension_path_user(PACKAGE, path=name))
    return Path(bpy.utils.user_resource("DATAFILES", path=os.path.join(PACKAGE, name)))


def launch(interpreter: Path | None = None) -> Launch:
    """How to start the engine with the present preferences, or with an interpreter of the caller's choice."""
    settings = engine_settings()
    log = settings.cache_folder / "logs" / f"engine-{os.getpid()}.log"
    chosen = interpreter or settings.interpreter
    if chosen is not None:
        return Launch(chosen, ROOT, log)
    return own_launch(log, module=not bpy.app.binary_path)


def own_launch(log: Path, module: bool) -> Launch:
    """How to start the engine with the Python that runs Blender. With the bpy module (`module`) that is the user's,
    where pip mends what is missing."""
    return Launch(Path(sys.executable), ROOT, log, wheel_folders(), bundled=not module)


def wheel_folders() -> tuple[Path, ...]:
    """Where Blender has put the wheels of its extensions, this one's among them."""
    extensions = Path(bpy.utils.user_resource("EXTENSIONS")).resolve()
    return tuple(Path(entry) for entry in sys.path if extensions in Path(entry).resolve().parents)


def new_result_folder(parent: Path, name: str) -> Path:
    """Make a folder for one result that nothing else uses.

    Raises:
        OutputError: `parent` cannot be written.
    """
    number = 1
    while True:
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            if not parent.is_dir():
                raise OutputError(f"Cannot write to {parent}: it is not a folder.", CHOOSE_CACHE) from None
            number += 1
        except OSError as error:
            raise OutputError(f"Cannot write to {parent}: {error.strerror or error}.", CHOOSE_CACHE) from error


def prune(parent: Path, keep: int) -> None:
    """Remove the oldest folders and files in `parent` beyond the `keep` newest."""
    items = sorted(parent.glob("*"), key=lambda item: item.stat().st_mtime)
    for item in items[: max(0, len(items) - keep)]:
        if item.is_dir():
            shutil.rmtree(item, ignore_errors=True)
        else:
            item.unlink(missing_ok=True)
