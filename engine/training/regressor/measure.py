"""How far a regressor's answers are from the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...camera import Camera
from ...errors import EngineError
from ...evaluation.held_out import HeldOut
from ...evaluation.metrics import shape_error
from ...fitting.pose import yaw_pitch_roll
from ...heads.model import HeadModel
from ...media.photo import Photo
from ...perception.crop import Window
from ...perception.landmarks import find_face
from ...regressors.crop import SIDE, FaceCrop
from ...regressors.parameters import Parameters
from ...regressors.regressed import FRONTAL, Regressed, rotation_matrix
from ...regressors.trained import regress
from ...texture.models.model import TextureModel
from .examples import Examples

Figures = Mapping[str, float]


def errors(head: HeadModel, found: Parameters, number: int, examples: Examples, row: int) -> Figures:
    """Errors of one answer on an example whose truth is known: millimetres, degrees, pixels of the crop."""
    answer = found.regressed(number, FaceCrop(Window(np.array([SIDE, SIDE]) / 2, SIDE), SIDE, SIDE))
    turned = rotation_matrix(examples.rotation[row].astype(np.float64)) @ FRONTAL
    return compared(head, answer, examples.identity[row], turned, examples.wanted[row])


def compared(head: HeadModel, answer: Regressed, identity: NDArray, turned: NDArray, wanted: NDArray) -> Figures:
    """Errors of an answer.

    Args:
        identity: (K,) the true one. turned: (3,3) the true rotation from the head to the crop's camera.
        wanted: (478,2) where the head's points truly are, pixels of the crop.
    """
    face = head.regions["face"]
    truth = head.shape(identity)[face]
    camera: Camera = answer.crop_camera
    seen = camera.project(head.embeddings["mediapipe"].positions(answer.posed(head), head.faces))
    own = yaw_pitch_roll(camera.world_to_camera[:3, :3])
    true = yaw_pitch_roll(turned)
    return {
        "face_mm": shape_error(answer.neutral(head)[face], truth).scaled,
        "mean_head_mm": shape_error(head.vertices[face], truth).scaled,
        "yaw_degrees": abs(own[0] - true[0]),
        "pitch_degrees": abs(own[1] - true[1]),
        "landmark_pixels": float(np.nanmean(np.linalg.norm(seen - wanted, axis=1))),
    }


def mean_figures(found: Sequence[Figures]) -> dict[str, float]:
    """The means of each figure."""
    return {name: float(np.mean([figures[name] for figures in found])) for name in (found[0] if found else {})}


def measure(
    head: HeadModel, pictures: Sequence[HeldOut], texture: TextureModel | None = None, weights: Path | None = None
) -> tuple[dict[str, float], int]:
    """Errors on pictures from finding the face to the answer, and how many showed no usable face.

    Args:
        pictures: of synthetic people, see `engine.evaluation.held_out`.
        weights: file of the regressor; None for the bundled one.
    Raises:
        ModelFileError: see `regress`.
    """
    found, missed = [], 0
    for picture in pictures:
        try:
            face = find_face(Photo(Path(picture.name), picture.image))
        except EngineError:
            missed += 1
            continue
        answer = regress(picture.image, face.landmarks, head, texture, weights, kind="renders")
        places = head.embeddings["mediapipe"].positions(head.shape(picture.identity, picture.expression), head.faces)
        wanted = answer.crop.points(picture.camera.project(places))
        turned = answer.crop.to_crop(picture.camera).world_to_camera[:3, :3]
        found.append(compared(head, answer, picture.identity, turned, wanted))
    return mean_figures(found), missed
