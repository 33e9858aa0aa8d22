"""Freed memory is used again instead of being asked for anew."""

import ctypes
import sys

import numpy as np
import pytest

from engine.texture.heap import keep_heap


class Mallinfo(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "free", "fast", "maps", "mapped", "most", "fast_free", "used", "unused", "top")
    ]


def mapped() -> int:
    """Bytes that came from the system one array at a time."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        pytest.skip("needs glibc 2.33")
    library.mallinfo2.restype = Mallinfo
    return library.mallinfo2().mapped


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a setting of glibc")
def test_an_array_of_fifty_megabytes_comes_from_the_heap_and_a_huge_one_does_not():
    assert keep_heap()
    before = mapped()
    texture = np.ones((12_000_000,), np.float32)
    assert mapped() == before
    huge = np.empty((1 << 29,), np.uint8)
    assert mapped() >= before + huge.nbytes
    assert texture[-1] == 1


def test_other_systems_are_left_as_they_are(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert keep_heap.__wrapped__() is False
