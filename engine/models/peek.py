"""What a file declares to hold: names and shapes, without its numbers, whatever the file is called.

Nothing in it is run. How much is read, unpacked and stepped through is bounded before it happens, so that a file made
to fill memory or to take for ever ends in an error at once.
"""

from __future__ import annotations

import io
import json
import math
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ModelFileError
from .unpickle import DAMAGED
from .zip_size import MOST_DIRECTORY, directory_bytes

MOST_BYTES = 4 << 30
"""The largest file that is looked into."""
MOST_PICKLE = 1 << 30
"""The largest that is one pickle from end to end."""
MOST_HEADER = 32 << 20
"""Of a safetensors header, of the list of names in a PyTorch file, and of an OBJ file."""
CHOOSE = "Choose the file that its owner hands out."


@dataclass(frozen=True)
class Declared:
    """An array or tensor that is said to be there.

    Attributes:
        shape: its own. dtype: of NumPy or PyTorch, by name.
    """

    shape: tuple[int, ...]
    dtype: str = ""


@dataclass(frozen=True)
class Contents:
    """What a file holds.

    Attributes:
        form: "safetensors", "torch", "pickle", "npz", "npy", "zip", "obj", or empty for anything else.
        entries: by name; arrays as `Declared`, dicts as dicts, a network pickled with its source as `{"tensors": ...}`.
            Of an `.npy`, what it holds is the entry "". Of an OBJ file, numbers of lines by their first word.
        metadata: texts of a safetensors header.
    """

    form: str
    entries: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)


def peek(path: Path) -> Contents:
    """Look into a file.

    Raises:
        ModelFileError: it is missing, unreadable, too large, damaged or cut off, or asks for what no model needs.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(512)
            if size > MOST_BYTES:
                raise ModelFileError(f"The file {path} has {size / 1e9:.0f} GB, more than any model.", CHOOSE)
            file.seek(0)
            return _look(path, file, size, head)
    except OSError as error:
        raise ModelFileError(
            f"The file {path} cannot be read ({error.strerror or error}).",
            "Choose a file that is there and that you may read.",
        ) from error


def _look(path: Path, file: io.BufferedReader, size: int, head: bytes) -> Contents:
    if not size:
        raise ModelFileError(f"The file {path} is empty.", DAMAGED)
    if head[8:9] == b"{" and head[5:8] == b"\0\0\0":
        return _safetensors(path, file, size)
    if head[:4] == b"PK\x03\x04":
        return _zip(path, file)
    if head[:6] == b"\x93NUMPY":
        return _npy(path, file)
    if head[:1] == b"\x80" or head[:3] in (b"(dp", b"(lp") or head[:2] == b"}q":
        if size > MOST_PICKLE:
            raise ModelFileError(f"The file {path} has {size / 1e9:.1f} GB, more than any pickle of models.", CHOOSE)
        from .peek_pickle import pickle_entries

        form, entries = pickle_entries(path, file, size)
        return Contents(form, entries)
    if _is_obj(head):
        return _obj(path, file, size)
    return Contents("")


def _damaged(path: Path, reason: object) -> ModelFileError:
    return ModelFileError(f"The file {path} is damaged ({str(reason)[:120] or type(reason).__name__}).", DAMAGED)


def _safetensors(path: Path, file: io.BufferedReader, size: int) -> Contents:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > MOST_HEADER:
        raise _damaged(path, f"a header of {length} bytes")
    try:
        header = json.loads(file.read(length))
        metadata = header.pop("__metadata__", {})
        entries = {name: Declared(tuple(map(int, one["shape"])), str(one["dtype"])) for name, one in header.items()}
        end = 8 + length + max((int(one["data_offsets"][1]) for one in header.values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError) as error:
        raise _damaged(path, error) from error
    if end != size:
        raise ModelFileError(
            f"The file {path} is cut off or damaged: it has {size} bytes and says {end}.",
            "Download it again; a download that broke off leaves such a file.",
        )
    texts = metadata.items() if isinstance(metadata, dict) else ()
    return Contents("safetensors", entries, {str(name): str(value) for name, value in texts})


def _zip(path: Path, file: io.BufferedReader) -> Contents:
    """An `.npz`, a file of `torch.save`, or any other archive, whose members' sizes are its entries."""
    if (listed := directory_bytes(file)) > MOST_DIRECTORY:
        raise _damaged(path, f"a list of members of {listed} bytes")
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            if any(name.endswith("/data.pkl") for name in names):
                from .peek_pickle import torch_entries

                return Contents("torch", torch_entries(path, file, archive))
            if names and all(name.endswith(".npy") for name in names):
                return Contents("npz", {member.filename[:-4]: _header(archive, member) for member in members})
    except ModelFileError:
        raise
    except Exception as error:  # whatever damaged bytes can bring about
        raise ModelFileError(
            f"The file {path} is damaged or was not downloaded to its end ({str(error)[:80]}).",
            "Download it again; a download that broke off leaves such a file.",
        ) from error
    return Contents("zip", {member.filename: Declared((member.file_size,), "bytes") for member in members})


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Declared:
    """Shape and type of an array in an `.npz`: only its first bytes are unpacked."""
    with archive.open(member) as stream:
        return _declared(io.BytesIO(stream.read(1 << 14)))[0]


