"""Parametric head models in one layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import HeadModel


def load(path: str | Path) -> HeadModel:
    """A head model from any supported file or folder, as its files have it; `loader.load_head` completes it.

    Args:
        path: our own safetensors, FLAME's `.pkl` or `.npz`, ICT-FaceKit's folder, or a folder with one of these.
    Raises:
        ModelFileError: it cannot be read, is damaged, or is none of these.
    """
    from .loader import load

    return load(Path(path))
