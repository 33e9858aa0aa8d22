"""Losses on colours: small pictures whose answers are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck

from engine.losses.photometric import RegionWeights, photometric_loss, pixel_distance, region_map


def picture(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, 3, 4, generator=generator, dtype=torch.float64).requires_grad_()


def test_pixel_distance_is_the_mean_of_the_papers_sum():
    """Equation 11 is a sum over 3HW numbers."""
    image, render = picture(1), picture(2)
    sums = (image - render).abs().sum((1, 2, 3))
    torch.testing.assert_close(pixel_distance(image, render), sums / (3 * 3 * 4))


def test_pixel_distance_under_a_soft_mask():
    image, render = torch.zeros(1, 3, 1, 3), torch.zeros(1, 3, 1, 3)
    render[0, :, 0] = torch.tensor([0.3, 0.6, 0.9])
    mask = torch.tensor([[[1.0, 0.5, 0.0]]])
    assert pixel_distance(image, render, mask).item() == pytest.approx((0.3 + 0.5 * 0.6) / 1.5)
    assert pixel_distance(image, render, mask[0]).item() == pytest.approx(0.4)


def test_photometric_loss_is_equation_4():
    """Two face pixels, one an eye's: (1.5 * |(0.3,0,0.4)| + 1 * |(0.1,0.2,0.2)|) / 2."""
    image, render = torch.zeros(1, 3, 1, 3), torch.ones(1, 3, 1, 3)
    render[0, :, 0, 0] = torch.tensor([0.3, 0.0, 0.4])
    render[0, :, 0, 1] = torch.tensor([0.1, 0.2, 0.2])
    face = torch.tensor([[[1.0, 1.0, 0.0]]])
    eyes = torch.tensor([[[1.0, 0.0, 0.0]]])
    weights = region_map(eyes, torch.zeros_like(eyes), torch.zeros_like(eyes))
    assert photometric_loss(image, render, face, weights).item() == pytest.approx((1.5 * 0.5 + 0.3) / 2)
    assert photometric_loss(image, render).item() == pytest.approx((0.5 + 0.3 + math.sqrt(3)) / 3)


def test_regions_have_the_papers_weights():
    eyes, mouth, nose, skin = torch.eye(4)
    torch.testing.assert_close(region_map(eyes, mouth, nose), torch.tensor([1.5, 1.2, 1.5, 1.0]))
    own = region_map(eyes, mouth, nose, RegionWeights(eyes=4.0, mouth=3.0, nose=2.0, skin=0.0))
    torch.testing.assert_close(own, torch.tensor([4.0, 3.0, 2.0, 0.0]))
    torch.testing.assert_close(region_map(0.5 * skin, 0 * skin, 0 * skin), torch.tensor([1.0, 1.0, 1.0, 1.25]))


@pytest.mark.parametrize("loss", [pixel_distance, photometric_loss])
def test_gradients(loss):
    mask = torch.tensor([[1.0, 0.0, 0.5, 1.0]] * 3, dtype=torch.float64).requires_grad_()
    assert gradcheck(lambda a, b: loss(a, b, mask.detach()), (picture(3), picture(4)))
    soft = (0.2 + mask.detach()).requires_grad_()
    assert gradcheck(lambda m: loss(picture(3), picture(4), m), (soft,))


@pytest.mark.parametrize("loss", [pixel_distance, photometric_loss])
def test_nothing_outside_the_mask_counts(loss):
    image, render = picture(5), picture(6).detach()
    mask = torch.zeros(2, 3, 4, dtype=torch.float64)
    mask[0, 1] = 1.0
    render[:, :, 0] = torch.nan
    answer = loss(image, render, mask)
    torch.testing.assert_close(answer[0], loss(image[:1, :, 1:2], render[:1, :, 1:2])[0])
    assert answer[1] == 0, "an empty mask"
    (slopes,) = torch.autograd.grad(answer.sum(), image)
    assert (slopes[0, :, 1].abs() > 0).all()
    assert slopes.abs().sum() == slopes[0, :, 1].abs().sum()


@pytest.mark.parametrize("loss", [pixel_distance, photometric_loss])
def test_equal_pictures_pull_nowhere(loss):
    image = picture(7)
    answer = loss(image, image.detach().clone())
    assert (answer == 0).all()
    assert (torch.autograd.grad(answer.sum(), image)[0] == 0).all()


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        pixel_distance(torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4))
    with pytest.raises(ValueError, match="weights are"):
        photometric_loss(torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4), torch.ones(2, 1, 4, 4))
