"""What the project's own networks see of one face; where they cannot be used, a sentence says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from .dense import SURE, DensePoints, see_points, window_of_mesh
from .observation import FaceObservation
from .parts import PartsObservation, see_parts

NO_POINTS = "The engine's points network cannot be used, MediaPipe's points serve alone: {}"
NO_FACE = "The engine's points network is not sure of this face ({:.0%}); MediaPipe's points serve alone."
NO_PARTS = "The engine's parts network cannot be used, hair and skin are told apart by colour alone: {}"


@dataclass(frozen=True)
class NetworkView:
    """One face as the networks see it.

    Attributes:
        points, parts: None where the network cannot be used, or is not sure of the face.
        notices: sentences for the report.
    """

    points: DensePoints | None
    parts: PartsObservation | None
    notices: tuple[str, ...] = ()


def see_face(pixels: NDArray[np.uint8], face: FaceObservation, own_parts: Path | None = None) -> NetworkView:
    """Look at a face that MediaPipe found.

    Args:
        pixels: (H,W,3) uint8 sRGB, the photo.
        face: where it is.
        own_parts: file of the user's own parts network; None takes the bundled one.
    """
    notices: list[str] = []
    window, points, parts = window_of_mesh(face.landmarks), None, None
    try:
        points = see_points(pixels, window)
        if points.face < SURE:
            notices.append(NO_FACE.format(points.face))
            points = None
        else:
            window = points.window
    except ModelFileError as error:
        notices.append(NO_POINTS.format(error.message))
    try:
        parts = see_parts(pixels, window, own_parts)
    except ModelFileError as error:
        notices.append(NO_PARTS.format(error.message))
    return NetworkView(points, parts, tuple(notices))
