"""The regressor's numbers: round trips with cameras and fits, and the size that identity does not have."""

from __future__ import annotations

import numpy as np
import pytest

from engine.fitting.result import HeadFit
from engine.fitting.size import growth
from engine.heads.loader import load_head
from engine.recognition.load import load_small
from engine.regressors.crop import face_crop
from engine.regressors.regressed import (
    HARMONICS,
    PHONG,
    Regressed,
    rotation_matrix,
    rotation_vector,
    same_size,
    usual_light,
)

from .toy import HEIGHT, WIDTH, landmarks_of, portrait_camera


@pytest.mark.parametrize(
    "vector", [[0, 0, 0], [1e-9, 0, 0], [0.3, -0.2, 0.9], [0, 3.1, 0], [0, 0, np.pi], [1.2, -2, 1]]
)
def test_rotations_come_back(vector: list[float]):
    matrix = rotation_matrix(np.array(vector))
    np.testing.assert_allclose(rotation_matrix(rotation_vector(matrix)), matrix, atol=1e-7)
    if np.linalg.norm(vector) < 3.1:
        np.testing.assert_allclose(rotation_vector(matrix), vector, atol=1e-8)


def test_a_fit_goes_in_and_comes_out():
    head, rng = load_head(), np.random.default_rng(3)
    camera = portrait_camera()
    identity = rng.normal(0, 1, len(head.identity_basis)).astype(np.float32)
    expression = rng.uniform(0, 0.3, len(head.expression_names)).astype(np.float32)
    refinement = -growth(head).of(identity, head.vertices)
    neutral = (head.shape(identity) + refinement).astype(np.float32)
    posed = neutral + np.tensordot(expression, head.expression_basis, 1)
    points = landmarks_of(head, camera, posed)
    fit = HeadFit(
        camera, identity, expression, refinement, neutral, posed, head.joint_positions(identity), points.astype("f4")
    )
    crop = face_crop(load_small(), points, WIDTH, HEIGHT)
    found = Regressed.of_fit(fit, crop, np.ones(5), usual_light().reshape(9, 3))
    back = found.camera()
    np.testing.assert_allclose(back.K, camera.K, atol=1e-8)
    np.testing.assert_allclose(back.world_to_camera, camera.world_to_camera, atol=1e-9)
    np.testing.assert_allclose(found.neutral(head), fit.neutral, atol=1e-6)
    np.testing.assert_allclose(found.posed(head), fit.posed, atol=1e-6)
    assert found.light.shape == (HARMONICS,)
    apart = found.crop_camera.project(head.embeddings["mediapipe"].positions(found.posed(head), head.faces))
    assert np.linalg.norm(apart - crop.points(points), axis=1).mean() < 1.0


def test_a_larger_head_is_seen_from_closer_by():
    head = load_head()
    sizes = growth(head)
    identity = sizes.rates / np.linalg.norm(sizes.rates)
    camera = portrait_camera(turn=(0, 0, 0), place=(0, 0, 1.3))
    closer = same_size(camera, head, identity)
    grown = float(sizes.rates @ identity)
    assert grown > 0.01
    enlarged = sizes.center + (1 + grown) * (head.vertices - sizes.center)
    np.testing.assert_allclose(closer.project(head.vertices), camera.project(enlarged), atol=1e-6)


def test_the_usual_lights_light_a_face_alike_from_the_front():
    import torch

    from engine.regressors.parameters import light_of

    front, nowhere = torch.tensor([[0.0, 0.0, 1.0]]), torch.zeros(1, 3)
    eye = torch.tensor([0.0, 0.0, 1.4])
    levels = [light_of(torch.tensor(usual_light(kind))).shade(front, nowhere, eye)[0] for kind in (HARMONICS, PHONG)]
    np.testing.assert_allclose(levels[0], levels[1], atol=0.05)
    assert 0.7 < float(levels[0].mean()) < 1.1
