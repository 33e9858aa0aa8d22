"""One real portrait for all perception tests: NASA's, public domain, from scikit-image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.media.photo import Photo
from engine.perception.landmarks import find_face
from engine.perception.observation import FaceObservation


@pytest.fixture(scope="session")
def astronaut() -> Photo:
    from skimage.data import astronaut as picture

    return Photo(Path("astronaut.png"), np.ascontiguousarray(picture()))


@pytest.fixture(scope="session")
def astronaut_face(astronaut: Photo) -> FaceObservation:
    return find_face(astronaut)
