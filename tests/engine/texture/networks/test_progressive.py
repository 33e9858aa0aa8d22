"""The progressive generator computes what the paper and pytorch_GAN_zoo say, number by number."""

import numpy as np
import pytest
import torch

from engine.texture.networks.progressive import ProgressiveGenerator, normalised, shape_of


def seeded(network, seed=0):
    """The network with random weights and biases, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator))
    return network.double().eval()


def slow(state, latent, scales, blend=0.0):
    """The same by loops: (z,) to (3,S,S)."""
    get = lambda name: state[name].numpy()  # noqa: E731

    def normal(maps):
        return maps / np.sqrt((maps**2).mean(0) + 1e-8)

    def leaky(maps):
        return np.where(maps > 0, maps, 0.2 * maps)

    def layer(name, maps):
        weight, bias = get(f"{name}.module.weight"), get(f"{name}.module.bias")
        outputs, inputs, side, _ = weight.shape
        border = side // 2
        padded = np.pad(maps, ((0, 0), (border, border), (border, border)))
        found = np.zeros((outputs, *maps.shape[1:]))
        for o, y, x in np.ndindex(found.shape):
            found[o, y, x] = (padded[:, y : y + side, x : x + side] * weight[o]).sum() + bias[o]
        return found * np.sqrt(2 / (inputs * side * side))

    def twice(maps):
        return maps.repeat(2, axis=1).repeat(2, axis=2)

    weight = get("formatLayer.module.weight")
    first = (weight @ normal(latent) + get("formatLayer.module.bias")) * np.sqrt(2 / len(latent))
    maps = normal(leaky(first.reshape(-1, 4, 4)))
    maps = normal(leaky(layer("groupScale0.0", maps)))
    before = maps
    for scale in range(scales):
        before, maps = maps, twice(maps)
        for k in range(2):
            maps = normal(leaky(layer(f"scaleLayers.{scale}.{k}", maps)))
    picture = layer(f"toRGBLayers.{scales}", maps)
    if blend:
        picture = blend * twice(layer(f"toRGBLayers.{scales - 1}", before)) + (1 - blend) * picture
    return picture


@pytest.mark.parametrize(("widths", "blend"), [([5], 0.0), ([4, 3], 0.3), ([5, 4, 2], 0.0), ([3, 4, 2], 0.25)])
def test_pictures_are_those_of_the_slow_computation(widths, blend):
    network = seeded(ProgressiveGenerator(6, widths, blend=blend))
    latents = np.random.default_rng(1).normal(size=(2, 6))
    found = network(torch.tensor(latents)).detach().numpy()
    assert found.shape == (2, 3, network.size, network.size)
    for latent, picture in zip(latents, found, strict=True):
        expected = slow(network.state_dict(), latent, len(widths) - 1, blend)
        np.testing.assert_allclose(picture, expected, rtol=1e-9, atol=1e-12)


def test_the_length_of_a_latent_does_not_matter_where_it_is_normalised():
    latent = torch.randn(1, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    network = seeded(ProgressiveGenerator(6, [4, 3]))
    np.testing.assert_allclose(network(3 * latent).detach(), network(latent).detach(), rtol=1e-6)
    plain = seeded(ProgressiveGenerator(6, [4, 3], normalise=False))
    assert float((plain(3 * latent) - plain(latent)).detach().abs().max()) > 0.1


def test_normalised_features_have_unit_mean_square():
    found = normalised(torch.tensor([[[[3.0]], [[4.0]]]]))
    np.testing.assert_allclose(found.flatten(), np.array([3, 4]) / np.sqrt(12.5), rtol=1e-6)


def test_a_hyperbolic_tangent_bounds_the_picture():
    network, latent = seeded(ProgressiveGenerator(6, [4])), torch.ones(1, 6, dtype=torch.float64)
    open_end = network(latent)
    network.squash = True
    np.testing.assert_allclose(network(latent).detach(), torch.tanh(open_end).detach())


def test_the_shape_is_read_from_the_weights():
    state = ProgressiveGenerator(7, [6, 5, 3, 2]).state_dict()
    assert shape_of(state) == (7, [6, 5, 3, 2])
    del state["scaleLayers.1.0.module.weight"]
    with pytest.raises(ValueError, match="incomplete"):
        shape_of(state)
    with pytest.raises(KeyError):
        shape_of({})
