"""How long seeing takes on one core, and how much memory. To be called in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..heads.loader import load_head
from ..media.photo import Photo
from ..models.registry import PARTS_NETWORK, POINTS_NETWORK, ModelFile
from ..perception.crop import Window
from ..perception.dense import load_points_network, see_points, window_of_mesh
from ..perception.landmarks import find_face
from ..perception.masks import make_masks
from ..perception.parts import see_parts
from .machine import milliseconds, one_core, peak_memory
from .sources import FUSED, Networks, solve_sighting
from .tables import Table

Row = tuple[str | float | None, ...]


def measure_speed(networks: Networks, times: int = 20) -> Table:
    """Milliseconds per face on one core: the astronaut of scikit-image, 512 pixels wide.

    Args:
        networks: whose weights are used; rows of those that are missing stay empty.
        times: calls of each; finding and fitting get a quarter of them.
    """
    from skimage.data import astronaut

    photo = Photo(Path("astronaut"), np.ascontiguousarray(astronaut()))
    with one_core():
        rows = [*_networks(photo, networks, times), *_everything(photo, networks, max(times // 4, 2))]
    note = (
        "Medians on one core, by the clock and of the processor's own time, which differ on a busy machine; and the"
        " most memory that the process had held by then."
    )
    return Table("Milliseconds per face", ("what", "ms", "processor ms", "peak GB"), rows, note)


def measure_sizes(networks: Networks) -> Table:
    """Megabytes of the weight files."""
    files = (("points", networks.points, POINTS_NETWORK), ("parts", networks.parts, PARTS_NETWORK))
    return Table("Weights", ("network", "MB"), [(name, _megabytes(path, known)) for name, path, known in files])


def _megabytes(path: Path | None, known: ModelFile) -> float | None:
    found = path or known.find(None)
    return None if found is None else found.stat().st_size / 1e6


def _networks(photo: Photo, networks: Networks, times: int) -> list[Row]:
    face = find_face(photo)
    window = window_of_mesh(face.landmarks)
    calls: dict[str, Callable[[], object]] = {
        "points, one look (tracking)": lambda: one_look(photo.pixels, window, networks.points),
        "points, found anew (settled, two looks)": lambda: see_points(photo.pixels, window, networks.points),
        "parts, one look": lambda: see_parts(photo.pixels, window, networks.parts, mirrored=False),
        "parts, and mirrored": lambda: see_parts(photo.pixels, window, networks.parts),
    }
    return [_timed(name, call, times) for name, call in calls.items()]


def one_look(pixels: NDArray[np.uint8], window: Window, weights: Path | None) -> object:
    """The points network's answer to one crop."""
    import torch

    from ..perception.networks.points import SIDE

    network, _ = load_points_network(weights)
    crop = torch.from_numpy(window.cut(pixels, SIDE)[None]).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        return network(crop)


def _everything(photo: Photo, networks: Networks, times: int) -> list[Row]:
    head = load_head()
    face = find_face(photo)

    def whole() -> object:
        found = find_face(photo)
        points = networks.see(photo.pixels, found)
        parts = see_parts(photo.pixels, points.window, networks.parts)
        return make_masks(photo, found, parts)

    def fit() -> object:
        points = networks.see(photo.pixels, face)
        return solve_sighting(head, networks.sighting(head, FUSED, face, points), photo.width, photo.height)

    calls: dict[str, Callable[[], object]] = {
        "MediaPipe, found anew": lambda: find_face(photo),
        "whole perception, with masks": whole,
        "fit to fused points": fit,
    }
    return [_timed(name, call, times) for name, call in calls.items()]


def _timed(name: str, call: Callable[[], object], times: int) -> Row:
    try:
        return (name, *milliseconds(call, times), peak_memory())
    except ModelFileError:
        return (name, None, None, None)
