"""How long a zip archive's list of members is, before it is read: the list alone may be made to fill memory."""

from __future__ import annotations

import io
import struct

MOST_DIRECTORY = 16 << 20
"""Bytes of a list of members; a PyTorch file with ten thousand tensors has one."""
TOO_LONG = MOST_DIRECTORY + 1
END, END_BYTES = b"PK\x05\x06", 22
LARGE_END, LARGE_BYTES = b"PK\x06\x06", 76
"""Of the larger kind (ZIP64): the end itself, and the pointer to it."""
MOST_COMMENT = 1 << 16


def directory_bytes(file: io.BufferedIOBase) -> int:
    """Bytes of the list of members by the archive's end; 0 where there is none, `TOO_LONG` where the end is malformed.

    The place in the file is kept.
    """
    place = file.tell()
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - END_BYTES - MOST_COMMENT - LARGE_BYTES))
    tail = file.read()
    file.seek(place)
    start = tail.rfind(END)
    if start < 0:
        return 0
    if len(tail) < start + END_BYTES:
        return TOO_LONG
    (length,) = struct.unpack_from("<I", tail, start + 12)
    large = tail.rfind(LARGE_END)
    if large >= 0 and len(tail) >= large + 48:
        (large_length,) = struct.unpack_from("<Q", tail, large + 40)
        return max(large_length, 0 if length == 0xFFFFFFFF else length)
    return length
