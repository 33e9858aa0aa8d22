"""Memory: asked for before a job starts, and said plainly where it runs out all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from ..errors import DeviceError
from ..memory import is_out_of_memory

SMALLEST = 32
"""Size below which nothing is offered."""


def available_bytes(device: torch.device | str = "cpu") -> int | None:
    """Memory that is free on a device; None where the system does not say."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file if ":" in line)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        return None


def check_memory(bytes_of: Callable[[int], int], side: int, limit: int | None, what: str) -> None:
    """Refuse a size that does not fit, before anything is started, and offer one that does.

    Args:
        bytes_of: memory by size. side: asked for. limit: bytes there are; None where that is not known.
        what: for the message: "a grid of {} voxels a side".
    Raises:
        DeviceError: it does not fit.
    """
    if limit is None or bytes_of(side) <= limit:
        return
    smaller = side // 2
    while smaller > SMALLEST and bytes_of(smaller) > limit:
        smaller //= 2
    fits = bytes_of(smaller) <= limit
    raise DeviceError(
        f"{what.format(side).capitalize()} needs about {bytes_of(side) / 1e9:.1f} GB of memory, and there are "
        f"{limit / 1e9:.1f} GB.",
        f"Choose {smaller} or less, or close other programs." if fits else "Close other programs and try again.",
    )


@contextmanager
def told_of_memory(what: str) -> Iterator[None]:
    """Turns running out of memory while the block runs into an error for the user.

    Args:
        what: was being done, for the message: "the inversion".
    Raises:
        DeviceError: memory ran out.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceError(
            f"There was not enough memory for {what}.",
            "Choose the device “CPU”, or close other programs and try again.",
        ) from error
