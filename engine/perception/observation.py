"""What was seen of one face in one picture."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FaceObservation:
    """One face.

    Attributes:
        landmarks: (478,3) float32, MediaPipe order. x, y: pixels of the photo (Camera's convention); z: the detector's
            relative depth in the same pixels, smaller is nearer, zero near the head's centre.
        box: (4,) x0, y0, x1, y1 pixels around the landmarks.
        score: detector confidence 0..1.
        blendshapes: name -> 0..1 where the detector gives them (Tasks API), else empty.
        detector: name and version of what saw it.
        warnings: sentences for the report.
    """

    landmarks: NDArray[np.float32]
    box: NDArray[np.float32]
    score: float
    blendshapes: dict[str, float] = field(default_factory=dict)
    detector: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def interocular(self) -> float:
        """Distance of the outer eye corners (points 33 and 263), pixels; the unit of reprojection errors."""
        return float(np.linalg.norm(self.landmarks[33, :2] - self.landmarks[263, :2]))


@dataclass(frozen=True)
class Masks:
    """Soft masks at the photo's size, (H,W) float32 in 0..1.

    Attributes:
        person: the whole person.
        skin: visible skin of face, ears and neck, without eyes, inner mouth, brows kept in, glasses' glare left out.
        hair: head hair (not brows or beard).
        eyes: visible eyeballs.
        inner_mouth: between the lips.
        glasses: the person wears some with visible frames; `skin` and `hair` leave frames out.
        frames: the frames, None where there are none.
    """

    person: NDArray[np.float32]
    skin: NDArray[np.float32]
    hair: NDArray[np.float32]
    eyes: NDArray[np.float32]
    inner_mouth: NDArray[np.float32]
    glasses: bool = False
    frames: NDArray[np.float32] | None = None
