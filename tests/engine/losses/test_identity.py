"""Identity and content losses, and the views drawn for them."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from engine.losses.identity import ViewSpread, content_distance, cosine_distance, random_view


def noise(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def test_cosine_distance_at_known_angles():
    first = torch.tensor([[2.0, 0.0]]).expand(4, 2)
    second = torch.tensor([[5.0, 0.0], [0.0, 3.0], [-1.0, 0.0], [1.0, math.sqrt(3)]])
    torch.testing.assert_close(cosine_distance(first, second), torch.tensor([0.0, 1.0, 2.0, 0.5]))


def test_cosine_distance_gradients():
    assert gradcheck(cosine_distance, (noise(2, 6, seed=1), noise(2, 6, seed=2)))


def test_an_embedding_of_nothing_is_at_right_angles_to_all():
    nothing = torch.zeros(1, 4, requires_grad=True)
    distance = cosine_distance(nothing, torch.ones(1, 4))
    assert distance.item() == 1.0
    assert (torch.autograd.grad(distance.sum(), nothing)[0] == 0).all()


def test_content_distance_is_equation_10():
    """A layer (2,1,2) with differences 3 and 4, another (1,5,5) of ones: 5/4 + 5/25."""
    first = [torch.zeros(1, 2, 1, 2), torch.zeros(1, 1, 5, 5)]
    second = [torch.tensor([[[[3.0, 0.0]], [[0.0, -4.0]]]]), torch.ones(1, 1, 5, 5)]
    assert content_distance(first, second).item() == pytest.approx(5 / 4 + 5 / 25)


def test_content_distance_gradients():
    first = noise(2, 3, 2, 2, seed=3), noise(2, 4, 1, 1, seed=4)
    second = noise(2, 3, 2, 2, seed=5), noise(2, 4, 1, 1, seed=6)
    assert gradcheck(lambda a, b, c, d: content_distance([a, b], [c, d]), (*first, *second))


def test_equal_activations_pull_nowhere():
    activations = noise(1, 3, 2, 2, seed=7)
    distance = content_distance([activations], [activations.detach().clone()])
    assert distance.item() == 0
    assert (torch.autograd.grad(distance.sum(), activations)[0] == 0).all()


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        cosine_distance(torch.zeros(2, 4), torch.zeros(1, 4))
    with pytest.raises(ValueError, match="no activations"):
        content_distance([], [])
    with pytest.raises(ValueError, match="shorter"):
        content_distance([torch.zeros(1, 1, 1, 1)] * 2, [torch.zeros(1, 1, 1, 1)])


def test_same_seed_same_view():
    first, again, other = (random_view(np.random.default_rng(seed), 7) for seed in (3, 3, 4))
    for field in dataclasses.fields(first):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(again, field.name))
    assert not np.array_equal(first.expression, other.expression)


def test_views_are_spread_as_told():
    """Sample moments of 4000 views lie within four standard errors of those asked for."""
    rng, spread = np.random.default_rng(1), ViewSpread()
    views = [random_view(rng, 3) for _ in range(4000)]
    expressions = np.array([view.expression for view in views])
    assert np.abs(expressions.mean(0)).max() < 4 * 0.5 / math.sqrt(4000)
    assert np.abs(expressions.std(0) / 0.5 - 1).max() < 4 / math.sqrt(2 * 4000)
    for name in ("yaw", "pitch", "roll"):
        values = np.rad2deg([getattr(view, name) for view in views])
        assert abs(values.std() / getattr(spread, name) - 1) < 4 / math.sqrt(2 * 4000)
        assert abs(values.mean()) < 4 * getattr(spread, name) / math.sqrt(4000)
    directions = np.array([view.direction for view in views])
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    elevation = np.rad2deg(np.arcsin(directions[:, 1]))
    assert abs(elevation.mean() - spread.mean_elevation) < 1.5
    lights = np.array([[view.direct, view.ambient] for view in views])
    assert lights.min() >= 0
    np.testing.assert_allclose(lights.mean((0, 2)), [spread.mean_direct, spread.mean_ambient], rtol=0.02)
    assert abs(np.log([view.distance for view in views]).std() / spread.distance - 1) < 4 / math.sqrt(2 * 4000)


def test_no_spread_is_the_mean_view():
    still = ViewSpread(0, 0, 0, 0, 0, 0, 0, 90, 0, 0.3, 0, 0.6, 0)
    view = random_view(np.random.default_rng(0), 2, still)
    assert (view.yaw, view.pitch, view.roll, view.distance) == (0, 0, 0, 1)
    np.testing.assert_allclose(view.direction, [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(view.expression, 0)
    np.testing.assert_allclose([view.ambient, view.direct], [[0.3] * 3, [0.6] * 3])
