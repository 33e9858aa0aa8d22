"""Learning a detector from heads of known shape: what was put in is found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from engine.evaluation.calibration import (
    EYES,
    LIPS,
    MODES,
    Portrait,
    Sight,
    _without_motion,
    for_photos,
    learn_from_renders,
)
from engine.fitting.points import embed, identity_points
from engine.fitting.solver import rotation_matrix
from engine.perception.observation import FaceObservation
from engine.perception.topology import MIRROR
from tests.engine.fitting.toy import toy_camera, toy_head

ALONG = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class World:
    """A head, what its detector adds in head space, and what it saw."""

    head: object
    bias: np.ndarray
    shrink: float
    sights: list[Sight]


@pytest.fixture(scope="module")
def world() -> World:
    """A detector with a bias, that shows only 60 % of a person's depth, and 0.3 mm of noise."""
    head, rng = toy_head(), np.random.default_rng(5)
    points = identity_points(head)
    basis = embed(head.identity_basis, head.embeddings["mediapipe"], head.faces)
    free = _without_motion(points.mean)
    bias = free(1e-3 * rng.standard_normal(points.mean.shape)[None])[0]
    sights = []
    for _ in range(400):
        identity = rng.standard_normal(len(basis))
        turn = rotation_matrix(np.radians(rng.normal(0, 3, 3)))
        camera = toy_camera(turn, distance=30.0, focal=40000.0)  # hardly any perspective
        moved = np.tensordot(identity, basis, 1)
        missed = bias - 0.4 * free(moved[None])[0] * ALONG + 3e-4 * rng.standard_normal(bias.shape)
        rotation, translation = camera.world_to_camera[:3, :3], camera.world_to_camera[:3, 3]
        scale = translation[2] / camera.K[0, 0]
        true, error = points.mean + moved, missed @ rotation.T
        depth = (true @ rotation.T)[:, 2]
        seen = np.column_stack([camera.project(true), depth / scale]) + error / scale
        sights.append(Sight(camera, identity, np.zeros(len(head.expression_basis)), seen))
    return World(head, bias, 0.4, sights)


def test_finds_bias_and_faint_answer(world):
    found = learn_from_renders(world.head, world.sights)
    assert np.sqrt(np.mean((found.bias - world.bias) ** 2)) < 1e-4
    basis = embed(world.head.identity_basis, world.head.embeddings["mediapipe"], world.head.faces)
    expected = -world.shrink * _without_motion(identity_points(world.head).mean)(basis) * ALONG
    answered = found.response(basis)
    slope = np.sum(answered[..., 2] * expected[..., 2]) / np.sum(expected[..., 2] ** 2)
    assert 0.75 < slope < 1.02  # the ridge is cautious about what it saw little of
    assert np.abs(found.turn).max() < 3e-3


def test_the_noise_is_all_accounted_for(world):
    found = learn_from_renders(world.head, world.sights)
    assert len(found.modes) <= MODES
    variance = np.sum(found.modes**2, axis=0) + found.deviation**2
    assert np.sqrt(variance.mean()) > 3e-4  # never claims to know better than it does


def test_portraits_correct_the_bias_of_depth(world):
    """On photos the detector misses depth otherwise than on renders: the new bias is found, the rest is kept."""
    renders = learn_from_renders(world.head, world.sights)
    depth = 2e-3 * np.random.default_rng(7).standard_normal(len(MIRROR))
    depth = depth + depth[MIRROR]
    portraits = []
    for sight in world.sights[:40]:
        scale = sight.camera.world_to_camera[2, 3] / sight.camera.K[0, 0]
        landmarks = sight.landmarks - [0.0, 0.0, 1.0] * depth[:, None] / scale  # towards the camera: up in head space
        face = FaceObservation(landmarks.astype(np.float32), np.zeros(4, np.float32), 1.0)
        portraits.append(Portrait(face, sight.camera.width, sight.camera.height))
    found = for_photos(renders, world.head, portraits)
    added = (found.bias - renders.bias * ALONG)[:, 2]
    assert np.corrcoef(added, depth)[0, 1] > 0.8
    assert not found.bias[:, :2].any()
    assert not found.turn.any()
    assert not found.answer[..., :2].any()
    assert found.deviation[list(EYES), :2].max() < found.deviation[list(LIPS), :2].min()
    assert not found.modes[:, [*EYES, *LIPS], :2].any()


def test_motion_is_taken_away_and_nothing_else():
    rng = np.random.default_rng(6)
    places = rng.standard_normal((40, 3))
    free = _without_motion(places)
    motion = np.cross([0.1, -0.2, 0.3], places) + [1.0, 2.0, 3.0] + 0.05 * places
    np.testing.assert_allclose(free(motion[None]), 0.0, atol=1e-9)
    field = rng.standard_normal((2, 40, 3))
    np.testing.assert_allclose(free(free(field)), free(field), atol=1e-12)
    other = rng.standard_normal((2, 40, 3))
    assert np.sum(free(field) * other) == pytest.approx(np.sum(field * free(other, transposed=True)))
