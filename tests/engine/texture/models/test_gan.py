"""Generators from users' files, in each format, are the generators that were saved."""

import pickle
import re
import sys
import types
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as nnf

from engine.errors import ModelFileError
from engine.texture.models.gan import StyleGan2Texture, load_progressive, load_stylegan2
from engine.texture.models.gan_files import (
    from_rosinality,
    measured_statistics,
    read_progressive,
    read_statistics,
    read_stylegan2,
)
from engine.texture.models.model import TextureModel
from engine.texture.models.uv_transfer import UvTransfer
from engine.texture.networks.progressive import ProgressiveGenerator
from engine.texture.networks.stylegan2 import Generator


def seeded(network, seed=0):
    """The network with random weights; those of the mapping are used at a hundredth, so they are large."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            size = 100 if name.startswith("mapping") else 1
            weight.copy_(size * torch.randn(weight.shape, generator=generator))
    return network.eval().requires_grad_(False)


@pytest.fixture
def generator():
    """16 pixels, channels 8, 8, 4."""
    return seeded(Generator(6, 8, 16, 64, 8, mapping_layers=3))


@pytest.fixture
def transfer():
    """A square of 8 texels that shows the whole source."""
    centre = (torch.arange(8) + 0.5) / 8 * 2 - 1
    grid = torch.stack([centre.expand(8, 8), centre[:, None].expand(8, 8)], -1)
    return UvTransfer(grid, torch.ones(8, 8))


def same(first, second):
    """Whether two generators paint the same."""
    ws = torch.randn(2, second.num_ws, second.w_dim, generator=torch.Generator().manual_seed(5))
    return torch.equal(first.synthesis(ws), second.synthesis(ws))


def as_persistent(state, monkeypatch, arguments):
    """A state dict as the nested persistent objects of an official pickle."""
    module = types.ModuleType("torch_utils.persistence")
    monkeypatch.setitem(sys.modules, "torch_utils", types.ModuleType("torch_utils"))
    monkeypatch.setitem(sys.modules, "torch_utils.persistence", module)

    def reconstruct(meta):
        raise AssertionError("this must not be called")

    reconstruct.__module__ = module.__name__
    reconstruct.__qualname__ = reconstruct.__name__ = "_reconstruct_persistent_obj"
    module._reconstruct_persistent_obj = reconstruct  # type: ignore[attr-defined]

    class Persistent:
        def __init__(self, state):
            self.state = state

        def __reduce__(self):
            meta = {"type": "class", "version": 6, "module_src": "", "class_name": "Part", "state": self.state}
            return reconstruct, (meta,), None

    def part(prefix):
        inner = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        children = OrderedDict.fromkeys(name.split(".")[0] for name in inner if "." in name)
        return Persistent(
            {
                "_parameters": OrderedDict((n, v) for n, v in inner.items() if "." not in n and "noise_const" not in n),
                "_buffers": OrderedDict((n, v) for n, v in inner.items() if "noise_const" in n and "." not in n),
                "_modules": OrderedDict((n, part(f"{prefix}{n}.")) for n in children),
                "_init_kwargs": arguments if not prefix else {},
            }
        )

    return part("")


def test_raw_state_dicts_are_read_whatever_holds_them(tmp_path, generator):
    path, state = tmp_path / "texgan.pth", generator.state_dict()
    for thing in (state, {"g_ema": state, "g": {}}, {"generator": {f"module.{k}": v for k, v in state.items()}}):
        torch.save(thing, path)
        found = read_stylegan2(path)
        assert same(found, generator)
        assert (found.z_dim, found.w_dim, found.resolution, found.mapping.layers) == (6, 8, 16, 3)
    save_file(dict(state), path)
    assert same(read_stylegan2(path), generator)


def test_official_pickles_are_read(tmp_path, generator, monkeypatch):
    path = tmp_path / "network.pkl"
    for clamp in (None, 256):
        arguments = {"z_dim": 6, "synthesis_kwargs": {"conv_clamp": clamp}}
        whole = as_persistent(generator.state_dict(), monkeypatch, arguments)
        path.write_bytes(pickle.dumps({"G": whole, "D": None, "G_ema": whole}))
        found = read_stylegan2(path)
        assert same(found, generator)
        assert found.synthesis.b8.conv0.clamp == clamp


def rosinality(generator):
    """A generator's weights by the names and shapes of rosinality/stylegan2-pytorch, written out for 16 pixels."""
    own = generator.state_dict()
    layers = {"conv1": ("b4.conv1", 0), "convs.0": ("b8.conv0", 1), "convs.1": ("b8.conv1", 2)}
    layers |= {"convs.2": ("b16.conv0", 3), "convs.3": ("b16.conv1", 4)}
    state = {"input.input": own["synthesis.b4.const"][None]}
    for number in range(3):
        for kind in ("weight", "bias"):
            state[f"style.{number + 1}.{kind}"] = own[f"mapping.fc{number}.{kind}"]
    for theirs, (name, noise) in layers.items():
        state[f"{theirs}.conv.weight"] = own[f"synthesis.{name}.weight"][None]
        for kind in ("weight", "bias"):
            state[f"{theirs}.conv.modulation.{kind}"] = own[f"synthesis.{name}.affine.{kind}"]
        state[f"{theirs}.noise.weight"] = own[f"synthesis.{name}.noise_strength"].reshape(1)
        state[f"{theirs}.activate.bias"] = own[f"synthesis.{name}.bias"]
        state[f"noises.noise_{noise}"] = own[f"synthesis.{name}.noise_const"][None, None]
    for theirs, name in {"to_rgb1": "b4", "to_rgbs.0": "b8", "to_rgbs.1": "b16"}.items():
        state[f"{theirs}.conv.weight"] = own[f"synthesis.{name}.torgb.weight"][None]
        for kind in ("weight", "bias"):
            state[f"{theirs}.conv.modulation.{kind}"] = own[f"synthesis.{name}.torgb.affine.{kind}"]
        state[f"{theirs}.bias"] = own[f"synthesis.{name}.torgb.bias"].reshape(1, 3, 1, 1)
    state["convs.0.conv.blur.kernel"] = torch.ones(4, 4)
    return state


