"""Turning whatever a job raised into an error a user can act on."""

from __future__ import annotations

import errno
import sys
import traceback

from ..errors import DeviceError, EngineError, OutputError, WorkerError
from ..memory import is_out_of_memory, out_of_memory_error
from .protocol import Failed

PIP_NAMES = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "mediapipe": "mediapipe==0.10.21" if sys.version_info < (3, 13) else "mediapipe",
}
DISK_ERRORS = {errno.ENOSPC, errno.EROFS, errno.EDQUOT}


def failure(job: int, error: BaseException, bundled: bool) -> Failed:
    """The message for an error that ended a job.

    Args:
        bundled: the worker runs in Blender's own Python with the extension's wheels, so that pip is no cure.
    """
    known = explain(error, bundled)
    detail = "".join(traceback.format_exception(error))
    return Failed(job, type(known).__name__, known.message, known.cure, detail)


def explain(error: BaseException, bundled: bool) -> EngineError:
    """The engine's error for any exception."""
    if isinstance(error, EngineError):
        return error
    if is_out_of_memory(error):
        return out_of_memory_error()
    if isinstance(error, ImportError):
        return missing_package(error, bundled)
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        return OutputError(
            f"Cannot write the result: {error.strerror}.",
            "Choose a folder you can write to, on a disk with free space.",
        )
    if isinstance(error, RuntimeError) and "CUDA" in str(error):
        return DeviceError(f"The graphics card failed: {first_line(error)}", "Choose the device “CPU” and try again.")
    return EngineError(
        f"The engine stopped at an unexpected error: {type(error).__name__}: {first_line(error)}",
        "Please report it, with the photo if you can.",
    )


def missing_package(error: ImportError, bundled: bool) -> WorkerError:
    """A package the engine leans on is not there, or does not load (wrong platform, broken installation)."""
    module = (error.name or "").partition(".")[0]
    python = ".".join(str(number) for number in sys.version_info[:2])
    if isinstance(error, ModuleNotFoundError) and module:
        message = f"The engine's Python {python} ({sys.executable}) has no package “{module}”."
    else:
        message = f"A package of the engine's Python {python} ({sys.executable}) does not load: {first_line(error)}"
    if bundled:
        cure = (
            "Reinstall the extension from the zip for this platform and Blender version, "
            "or choose an engine interpreter in the add-on's preferences."
        )
    else:
        wanted = PIP_NAMES.get(module, module) or "torch mediapipe"
        cure = f'Install it with: "{sys.executable}" -m pip install {wanted}'
    return WorkerError(message, cure)


def first_line(error: BaseException) -> str:
    """The first line of an error's text."""
    return (str(error).strip().splitlines() or [""])[0]
