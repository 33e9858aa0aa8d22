"""How MediaPipe's points differ from the places on this head that they stand for, as measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError

Array = NDArray[np.float64]
CALIBRATION = Path(__file__).parent / "data" / "calibration.npz"
FIELDS = ("bias", "turn", "answer", "cause", "modes", "deviation")
# Metres across and along the view, for points that were never calibrated. Depth is trusted little: MediaPipe's is too
# deep at the nose, and trusted to 6 mm it draws noses up to 8 mm too long.
PLAIN_DEVIATION = (0.002, 0.02)


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
    """

    bias: Array
    turn: Array
    answer: Array
    cause: Array
    modes: Array
    deviation: Array

    def offset(self, yaw: float, pitch: float) -> Array:
        """(N,3) expected error at a head pose, degrees."""
        return self.bias + np.tensordot(pose_terms(yaw, pitch), self.turn, 1)

    def response(self, displacements: NDArray) -> Array:
        """(P,N,3) expected errors that displacements (P,N,3) of the true points cause."""
        amounts = np.tensordot(displacements, self.cause, ((1, 2), (1, 2)))
        return np.tensordot(amounts, self.answer, 1)

    @staticmethod
    def plain(count: int) -> DetectorModel:
        """A detector without known errors."""
        across, along = PLAIN_DEVIATION
        none = np.zeros((0, count, 3))
        turn = np.zeros((len(pose_terms(0, 0)), count, 3))
        return DetectorModel(np.zeros((count, 3)), turn, none, none, none, np.tile([across, across, along], (count, 1)))


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
            fields = {name: file[name].astype(np.float64) for name in FIELDS}
    except FileNotFoundError as error:
        raise ModelFileError(f"The landmark calibration {path} is missing.", cure) from error
    except (OSError, KeyError, ValueError) as error:
        raise ModelFileError(f"The landmark calibration {path} is damaged ({error}).", cure) from error
    return DetectorModel(**fields)
