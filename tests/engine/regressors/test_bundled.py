"""The bundled regressor on a photo, and on portraits of the same people where they are at hand."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.evaluation.metrics import discrimination
from engine.fitting.pose import yaw_pitch_roll
from engine.heads.loader import load_head
from engine.media.photo import Photo
from engine.media.read import read_photo
from engine.perception.landmarks import find_face
from engine.perception.observation import FaceObservation
from engine.regressors.trained import WEIGHTS, load_regressor, regress
from engine.texture.models.linear import load_linear

from .toy import landmarks_of


@lru_cache(maxsize=2)
def astronaut(mirrored: bool = False) -> tuple[NDArray[np.uint8], FaceObservation]:
    from skimage import data

    pixels = np.ascontiguousarray(data.astronaut()[:, ::-1] if mirrored else data.astronaut())
    return pixels, find_face(Photo(Path("astronaut"), pixels))


def test_the_file_is_small_and_for_the_bundled_models():
    assert WEIGHTS.stat().st_size < 6_000_000
    regressor = load_regressor()
    assert (regressor.head, regressor.texture, regressor.recogniser.name) == ("open", "linear", "small")
    assert regressor.network.heads.layout.texture == load_linear().latent_shape


def test_the_head_lies_on_the_face():
    head, (pixels, face) = load_head(), astronaut()
    answer = regress(pixels, face.landmarks, head, load_linear())
    seen = landmarks_of(head, answer.camera(), answer.posed(head))
    assert np.linalg.norm(seen - face.landmarks[:, :2], axis=1).mean() < 0.05 * face.interocular
    assert np.abs(answer.identity).max() < 4
    assert answer.expression[head.expression_names.index("mouthSmileLeft")] > 0.2
    assert answer.expression[head.expression_names.index("jawOpen")] < 0.3
    assert answer.texture.any()


def test_a_mirrored_photo_has_the_mirrored_pose():
    """And so has a face that leans: the crop stands upright on it, the photo's camera does not."""
    head, poses = load_head(), []
    for mirrored in (False, True):
        pixels, face = astronaut(mirrored)
        poses.append(yaw_pitch_roll(regress(pixels, face.landmarks, head).camera().world_to_camera[:3, :3]))
    (yaw, pitch, roll), other = poses
    assert roll > 2.0
    np.testing.assert_allclose(other, (-yaw, pitch, -roll), atol=2.0)


def test_shapes_tell_people_apart(shared: Path):
    table = shared / "data" / "portraits" / "same_person_pairs.csv"
    if not table.is_file():
        pytest.skip("needs the portraits")
    head = load_head()
    face = head.regions["face"]
    with table.open(encoding="utf-8") as file:
        pairs = [row[:2] for row in list(csv.reader(file))[1:7]]
    shapes, people = [], []
    for person, names in enumerate(pairs):
        for name in names:
            photo = read_photo(table.parent / name)
            answer = regress(photo.pixels, find_face(photo).landmarks, head)
            shapes.append(answer.neutral(head)[face])
            people.append(person)
    assert discrimination(shapes, people).ratio < 0.6
