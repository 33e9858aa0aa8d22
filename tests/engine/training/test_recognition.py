"""Learning shape from recognition features."""

from __future__ import annotations

import numpy as np
import pytest

from engine.training.recognition import Examples, fit_regression


def examples(rng: np.random.Generator, people: int, noise: float) -> tuple[Examples, np.ndarray]:
    """Two pictures each of people whose features say their coefficients, with noise; and how."""
    how = rng.normal(size=(8, 3)).astype(np.float32)
    identity = np.repeat(rng.normal(size=(people, 3)), 2, axis=0)
    features = identity @ np.linalg.pinv(how) + noise * rng.normal(size=(2 * people, 8))
    return Examples(features.astype(np.float32), identity.astype(np.float32)), how


def test_what_features_say_is_found() -> None:
    rng = np.random.default_rng(0)
    known, _ = examples(rng, 4000, 0.0)

    regression, left = fit_regression(known, known.features.mean(0))

    assert left < 0.5
    guess = regression(known.features[0]).mean
    assert guess @ known.identity[0] > 0.8 * np.linalg.norm(guess) * np.linalg.norm(known.identity[0])


def test_features_that_say_nothing_leave_the_mean_head() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(2000, 8)).astype(np.float32)
    identity = rng.normal(size=(2000, 3)).astype(np.float32)

    regression, left = fit_regression(Examples(noise, identity), noise.mean(0))

    assert left == pytest.approx(1.0, abs=0.02)
    assert np.abs(regression(noise[0]).mean).max() < 0.2
    np.testing.assert_allclose(np.diag(regression.covariance), 1.0, atol=0.15)


def test_a_persons_other_picture_is_no_test() -> None:
    """Features that only tell people apart say nothing of a new person, however well they fit the known ones."""
    rng = np.random.default_rng(2)
    identity = np.repeat(rng.normal(size=(60, 3)), 20, axis=0).astype(np.float32)
    names = np.repeat(np.eye(60), 20, axis=0).astype(np.float32) * 50

    _, left = fit_regression(Examples(names, identity), names.mean(0))

    assert left > 0.95
