"""The one way users' model files are read: nothing in them is run, and what they declare is checked before it is made.

| what a file is | how it is read |
|---|---|
| safetensors | safetensors |
| `torch.save`, either format | its list of names and sizes is read first, then `torch.load(weights_only=True)` |
| pickle of networks with their source (StyleGAN2-ADA, EG3D) | `unpickle_torch`: the source is never compiled |
| pickle of arrays (FLAME) | `unpickle`: chumpy's and SciPy's objects as stand-ins |
| `.npz`, `.npy` | NumPy without pickles; arrays of objects (FLAME's landmarks) by `unpickle` |
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from .unpickle import BASIC, CURE, DAMAGED, OBJECTS, RefusedError, Standin, read_pickle

if TYPE_CHECKING:
    from torch import Tensor

MOST_BYTES = 4 << 30
"""The largest model file that is opened."""
ARRAY_NAMES = ("chumpy.", "scipy.sparse.")
"""Families of classes in pickles of arrays; they come out as stand-ins."""


def load_tensors(path: Path) -> dict[str, Any]:
    """Whatever a file of weights holds: tensors by name, or dicts of them, on the CPU.

    Args:
        path: safetensors, PyTorch's formats, or a pickle of networks; told apart by content, not by name.
    Returns:
        For a pickle of networks, each network as a dict of its tensors, and its arguments under "NAME.init_kwargs".
    Raises:
        ModelFileError: it is missing, too large, damaged, of another kind, or asks for what weights do not need.
    """
    head = _head(path)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < _size(path):
        return load_safetensors(path)
    if head[:4] == b"PK\x03\x04" or (head[:1] == b"\x80" and b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" in head):
        return load_torch(path)
    if head[:1] == b"\x80":
        return load_network_pickle(path)
    raise ModelFileError(
        f"The file {path} is neither safetensors nor PyTorch's nor a pickle.", "Choose a file of weights."
    )


def load_safetensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file by name.

    Raises:
        ModelFileError: it is missing, too large or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    _size(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise ModelFileError(f"The file {path} is damaged ({error}).", DAMAGED) from error


def load_torch(path: Path) -> dict[str, Any]:
    """The dict that a file of `torch.save` holds.

    Raises:
        ModelFileError: it is missing, too large, damaged, no dict, or asks for what weights do not need.
    """
    from .unpickle_torch import load_torch_checked

    _size(path)
    found = load_torch_checked(path)
    if not isinstance(found, dict):
        raise ModelFileError(
            f"The file {path} holds {type(found).__name__}, not a dict of weights.", "Choose a file of weights."
        )
    return found


def load_network_pickle(path: Path) -> dict[str, Any]:
    """Networks pickled with `torch_utils.persistence` (StyleGAN2-ADA, EG3D): their tensors and their arguments.

    Returns:
        By name ("G_ema"): {tensor name: tensor}; by "G_ema.init_kwargs": the arguments; other entries as they are.
    Raises:
        ModelFileError: it is missing, too large, damaged, or asks for what networks do not need.
    """
    from .unpickle_torch import PersistentObject, module_tensors, read_network_pickle

    _size(path)
    found = read_network_pickle(_bytes(path), path)
    if isinstance(found, PersistentObject):
        found = {"G_ema": found}
    if not isinstance(found, dict):
        raise ModelFileError(f"The file {path} holds no networks.", "Choose a pickle of networks.")
    result: dict[str, Any] = {}
    for name, value in found.items():
        if not isinstance(value, PersistentObject):
            result[name] = value
            continue
        try:
            result[name] = module_tensors(value)
        except RefusedError as error:
            raise ModelFileError(f"The file {path} asks for {error}.", CURE) from error
        result[f"{name}.init_kwargs"] = value.init_kwargs
    return result


def load_array_pickle(path: Path) -> dict[str, Any]:
    """Arrays of a pickle, also of Python 2 with chumpy's and SciPy's objects, by name.

    chumpy's come out as the arrays they hold, sparse matrices as dense arrays, the rest as Python's plain types.

    Raises:
        ModelFileError: it is missing, too large, damaged, no dict, or asks for what arrays do not need.
    """
    _size(path)
    found = read_pickle(_bytes(path), path, BASIC, ARRAY_NAMES, encoding="latin1")
    if not isinstance(found, dict):
        raise ModelFileError(f"The file {path} holds {type(found).__name__}, not a dict.", "Choose another file.")
    return {name: _array(value, path) for name, value in found.items()}


def load_object_npy(path: Path) -> Any:
    """The object in an `.npy` of one (FLAME's `landmark_embedding.npy`), with arrays and tensors as NumPy arrays.

    Returns:
        The object: dicts, lists, arrays and plain types. An array of several objects comes out as a list, a plain array
        as it is.
    Raises:
        ModelFileError: it is missing, too large, damaged, or asks for what arrays do not need.
    """
    from .unpickle_torch import Budget, torch_names

    _size(path)
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            _, _, dtype = header(file)
            if not dtype.hasobject:
                return np.load(path, allow_pickle=False)
            data = file.read()
    except Exception as error:  # whatever damaged bytes can bring about
        raise _damaged(path, error) from error
    names = {**torch_names(Budget(), declared_only=False), **OBJECTS}
    return _without_tensors(read_pickle(data, path, names, encoding="latin1"))


def _without_tensors(found: Any) -> Any:
    """Tensors as arrays, in a dict or a list too."""
    if isinstance(found, dict):
        return {name: _without_tensors(value) for name, value in found.items()}
    if type(found) is list:
        return [value.numpy() if hasattr(value, "numpy") else value for value in found]
    return found.detach().numpy() if hasattr(found, "detach") else found


def names_in(path: Path) -> tuple[str, ...]:
    """Names of the arrays of an `.npz`.

    Raises:
        ModelFileError: it is missing, too large or damaged.
    """
    _size(path)
    try:
        with zipfile.ZipFile(path) as archive:
            declared = sum(entry.file_size for entry in archive.infolist())
            names = tuple(sorted(entry.filename.removesuffix(".npy") for entry in archive.infolist()))
    except Exception as error:  # whatever damaged bytes can bring about
        raise _damaged(path, error) from error
    if declared > MOST_BYTES:
        raise ModelFileError(f"The file {path} unpacks to {declared / 1e9:.0f} GB.", DAMAGED)
    return names


def load_arrays(path: Path, names: Sequence[str]) -> dict[str, NDArray]:
    """Some arrays of an `.npz`, without pickles.

    Args:
        names: of the arrays wanted; others, which may hold objects, are not looked at.
    Raises:
        ModelFileError: it is missing, too large, damaged, or lacks one of the arrays.
    """
    has = names_in(path)
    missing = [name for name in names if name not in has]
    if missing:
        raise ModelFileError(
            f"The file {path} has no array “{missing[0]}”; it has {', '.join(has[:12]) or 'nothing'}.",
            "Choose the file its owner hands out.",
        )
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: np.asarray(stored[name]) for name in names}
    except Exception as error:  # whatever damaged bytes can bring about
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> ModelFileError:
    reason = str(error)[:120] or type(error).__name__
    return ModelFileError(f"The file {path} is damaged ({reason}).", DAMAGED)


def _array(value: Any, path: Path) -> Any:
    """What a stand-in of chumpy or SciPy holds."""
    if not isinstance(value, Standin):
        return value
    state = value.state if isinstance(value.state, dict) else {}
    if value.kind.startswith("scipy.sparse."):
        return _dense(state, path)
    for name in ("x", "a"):  # chumpy.ch.Ch, chumpy.reordering.Select
        if isinstance(state.get(name), np.ndarray):
            return _selected(state, state[name])
        if isinstance(state.get(name), Standin):
            return _selected(state, _array(state[name], path))
    return value


def _selected(state: dict, array: NDArray) -> NDArray:
    """chumpy's Select keeps flat indices and the shape of what they pick."""
    places, shape = state.get("idxs"), state.get("preferred_shape")
    if not isinstance(places, np.ndarray):
        return array
    picked = np.asarray(array).ravel()[places.astype(np.int64).ravel()]
    return picked.reshape(shape) if isinstance(shape, tuple) else picked


def _dense(state: dict, path: Path) -> NDArray:
    """The dense array of a compressed sparse matrix by columns: SciPy's csc."""
    try:
        rows, columns = (int(n) for n in (state.get("_shape") or state["shape"]))
        data, places, starts = (np.asarray(state[name]) for name in ("data", "indices", "indptr"))
        if rows * columns > MOST_BYTES // 8 or len(starts) != columns + 1:
            raise ValueError("sizes do not fit")
        dense = np.zeros((rows, columns), data.dtype)
        np.add.at(dense, (places, np.repeat(np.arange(columns), np.diff(starts))), data)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ModelFileError(f"The file {path} has a damaged sparse matrix ({error}).", DAMAGED) from error
    return dense


def _size(path: Path) -> int:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ModelFileError(f"The file {path} cannot be read ({error}).", "Choose a file that is there.") from error
    if size > MOST_BYTES:
        raise ModelFileError(f"The file {path} has {size / 1e9:.0f} GB, more than any model.", "Choose another file.")
    return size


def _head(path: Path) -> bytes:
    _size(path)
    return _bytes(path, 64)


def _bytes(path: Path, count: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise ModelFileError(f"The file {path} cannot be read ({error}).", "Choose a file that is there.") from error
