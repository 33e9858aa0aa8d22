"""Memory that is kept instead of given back and asked for again."""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""glibc's numbers of the two settings (malloc.h)."""
LARGEST_KEPT = 1 << 28
"""Bytes of an array from which memory comes from the system each time, as by default from 32 MB."""
MOST_KEPT = 1 << 29
"""Free bytes that are kept for the next array."""


@lru_cache(maxsize=1)
def keep_heap() -> bool:
    """Have the C library keep freed memory for the next array; for the rest of the process.

    Painting makes hundreds of arrays of some 50 MB, one after the other. glibc asks the system for each of them anew,
    and the system clears every page: a third of the time. Kept memory is used again, so the peak stays what it is.

    Returns:
        False where there is no such setting: other systems than Linux, other C libraries than glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(MMAP_THRESHOLD, LARGEST_KEPT)) and bool(mallopt(TRIM_THRESHOLD, MOST_KEPT))