def test_rosinalitys_files_are_read_under_the_official_names(tmp_path, generator):
    path, state = tmp_path / "stylegan2.pt", rosinality(generator)
    torch.save({"g": {}, "d": {}, "g_ema": state, "latent_avg": torch.arange(8.0)}, path)
    found = read_stylegan2(path)
    assert same(found, generator)
    np.testing.assert_array_equal(found.mapping.w_avg, np.arange(8))
    assert set(from_rosinality(state)) == {
        name for name in generator.state_dict() if not re.search("resample_filter|w_avg", name)
    }


def test_rosinalitys_formula_gives_the_same_picture(tmp_path, generator):
    """Its kernels are scaled, modulated, demodulated; then noise, bias and a leaky ReLU."""
    state = rosinality(generator)
    path = tmp_path / "stylegan2.pt"
    torch.save({"g_ema": state}, path)
    w = torch.randn(1, 8, generator=torch.Generator().manual_seed(3))
    line = torch.tensor([1.0, 3, 3, 1])
    kernel = torch.outer(line, line) / 64

    def blur(x, before, after):
        padded = nnf.pad(x, (before, after, before, after))
        return nnf.conv2d(padded.transpose(0, 1), 4 * kernel[None, None]).transpose(0, 1)

    def style(name):
        weight = state[f"{name}.modulation.weight"]
        return w @ weight.T / np.sqrt(weight.shape[1]) + state[f"{name}.modulation.bias"]

    def layer(name, x, noise, up):
        kernels = state[f"{name}.conv.weight"][0]
        kernels = kernels / np.sqrt(kernels[0].numel()) * style(f"{name}.conv").view(1, -1, 1, 1)
        kernels = kernels * (kernels.square().sum((1, 2, 3), keepdim=True) + 1e-8).rsqrt()
        if up:
            x = blur(nnf.conv_transpose2d(x, kernels.transpose(0, 1), stride=2), 1, 1)
        else:
            x = nnf.conv2d(x, kernels, padding=1)
        x = x + state[f"{name}.noise.weight"] * state[f"noises.noise_{noise}"]
        return nnf.leaky_relu(x + state[f"{name}.activate.bias"].view(1, -1, 1, 1), 0.2) * 2**0.5

    def rgb(name, x):
        kernels = state[f"{name}.conv.weight"][0]
        kernels = kernels / np.sqrt(kernels.shape[1]) * style(f"{name}.conv").view(1, -1, 1, 1)
        return nnf.conv2d(x, kernels) + state[f"{name}.bias"]

    def wider(picture):
        spread = torch.zeros(1, 3, 2 * picture.shape[2], 2 * picture.shape[3])
        spread[..., ::2, ::2] = picture
        return blur(spread, 2, 1)

    x = layer("conv1", state["input.input"], 0, False)
    picture = rgb("to_rgb1", x)
    for k in range(2):
        x = layer(f"convs.{2 * k}", x, 2 * k + 1, True)
        x = layer(f"convs.{2 * k + 1}", x, 2 * k + 2, False)
        picture = wider(picture) + rgb(f"to_rgbs.{k}", x)
    found = read_stylegan2(path)
    scale = float(picture.abs().max())
    np.testing.assert_allclose(found.synthesis(w[:, None].expand(-1, 6, -1)), picture, atol=1e-4 * scale)


