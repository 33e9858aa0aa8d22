"""Writes a `HeadModel` as one safetensors file, the same bytes for the same model."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from engine.heads.loader import METADATA_KEY, TEXT_FIELDS
from engine.heads.model import HeadModel

HALF = ("identity_basis", "expression_basis")
"""Arrays whose rounding to 16 bits stays below a hundredth of a millimetre."""
DECIMALS = 7
"""Floats are rounded first, to a tenth of a micrometre, so that the last bits of a sum do not reach the file."""


def write_head(model: HeadModel, path: Path) -> None:
    """Save a head.

    Args:
        model: the head.
        path: file to write.
    """
    arrays: dict[str, NDArray] = {}
    text: dict[str, object] = {name: getattr(model, name) for name in TEXT_FIELDS}
    for item in fields(model):
        value = getattr(model, item.name)
        if isinstance(value, np.ndarray):
            value = value.round(DECIMALS) if value.dtype.kind == "f" else value
            arrays[item.name] = value.astype(np.float16) if item.name in HALF else value
    arrays |= {f"regions.{name}": mask for name, mask in model.regions.items()}
    for name, points in model.embeddings.items():
        arrays |= {f"landmarks.{name}.faces": points.faces, f"landmarks.{name}.barycentrics": points.barycentrics}
    contiguous = {name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())}
    save_file(contiguous, path, {METADATA_KEY: json.dumps(text, sort_keys=True)})
