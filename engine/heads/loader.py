"""Loads parametric heads by name or path. The open head is bundled; others come from the user's own files."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from .model import HeadModel, LandmarkEmbedding

DATA_FOLDER = Path(__file__).parent / "data"
OPEN_HEAD = "open_head.safetensors"
METADATA_KEY = "likeness"
TEXT_FIELDS = (
    "name", "material_names", "asymmetry_start", "expression_names", "joint_names", "provenance",
)  # fmt: skip
"""Fields of `HeadModel` kept in the file's header; the rest are arrays."""
FLAME_FILES = (
    "flame2023_Open.pkl", "flame2023.pkl", "flame2023_no_jaw.pkl", "generic_model.pkl", "flame2023_Open.npz",
    "flame2023.npz", "flame2023_no_jaw.npz", "generic_model.npz", "flame.safetensors",
)  # fmt: skip
"""FLAME files that are looked for, by the names their owner gives them; the first found wins."""
ICT_FOLDERS = ("", "FaceXModel", "ICT-FaceKit/FaceXModel", "ICT-FaceKit")
"""Where ICT-FaceKit is looked for."""
SUPPORTED = (
    "Choose a head written by this program (.safetensors), a FLAME model (.pkl or .npz), ICT-FaceKit's folder "
    "FaceXModel, or a folder with one of these."
)


def load_head(name: str = "open", model_folder: str | Path | None = None) -> HeadModel:
    """A head model, read once and then shared: do not write into its arrays.

    The user's models are completed with landmarks, regions and ARKit's units from the open head (`arkit_head`), which
    takes seconds the first time.

    Args:
        name: "open" (bundled), "flame" or "ict" (the user's files).
        model_folder: where the user keeps model files; folders in it are looked into as well.
    Raises:
        ModelFileError: no such model, or its file is missing or damaged.
    """
    if name == "open":
        return _read_cached(DATA_FOLDER / OPEN_HEAD)
    if name not in ("flame", "ict"):
        raise ModelFileError(f"There is no head model named '{name}'.", "Choose 'open', 'flame' or 'ict'.")
    folder = Path(model_folder) if model_folder else None
    found = None
    if folder is not None:
        from ..models.registry import ICT_FACEKIT, flame_file

        found = (
            flame_file(folder) or find_flame(folder)
            if name == "flame"
            else find_ict(ICT_FACEKIT.find(folder) or folder)
        )
    if found is None:
        raise _flame_error(model_folder) if name == "flame" else _ict_error(model_folder)
    return _complete_cached(found, _state(found))


def load(path: Path) -> HeadModel:
    """See `engine.heads.load`."""
    from .flame import load_flame
    from .ict import NEUTRAL, load_ict

    try:
        folder = path.is_dir()
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read ({error.strerror}).", "See that you may read it.") from error
    if folder:
        if found := find_ict(path):
            return load_ict(found)
        if found := find_flame(path) or next((one for one in [path / OPEN_HEAD] if one.is_file()), None):
            return load(found)
        raise ModelFileError(f"The folder {path} has no head model.", SUPPORTED)
    if path.name == NEUTRAL:
        return load_ict(path.parent)
    if path.suffix.lower() == ".safetensors" and is_own(path):
        return read_head(path)
    if path.suffix.lower() not in (".pkl", ".npz", ".safetensors", "") and path.is_file():
        raise ModelFileError(f"The file {path} is no head model.", SUPPORTED)
    return load_flame(path)


def find_flame(folder: Path) -> Path | None:
    """The user's FLAME file in a folder, or in one of its folders."""
    try:
        places = [folder, *sorted(place for place in folder.iterdir() if place.is_dir())]
    except OSError:
        return None
    return next((place / name for place in places for name in FLAME_FILES if (place / name).is_file()), None)


def find_ict(folder: Path) -> Path | None:
    """ICT-FaceKit's FaceXModel: the folder itself or one in it."""
    from .ict import is_ict

    return next((folder / name for name in ICT_FOLDERS if is_ict(folder / name)), None)


def is_own(path: Path) -> bool:
    """Whether a safetensors file is a head in our own layout; a damaged one counts as such."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return METADATA_KEY in (file.metadata() or {})
    except (SafetensorError, OSError):
        return True


def _state(path: Path) -> tuple[int, int]:
    """What changes when a file is replaced: time and size."""
    try:
        stat = path.stat()
    except OSError as error:
        raise ModelFileError(f"The file {path} cannot be read ({error.strerror}).", "Choose it again.") from error
    return stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=2)
def _complete_cached(path: Path, state: tuple[int, int]) -> HeadModel:
    from .arkit import arkit_head

    return arkit_head(load(path))


@lru_cache(maxsize=4)
def _read_cached(path: Path) -> HeadModel:
    return read_head(path)


def read_head(path: Path) -> HeadModel:
    """Read a head written by `scripts/bake_head`.

    Args:
        path: the safetensors file.
    Raises:
        ModelFileError: missing or damaged file.
    """
    from safetensors import SafetensorError, safe_open

    cure = "Install the add-on again; developers run `python -m scripts.bake_head`."
    try:
        with safe_open(path, framework="numpy") as file:
            text = json.loads((file.metadata() or {})[METADATA_KEY])
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        return _build(text, arrays)
    except FileNotFoundError as error:
        raise ModelFileError(f"The head model {path} is missing.", cure) from error
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise ModelFileError(f"The head model {path} is damaged ({error}).", cure) from error


def _build(text: dict, arrays: dict[str, NDArray]) -> HeadModel:
    arrays = {key: _full_precision(array) for key, array in arrays.items()}
    regions = {key.removeprefix("regions."): arrays.pop(key) for key in list(arrays) if key.startswith("regions.")}
    embeddings = {}
    for key in [key for key in arrays if key.startswith("landmarks.") and key.endswith(".faces")]:
        name = key.split(".")[1]
        embeddings[name] = LandmarkEmbedding(arrays.pop(key), arrays.pop(f"landmarks.{name}.barycentrics"))
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in text.items()}
    for array in (*arrays.values(), *regions.values()):
        array.setflags(write=False)
    fields.update(arrays)
    return HeadModel(**fields, regions=regions, embeddings=embeddings)


def _full_precision(array: NDArray) -> NDArray:
    """A copy; 16-bit floats become 32-bit."""
    return array.astype(np.float32 if array.dtype == np.float16 else array.dtype)


def _flame_error(model_folder: str | Path | None) -> ModelFileError:
    names = ", ".join(FLAME_FILES)
    place = f"in {model_folder}" if model_folder else "because no model folder is set"
    return ModelFileError(
        f"FLAME was asked for, but none of its files ({names}) was found {place}.",
        "Download FLAME 2023 Open from flame.is.tue.mpg.de, put flame2023_Open.pkl into the model folder of the "
        "preferences (or --model-folder), or use the open head.",
    )


def _ict_error(model_folder: str | Path | None) -> ModelFileError:
    place = f"in {model_folder}" if model_folder else "because no model folder is set"
    return ModelFileError(
        f"ICT-FaceKit was asked for, but its folder FaceXModel was not found {place}.",
        "Clone github.com/ICT-VGL/ICT-FaceKit into the model folder of the preferences (or --model-folder), or use the "
        "open head.",
    )
