"""Errors that reach an artist. Each says what is wrong, with which file, and what to do about it."""

from __future__ import annotations


class EngineError(Exception):
    """Base of everything the engine raises on purpose.

    Args:
        message: one sentence that names the file or setting at fault.
        cure: one sentence that says what the user can do.
    """

    exit_code = 1

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.message} {self.cure}".strip()


class MediaError(EngineError):
    """A picture or clip cannot be read (missing, empty, truncated, not a picture, unreadable format)."""

    exit_code = 3


class FaceError(EngineError):
    """No usable face: none found, too small, or turned too far."""

    exit_code = 4


class ModelFileError(EngineError):
    """A model file is missing, damaged, or not what its name says."""

    exit_code = 5


class OutputError(EngineError):
    """The result cannot be written (folder unreadable or read-only, disk full)."""

    exit_code = 6


class DeviceError(EngineError):
    """The device asked for is not there, or ran out of memory."""

    exit_code = 7


class WorkerError(EngineError):
    """The engine's process could not be started, died, or spoke nonsense."""

    exit_code = 8


class JobCancelled(EngineError):  # noqa: N818  (not a failure)
    """The user cancelled the job."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__("The job was cancelled.")