def _declared(stream: io.BufferedIOBase) -> tuple[Declared, bool]:
    """Shape and type from an `.npy` header, and whether it holds objects.

    Raises:
        ValueError: it is none.
    """
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    return Declared(tuple(shape), str(dtype)), bool(dtype.hasobject)


def _npy(path: Path, file: io.BufferedReader) -> Contents:
    try:
        declared, objects = _declared(io.BytesIO(file.read(1 << 14)))
        if not objects:
            size, start = file.seek(0, io.SEEK_END), _array_start(file)
            if size < start + math.prod(declared.shape) * np.dtype(declared.dtype).itemsize:
                raise ValueError("it is cut off")
            return Contents("npy", {"": declared})
        _array_start(file)
    except Exception as error:  # whatever damaged bytes can bring about
        raise _damaged(path, error) from error
    from .peek_pickle import object_entries

    found = object_entries(path, file)
    return Contents("npy", found if isinstance(found, dict) else {"": found})


def _array_start(file: io.BufferedReader) -> int:
    """Where an `.npy`'s data begins, and go there."""
    file.seek(0)
    _declared(file)
    return file.tell()


def _is_obj(head: bytes) -> bool:
    """Whether text begins as an OBJ file does."""
    starts = (b"v ", b"vt ", b"vn ", b"f ", b"o ", b"g ", b"mtllib ", b"usemtl ", b"s ")
    if b"\0" in head:
        return False
    lines = [line.strip() for line in head.splitlines()[:-1]]
    lines = [line for line in lines if line and not line.startswith(b"#")]
    return all(line.startswith(starts) for line in lines) and (bool(lines) or head[:1] == b"#")


def _obj(path: Path, file: io.BufferedReader, size: int) -> Contents:
    if size > MOST_HEADER:
        return Contents("")
    counts: dict[str, Any] = dict.fromkeys(("v", "vt", "f"), 0)
    for line in file:
        word = line.split(b" ", 1)[0].decode("latin1")
        if word in counts:
            counts[word] += 1
    return Contents("obj", counts) if counts["v"] else Contents("")


def flat_names(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Entries by name, those within dicts as "ENTRY.NAME", two levels down."""
    found: dict[str, Any] = {}
    for name, value in entries.items():
        found[str(name)] = value
        if isinstance(value, Mapping):
            for inner, below in value.items():
                found[f"{name}.{inner}"] = below
                if isinstance(below, Mapping):
                    found.update({f"{name}.{inner}.{last}": lowest for last, lowest in below.items()})
    return found
