"""Volume rendering gives what its integrals give."""

from __future__ import annotations

import math

import pytest
import torch

from engine.eg3d.camera import intrinsics, orbit_label
from engine.eg3d.config import Rendering
from engine.eg3d.decoder import BEYOND, Decoder
from engine.eg3d.planes import Planes
from engine.eg3d.renderer import Draws, composite, important, look, rays


def test_even_fog_swallows_light_exponentially():
    raw, length = 2.0, 0.7
    depths = torch.linspace(1, 1 + length, 20)[None]
    weights = composite(torch.full((1, 20), raw), depths)
    density = math.log1p(math.exp(raw - 1))
    assert weights.sum().item() == pytest.approx(1 - math.exp(-density * length), rel=1e-5)
    step = length / 19
    first = 1 - math.exp(-density * step)
    assert weights[0, 3].item() == pytest.approx(first * math.exp(-3 * density * step), rel=1e-4)


def test_a_wall_takes_all_the_light_where_it_stands():
    raw = torch.full((1, 10), -50.0)
    raw[0, 6:] = 5e3
    weights = composite(raw, torch.linspace(0, 1, 10)[None])
    assert weights.argmax().item() == 5
    assert weights[0, 5].item() == pytest.approx(1.0)


def test_fine_samples_lie_where_the_weight_is():
    depths = torch.linspace(0, 1, 21)[None]
    weights = torch.zeros(1, 20)
    weights[0, 12] = 1.0  # between 0.6 and 0.65
    found = important(depths, weights, torch.linspace(0, 1, 101)[None])
    assert (found.diff() >= 0).all()
    assert ((found > 0.5) & (found < 0.75)).float().mean() > 0.85


def test_fine_samples_of_even_weights_are_even():
    depths = torch.linspace(2, 3, 41)[None]
    found = important(depths, torch.ones(1, 40), torch.linspace(0, 1, 11)[None])
    # From the first interval's middle to the last but one's, which the published code leaves out.
    torch.testing.assert_close(found[0], torch.linspace(2.0125, 2.9625, 11), atol=1e-4, rtol=0)


def test_rays_leave_the_camera_through_the_pixels():
    label = torch.tensor(orbit_label())[None]
    origin, directions = rays(label, 3)
    torch.testing.assert_close(origin, torch.tensor([[0.0, 0.0, 2.7]]))
    torch.testing.assert_close(directions[0, 4], torch.tensor([0.0, 0.0, -1.0]))
    upper_left = directions[0, 0]
    assert upper_left[0] < 0 < upper_left[1]  # to the head's right, upwards
    tangent = (1 / 3) / float(intrinsics()[0, 0])
    assert (upper_left[0] / upper_left[2]).item() == pytest.approx(tangent, rel=1e-5)


class Ball(Decoder):
    """Dense within 0.2 of the origin, red; empty elsewhere."""

    def query(self, planes, points):
        density = torch.where(points.norm(dim=1) < 0.2, 1e4, -1e3)
        return density, torch.tensor([1.0, 0.0, 0.0]).expand(len(points), 3)


def test_a_ball_is_seen_where_it_is():
    how = Rendering()
    planes = Planes.of(torch.zeros(3, 1, 2, 2))
    label = torch.tensor(orbit_label())[None]
    origin, directions = rays(label, 33)
    draws = Draws.even(1, 33**2, how)
    own = Draws(draws.jitter[0], draws.importance[0])
    found = look(planes, Ball(1, 1, 3), origin[0], directions[0], own, how)
    weight = found.weight.view(33, 33)
    assert weight[16, 16].item() == pytest.approx(1.0)
    assert weight[0, 0].item() == 0.0
    # The nearest point lies at 2.5; the first pass has intervals of 0.022, the second narrows them.
    assert found.depth.view(33, 33)[16, 16].item() == pytest.approx(2.5, abs=0.012)
    torch.testing.assert_close(found.features.view(33, 33, 3)[16, 16], torch.tensor([1.0, -1.0, -1.0]))
    # Seen under asin(0.2 / 2.7): the share of the picture's area.
    radius = math.tan(math.asin(0.2 / 2.7)) * float(intrinsics()[0, 0])
    assert weight.mean().item() == pytest.approx(math.pi * radius**2, rel=0.05)


def test_the_background_may_be_white():
    how = Rendering(white=True)
    planes = Planes.of(torch.zeros(3, 1, 2, 2))
    origin, directions = rays(torch.tensor(orbit_label())[None], 1)
    draws = Draws.even(1, 1, how)
    away = -directions[0]
    found = look(planes, Ball(1, 1, 3), origin[0], away, Draws(draws.jitter[0], draws.importance[0]), how)
    torch.testing.assert_close(found.features, torch.ones(1, 3))


def test_colours_go_a_little_beyond_nought_and_one():
    decoder = Decoder(2, 3, 4)
    decoder.net[2].weight.data.zero_()  # type: ignore[union-attr, operator]
    decoder.net[2].bias.data = torch.tensor([0.7, 50.0, -50.0, 0.0, 1.0])
    density, colour = decoder(torch.randn(1, 2))
    assert density.item() == pytest.approx(0.7)
    expected = [1 + BEYOND, -BEYOND, 0.5, (1 + 2 * BEYOND) / (1 + math.exp(-1)) - BEYOND]
    torch.testing.assert_close(colour[0], torch.tensor(expected), atol=1e-6, rtol=0)


def test_random_numbers_are_drawn_in_the_published_order():
    how = Rendering(coarse=3, fine=2)
    torch.manual_seed(7)
    jitter, importance = torch.rand(2, 5, 3, 1), torch.rand(10, 2)
    found = Draws.random(2, 5, how, torch.Generator().manual_seed(7))
    assert torch.equal(found.jitter, jitter[..., 0])
    assert torch.equal(found.importance, importance.view(2, 5, 2))


def test_gradients_are_right():
    how = Rendering(coarse=6, fine=0)
    densities = torch.randn(2, 6, dtype=torch.float64, requires_grad=True)
    depths = torch.linspace(how.near, how.far, 6, dtype=torch.float64).expand(2, -1)
    assert torch.autograd.gradcheck(lambda d: composite(d, depths), (densities,))
