"""Inverted photos to learn from, or to measure on: an evaluation set as samples (thesis "eg3d_supervised", 4.4.2)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ModelFileError
from ..eg3d.shards import INDEX, Samples, read_set

KIND = "likeness evaluation set"
CURE = "Build it with `python -m engine.training evaluation-set --generator FILE`."


def pictures_with_latents(folder: Path) -> tuple[dict[str, Any], list[Samples]]:
    """Samples of EG3D, or the photos of an evaluation set with the latents they were inverted to.

    Returns:
        The index: "generator", "layers" and "width" are there. The samples; photos have no depth here.
    Raises:
        ModelFileError: there are none, a file is damaged, or the set has no latents.
    """
    index = _index(folder)
    if index.get("kind") != KIND:
        return read_set(folder)
    if "generator" not in index or not index.get("photos"):
        raise ModelFileError(f"The evaluation set {folder} has no latents.", CURE)
    photos = _photos(folder, index["photos"])
    layers, width = photos.ws.shape[1:]
    return {**index, "layers": layers, "width": width}, [photos]


def _index(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # whatever is wrong, `read_set` says it
    return found if isinstance(found, dict) else {}


def _photos(folder: Path, entries: list[dict[str, Any]]) -> Samples:
    pictures, ws, labels = [], [], []
    for entry in entries:
        place = folder / str(entry["folder"])
        try:
            pictures.append(np.frombuffer((place / "photo.png").read_bytes(), np.uint8))
            with np.load(place / "latent.npz", allow_pickle=False) as stored:
                latent, label = np.asarray(stored["w"], np.float32), np.asarray(stored["label"], np.float32)
            ws.append(latent.reshape(-1, latent.shape[-1]))
            labels.append(label.reshape(25))
        except Exception as error:  # whatever damaged bytes can bring about
            raise ModelFileError(f"The photo {place} has no picture or latent ({str(error)[:120]}).", CURE) from error
    count = len(entries)
    return Samples(
        pictures, np.zeros((count, 1, 1), np.float16), np.zeros((count, 1, 1), bool), np.stack(ws), np.stack(labels),
        np.zeros(count, np.uint8), np.zeros((count, 2), np.float32), np.arange(count),
    )  # fmt: skip
