"""Tensors in pickles: PyTorch's files, checked before PyTorch reads them, and networks pickled with their source.

StyleGAN2-ADA and EG3D pickle their networks by `torch_utils.persistence`: each module as its source code, class name
and state, to be compiled on reading. Here the code is a string nobody runs; the state has every tensor and the
arguments the network was made with.
"""

from __future__ import annotations

import argparse
import io
import struct
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelFileError
from .unpickle import BASIC, DAMAGED, Fields, RefusedError, Standin, read_pickle

MOST_ELEMENTS = 1 << 30
"""Numbers a file may declare in all: four times those of the largest model that is used."""
MOST_MODULES, MOST_DEPTH = 1 << 14, 64
"""Modules in a network, and modules within modules."""
STORAGES = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
}  # fmt: skip
MAGIC = 0x1950A86A20F9469CFC6C
"""First pickle of PyTorch's files before version 1.6."""
CONFIGURATIONS = ("models.utils.config.BaseConfig", "easydict.EasyDict", "omegaconf.dictconfig.DictConfig")
"""Classes of settings that training codes save beside their weights."""
FAMILIES = ("torch.nn.modules.", "training.", "torch_utils.", "dnnlib.", "metrics.")
"""Classes of StyleGAN2-ADA's and EG3D's networks that are pickled by name; they come out as stand-ins."""


@dataclass(frozen=True)
class StorageType:
    """A class of storages, by the type of its numbers."""

    dtype: torch.dtype


class PersistentObject(Standin):
    """A network of `torch_utils.persistence`. Its state is that of a torch module.

    Attributes:
        class_name: of the original.
        source: its code, never run.
    """

    kind = "torch_utils.persistence"
    class_name = ""
    source = ""

    @property
    def init_kwargs(self) -> dict[str, Any]:
        """What it was made with."""
        found = self.state.get("_init_kwargs") if isinstance(self.state, dict) else None
        return dict(found) if isinstance(found, dict) else {}


def _persistent(meta: Any) -> PersistentObject:
    if not isinstance(meta, dict) or meta.get("type") != "class":
        raise RefusedError("a persistent object of unknown kind")
    made = PersistentObject()
    made.class_name, made.source = str(meta.get("class_name", "")), str(meta.get("module_src", ""))
    made.absorb(meta.get("state"))
    return made


class Budget:
    """Counts what a file declares and refuses more than there may be.

    Args:
        most: numbers.
    """

    def __init__(self, most: int = MOST_ELEMENTS) -> None:
        self.left = most

    def take(self, count: int) -> None:
        """Count some numbers."""
        if not isinstance(count, int) or count < 0 or count > self.left:
            raise RefusedError(f"{count if isinstance(count, int) and count < 10**18 else 'endlessly many'} numbers")
        self.left -= count

    def shape(self, size: Any, stride: Any, offset: Any, length: int) -> None:
        """Check that a view lies within a storage of `length`, and count it."""
        numbers = (*size, *stride, offset)
        if len(size) != len(stride) or any(type(n) is not int or n < 0 for n in numbers):
            raise RefusedError("a tensor of impossible shape")
        count = 1
        for n in size:
            count = min(count * n, 1 << 62)
        self.take(count)
        if count and offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) >= length:
            raise RefusedError("a tensor that is larger than its data")


