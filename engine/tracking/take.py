"""A take: what a face did, sampled evenly in time. It is what leaves the engine and what becomes an Action."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..errors import MediaError

FILE = "take.npz"
ROTATIONS = ("jaw", "neck", "left_eye", "right_eye")
FIELDS = (
    "times", "expression", "expression_names", "head_rotation", "head_translation", *ROTATIONS, "confidence",
    "landmarks_2d", "fps", "K", "size",
)  # fmt: skip


@dataclass(frozen=True)
class Take:
    """T frames of one performance; E expression units.

    The keys lead: `jaw` and the eyes say in bone turns what the units `jaw...` and `eyeLook...` say already. Whoever
    moves a head uses one or the other, never both.

    Attributes:
        times: (T,) float64 seconds from the clip's beginning, evenly spaced by 1 / fps.
        fps: frames a second.
        expression: (T,E) float32 weights 0..1.
        expression_names: E names, ARKit's.
        head_rotation: (T,3,3) float32 head to camera (OpenCV axes). head_translation: (T,3) metres, likewise.
        jaw, neck, left_eye, right_eye: (T,3) float32 axis-angle, radians, in head axes (X to the person's left, Y up,
            Z forwards) from the rest pose. The neck's is the head's turn from where it is in the middle of the take:
            footage of a face shows no shoulders.
        confidence: (T,) float32 0..1; 0 where no face was seen and the frame is filled from its neighbours.
        landmarks_2d: (T,478,2) float32 pixels of the upright picture; NaN where no face was seen.
        camera: of the footage; its pose is the identity.
    """

    times: NDArray[np.float64]
    fps: float
    expression: NDArray[np.float32]
    expression_names: tuple[str, ...]
    head_rotation: NDArray[np.float32]
    head_translation: NDArray[np.float32]
    jaw: NDArray[np.float32]
    neck: NDArray[np.float32]
    left_eye: NDArray[np.float32]
    right_eye: NDArray[np.float32]
    confidence: NDArray[np.float32]
    landmarks_2d: NDArray[np.float32]
    camera: Camera

    def __len__(self) -> int:
        return len(self.times)

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """First and one past the last frame of every stretch without a face."""
        empty = np.concatenate([[False], self.confidence <= 0, [False]]).astype(np.int8)
        steps = np.diff(empty)
        return list(zip(np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist(), strict=True))

    def unit(self, name: str) -> NDArray[np.float32]:
        """(T,) weights of one expression unit.

        Raises:
            KeyError: there is none of that name.
        """
        if name not in self.expression_names:
            raise KeyError(name)
        return self.expression[:, self.expression_names.index(name)]

    def part(self, first: int, last: int) -> Take:
        """Frames `first` up to `last`, the latter left out."""
        names = ("times", "expression", "head_rotation", "head_translation", *ROTATIONS, "confidence", "landmarks_2d")
        return replace(self, **{name: getattr(self, name)[first:last] for name in names})

    def save(self, folder: Path) -> None:
        """Write `take.npz`, without pickles."""
        arrays = {name: getattr(self, name) for name in FIELDS if name not in ("expression_names", "fps", "K", "size")}
        with open(folder / FILE, "wb") as file:
            np.savez_compressed(
                file,
                expression_names=np.array(self.expression_names),
                fps=np.float64(self.fps),
                K=self.camera.K,
                size=np.array([self.camera.width, self.camera.height]),
                **arrays,
            )

    @classmethod
    def load(cls, path: Path) -> Take:
        """Read a `take.npz`, or the one in a folder.

        Raises:
            MediaError: it is missing, damaged, or no take.
        """
        path = path / FILE if path.is_dir() else path
        try:
            with np.load(path, allow_pickle=False) as file:
                stored = {name: file[name] for name in FIELDS}
        except FileNotFoundError as error:
            raise MediaError(f"There is no take at {path}.", "Track a clip first, or choose another folder.") from error
        except (OSError, EOFError, KeyError, ValueError) as error:
            raise MediaError(f"{path} holds no take ({error}).", "Track the clip again.") from error
        K, (width, height) = stored.pop("K"), stored.pop("size").tolist()
        names = tuple(str(name) for name in stored.pop("expression_names"))
        fps = float(stored.pop("fps"))
        return cls(**stored, expression_names=names, fps=fps, camera=Camera(K, np.eye(4), width, height))
