"""Identity changes the shape of a face, never its size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.fitting.points import embed, identity_points
from engine.fitting.pose import similarity
from engine.fitting.size import growth

from .toy import toy_head


@pytest.fixture(scope="module")
def head():
    return toy_head()


def test_a_component_that_only_enlarges_is_all_growth(head):
    face = head.vertices[head.regions["face"]].mean(axis=0)
    enlarging = 0.04 * (head.vertices - face)
    found = growth(replace(head, identity_basis=enlarging[None].astype(np.float32)))
    np.testing.assert_allclose(found.rates, [0.04], rtol=1e-5)
    np.testing.assert_allclose(found.basis(head.vertices)[0], enlarging, atol=1e-8)


def test_what_remains_keeps_the_size(head):
    face, size = head.regions["face"], growth(head)
    for component in range(len(head.identity_basis)):
        identity = np.zeros(len(head.identity_basis))
        identity[component] = 0.1  # first order: small
        shape = head.shape(identity) - size.of(identity, head.vertices)
        assert similarity(head.vertices[face], shape[face])[0] == pytest.approx(1.0, abs=1e-4)


def test_the_landmarks_move_as_the_sized_head_does(head):
    identity = np.random.default_rng(3).standard_normal(len(head.identity_basis))
    shape = head.shape(identity) - growth(head).of(identity, head.vertices)
    landmarks = head.embeddings["mediapipe"]
    expected = embed(shape, landmarks, head.faces)
    np.testing.assert_allclose(identity_points(head).positions(identity), expected, atol=1e-6)
