"""On what was measured: the machine, the clock, the memory."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from ..devices import versions


def describe_machine() -> dict[str, Any]:
    """Date, processor, cores, memory, system and versions; nothing that names the machine."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory GB": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions(),
    }


def milliseconds(call: Callable[[], object], times: int = 20, before: int = 3) -> tuple[float, float]:
    """Medians of several calls, after some that do not count: by the clock, and of the processor's own time.

    Where other programs keep the machine busy the clock runs on while the processor does something else.
    """
    taken = []
    for number in range(before + times):
        clock, worked = perf_counter(), process_time()
        call()
        if number >= before:
            taken.append((perf_counter() - clock, process_time() - worked))
    by_clock, by_work = 1e3 * np.median(taken, axis=0)
    return float(by_clock), float(by_work)


def peak_memory() -> float:
    """GB, the most that this process has held so far; NaN where the system does not say.

    Linux' own figure of the process where there is one: `getrusage` counts what its parent held when it was started.
    """
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE)):
        return 1024 * int(found[1]) / 1e9
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    unit = 1e9 if platform.system() == "Darwin" else 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


@contextmanager
def one_core() -> Iterator[None]:
    """Everything on one core while the block runs, where the system allows it; else on one thread of torch."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if allowed:
        os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if allowed:
            os.sched_setaffinity(0, allowed)


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    if listed.is_file():
        for line in listed.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, OSError, ValueError):
        return None
