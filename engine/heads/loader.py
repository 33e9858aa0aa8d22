"""Loads parametric heads by name. The open head is bundled; others come from the user's own files."""

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
FLAME_FILES = ("flame2023_Open.pkl", "flame2023.pkl", "generic_model.pkl")
"""FLAME files that are looked for, by the names their owner gives them."""


def load_head(name: str = "open", model_folder: str | Path | None = None) -> HeadModel:
    """A head model, read once and then shared: do not write into its arrays.

    Args:
        name: "open" (bundled) or "flame" (the user's file).
        model_folder: where the user keeps model files.
    Raises:
        ModelFileError: no such model, or its file is missing or damaged.
    """
    if name == "open":
        return _read_cached(DATA_FOLDER / OPEN_HEAD)
    if name == "flame":
        raise _flame_error(model_folder)
    raise ModelFileError(f"There is no head model named '{name}'.", "Choose 'open' or 'flame'.")


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
