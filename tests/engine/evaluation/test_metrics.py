"""The measures on cases with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from engine.evaluation.metrics import discrimination, peak_signal_to_noise, shape_error, structural_similarity
from engine.fitting.solver import rotation_matrix

RNG = np.random.default_rng(0)
SHAPE = RNG.normal(0, 0.05, (200, 3))


def test_a_moved_shape_has_no_error():
    moved = SHAPE @ rotation_matrix(np.array([0.1, -0.4, 0.2])).T + [0.3, 0, 1]
    error = shape_error(moved, SHAPE)
    assert error.rigid < 1e-9
    assert error.scaled < 1e-9


def test_a_scaled_shape_has_only_rigid_error():
    error = shape_error(SHAPE * 1.1, SHAPE)
    radius = np.linalg.norm(SHAPE - SHAPE.mean(0), axis=1).mean()
    assert error.rigid == pytest.approx(100 * radius)  # a tenth, in millimetres
    assert error.scaled < 1e-9


def test_known_noise_is_measured():
    noise = RNG.normal(0, 0.001, SHAPE.shape)
    expected = 1000 * np.linalg.norm(noise, axis=1).mean()
    assert shape_error(SHAPE + noise, SHAPE).rigid == pytest.approx(expected, rel=0.03)


def test_discrimination_of_clear_and_of_random_people():
    people = [person for person in range(15) for _ in range(2)]
    base = SHAPE + RNG.normal(0, 0.005, (15, 200, 3))
    clear = [base[person] + RNG.normal(0, 0.001, (200, 3)) for person in people]
    turned = [1.3 * shape @ rotation_matrix(RNG.normal(0, 0.5, 3)).T + 1 for shape in clear]
    result = discrimination(turned, people)
    assert result.first == 1.0
    assert result.ratio == pytest.approx(np.sqrt(2 * 1) / np.sqrt(2 * 26), rel=0.05)
    assert result.count == 30
    chance = discrimination([SHAPE + RNG.normal(0, 0.005, (200, 3)) for _ in people], people)
    assert chance.ratio == pytest.approx(1.0, abs=0.05)
    assert chance.first < 0.25


def test_mirroring_is_no_similarity():
    result = discrimination([SHAPE, SHAPE * [-1, 1, 1], SHAPE + 0.0005 * RNG.normal(size=SHAPE.shape)], ["a", "b", "a"])
    assert result.ratio < 0.1


def test_peak_signal_to_noise_of_a_constant_offset():
    picture = RNG.integers(0, 200, (32, 32, 3)).astype(np.uint8)
    mask = np.zeros((32, 32), bool)
    mask[4:20, 4:20] = True
    other = np.where(mask[..., None], picture + 10, 255 - picture).astype(np.uint8)
    assert peak_signal_to_noise(picture, other, mask) == pytest.approx(20 * np.log10(25.5))


def test_structural_similarity_is_one_only_for_the_same():
    picture = RNG.integers(0, 255, (48, 48, 3)).astype(np.uint8)
    mask = np.ones((48, 48), bool)
    assert structural_similarity(picture, picture, mask) == pytest.approx(1.0)
    assert structural_similarity(picture, RNG.integers(0, 255, picture.shape).astype(np.uint8), mask) < 0.2
