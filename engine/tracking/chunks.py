"""What was followed so far, on disk, so that a job that was cancelled or killed goes on where it was."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError

FOLDER = ".likeness-track"
FRAMES = 200
"""In a chunk: some seconds of work."""
FIELDS = ("index", "points", "confidence", "looks", "strangers", "regressed")


@dataclass(frozen=True)
class Chunk:
    """Some frames in a row, N of them.

    Attributes:
        index: (N,) ticks of the clip; those without a picture are left out.
        points: (N,478,3) float32 pixels, NaN where no face was seen. confidence: (N,) 0 there.
        looks: (K,S,S,3) the person's pictures after these frames. strangers: (M,) seconds.
        regressed: (N,C) float32 of `regressed.Batches`; (0,0) where no regressor was asked.
    """

    index: NDArray[np.int64]
    points: NDArray[np.float32]
    confidence: NDArray[np.float32]
    looks: NDArray[np.float32]
    strangers: NDArray[np.float64]
    regressed: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))


class Chunks:
    """The chunks of one job in a folder of their own.

    Args:
        out: the job's result folder; created where it is not there.
        clip: its footage.
        choices: whatever else decides what is followed; JSON-ready.
    """

    def __init__(self, out: Path, clip: Path, choices: Sequence[Any]) -> None:
        self.folder = out / FOLDER / _key(clip, choices)

    def load(self) -> list[Chunk]:
        """All whole chunks, in order; a damaged one ends the row."""
        chunks: list[Chunk] = []
        for number, path in enumerate(sorted(self.folder.glob("[0-9]*.npz"))):
            try:
                with np.load(path, allow_pickle=False) as file:
                    chunk = Chunk(**{name: file[name] for name in FIELDS})
            except (OSError, EOFError, KeyError, ValueError):
                break
            if path.stem != f"{number:06d}" or chunk.points.shape[1:] != (478, 3):
                break
            chunks.append(chunk)
        return chunks

    def save(self, number: int, chunk: Chunk) -> None:
        """Write a chunk, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = self.folder / f".{number:06d}.partial"
            with open(partial, "wb") as file:
                np.savez(file, **{name: getattr(chunk, name) for name in FIELDS})  # type: ignore[arg-type]
            partial.replace(self.folder / f"{number:06d}.npz")
        except OSError as error:
            raise OutputError(
                f"Cannot write to {self.folder.parent.parent}: {error.strerror or error}.",
                "Choose a folder you can write to, on a disk with free space.",
            ) from error

    def discard(self) -> None:
        """Remove them, and the folders that held nothing else."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for folder in (self.folder.parent, self.folder.parent.parent):
            try:
                folder.rmdir()
            except OSError:
                return


def _key(clip: Path, choices: Sequence[Any]) -> str:
    """A name for this footage with these choices: other footage under the same name is not mixed in."""
    try:
        status = clip.stat()
        state = [status.st_size, status.st_mtime_ns]
    except OSError:  # a pattern of pictures
        state = []
    text = json.dumps([str(clip.absolute()), state, list(choices)], default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
