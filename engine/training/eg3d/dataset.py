"""A set of samples: drawn file by file, gone on with where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ...devices import versions
from ...eg3d.generator import TriplaneGenerator
from ...eg3d.memory import available_bytes, check_memory, told_of_memory
from ...eg3d.views import predicted_picture_bytes
from ...errors import EngineError, OutputError
from .poses import KINDS, PUBLISHED, kind_of
from .samples import Drawing, draw_samples
from .shards import count_in, read_index, write_index, write_samples

SHARD = 200
"""Samples in a file."""
Said = Callable[[int], None]


def draw_set(
    network: TriplaneGenerator, name: str, out: Path, count: int, drawing: Drawing, batch: int = 1,
    said: Said | None = None,
) -> int:  # fmt: skip
    """Draw what is not there yet. The same numbers, seed and batch give the same files.

    Args:
        network: on its device. name: SHA-256 of its file.
        out: folder, made when missing. count: pictures in all.
        batch: heads drawn at once; more suits a GPU.
        said: called with the number of pictures drawn in this call, after each file.
    Returns:
        How many were drawn.
    Raises:
        EngineError: the count or the resolution cannot be. OutputError: the folder holds another set.
        DeviceError: memory would not do, or ran out.
    """
    _check(network, count, drawing, batch)
    config, device = network.config, next(network.parameters()).device
    settings = _settings(network, name, drawing)
    _same_set(out, settings)
    check_memory(
        lambda side: batch * predicted_picture_bytes(config, side), config.raw_side, available_bytes(device),
        "a picture of {} pixels",
    )  # fmt: skip
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {out} cannot be made ({error}).", "Choose another folder.") from error
    write_index(out, settings | {"count": count, "versions": versions()})
    drawn = 0
    for first in range(0, count, SHARD):
        numbers = range(first, min(first + SHARD, count))
        path = out / f"{first:08d}.npz"
        if count_in(path) >= len(numbers):
            continue
        with told_of_memory("the pictures"):
            parts = [numbers[k : k + batch] for k in range(0, len(numbers), batch)]
            samples = [sample for part in parts for sample in draw_samples(network, part, drawing)]
        write_samples(path, samples, numbers)
        drawn += len(numbers)
        if said:
            said(drawn)
    kinds = [kind_of(number, drawing.seed, drawing.stream) for number in range(count)]
    shares = dict(zip(KINDS, np.bincount(kinds, minlength=len(KINDS)).tolist(), strict=True))
    write_index(out, settings | {"count": count, "versions": versions(), "kinds": shares, "finished": True})
    return drawn


def _check(network: TriplaneGenerator, count: int, drawing: Drawing, batch: int) -> None:
    largest = network.config.image_side
    if count < 1 or batch < 1:
        raise EngineError("No pictures were asked for.", "Choose a count and a batch of at least 1.")
    if drawing.resolution is not None and not 16 <= drawing.resolution <= largest:
        raise EngineError(
            f"A resolution of {drawing.resolution} pixels cannot be drawn.",
            f"Choose 16 to {largest}, which is the generator's own.",
        )


def _settings(network: TriplaneGenerator, name: str, drawing: Drawing) -> dict[str, Any]:
    """What tells one set from another."""
    config = network.config
    return {
        "generator": name,
        "drawing": asdict(drawing),
        "mix": asdict(PUBLISHED[drawing.stream]),
        "layers": config.layers,
        "width": config.w,
        "depth_side": config.raw_side,
    }


def _same_set(out: Path, settings: dict[str, Any]) -> None:
    found = read_index(out)
    if found is None:
        return
    other = next((key for key in settings if found.get(key) != settings[key]), None)
    if other is not None:
        raise OutputError(
            f"The folder {out} holds samples with another “{other}”.",
            "Choose another folder, or the settings that it was begun with.",
        )