def torch_names(budget: Budget, declared_only: bool) -> dict[str, Any]:
    """Names in files with tensors.

    Args:
        budget: of all tensors together.
        declared_only: tensors are counted and come out as None.
    """

    def tensor(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> Tensor | None:
        budget.shape(size, stride, offset, len(storage))
        return torch.as_strided(storage, size, stride, offset) if isinstance(storage, Tensor) else None

    return {
        **BASIC,
        **{f"torch.{name}": StorageType(dtype) for name, dtype in STORAGES.items()},
        **{f"torch.storage.{name}": StorageType(dtype) for name, dtype in STORAGES.items()},
        **{str(dtype): dtype for dtype in STORAGES.values()},
        "torch.Size": lambda size=(): tuple(size),
        "torch.device": lambda *names: "cpu",
        "torch._utils._rebuild_tensor": tensor,
        "torch._utils._rebuild_tensor_v2": tensor,
        "torch._utils._rebuild_parameter": lambda data, *rest: data,
        "torch.nn.parameter.Parameter": lambda data, *rest: data,
        "torch.storage._load_from_bytes": lambda data: _storage(data, budget, declared_only),
        "argparse.Namespace": Standin,
        "dnnlib.util.EasyDict": Fields,
        **{name: Standin for name in CONFIGURATIONS},
        "torch_utils.persistence._reconstruct_persistent_obj": _persistent,
    }


def _storage(data: Any, budget: Budget, declared_only: bool) -> Any:
    """The numbers of a storage that was saved inside a pickle: a flat tensor, or their number."""
    if not isinstance(data, bytes):
        raise RefusedError("a storage of no bytes")
    path = Path("a storage inside the file")
    check_torch(io.BytesIO(data), path, budget)
    with _quiet():
        storage = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    if declared_only:
        return range(len(storage))
    return torch.empty(0, dtype=storage.dtype).set_(storage)


def check_torch(file: io.BufferedIOBase, path: Path, budget: Budget | None = None) -> None:
    """Read the pickles of a file of `torch.save` as a list of names and sizes, nothing else.

    Args:
        file: of either of PyTorch's two formats.
        path: for messages.
        budget: of the numbers it may declare.
    Raises:
        ModelFileError: it names something that is not on the list, declares more than it holds, or is damaged.
    """
    budget = budget or Budget()
    names = torch_names(budget, declared_only=True)
    if file.read(4) == b"PK\x03\x04":
        _check_zip(file, path, names)
        return
    file.seek(0)
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if read_pickle(file, path) != MAGIC:
        raise ModelFileError(f"The file {path} is not one of PyTorch's.", DAMAGED)
    for _ in range(2):  # version and machine
        read_pickle(file, path)
    read_pickle(file, path, names, persistent=Storages({}, size).declared)


def _check_zip(file: io.BufferedIOBase, path: Path, names: dict[str, Any]) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
                raise ModelFileError(f"The file {path} is packed as PyTorch does not pack.", DAMAGED)
            pickles = [entry for entry in entries if entry.filename.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise ModelFileError(f"The file {path} is not one of PyTorch's.", DAMAGED)
            root = pickles[0].filename.removesuffix("data.pkl")
            sizes = {entry.filename: entry.file_size for entry in entries}
            whole = file.seek(0, io.SEEK_END)
            if sum(sizes.values()) > whole:
                raise ModelFileError(f"The file {path} declares more than it holds.", DAMAGED)
            data = archive.read(pickles[0])
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, struct.error) as error:
        # zipfile says NotImplementedError of a flipped bit in an entry's version or method
        raise ModelFileError(f"The file {path} is damaged ({error}).", DAMAGED) from error
    records = {name.removeprefix(f"{root}data/"): size for name, size in sizes.items()}
    read_pickle(data, path, names, persistent=Storages(records, 0).declared)


class Storages:
    """Checks the storages that a pickle says lie beside it.

    Args:
        records: bytes of each, by its key.
        unnamed: bytes there are for those without a record, in all.
    """

    def __init__(self, records: dict[str, int], unnamed: int) -> None:
        self._records = records
        self._unnamed = unnamed

    def declared(self, pid: Any) -> range:
        """As many as the storage of an identifier ("storage", type, key, place, count, ...) has numbers."""
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or not isinstance(pid[1], StorageType):
            raise RefusedError("something outside the file")
        key, count = str(pid[2])[:200], pid[4]
        if type(count) is not int or count < 0 or count > MOST_ELEMENTS:
            raise RefusedError("a storage of impossible size")
        size = count * pid[1].dtype.itemsize
        if key not in self._records:
            self._records[key] = min(size, self._unnamed)
            self._unnamed -= self._records[key]
        if size > self._records[key]:
            raise RefusedError("a storage that is larger than its data")
        return range(count)


def load_torch_checked(path: Path) -> Any:
    """`torch.load(weights_only=True)` on the CPU after `check_torch`: dicts, lists, numbers, text and tensors.

    Raises:
        ModelFileError: see `check_torch`.
    """
    with path.open("rb") as file:
        check_torch(file, path)
    try:
        with _quiet(), torch.serialization.safe_globals(_harmless()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch raises what damaged bytes bring about
        reason = str(error).strip().partition("\n")[0][:200]
        raise ModelFileError(f"The file {path} is damaged ({reason}).", DAMAGED) from error


def _harmless() -> list[Any]:
    """What `torch.load` may make beside tensors: settings, and numbers of NumPy, as stand-ins."""
    settings = [(argparse.Namespace, name) for name in CONFIGURATIONS]
    return [argparse.Namespace, *settings]


def read_network_pickle(data: bytes, path: Path) -> Any:
    """Read a pickle of networks of `torch_utils.persistence`: dicts of `PersistentObject`, tensors and plain types.

    Raises:
        ModelFileError: see `read_pickle`.
    """
    return read_pickle(data, path, torch_names(Budget(), declared_only=False), FAMILIES)


def module_tensors(module: Any) -> dict[str, Tensor]:
    """Names and tensors of a module that was read, as its `state_dict` would give them.

    Args:
        module: a `PersistentObject` or the stand-in of a torch module.
    Raises:
        RefusedError: it has modules without end.
    """
    found: dict[str, Tensor] = {}
    pending, count = [("", module, 0)], 0
    while pending:
        prefix, part, depth = pending.pop()
        count += 1
        if depth > MOST_DEPTH or count > MOST_MODULES:
            raise RefusedError("modules without end")
        tensors = _field(part, "_parameters") | _field(part, "_buffers")
        found |= {f"{prefix}{name}": value for name, value in tensors.items() if isinstance(value, Tensor)}
        pending += [(f"{prefix}{name}.", value, depth + 1) for name, value in _field(part, "_modules").items()]
    return found


def _field(module: Any, name: str) -> dict[str, Any]:
    state = module.state if isinstance(module, Standin) and isinstance(module.state, dict) else {}
    found = state.get(name)
    return dict(found) if isinstance(found, dict) else {}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warning that typed storages go out of use."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*TypedStorage.*")
        yield