def test_the_latent_is_w_in_standard_deviations(tmp_path, generator, transfer):
    path = tmp_path / "texgan.pth"
    torch.save(generator.state_dict(), path)
    mean, deviation = torch.randn(8, generator=torch.Generator().manual_seed(1)), torch.arange(8) / 4 + 0.5
    torch.save({"w_avg": mean.view(1, 1, 8), "w_std": deviation.view(1, 1, 8)}, tmp_path / "texgan.pt")
    one, all_layers = load_stylegan2(path, transfer), load_stylegan2(path, transfer, "w+")
    assert one.latent_shape == (8,)
    assert all_layers.latent_shape == (6, 8)
    latent = torch.randn(2, 8, generator=torch.Generator().manual_seed(2))
    w = (latent * deviation + mean)[:, None].expand(-1, 6, -1)
    np.testing.assert_allclose(one.source(latent), (generator.synthesis(w) + 1) / 2, rtol=1e-5, atol=1e-5)
    repeated = latent[:, None].expand(-1, 6, -1)
    np.testing.assert_allclose(all_layers.albedo(repeated), one.albedo(latent), atol=1e-6)
    np.testing.assert_allclose(all_layers.penalty(repeated), one.penalty(latent), rtol=1e-6)
    np.testing.assert_allclose(one.penalty(latent), (latent**2).mean(1), rtol=1e-6)
    for model in (one, all_layers):
        assert isinstance(model, TextureModel)
        assert model.albedo(latent if model is one else repeated).shape == (2, 3, 8, 8)
        np.testing.assert_array_equal(model.start(), 0)


def test_draws_are_pictures_of_the_generators_own_prior(generator, transfer):
    model = StyleGan2Texture("toy", generator, measured_statistics(generator, 4000), "w", transfer, {})
    z = torch.randn((1, 6), generator=torch.Generator().manual_seed(9))
    w = generator.mapping(z)
    np.testing.assert_allclose(model.source(model.start(9)[None]), (generator.synthesis(w) + 1) / 2, atol=1e-3)
    many = torch.stack([model.start(seed) for seed in range(300)])
    assert float(many.mean()) == pytest.approx(0, abs=0.1)
    assert float(many.std()) == pytest.approx(1, abs=0.1)
    assert torch.equal(model.start(4), model.start(4))


def test_the_albedo_has_a_gradient_and_stays_within_bounds(generator, transfer):
    model = StyleGan2Texture("toy", generator, measured_statistics(generator, 1000), "w+", transfer, {})
    latent = model.start(1)[None].requires_grad_()
    albedo = model.albedo(latent)
    assert float(albedo.detach().min()) >= 0
    assert float(albedo.detach().max()) <= 1
    albedo.sum().backward()
    assert latent.grad is not None
    assert float(latent.grad.abs().sum()) > 0
    assert bool(latent.grad.isfinite().all())


def broken(state, **changes):
    return {name: value for name, value in {**state, **changes}.items() if value is not None}


