"""MediaPipe's Tasks API with the user's own `face_landmarker.task`: newer networks, and blendshape scores."""

from __future__ import annotations

import importlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..models.registry import FACE_LANDMARKER
from . import runtime


def task_file(model_folder: Path | None) -> Path | None:
    """The user's file, if it is there."""
    return FACE_LANDMARKER.find(model_folder)


@lru_cache(maxsize=2)
def _landmarker(path: Path, modified: float) -> Any:
    """The network, kept open; `modified` (seconds) makes a replaced file a new one."""
    runtime.load_mediapipe()
    try:
        with runtime.quiet_stderr():
            module = importlib.import_module("mediapipe.tasks.python.vision.face_landmarker")
            base = importlib.import_module("mediapipe.tasks.python.core.base_options")
            options = module.FaceLandmarkerOptions(
                base_options=base.BaseOptions(model_asset_buffer=path.read_bytes()),  # a path must be ASCII there
                output_face_blendshapes=True,
                num_faces=1,
                min_face_detection_confidence=0.2,
                min_face_presence_confidence=0.2,
            )
            return module.FaceLandmarker.create_from_options(options)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        raise ModelFileError(
            f"{path} is not a face landmarker that MediaPipe {runtime.version()} can use ({error}).",
            "Download it again from its owner, or remove it: the bundled networks do without.",
        ) from error


def face_landmarks(path: Path, crop: NDArray[np.uint8]) -> tuple[NDArray[np.float64], dict[str, float]] | None:
    """One upright face in a square crop.

    Args:
        path: the .task file.
        crop: (S,S,3) uint8 sRGB.

    Returns:
        (478,3) x, y, z in crop pixels and 51 blendshape scores by ARKit name (no tongueOut),
        or None when no face is seen.
    """
    image_module = importlib.import_module("mediapipe.python._framework_bindings.image")
    frame_module = importlib.import_module("mediapipe.python._framework_bindings.image_frame")
    with runtime.LOCK:
        landmarker = _landmarker(path, path.stat().st_mtime)
        picture = image_module.Image(frame_module.ImageFormat.SRGB, np.ascontiguousarray(crop))
        with runtime.quiet_stderr():
            found = landmarker.detect(picture)
    if not found.face_landmarks:
        return None
    points = np.array([(point.x, point.y, point.z) for point in found.face_landmarks[0]], dtype=np.float64)
    scores = {score.category_name: float(score.score) for score in found.face_blendshapes[0]}
    scores.pop("_neutral", None)
    return points * crop.shape[1], scores


def swap_sides(scores: dict[str, float]) -> dict[str, float]:
    """Blendshape scores of the mirrored face: "Left" and "Right" change places."""
    swapped = {}
    for name, value in scores.items():
        mirrored = name.replace("Left", "\0").replace("Right", "Left").replace("\0", "Right")
        swapped[mirrored] = value
    return swapped
