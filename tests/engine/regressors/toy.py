"""A face seen by a camera, for the tests of regressors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.camera import Camera
from engine.heads.model import HeadModel
from engine.regressors.crop import centred
from engine.regressors.regressed import FRONTAL, rotation_matrix

WIDTH, HEIGHT = 1200, 900


def portrait_camera(
    turn: tuple[float, float, float] = (0.1, -0.3, 0.05),
    place: tuple[float, float, float] = (0.12, -0.06, 1.3),
    focal: float = 1500.0,
) -> Camera:
    """A photo's camera with the head somewhere off its middle."""
    view = np.eye(4)
    view[:3, :3], view[:3, 3] = rotation_matrix(np.array(turn)) @ FRONTAL, place
    return Camera(centred(focal, WIDTH, HEIGHT), view, WIDTH, HEIGHT)


def landmarks_of(head: HeadModel, camera: Camera, vertices: NDArray | None = None) -> NDArray[np.float64]:
    """(478,2) the head's own points in a picture."""
    places = head.embeddings["mediapipe"].positions(head.vertices if vertices is None else vertices, head.faces)
    return camera.project(places)
