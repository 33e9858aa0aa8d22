"""Running out of memory is an ordinary event on a workstation: recognise it, try with less, then say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from .errors import DeviceError
from .options import ReconstructOptions

Result = TypeVar("Result")
SMALLEST_TEXTURE = 1024
SIGNS = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """True for Python's, NumPy's and torch's ways to say that memory ran out, on any device."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, (RuntimeError, OSError)) and any(sign in text for sign in SIGNS)


def out_of_memory_error() -> DeviceError:
    """What the user is told when nothing smaller is left to try."""
    return DeviceError(
        "There was not enough memory for this reconstruction.",
        "Choose a smaller texture or the device “CPU”, close other programs, and try again.",
    )


def lighter(options: ReconstructOptions) -> ReconstructOptions | None:
    """The next cheaper way to run a job: half the texture, then the CPU; None when there is none."""
    if options.texture_size > SMALLEST_TEXTURE:
        return replace(options, texture_size=max(SMALLEST_TEXTURE, options.texture_size // 2))
    if options.device != "cpu":
        return replace(options, device="cpu")
    return None


def within_memory(
    job: Callable[[ReconstructOptions], Result], options: ReconstructOptions, warn: Callable[[str], None]
) -> Result:
    """Run a job, and run it again with less whenever memory runs out.

    Args:
        job: called with the options to use.
        warn: called with a sentence for the report at every retry.
    Raises:
        DeviceError: even the lightest way does not fit.
    """
    while True:
        try:
            return job(options)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        # Outside the handler, so that the failed attempt's arrays, held by its traceback, are free by now.
        less = lighter(options)
        if less is None:
            raise out_of_memory_error()
        options = less
        warn(f"Memory ran out; tried again at {options.texture_size} px on the device “{options.device}”.")
