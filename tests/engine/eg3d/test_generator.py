"""The generator answers as the published one, stage by stage, and carries its names."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as nnf

from engine.eg3d.camera import orbit_label
from engine.eg3d.config import FULL, SMALL, TINY, from_kwargs
from engine.eg3d.generator import TriplaneGenerator
from engine.eg3d.renderer import Draws


@pytest.fixture(scope="module")
def maps(small, known) -> torch.Tensor:
    ws = torch.from_numpy(known["ws_trunc07"])[:, None].expand(-1, 14, -1)
    with torch.inference_mode():
        return small.plane_maps(ws)


@pytest.fixture(scope="module")
def heads(small, known):
    ws = torch.from_numpy(known["ws_trunc07"])[:, None].expand(-1, 14, -1)
    return ws, small.planes(ws), torch.from_numpy(known["c"])


def test_latents_are_the_published_ones(small, known):
    label = torch.from_numpy(known["c"][[0, 0]])  # both were mapped with the first camera
    z = torch.from_numpy(known["z"])
    assert small.layers == known["num_ws"] == 14
    np.testing.assert_allclose(small.mapping(z, label)[:, 0].numpy(), known["ws"], atol=1e-5)
    short = small.mapping(z, label, 0.7, 14).numpy()
    np.testing.assert_allclose(short, np.repeat(known["ws_trunc07"][:, None], 14, 1), atol=1e-5)


def test_truncation_stops_at_the_cutoff(tiny, front):
    z = torch.randn(1, TINY.z)
    whole, short, some = tiny.mapping(z, front), tiny.mapping(z, front, 0.5), tiny.mapping(z, front, 0.5, 2)
    assert torch.equal(some[:, :2], short[:, :2])
    assert torch.equal(some[:, 2:], whole[:, 2:])


def test_planes_are_the_published_ones(maps, known):
    np.testing.assert_allclose(maps.mean((3, 4)).numpy(), known["planes_mean"], atol=1e-5)
    np.testing.assert_allclose(maps.std((3, 4)).numpy(), known["planes_std"], atol=1e-5)
    np.testing.assert_allclose(maps[..., 5::31, 7::31].numpy(), known["planes_sub"], atol=2e-5)


def test_densities_and_colours_at_points_are_the_published_ones(small, known, heads):
    points = torch.from_numpy(known["pts"][0])
    for number, planes in enumerate(heads[1]):
        density, colour = small.decoder.query(planes, points)
        np.testing.assert_allclose(density.numpy(), known["sigma"][number, :, 0], atol=1e-5)
        np.testing.assert_allclose(colour[:200].numpy(), known["rgb_feat"][number], atol=1e-5)
        np.testing.assert_allclose(small.decoder.densities(planes, points), known["sigma"][number, :, 0], atol=1e-5)


def published_draws() -> Draws:
    torch.manual_seed(1234)
    return Draws.random(2, 64 * 64, SMALL.rendering)


@pytest.mark.parametrize("name", ["A", "B"])
def test_rendered_pictures_and_depths_are_the_published_ones(small, known, heads, name):
    """A with the published random numbers, B with none."""
    _, planes, labels = heads
    picture = small.render(planes, labels, 64, published_draws() if name == "A" else None)
    np.testing.assert_allclose(picture.raw.numpy(), known[f"{name}_image_raw"], atol=1e-5)
    np.testing.assert_allclose(picture.depth.numpy(), known[f"{name}_image_depth"], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "head"), [("A", 0), ("B", 1)])
def test_finished_pictures_are_the_published_ones(small, known, heads, name, head):
    ws, planes, labels = heads
    draws = published_draws() if name == "A" else Draws.even(2, 64 * 64, SMALL.rendering)
    own = Draws(draws.jitter[[head]], draws.importance[[head]])
    image = small.finish(small.render([planes[head]], labels[[head]], 64, own), ws[[head]]).image[0]
    np.testing.assert_allclose(nnf.avg_pool2d(image, 8).numpy(), known[f"{name}_image_pool8"][head], atol=2e-5)
    np.testing.assert_allclose(image[:, 224:288, 224:288].numpy(), known[f"{name}_image_crop"][head], atol=2e-5)


@pytest.mark.slow
def test_finished_pictures_without_noise_are_the_published_ones(small, known, heads):
    ws, _, labels = heads
    picture = small.synthesis(ws[:1], labels[:1], "none", 32)
    np.testing.assert_allclose(picture.raw[0].numpy(), known["B32_nonoise_image_raw"][0], atol=1e-5)
    np.testing.assert_allclose(picture.depth[0].numpy(), known["B32_nonoise_image_depth"][0], atol=1e-5)
    np.testing.assert_allclose(nnf.avg_pool2d(picture.image[0], 8), known["B32_nonoise_image_pool8"][0], atol=2e-5)


def test_the_full_network_has_the_published_names_and_size(shared: Path):
    folder = shared / "parity" / "eg3d"
    if not folder.is_dir():
        pytest.skip("needs shared/parity/eg3d")
    config = from_kwargs(json.loads((folder / "full_init_kwargs.json").read_text())["init_kwargs"], 128)
    assert config == FULL
    with torch.device("meta"):
        network = TriplaneGenerator(config)
    names = [entry["key"] for entry in json.loads((folder / "small_spec.json").read_text())["entries"]]
    assert sorted(network.state_dict()) == sorted(names)  # the small one differs in widths alone
    assert round(sum(value.numel() for value in network.parameters()) / 1e6, 1) == 30.7
    assert network.state_dict()["backbone.synthesis.b256.conv1.weight"].shape == (128, 128, 3, 3)
    assert (network.layers, config.layers, config.image_side) == (14, 14, 512)


@pytest.mark.slow
def test_a_full_picture_does_not_depend_on_the_chunks():
    network = TriplaneGenerator(FULL).eval().requires_grad_(False)
    label = torch.tensor(orbit_label(20, 5))[None]
    ws = network.mapping(torch.randn(1, 512), label, 0.7)
    planes = network.planes(ws)
    picture = network.finish(network.render(planes, label), ws)
    assert picture.image is not None
    assert picture.image.shape == (1, 3, 512, 512)
    assert torch.isfinite(picture.image).all()
    assert 2.25 <= picture.depth.min() <= picture.depth.max() <= 3.35
    other = network.render(planes, label, chunk=1 << 14)
    torch.testing.assert_close(other.raw, picture.raw, atol=1e-5, rtol=0)


def test_pictures_do_not_depend_on_the_chunks(tiny, latent, front):
    planes = tiny.planes(latent)
    whole, parts = tiny.render(planes, front), tiny.render(planes, front, chunk=100)
    torch.testing.assert_close(parts.features, whole.features)
    torch.testing.assert_close(parts.depth, whole.depth)
    assert whole.raw.shape == (1, 3, 12, 12)


def test_a_turned_camera_sees_another_side(tiny, latent, front):
    side = torch.tensor(orbit_label(60))[None]
    first, second = tiny.synthesis(latent, front), tiny.synthesis(latent, side)
    assert first.image.shape == (1, 3, 48, 48)
    assert (first.raw - second.raw).abs().mean() > 0.01


def test_labels_may_be_left_out(tiny, front):
    z, other = torch.randn(1, TINY.z), torch.tensor(orbit_label(30))[None]
    assert not torch.allclose(tiny.mapping(z, other), tiny.mapping(z, front))
    without = TriplaneGenerator(replace(TINY, rendering=replace(TINY.rendering, label_zero=True))).eval()
    without.load_state_dict(tiny.state_dict())
    assert torch.equal(without.mapping(z, front), without.mapping(z, torch.randn(1, 25)))


def test_gradients_reach_latent_and_weights(front):
    network = TriplaneGenerator(TINY)
    ws = torch.randn(1, network.layers, TINY.w, requires_grad=True)
    image = network.synthesis(ws, front, "const").image
    assert image is not None
    image.square().mean().backward()
    assert ws.grad is not None
    assert (ws.grad.abs().sum(-1) > 0).all()
    for name, weight in network.named_parameters():
        drawing = not name.startswith("backbone.mapping.") and not (
            name.startswith("superresolution.") and name.endswith("noise_strength")  # its noise is left out
        )
        assert (weight.grad is not None) == drawing, name


def test_a_label_for_each_latent(tiny, latent):
    with pytest.raises(ValueError, match=r"\(1,25\)"):
        tiny.synthesis(latent, torch.zeros(1, 16))
