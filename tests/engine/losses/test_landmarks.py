"""Landmark losses against the papers' equations."""

from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck

from engine.losses.landmarks import landmark_distance, wing, wing_loss


def points(seed: int, count: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (30 * torch.randn(2, count, 2, generator=generator, dtype=torch.float64)).requires_grad_()


def test_distance_of_68_points_is_the_norm_of_all_coordinates():
    found, wanted = points(1, 68), points(2, 68)
    norms = [torch.linalg.norm(found[i] - wanted[i]) for i in range(2)]
    torch.testing.assert_close(landmark_distance(found, wanted), torch.stack(norms))


def test_distance_does_not_grow_with_the_number_of_points():
    found = torch.zeros(1, 10, 2)
    moved = found + torch.tensor([3.0, 4.0])
    for count in (1, 10):
        assert landmark_distance(found[:, :count], moved[:, :count]).item() == pytest.approx(5 * math.sqrt(68))


def test_wing_at_known_places():
    """w = 10, eps = 2 (Feng et al. 2018, equation 5): logarithmic near 0, then a straight line of slope 1."""
    bend = 10 - 10 * math.log(6)
    errors = torch.tensor([0.0, 2.0, -2.0, 10.0, 30.0], dtype=torch.float64)
    wanted = torch.tensor([0.0, 10 * math.log(2), 10 * math.log(2), 10 - bend, 30 - bend], dtype=torch.float64)
    torch.testing.assert_close(wing(errors), wanted)


def test_wing_pulls_hardest_at_small_errors():
    """Slope w / (eps + |x|) below w, 1 above, 0 at 0."""
    errors = torch.tensor([0.0, 1e-6, 3.0, -3.0, 20.0], dtype=torch.float64, requires_grad=True)
    (slopes,) = torch.autograd.grad(wing(errors).sum(), errors)
    torch.testing.assert_close(slopes, torch.tensor([0.0, 5.0, 2.0, -2.0, 1.0], dtype=torch.float64), atol=1e-5, rtol=0)


def test_wing_loss_is_the_mean_over_points_and_coordinates():
    found = torch.zeros(1, 2, 2)
    moved = torch.tensor([[[2.0, 0.0], [0.0, 6.0]]])
    wanted = 10 * (math.log(2) + math.log(4)) / 4
    assert wing_loss(found, moved).item() == pytest.approx(wanted)
    assert wing_loss(found, moved, width=1.0, curvature=1.0).item() == pytest.approx((8 - 2 * (1 - math.log(2))) / 4)


@pytest.mark.parametrize("loss", [landmark_distance, wing_loss])
def test_gradients(loss):
    weights = torch.tensor([1.0, 0.0, 0.5, 2.0, 1.0], dtype=torch.float64)
    assert gradcheck(lambda a, b: loss(a, b, weights), (points(3), points(4)))


@pytest.mark.parametrize("loss", [landmark_distance, wing_loss])
def test_hidden_points_count_for_nothing_even_where_they_are_no_numbers(loss):
    found, wanted = points(5), points(6).detach()
    weights = torch.tensor([[1.0, 1.0, 0.0, 1.0, 1.0], [0.0] * 5], dtype=torch.float64)
    wanted[:, 2] = torch.nan
    answer = loss(found, wanted, weights)
    seen = [0, 1, 3, 4]
    torch.testing.assert_close(answer[0], loss(found[:1, seen], wanted[:1, seen])[0])
    assert answer[1] == 0
    (slopes,) = torch.autograd.grad(answer.sum(), found)
    assert slopes.isfinite().all()
    assert (slopes[0, 2] == 0).all()
    assert (slopes[1] == 0).all()


@pytest.mark.parametrize("loss", [landmark_distance, wing_loss])
def test_no_error_no_loss_no_pull(loss):
    found = points(7)
    answer = loss(found, found.detach().clone())
    (slopes,) = torch.autograd.grad(answer.sum(), found)
    assert (answer == 0).all()
    assert (slopes == 0).all()


@pytest.mark.parametrize("loss", [landmark_distance, wing_loss])
def test_shapes_that_do_not_fit_are_refused(loss):
    with pytest.raises(ValueError, match=r"\(B,N,2\)"):
        loss(torch.zeros(4, 2), torch.zeros(4, 2))
    with pytest.raises(ValueError, match="cannot be compared"):
        loss(torch.zeros(1, 4, 2), torch.zeros(1, 1, 2))
    with pytest.raises(ValueError, match="weights are"):
        loss(torch.zeros(1, 4, 2), torch.zeros(1, 4, 2), torch.ones(1))
