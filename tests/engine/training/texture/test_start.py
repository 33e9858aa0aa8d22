"""Training starts with the mean skin and the best linear guess, behind a mapping that is linear itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.texture.models.small import TextureNetwork, colour, density
from engine.texture.networks.stylegan2 import Mapping
from engine.training.texture.codes import component_codes
from engine.training.texture.start import LIFT, pictures_of, prepare, straighten


@pytest.fixture(scope="module")
def textures() -> np.ndarray:
    """Densities of two patterns, normally distributed: dark, and left against right."""
    rng = np.random.default_rng(0)
    strength = rng.standard_normal((400, 2))
    side = np.where(np.arange(32) < 16, 1.0, -1.0)
    dense = torch.tensor(1.5 + 0.2 * strength[:, :1] + 0.1 * strength[:, 1:] * side)
    colours = (255 * colour(dense)).round().numpy()[:, None, :, None]
    return np.broadcast_to(colours, (400, 32, 32, 3)).astype(np.uint8)


def test_a_straightened_mapping_is_linear():
    torch.manual_seed(0)
    mapping, strength = Mapping(4, 6, 2, layers=3), torch.tensor([1.5, 1.0, 0.5, 0.1])
    with torch.no_grad():
        straighten(mapping, strength)
        z = 0.4 * torch.randn(50, 4)
        w, zero = mapping.through(z), mapping.through(torch.zeros(1, 4))
    torch.testing.assert_close(zero, torch.full((1, 6), LIFT * 2**0.5))
    # Linear, and a rotation of z times its strength: lengths and angles are kept.
    torch.testing.assert_close((w - zero) @ (w - zero).T, 2 * (z * strength) @ (z * strength).T, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("mirror", [True, False])
def test_linear_skins_are_painted_right_from_the_start(textures: np.ndarray, mirror: bool):
    torch.manual_seed(0)
    codes = component_codes(textures, 2, seed=0)
    network = TextureNetwork(2, 4, 32, 64, 8, 2, 2)
    prepare(network, codes, textures, mirror)
    real = density(pictures_of(textures))
    with torch.no_grad():
        guess = network.broad(network.generator.mapping.through(codes.own))
        first = density(network.paint(network.generator.mapping.through(codes.own)[:, None].expand(-1, 6, -1)))
    left = (guess - real)[:, :, :, 2:14]  # away from the edge in the middle, which half the resolution blurs
    assert left.std().item() < 0.1 * real.std().item()
    assert network.spread.item() == pytest.approx((guess - real)[:64].std().item(), rel=0.01)
    assert (first - guess).std().item() < network.spread.item()  # the generator adds little yet
    mean = real.mean(0)
    torch.testing.assert_close(network.mean, (mean + mean.flip(2)) / 2 if mirror else mean, atol=1e-4, rtol=0)


def test_complexions_that_are_not_normal_and_detail_are_told_too():
    """Evenly drawn shades, and a fine pattern whose strength goes with them: none of it is left to the generator."""
    rng = np.random.default_rng(3)
    shade = rng.uniform(-1, 1, (400, 1, 1))
    pattern = 0.2 * (np.indices((32, 32)).sum(0) % 2 - 0.5)
    dense = torch.tensor(1.5 + 0.3 * shade + shade * pattern)
    made = (255 * colour(dense)).round().numpy()[..., None]
    textures = np.broadcast_to(made, (400, 32, 32, 3)).astype(np.uint8)
    torch.manual_seed(0)
    codes = component_codes(textures, 1, seed=0)
    network = TextureNetwork(1, 4, 32, 64, 8, 2, 2)
    prepare(network, codes, textures, mirror=False)
    real = density(pictures_of(textures))
    with torch.no_grad():
        left = network.broad(network.generator.mapping.through(codes.own)) - real
    # Of an even distribution a line of a normal number leaves 0.21, a cubic 0.073 (Hermite series of the arc sine).
    assert left.std().item() < 0.08 * real.std().item()
    assert network.detail[0].abs().mean().item() > 0.5 * network.detail[0].std().item() > 0
