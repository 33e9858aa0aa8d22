"""SMIRK beside the points of a clip: crops as the frames go by, a batch at a time, weights of ARKit's units in the end.

What `engine.fitting.brought` does for one photo. The network (Retsinas et al., CVPR 2024, section 3.1) looks at every
frame in which the person was seen, in a thread of its own, while the next ones are followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FaceError
from ..fitting.brought import Start, start_of, weights_of
from ..heads.arkit_names import ARKIT_NAMES
from ..heads.model import HeadModel
from ..media.photo import Photo
from ..perception.observation import FaceObservation
from ..regressors.published_crop import SIDE, cut, smirk_matrix
from .flame_take import version_name

if TYPE_CHECKING:
    from ..regressors.image_regressor import Arrays, ImageRegressor
    from .options import TrackOptions

Rows = NDArray[np.float32]
PARTS = {"expression_params": 50, "jaw_params": 3, "eyelid_params": 2}
"""Of SMIRK's answers, what is kept of each frame, in this order."""
COLUMNS = sum(PARTS.values())
BATCH = 16
"""Frames that the network looks at together."""


@dataclass(frozen=True, eq=False)
class ClipRegressor:
    """SMIRK for the frames of a clip.

    Attributes:
        network: SMIRK's encoder.
        flame: the user's FLAME, completed: in its coefficients are the answers.
    """

    network: ImageRegressor
    flame: HeadModel

    @property
    def source(self) -> tuple[Any, ...]:
        """Which file answers: path, size, time."""
        state = self.network.path.stat()
        return str(self.network.path.absolute()), state.st_size, state.st_mtime_ns

    def starts(self, pictures: Sequence[tuple[Photo, FaceObservation]], head: HeadModel) -> list[Start]:
        """Where the fits of some frames start."""
        crops = np.stack([face_crop(photo.pixels, face.landmarks) for photo, face in pictures])
        found = self.network.predict(crops, BATCH)
        return [start_of(_row(found, number), head, self.flame) for number in range(len(crops))]

    def weights(self, rows: Rows, names: Sequence[str]) -> NDArray[np.float64]:
        """(T,E) weights of expression units in frames; NaN where nothing is said of a unit or a frame.

        Args:
            rows: (T,C) of `Batches.rows`. names: E units.
        """
        found = np.full((len(rows), len(names)), np.nan)
        answered = np.isfinite(rows).all(1)
        ends = np.cumsum(list(PARTS.values()))[:-1]
        parts: Arrays = dict(zip(PARTS, np.split(rows[answered], ends, axis=1), strict=True))
        weights = weights_of(parts, self.flame)
        for column, name in enumerate(names):
            if name in ARKIT_NAMES:
                found[answered, column] = weights[:, ARKIT_NAMES.index(name)]
        return found

    def warnings(self) -> list[str]:
        """A sentence where the user's FLAME is of another version than the answers."""
        version = version_name(self.flame)
        if version in ("", self.network.head):
            return []
        return [
            f"SMIRK answers in the coefficients of {self.network.head}; your file is {version}, on which they make "
            f"other faces. Put {self.network.head} into the model folder."
        ]


def open_regressor(options: TrackOptions) -> ClipRegressor | None:
    """SMIRK and FLAME from the model folder; None where a take starts from points alone.

    Raises:
        ModelFileError: one of the files is missing, damaged or another network's.
        DeviceError: there is no such device.
    """
    if options.start_from == "points":
        return None
    from ..devices import choose_device
    from ..heads.loader import load_head
    from ..models.registry import SMIRK
    from ..regressors.smirk import load_smirk

    path: Path = SMIRK.require(options.model_folder)
    network = load_smirk(path, choose_device(options.device))
    return ClipRegressor(network, load_head("flame", options.model_folder))


class Batches:
    """Crops go in as frames go by, rows come out; a batch is looked at while the next is filled.

    Holds two batches of crops at most. To be used in a `with` block, at whose end what is still looked at is dropped.
    """

    def __init__(self, network: ImageRegressor, size: int = BATCH) -> None:
        self._network, self._size = network, size
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="regressor")
        self._count = 0
        self._waiting: list[tuple[int, NDArray[np.uint8]]] = []
        self._looking: tuple[list[int], Future[Arrays]] | None = None
        self._done: list[tuple[int, Rows]] = []

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def add(self, pixels: NDArray[np.uint8], points: NDArray | None) -> None:
        """The next frame (H,W,3) and its points (478,2+); None where the person is not seen."""
        number, self._count = self._count, self._count + 1
        if points is None:
            return
        try:
            crop = face_crop(pixels, points)
        except FaceError:
            return
        self._waiting.append((number, crop))
        if len(self._waiting) == self._size:
            self._send()

    def rows(self) -> Rows:
        """(N,C) of all frames since the last call, by the order of `PARTS`; NaN where there is nothing to see."""
        self._send()
        self._take()
        found = np.full((self._count, COLUMNS), np.nan, np.float32)
        for number, row in self._done:
            found[number] = row
        self._count, self._done = 0, []
        return found

    def _send(self) -> None:
        self._take()
        if self._waiting:
            numbers, crops = zip(*self._waiting, strict=True)
            self._looking = list(numbers), self._pool.submit(self._network.predict, np.stack(crops), self._size)
            self._waiting = []

    def _take(self) -> None:
        if self._looking is not None:
            numbers, answer = self._looking
            found = answer.result()
            self._done += zip(numbers, np.concatenate([found[name] for name in PARTS], 1), strict=True)
            self._looking = None


def face_crop(pixels: NDArray[np.uint8], points: NDArray) -> NDArray[np.uint8]:
    """SMIRK's crop of a frame (H,W,3), from the part of it that shows the face: `cut` goes through whole rows.

    Raises:
        FaceError: the face is smaller than two pixels, or its points are no numbers.
    """
    matrix = smirk_matrix(points)
    scale, shift = matrix[0, 0], matrix[:, 2]
    most = np.array(pixels.shape[1::-1])
    low = np.clip(np.floor(-shift / scale) - 1, 0, most - 1).astype(int)
    high = np.clip(np.ceil((SIDE - shift) / scale) + 2, low + 1, most).astype(int)
    matrix[:, 2] += scale * low
    return cut(pixels[low[1] : high[1], low[0] : high[0]], matrix)


def _row(found: Arrays, number: int) -> Arrays:
    return {name: values[number : number + 1] for name, values in found.items()}