def test_wrong_generators_are_named_with_what_was_expected_and_found(tmp_path, generator):
    path, state = tmp_path / "texgan.pth", generator.state_dict()
    cases = [
        ({"encoder": {}}, "should hold a StyleGAN2 generator .* but has encoder"),
        (broken(state, **{"synthesis.b8.conv1.bias": None}), r"synthesis\.b8\.conv1\.bias is missing"),
        (broken(state, **{"synthesis.b16.torgb.weight": torch.zeros(3, 5, 1, 1)}), r"\(3, 5, 1, 1\), expected"),
        (broken(state, **{"mapping.embed.weight": torch.zeros(2, 2)}), "labels"),
        (broken(state, **{"synthesis.b4.const": torch.full((8, 4, 4), torch.nan)}), "numbers that are none"),
        (broken(state, **{"synthesis.b8.conv1.weight": None}), "its resolutions are"),
    ]
    for thing, message in cases:
        torch.save(thing, path)
        with pytest.raises(ModelFileError, match=message) as caught:
            read_stylegan2(path)
        assert str(path) in caught.value.message
        assert caught.value.cure


def test_wrong_statistics_are_named(tmp_path, generator, transfer):
    path, beside = tmp_path / "texgan.pth", tmp_path / "texgan.pt"
    torch.save(generator.state_dict(), path)
    assert read_statistics(path) is None
    cases = [
        ({"w_avg": torch.zeros(8)}, "no w_avg and w_std"),
        ({"w_avg": torch.zeros(8), "w_std": torch.zeros(8)}, "no deviations"),
        ({"w_avg": torch.zeros(5), "w_std": torch.ones(5)}, "for w of 5 numbers, the generator has 8"),
    ]
    for thing, message in cases:
        torch.save(thing, beside)
        with pytest.raises(ModelFileError, match=message):
            load_stylegan2(path, transfer)


@pytest.fixture
def zoo_config(monkeypatch):
    """Makes objects of `models.utils.config.BaseConfig`, a class that is not here when the file is read."""
    names = ("models", "models.utils", "models.utils.config")
    for name in names:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    base = type("BaseConfig", (), {"__module__": names[-1]})
    sys.modules[names[-1]].BaseConfig = base  # type: ignore[attr-defined]

    def make(**values):
        made = base()
        vars(made).update(values)
        return made

    return make


def test_progressive_generators_are_read_from_each_entry(tmp_path, transfer):
    network = seeded(ProgressiveGenerator(5, [6, 4, 3]))
    latent = torch.randn(2, 5, generator=torch.Generator().manual_seed(1))
    path = tmp_path / "pgan.pt"
    for thing in (
        network.state_dict(),
        {"generator": network.state_dict()},
        {"netG": {}, "avgG": network.state_dict()},
        {"netG": network.state_dict(), "netD": {}},
    ):
        torch.save(thing, path)
        model = load_progressive(path, transfer)
        np.testing.assert_array_equal(model.source(latent), (network(latent) + 1) / 2)
    assert isinstance(model, TextureModel)
    assert model.albedo(latent).shape == (2, 3, 8, 8)
    np.testing.assert_allclose(model.penalty(torch.full((1, 5), 2.0)), [9])
    np.testing.assert_array_equal(model.start(), model.start(0))


def test_the_settings_of_a_growing_generator_count(tmp_path, zoo_config):
    path = tmp_path / "pgan.pt"
    network = seeded(ProgressiveGenerator(5, [6, 4], blend=0.25, squash=True))
    config = zoo_config(alpha=0.25, lossCriterion="DCGAN", perChannelNormalization=True, equalizedlR=True)
    torch.save({"config": config, "avgG": network.state_dict()}, path)
    latent = torch.ones(1, 5)
    np.testing.assert_array_equal(read_progressive(path)(latent), network(latent))


def test_wrong_progressive_generators_are_named(tmp_path):
    path = tmp_path / "pgan.pt"
    state = ProgressiveGenerator(5, [6, 4]).state_dict()
    torch.save({"netD": {}}, path)
    with pytest.raises(ModelFileError, match=r"should hold a progressive GAN's generator .* but has netD"):
        read_progressive(path)
    torch.save(broken(state, **{"toRGBLayers.1.module.weight": torch.zeros(1, 4, 1, 1)}), path)
    with pytest.raises(ModelFileError, match=r"\(1, 4, 1, 1\), expected \(3, 4, 1, 1\)"):
        read_progressive(path)
