"""The Fréchet distance has its closed-form values; linear samples are like what they were made from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.training.texture.measure import features, frechet, linear_samples


def exact(mean: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Points whose mean is exactly `mean` and whose covariance is exactly root @ root.T."""
    count, size = 4 * len(mean), len(mean)
    ends = np.concatenate([np.eye(size), -np.eye(size)] * 2) * np.sqrt((count - 1) / 4)
    return mean + ends @ root.T


def test_distance_of_the_same_is_nought_and_a_shift_counts_squared():
    points = exact(np.zeros(3), np.diag([1.0, 2.0, 0.5]))
    assert frechet(points, points) == pytest.approx(0.0, abs=1e-9)
    assert frechet(points, points + np.array([3.0, 0.0, 4.0])) == pytest.approx(25.0)


def test_spreads_are_compared_as_roots():
    """For covariances with common axes: the sum of squared differences of deviations."""
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    first, second = (exact(np.zeros(3), turn @ np.diag(d)) for d in ([1.0, 2.0, 3.0], [2.0, 2.0, 5.0]))
    assert frechet(first, second) == pytest.approx(1.0 + 0.0 + 4.0)
    assert frechet(second, first) == pytest.approx(5.0)


def test_spreads_with_other_axes_need_the_matrix_root():
    """2 by 2: tr (AB)^½ is the root of tr AB + 2 (det AB)^½."""
    a, b = np.array([[2.0, 0.3], [0.1, 1.0]]), np.array([[1.0, -0.7], [0.4, 1.5]])
    both = a @ a.T @ b @ b.T
    expected = np.trace(a @ a.T + b @ b.T) - 2 * np.sqrt(np.trace(both) + 2 * np.sqrt(np.linalg.det(both)))
    assert frechet(exact(np.zeros(2), a), exact(np.zeros(2), b)) == pytest.approx(expected)


def test_linear_samples_have_the_mean_and_spread_of_their_source():
    rng = np.random.default_rng(1)
    shade = rng.normal(0, 20, (200, 1, 1, 1)) * np.array([1.0, 0.5, 0.25])
    textures = np.clip(128 + np.broadcast_to(shade, (200, 8, 8, 3)), 0, 255).astype(np.uint8)
    made = linear_samples(textures, 1, 400, seed=2)
    assert made.shape == (400, 8, 8, 3)
    np.testing.assert_allclose(made.mean((0, 1, 2)), textures.mean((0, 1, 2)), atol=2.5)
    np.testing.assert_allclose(made.std(0).mean((0, 1)), textures.std(0).mean((0, 1)), rtol=0.1)
    colours = made[:, 0, 0].astype(float) - made[:, 0, 0].mean(0)
    assert np.corrcoef(colours[:, 0], colours[:, 1])[0, 1] > 0.99  # one component: channels move together


def test_features_are_means_and_deviations_of_the_middle_stages():
    class Stages(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
            return x, [x, 2 * x, x[:, :1] + 1, x]

    pictures = np.zeros((3, 32, 32, 3), np.uint8)
    pictures[1] = 51
    pictures[2, :, :4] = 255  # at the side, where nothing is looked at
    found = features(Stages(), 12, pictures)
    assert found.shape == (3, 8)
    np.testing.assert_allclose(found[0], [0, 0, 0, 0, 0, 0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(found[1], [0.4, 0.4, 0.4, 0, 0, 0, 1.2, 0], atol=1e-6)
    np.testing.assert_allclose(found[2], found[0], atol=1e-6)
