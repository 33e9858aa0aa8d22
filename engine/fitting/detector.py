"""How a detector's points differ from the places on this head that they stand for, as measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError

Array = NDArray[np.float64]
CALIBRATION = Path(__file__).parent / "data" / "calibration.npz"
DENSE_CALIBRATION = Path(__file__).parent / "data" / "dense_calibration.npz"
STORED = {"bias": 1e3, "turn": 1e3, "answer": 1e3, "cause": 1.0, "modes": 1e3, "deviation": 1e3}
"""What a calibration file holds as float16, and times what: millimetres, where half precision is fine."""


@dataclass(frozen=True)
class DetectorModel:
    """A detector's systematic and random errors at N points, in head space.

    Attributes:
        bias: (N,3) metres, where the points lie relative to their embedding, for a face seen from the front.
        turn: (Q,N,3) metres, change of the bias with each of `pose_terms`.
        answer, cause: (R,N,3) each: to a displacement d of the true points the detector answers, besides moving with
            them, by the sum over R of answer * <cause, d>. It shrinks faces towards its own mean, depth most of all.
        modes: (M,N,3) metres, ways in which all points err together, each with unit variance.
        deviation: (N,3) metres, what is left at each point: across the view (x, y) and along it.
        usual: (N,2) metres, the deviation across the view and along it that a detector which doubts each point anew
            expects on average; None for one that does not.
    """

    bias: Array
    turn: Array
    answer: Array
    cause: Array
    modes: Array
    deviation: Array
    usual: Array | None = None

    def doubted(self, factor: float) -> DetectorModel:
        """The same with all random errors larger by a factor."""
        return replace(self, modes=self.modes * factor, deviation=self.deviation * factor)

    def beside(self, other: DetectorModel) -> DetectorModel:
        """Both detectors as one, whose errors have nothing to do with each other."""
        own, added = len(self.bias), len(other.bias)

        def apart(name: str) -> Array:
            first = np.pad(getattr(self, name), ((0, 0), (0, added), (0, 0)))
            second = np.pad(getattr(other, name), ((0, 0), (own, 0), (0, 0)))
            return np.concatenate([first, second])

        return DetectorModel(
            bias=np.concatenate([self.bias, other.bias]),
            turn=np.concatenate([self.turn, other.turn], axis=1),
            answer=apart("answer"),
            cause=apart("cause"),
            modes=apart("modes"),
            deviation=np.concatenate([self.deviation, other.deviation]),
        )

    def offset(self, yaw: float, pitch: float) -> Array:
        """(N,3) expected error at a head pose, degrees."""
        return self.bias + np.tensordot(pose_terms(yaw, pitch), self.turn, 1)

    def response(self, displacements: NDArray) -> Array:
        """(P,N,3) expected errors that displacements (P,N,3) of the true points cause."""
        amounts = np.tensordot(displacements, self.cause, ((1, 2), (1, 2)))
        return np.tensordot(amounts, self.answer, 1)

    def packed(self) -> dict[str, NDArray[np.float16]]:
        """The fields as a calibration file holds them."""
        fields = {name: (getattr(self, name) * unit).astype(np.float16) for name, unit in STORED.items()}
        return fields if self.usual is None else fields | {"usual": (self.usual * 1e3).astype(np.float16)}


def pose_terms(yaw: float, pitch: float) -> Array:
    """(Q,) what the bias varies with; all zero at the front."""
    y, p = np.clip(yaw, -60.0, 60.0) / 30.0, np.clip(pitch, -45.0, 45.0) / 30.0
    return np.array([y, y * y, p, p * p, y * p])


@lru_cache(maxsize=2)
def load_detector(path: Path = CALIBRATION) -> DetectorModel:
    """The calibrated detector.

    Raises:
        ModelFileError: the file is missing or damaged.
    """
    cure = "Install the add-on again; developers run scripts/calibrate_landmarks.py."
    try:
        with np.load(path, allow_pickle=False) as file:
            fields = {name: file[name].astype(np.float64) / unit for name, unit in STORED.items()}
            usual = file["usual"].astype(np.float64) / 1e3 if "usual" in file.files else None
    except FileNotFoundError as error:
        raise ModelFileError(f"The landmark calibration {path} is missing.", cure) from error
    except (OSError, EOFError, KeyError, ValueError) as error:
        raise ModelFileError(f"The landmark calibration {path} is damaged ({error}).", cure) from error
    return DetectorModel(**fields, usual=usual)
