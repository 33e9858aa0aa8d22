"""Users' pickles and checkpoints, read safely once and written as safetensors into the model folder.

What comes out has the same names and numbers: FLAME's arrays under their own names with a dense joint regressor, a
checkpoint's tensors under "ENTRY.NAME". The header says what it is: {"likeness_model": kind, "version": variant}.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError, OutputError
from ..progress import Progress
from . import places
from .identify import TITLES, Identified, identify, misfit
from .model_file import ModelFile
from .registry import HEADS, USERS
from .safe_load import load_array_pickle, load_arrays, load_tensors
from .states import look

FLAME_ARRAYS = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "f", "kintree_table")
WHOLE = ("f", "kintree_table")
"""Arrays of whole numbers: int64, the others float32."""
KINDS = (
    "flame", "smirk", "deca", "deep3d", "arcface", "eg3d", "stylegan2_weights", "dpt_large",
)  # fmt: skip
"""What is converted: the rest is small, or no pickle, or (StyleGAN2-ADA) needs more of its pickle than the weights."""
COMPANIONS = (
    *(name for model in USERS if model.key.startswith("flame_") and "flame" not in model.kinds and model.group == HEADS
      for name in model.files),
    "flame_static_embedding.pkl", "flame_dynamic_embedding.npy",
)  # fmt: skip
"""What belongs beside a FLAME file."""
MOST_COMPANION = 64 << 20
ROOT = 2**32 - 1
"""In FLAME's kintree_table, where the root has no parent."""
CURE = "Choose a .pkl, .npz, .pt, .pth or .tar of a model that the Models panel lists."


def convertible(model: ModelFile, path: Path) -> bool:
    """Whether a model's file is one that `convert` makes something of; by its kind and name alone."""
    return any(kind in KINDS for kind in model.kinds) and path.suffix.lower() != ".safetensors"


def convert(path: Path, model_folder: Path, progress: Progress | None = None, model: ModelFile | None = None) -> Path:
    """Write a file as safetensors into the model folder, and use that one from now on. The file itself stays.

    What lies beside a FLAME file under its owner's names is copied along: it is looked for beside the model.

    Args:
        path: FLAME's pickle or `.npz`, or a checkpoint of a known network.
        model: which it is, where the file does not tell (FLAME's version).
    Returns:
        The new file, by the model's name. It was written whole.
    Raises:
        ModelFileError: the file is missing, damaged, of a kind that is not converted, or safetensors already.
        OutputError: the model folder cannot be written, or a file of that name lies there already.
        JobCancelled: on request.
    """
    progress = progress or Progress()
    progress.stage(f"Looking at {path.name}", 0.0)
    found = identify(path)
    problem = found.problem or (misfit(model, found, path) if model is not None else "")
    if problem:
        raise ModelFileError(f"{path.name} cannot be converted. {problem}", CURE)
    if found.kind not in KINDS or is_safetensors(path):
        what = "safetensors already" if found.kind in KINDS else TITLES.get(found.kind, "no known model")
        raise ModelFileError(f"The file {path} is not converted: it is {what}.", CURE)
    model = model or _of(found)
    target = model_folder / _name(model, found, path)
    if target.exists():
        raise OutputError(f"There is a file {target} already.", "Move it away, or use it as it is.")
    progress.stage(f"Reading {path.name}", 0.1)
    if found.kind == "eg3d":
        _eg3d(path, target)
    else:
        arrays = _flame(path) if found.kind == "flame" else _network(path)
        variant = found.variant or (model.variant if model is not None else "")
        progress.stage(f"Writing {target.name}", 0.6)
        _write(target, arrays, {"likeness_model": found.kind, "version": variant, "source": path.name})
    if found.kind == "flame":
        _copy_companions(path.parent, model_folder)
    progress.stage("Checking", 0.9)
    checked = look(target)[1]
    places.remember(model_folder, {target: checked}, {} if model is None else {model.key: target})
    progress.finish()
    return target


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do.

    Raises:
        ModelFileError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(9)[8:] == b"{"
    except OSError as error:
        raise ModelFileError(f"The file {path} cannot be read ({error.strerror or error}).", CURE) from error


