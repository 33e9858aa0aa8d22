"""Pickles read for what they name and declare: arrays and tensors come out as `Declared`, no number is kept.

The names are those of `unpickle` and `unpickle_torch`, which also counts steps; any other ends the reading.
"""

from __future__ import annotations

import io
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import ModelFileError
from .peek import MOST_HEADER, Declared
from .safe_load import ARRAY_NAMES
from .unpickle import (
    CURE,
    DAMAGED,
    DtypeStandin,
    Names,
    ObjectArrayStandin,
    RefusedError,
    Standin,
    read_pickle,
)
from .unpickle_torch import FAMILIES, MAGIC, MOST_DEPTH, MOST_MODULES, Budget, Storages, torch_names

MOST_BYTES = 2 << 30
"""Bytes that may be made from other bytes and texts in all."""


class DeclaredArray(ObjectArrayStandin):
    """numpy.ndarray: its shape and type, or the objects it holds.

    Attributes:
        spend: called with the bytes of each.
    """

    spend: Callable[[int], None] = staticmethod(lambda count: None)

    def absorb(self, state: Any) -> None:
        """Take (version, shape, dtype, Fortran order, bytes or a list of objects)."""
        _, shape, dtype, _, data = state
        if isinstance(dtype, DtypeStandin) and isinstance(data, list):
            self.found = data[0] if shape == () and len(data) == 1 else data
            return
        self.spend(len(data))
        self.found = _declared(shape, dtype, len(data))


def _declared(shape: Any, dtype: Any, held: int) -> Declared:
    """A shape that its bytes fit."""
    if not isinstance(dtype, DtypeStandin) or not isinstance(shape, tuple):
        raise RefusedError("an array of objects")
    count = 1
    for side in shape:
        if type(side) is not int or side < 0:
            raise RefusedError("an array of impossible shape")
        count = min(count * side, 1 << 62)
    kind = dtype.dtype()
    if held and count * kind.itemsize != held:
        raise RefusedError("an array that does not fit its data")
    return Declared(shape, str(kind))


def _read(path: Path, file: io.BufferedIOBase, names: Names, persistent: Callable[[Any], Any] | None = None) -> Any:
    """As `unpickle.read_pickle`, with Python 2's strings and the names of arrays and tensors."""
    return read_pickle(file, path, names, (*ARRAY_NAMES, *FAMILIES), persistent, "latin1")


