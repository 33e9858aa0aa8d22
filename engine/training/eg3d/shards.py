"""Generated samples on disk: files of a few hundred, and an index that says what they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...eg3d.camera import METRES
from ...errors import ModelFileError
from ...media.write import whole_file
from .samples import Sample

INDEX = "index.json"
KIND = "eg3d samples"
QUALITY = 95
FIELDS = ("jpeg", "ends", "depth", "mask", "ws", "labels", "kinds", "angles", "numbers")
CURE = "Draw them with `python -m engine.training eg3d-dataset`."


@dataclass(frozen=True, eq=False)
class Samples:
    """N samples.

    Attributes:
        jpegs: N encoded pictures.
        depth: (N,R,R) float16, the generator's units behind its origin along the optical axis. mask: (N,R,R) bool.
        ws: (N,layers,w) float32. labels: (N,25) float32.
        kinds: (N,) uint8, see `poses.KINDS`. angles: (N,2) yaw and pitch, degrees. numbers: (N,) of the pictures.
    """

    jpegs: list[NDArray[np.uint8]]
    depth: NDArray[np.float16]
    mask: NDArray[np.bool_]
    ws: NDArray[np.float32]
    labels: NDArray[np.float32]
    kinds: NDArray[np.uint8]
    angles: NDArray[np.float32]
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.jpegs)

    def image(self, number: int) -> NDArray[np.uint8]:
        """(S,S,3) uint8 sRGB."""
        import cv2

        return np.asarray(cv2.imdecode(self.jpegs[number], cv2.IMREAD_COLOR)[..., ::-1], np.uint8)

    def metres(self, number: int) -> NDArray[np.float32]:
        """(R,R) behind the generator's origin along the optical axis; infinite in the background."""
        return np.where(self.mask[number], METRES * self.depth[number].astype(np.float32), np.float32(np.inf))

    def published(self, number: int) -> NDArray[np.float32]:
        """(R,R) -1..1 of this picture's own nearest and furthest, see `normalised`."""
        return normalised(self.depth[number].astype(np.float32))


def normalised(depth: NDArray) -> NDArray[np.float32]:
    """Depth (R,R) as the thesis has it (section 4.3.1): "relative depth values as normalized values in [-1, 1]".

    The formula is not given. Taken here as EG3D's authors show depth: the picture's nearest is -1, its furthest 1.
    """
    low, high = float(depth.min()), float(depth.max())
    return (2 * (depth - low) / max(high - low, 1e-9) - 1).astype(np.float32)


def write_samples(path: Path, samples: Sequence[Sample], numbers: Sequence[int]) -> None:
    """Write samples, whole or not at all.

    Raises:
        OutputError: they cannot be written.
    """
    import cv2

    how = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    encoded = [cv2.imencode(".jpg", np.ascontiguousarray(s.image[..., ::-1]), how)[1].ravel() for s in samples]
    with whole_file(path) as file:
        np.savez_compressed(
            file,
            jpeg=np.concatenate(encoded),
            ends=np.cumsum([len(data) for data in encoded]),
            depth=np.stack([s.depth for s in samples]).astype(np.float16),
            mask=np.stack([s.mask for s in samples]),
            ws=np.stack([s.ws for s in samples]).astype(np.float32),
            labels=np.stack([s.pose.label for s in samples]),
            kinds=np.array([s.pose.kind for s in samples], np.uint8),
            angles=np.array([(s.pose.yaw, s.pose.pitch) for s in samples], np.float32),
            numbers=np.array(numbers, np.int64),
        )


def read_samples(path: Path) -> Samples:
    """Read what `write_samples` wrote.

    Raises:
        ModelFileError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            stored = {name: file[name] for name in FIELDS}
        jpegs = np.split(stored.pop("jpeg"), stored.pop("ends")[:-1])
        if any(len(value) != len(jpegs) for value in stored.values()):
            raise ValueError("parts of different lengths")
        return Samples(jpegs, **stored)
    except Exception as error:  # whatever damaged bytes can bring about
        raise ModelFileError(f"{path} holds no samples of EG3D ({str(error)[:120]}).", CURE) from error


def count_in(path: Path) -> int:
    """How many samples a file holds; 0 where there is none, or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return len(file["numbers"])
    except Exception:  # it will be drawn anew
        return 0


def write_index(folder: Path, values: dict[str, Any]) -> None:
    """Write the index, whole or not at all."""
    with whole_file(folder / INDEX, "w", encoding="utf-8") as file:
        json.dump({"kind": KIND, **values}, file, indent=1)


def read_index(folder: Path) -> dict[str, Any] | None:
    """The index of a folder of samples; None where there is none.

    Raises:
        ModelFileError: it is damaged or another's.
    """
    path = folder / INDEX
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["kind"] != KIND:
            raise ValueError(f"it is of {found['kind']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"The index {path} is damaged or another's ({error}).", CURE) from error
    return found


def read_set(folder: Path) -> tuple[dict[str, Any], list[Samples]]:
    """Index and all samples of a folder.

    Raises:
        ModelFileError: there are none, or a file is damaged.
    """
    index = read_index(folder)
    paths = sorted(folder.glob("[0-9]*.npz"))
    if index is None or not paths:
        raise ModelFileError(f"There are no samples of EG3D in {folder}.", CURE)
    return index, [read_samples(path) for path in paths]
