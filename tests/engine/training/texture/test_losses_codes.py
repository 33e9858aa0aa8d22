"""Losses have their analytic values; codes are principal components in standard deviations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engine.texture.models.small import colour
from engine.training.texture import losses
from engine.training.texture.codes import POWER, component_codes


def test_an_undecided_judge_costs_the_logarithm_of_two():
    undecided = torch.zeros(4, 1)
    assert losses.fooling(undecided).item() == pytest.approx(math.log(2))
    assert losses.telling(undecided, undecided).item() == pytest.approx(2 * math.log(2))


def test_the_judge_wants_real_above_and_made_below_nought():
    sure = torch.full((2, 1), 20.0)
    assert losses.telling(sure, -sure).item() == pytest.approx(0, abs=1e-6)
    assert losses.telling(-sure, sure).item() == pytest.approx(40, abs=1e-4)
    assert losses.fooling(-sure).item() == pytest.approx(20, abs=1e-4)


def test_steepness_of_a_linear_judge_is_its_squared_length():
    weight = torch.tensor([3.0, 4.0]).reshape(1, 1, 1, 2)
    pictures = torch.rand(5, 1, 1, 2, requires_grad=True)
    judged = (weight * pictures).sum((1, 2, 3))[:, None]
    assert losses.steepness(judged, pictures).item() == pytest.approx(25.0)


def test_difference_sees_detail_and_the_coarse_one_does_not():
    plain = torch.zeros(1, 3, 16, 16)
    chequered = plain.clone()
    chequered[..., ::2], chequered[..., 1::2] = 0.5, -0.5
    assert losses.difference(plain + 0.25, plain).item() == pytest.approx(0.5)
    assert losses.difference(chequered, plain).item() == pytest.approx(0.5)
    assert losses.coarse_difference(plain + 0.25, plain).item() == pytest.approx(0.25)
    assert losses.coarse_difference(chequered, plain).item() == pytest.approx(0.0)


def test_codes_are_components_made_normal():
    """Textures of two patterns: dark of one strength, and left against right of another, neither of them normal."""
    rng = np.random.default_rng(2)
    centred = rng.uniform(-1, 1, (300, 2))
    strength = np.linalg.qr(centred - centred.mean(0))[0] * np.sqrt(300)
    side = np.where(np.arange(64) < 32, 1.0, -1.0)
    dense = 1.5 + 0.2 * strength[:, :1] + 0.1 * strength[:, 1:] * side
    colours = colour(torch.tensor(dense)).numpy()[:, None, :, None]
    textures = np.broadcast_to(np.round(255 * colours), (300, 64, 64, 3)).astype(np.uint8)
    codes = component_codes(textures, 2, seed=0)
    assert (codes.strength[0] / codes.strength[1]).item() == pytest.approx(2.0**POWER, rel=0.02)
    assert codes.strength.square().mean().item() == pytest.approx(1.0)
    # In the mirror dark is as it was, and left against right turns round; both together are normal.
    for column, expected in enumerate((1.0, -1.0)):
        alike = np.corrcoef(codes.mirrored[:, column].numpy(), codes.own[:, column].numpy())[0, 1]
        assert alike == pytest.approx(expected, abs=0.005)
    both = torch.cat([codes.own, codes.mirrored]).double()
    assert both.mean(0).tolist() == pytest.approx([0, 0], abs=1e-5)
    assert both.std(0).tolist() == pytest.approx([1, 1], abs=0.01)
    assert (both**4).mean(0).tolist() == pytest.approx([3, 3], abs=0.2)
    for column in range(2):
        ranks = [np.argsort(np.argsort(values[:, column])) for values in (codes.own.numpy(), strength)]
        assert abs(np.corrcoef(*ranks)[0, 1]) > 0.99


def test_missing_components_are_drawn_the_same_each_time():
    textures = np.random.default_rng(0).integers(0, 255, (5, 32, 32, 3), dtype=np.uint8)
    codes, again = (component_codes(textures, 8, seed=3) for _ in range(2))
    assert codes.own.shape == codes.mirrored.shape == (5, 8)
    assert torch.equal(codes.own, again.own)
    assert codes.own[:, 4:].std() > 0.5