def _names(size: int) -> dict[str, Any]:
    """What a file of so many bytes may name, as declarations. It holds the bytes of each array once: those that are
    named again and again would fill memory when the arrays are made."""
    budget, room = Budget(), [size]

    def spend(count: int) -> None:
        room[0] -= count
        if room[0] < 0:
            raise RefusedError("more arrays than it has bytes for")

    bounded = type("BoundedArray", (DeclaredArray,), {"spend": staticmethod(spend)})

    def tensor(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> Declared:
        if not isinstance(storage, range):
            raise RefusedError("a tensor without a storage")
        budget.shape(size, stride, offset, len(storage))
        return Declared(tuple(size))

    def array(data: Any, dtype: Any, shape: Any = (), *rest: Any) -> Declared:
        spend(len(data))
        return _declared(shape, dtype, len(data))

    left = [MOST_BYTES]
    known = torch_names(budget, declared_only=True)

    def once(make: Callable[..., Any]) -> Callable[..., Any]:
        """Bound what is made from bytes that a file may name again and again."""

        def counted(data: Any, *rest: Any) -> Any:
            left[0] -= len(data)
            if left[0] < 0:
                raise RefusedError("more bytes than it has")
            with warnings.catch_warnings():  # PyTorch's, that typed storages go out of use
                warnings.simplefilter("ignore")
                return make(data, *rest)

        return counted

    return {
        **known,
        "torch.storage._load_from_bytes": once(known["torch.storage._load_from_bytes"]),
        "_codecs.encode": once(known["_codecs.encode"]),
        "torch._utils._rebuild_tensor": tensor,
        "torch._utils._rebuild_tensor_v2": tensor,
        **{f"numpy.{core}.multiarray._reconstruct": lambda *rest: bounded() for core in ("core", "_core")},
        **{f"numpy.{core}.multiarray.scalar": lambda *rest: 0 for core in ("core", "_core")},
        **{f"numpy.{core}.numeric._frombuffer": array for core in ("core", "_core")},
    }


def torch_entries(path: Path, file: io.BufferedIOBase, archive: zipfile.ZipFile) -> dict[str, Any]:
    """What a file of `torch.save` in its newer format declares.

    Raises:
        ModelFileError: it is damaged, or names what is not on the list.
    """
    members = archive.infolist()
    pickles = [member for member in members if member.filename.endswith("/data.pkl")]
    if len(pickles) != 1 or any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ModelFileError(f"The file {path} is packed as PyTorch does not pack.", DAMAGED)
    if pickles[0].file_size > MOST_HEADER or sum(member.file_size for member in members) > file.seek(0, io.SEEK_END):
        raise ModelFileError(f"The file {path} declares more than it holds.", DAMAGED)
    root = pickles[0].filename.removesuffix("data.pkl")
    records = {member.filename.removeprefix(f"{root}data/"): member.file_size for member in members}
    data = archive.read(pickles[0])
    found = _read(path, io.BytesIO(data), _names(len(data)), Storages(records, 0).declared)
    return _entries(found)


def pickle_entries(path: Path, file: io.BufferedIOBase, size: int) -> tuple[str, dict[str, Any]]:
    """What a pickle declares, and "torch" where it is PyTorch's older format, else "pickle".

    Raises:
        ModelFileError: it is damaged, or names what is not on the list.
    """
    start = file.read(16)
    file.seek(0)
    if b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" not in start:
        return "pickle", _entries(_read(path, file, _names(size)))
    first = _read(path, file, {})
    if first != MAGIC:
        raise ModelFileError(f"The file {path} is not one of PyTorch's.", DAMAGED)
    for _ in range(2):  # version and machine
        _read(path, file, {})
    storages, lengths = Storages({}, size), dict[str, int]()

    def declared(pid: Any) -> range:
        found = storages.declared(pid)
        lengths[str(pid[2])[:200]] = len(found) * pid[1].dtype.itemsize
        return found

    entries = _entries(_read(path, file, _names(size), declared))
    _read(path, file, {})  # the storages' keys
    if file.tell() + sum(8 + length for length in lengths.values()) > size:  # each says its count first
        raise ModelFileError(f"The file {path} is cut off: not all of its numbers are there.", "Download it again.")
    return "torch", entries


def object_entries(path: Path, file: io.BufferedIOBase) -> Any:
    """What the pickle inside an `.npy` declares, from the file's place on.

    Raises:
        ModelFileError: it is damaged, or names what is not on the list.
    """
    found = _read(path, file, _names(os.fstat(file.fileno()).st_size))
    return _entries(found) if isinstance(found, dict) else found


def _entries(found: Any) -> dict[str, Any]:
    """A pickle's dict, with networks and stand-ins as the names of what they hold."""
    if isinstance(found, Standin):
        found = {"G_ema": found}
    if not isinstance(found, dict):
        return {}
    return {str(name): _simple(value) for name, value in found.items()}


def _simple(value: Any) -> Any:
    if not isinstance(value, Standin):
        return value
    state = value.state if isinstance(value.state, dict) else {}
    if "_parameters" in state or "_modules" in state:
        return {"tensors": _network(value)}
    if value.kind.startswith("scipy.sparse."):
        shape = state.get("_shape", state.get("shape"))
        return Declared(tuple(shape)) if isinstance(shape, tuple) else Declared(())
    for name in ("x", "a"):  # chumpy.ch.Ch, chumpy.reordering.Select
        if isinstance(held := _simple(state.get(name)), Declared):
            shape = state.get("preferred_shape")
            return Declared(shape, held.dtype) if isinstance(shape, tuple) else held
    return value


def _network(module: Standin) -> dict[str, Any]:
    """Names of a pickled network's parameters and buffers; see `unpickle_torch.module_tensors`."""
    found: dict[str, Any] = {}
    pending, count = [("", module, 0)], 0
    while pending:
        prefix, part, depth = pending.pop()
        count += 1
        if depth > MOST_DEPTH or count > MOST_MODULES:
            raise ModelFileError("The file holds modules without end.", CURE)
        state = part.state if isinstance(part, Standin) and isinstance(part.state, dict) else {}
        for kind in ("_parameters", "_buffers"):
            held = state.get(kind)
            found |= {f"{prefix}{name}": value for name, value in (held if isinstance(held, dict) else {}).items()}
        modules = state.get("_modules")
        for name, value in (modules if isinstance(modules, dict) else {}).items():
            pending.append((f"{prefix}{name}.", value, depth + 1))
    return found