def _of(found: Identified) -> ModelFile | None:
    """The model a file is, if it says which."""
    fitting = (m for m in USERS if found.kind in m.kinds and found.variant == (m.variant or found.variant))
    return next(fitting, None)


def _name(model: ModelFile | None, found: Identified, path: Path) -> str:
    """What the model's safetensors are called, so that they are found without `models.json` too."""
    names = [name for name in (model.files if model else ()) if name.endswith(".safetensors")]
    if model is not None and not model.variant:
        names = [name for name in names if found.variant in name]
    return names[0] if names else f"{path.stem}.safetensors"


def _copy_companions(source: Path, model_folder: Path) -> None:
    """FLAME's further files, unless some of that name lie there already."""
    for name in COMPANIONS:
        old, new = source / name, model_folder / name
        if old.is_file() and not new.exists() and old.stat().st_size <= MOST_COMPANION:
            try:
                shutil.copyfile(old, new)
            except OSError as error:
                raise OutputError(f"Cannot write {new}: {error.strerror or error}.", places.CHOOSE_FOLDER) from error


def _flame(path: Path) -> dict[str, NDArray]:
    """FLAME's arrays under their names, single precision, whole numbers of 64 bits."""
    with path.open("rb") as file:
        zipped = file.read(2) == b"PK"
    found: Mapping[str, Any] = load_arrays(path, FLAME_ARRAYS) if zipped else load_array_pickle(path)
    arrays = {}
    for name in FLAME_ARRAYS:
        value = found.get(name)
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
            raise ModelFileError(f"The file {path} lacks FLAME's array “{name}”.", CURE)
        whole = name in WHOLE
        array = np.ascontiguousarray(value, np.int64 if whole else np.float32)
        if not whole and not np.isfinite(array).all():
            raise ModelFileError(f"The file {path} is damaged: “{name}” holds what is no number.", CURE)
        arrays[name] = np.where(array >= ROOT, -1, array) if name == "kintree_table" else array
    return arrays


def _eg3d(path: Path, target: Path) -> None:
    """EG3D's generator with its configuration, which its weights alone do not tell."""
    from ..eg3d.load import load_generator, save_generator

    network = load_generator(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot write {target}: {error.strerror or error}.", places.CHOOSE_FOLDER) from error
    save_generator(network, target)


def _network(path: Path) -> dict[str, NDArray]:
    """A checkpoint's tensors."""
    arrays = dict(_tensors(load_tensors(path)))
    if not arrays:
        raise ModelFileError(f"The file {path} holds no tensors.", CURE)
    return arrays


OPTIMISER = ("opt", "optimizer", "opt_00", "sched_00", "state", "scheduler")
"""Entries of checkpoints with what training needs, and nothing else does."""


def _tensors(held: Mapping[Any, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, NDArray]]:
    """Arrays by "ENTRY.NAME", without what only training needs."""
    from torch import Tensor, bfloat16

    for name, value in held.items():
        if depth == 0 and name in OPTIMISER:
            continue
        if isinstance(value, Tensor):
            plain = value.detach().float() if value.dtype == bfloat16 else value.detach()
            yield f"{prefix}{name}", np.array(plain.contiguous().numpy(), order="C")
        elif isinstance(value, Mapping) and depth < 3:
            yield from _tensors(value, f"{prefix}{name}.", depth + 1)


def _write(target: Path, arrays: Mapping[str, NDArray], notes: Mapping[str, str]) -> None:
    """Under another name first: a file by the right name is whole."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        save_file(dict(arrays), part, dict(notes))
        os.replace(part, target)
    except (OSError, SafetensorError) as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or error
        raise OutputError(
            f"Cannot write {target}: {reason}.", "Choose a model folder with space that you can write to."
        ) from error
