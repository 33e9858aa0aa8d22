"""StyleGAN2 gives what the papers' formulas give, carries the official names, and answers as the official network."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as nnf

from engine.texture.networks.discriminator import Discriminator, with_spread
from engine.texture.networks.stylegan2 import Generator, StyledConvolution, resolutions

LINE = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64)
FILTER = torch.outer(LINE, LINE) / 64


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(3)
    yield
    torch.set_num_threads(threads)


def seeded(network: torch.nn.Module) -> torch.nn.Module:
    """Every weight and buffer random, noise and biases too, double precision."""
    generator = torch.Generator().manual_seed(5)
    for name, value in network.state_dict().items():
        if not name.endswith("resample_filter"):
            value.copy_(torch.randn(value.shape, generator=generator) * (100.0 if "mapping.fc" in name else 1.0))
    return network.double().eval()


def spread_and_filtered(x: Tensor, up: int) -> Tensor:
    """Zeros between the samples of (C,h,w), then the filter as a plain sum over shifts: (C,up·h,up·w) for up 2."""
    channels, height, width = x.shape
    wide = torch.zeros(channels, up * height, up * width, dtype=x.dtype)
    wide[:, ::up, ::up] = x
    padded = nnf.pad(wide, (2, 1, 2, 1))
    shifted = [padded[:, i : i + up * height, j : j + up * width] * FILTER[i, j] for i in range(4) for j in range(4)]
    return up**2 * torch.stack(shifted).sum(0)


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x) * 2**0.5


def slow_mapping(state: dict[str, Tensor], z: Tensor, layers: int) -> Tensor:
    """One latent (z,) to w: normalised, then fully connected layers with weights a hundredth of those stored."""
    x = z / ((z * z).mean() + 1e-8) ** 0.5
    for number in range(layers):
        weight, bias = state[f"mapping.fc{number}.weight"], state[f"mapping.fc{number}.bias"]
        x = leaky(weight @ x * 0.01 / len(x) ** 0.5 + bias * 0.01)
    return x


def styles(state: dict[str, Tensor], layer: str, w: Tensor) -> Tensor:
    return state[f"{layer}.affine.weight"] @ w / len(w) ** 0.5 + state[f"{layer}.affine.bias"]


def slow_styled(state: dict[str, Tensor], layer: str, x: Tensor, w: Tensor, up: bool) -> Tensor:
    """Equations 1 and 3 of the paper as they stand: a kernel for this picture, modulated, then demodulated."""
    kernel = state[f"{layer}.weight"] * styles(state, layer, w)[None, :, None, None]
    kernel = kernel / ((kernel * kernel).sum((1, 2, 3), keepdim=True) + 1e-8) ** 0.5
    if up:
        # The picture's transposed convolution is a true one of what lies between zeros: the kernel turned round.
        channels, height, width = x.shape
        wide = torch.zeros(channels, 2 * height + 3, 2 * width + 3, dtype=x.dtype)
        wide[:, 2:-1:2, 2:-1:2] = x
        rough = nnf.conv2d(wide[None], kernel.flip(2, 3))[0]
        padded = nnf.pad(rough, (1, 1, 1, 1))
        side = 2 * height
        x = 4 * sum(padded[:, i : i + side, j : j + side] * FILTER[i, j] for i in range(4) for j in range(4))
    else:
        x = nnf.conv2d(x[None], kernel, padding=1)[0]
    x = x + state[f"{layer}.noise_const"] * state[f"{layer}.noise_strength"]
    return leaky(x + state[f"{layer}.bias"][:, None, None])


def slow_picture(state: dict[str, Tensor], block: str, x: Tensor, w: Tensor) -> Tensor:
    layer = f"{block}.torgb"
    kernel = state[f"{layer}.weight"][:, :, 0, 0] * styles(state, layer, w) / len(x) ** 0.5
    return torch.einsum("oi,ihw->ohw", kernel, x) + state[f"{layer}.bias"][:, None, None]


def test_same_as_the_formulas_of_the_paper():
    network: Any = seeded(Generator(6, 5, 16, 64, 7, mapping_layers=3, clamp=None))
    state = network.state_dict()
    z = torch.randn(6, dtype=torch.float64)
    w = slow_mapping(state, z, 3)
    x, image = state["synthesis.b4.const"], torch.zeros(3, 2, 2, dtype=torch.float64)
    for side in (4, 8, 16):
        block = f"synthesis.b{side}"
        if side > 4:
            x = slow_styled(state, f"{block}.conv0", x, w, up=True)
        x = slow_styled(state, f"{block}.conv1", x, w, up=False)
        image = spread_and_filtered(image, 2) + slow_picture(state, block, x, w)
    with torch.no_grad():
        ws = network.mapping(z[None])
        made = network.synthesis(ws)
    torch.testing.assert_close(ws[0, 0], w)
    assert made.shape == (1, 3, 16, 16)
    torch.testing.assert_close(made[0], image)


def test_each_layer_has_a_w_of_its_own():
    """Ws 0 and 1 are of the first block and its picture; the picture shares its w with the next block's first layer."""
    network: Any = seeded(Generator(4, 5, 8, 64, 6, clamp=None))
    state = network.state_dict()
    ws = torch.randn(1, 4, 5, dtype=torch.float64)
    x = slow_styled(state, "synthesis.b4.conv1", state["synthesis.b4.const"], ws[0, 0], up=False)
    image = spread_and_filtered(slow_picture(state, "synthesis.b4", x, ws[0, 1]), 2)
    x = slow_styled(state, "synthesis.b8.conv0", x, ws[0, 1], up=True)
    x = slow_styled(state, "synthesis.b8.conv1", x, ws[0, 2], up=False)
    image = image + slow_picture(state, "synthesis.b8", x, ws[0, 3])
    torch.testing.assert_close(network.synthesis(ws)[0], image)


def slow_judgement(state: dict[str, Tensor], pictures: Tensor, sides: tuple[int, ...]) -> Tensor:
    """The discriminator, picture after picture, from the official description."""

    def convolved(x: Tensor, layer: str, down: bool = False) -> Tensor:
        weight = state[f"{layer}.weight"]
        weight = weight / (weight[0].numel()) ** 0.5
        around = weight.shape[2] // 2
        if down:
            before = around + 1
            padded, size = nnf.pad(x, (before,) * 4), x.shape[1] + 2 * before - 3
            x = sum(padded[:, i : i + size, j : j + size] * FILTER[i, j] for i in range(4) for j in range(4))  # type: ignore[assignment]
            return nnf.conv2d(x[None], weight, stride=2)[0]
        return nnf.conv2d(x[None], weight, padding=around)[0]

    def with_bias(x: Tensor, layer: str) -> Tensor:
        return leaky(x + state[f"{layer}.bias"][:, None, None])

    maps = []
    for picture in pictures:
        x = with_bias(convolved(picture, f"b{sides[0]}.fromrgb"), f"b{sides[0]}.fromrgb")
        for side in sides:
            short = convolved(x, f"b{side}.skip", down=True)
            x = with_bias(convolved(x, f"b{side}.conv0"), f"b{side}.conv0")
            x = with_bias(convolved(x, f"b{side}.conv1", down=True), f"b{side}.conv1")
            x = (x + short) * 0.5**0.5
        maps.append(x)
    stacked = torch.stack(maps)
    spread = ((stacked - stacked.mean(0)) ** 2).mean(0).add(1e-8).sqrt().mean()
    judged = []
    for x in maps:
        x = torch.cat([x, torch.full((1, 4, 4), float(spread), dtype=x.dtype)])
        x = with_bias(convolved(x, "b4.conv"), "b4.conv").flatten()
        x = leaky(state["b4.fc.weight"] @ x / len(x) ** 0.5 + state["b4.fc.bias"])
        judged.append(state["b4.out.weight"] @ x / len(x) ** 0.5 + state["b4.out.bias"])
    return torch.stack(judged)


def test_the_discriminator_is_the_described_one():
    network: Any = seeded(Discriminator(16, 64, 7, group=4, clamp=None))
    pictures = torch.randn(3, 3, 16, 16, dtype=torch.float64)
    judged = network(pictures)
    assert judged.shape == (3, 1)
    torch.testing.assert_close(judged, slow_judgement(network.state_dict(), pictures, (16, 8)))


def test_names_are_the_official_ones():
    names = {name: tuple(value.shape) for name, value in Generator(512, 512, 8, 32768, 512).state_dict().items()}
    assert names["mapping.fc0.weight"] == names["mapping.fc7.weight"] == (512, 512)
    assert names["mapping.w_avg"] == (512,)
    block = {name.removeprefix("synthesis.b8."): shape for name, shape in names.items() if ".b8." in name}
    layer = {
        "weight": (512, 512, 3, 3),
        "bias": (512,),
        "affine.weight": (512, 512),
        "affine.bias": (512,),
        "noise_const": (8, 8),
        "noise_strength": (),
        "resample_filter": (4, 4),
    }
    picture = {
        "torgb.weight": (3, 512, 1, 1),
        "torgb.bias": (3,),
        "torgb.affine.weight": (512, 512),
        "torgb.affine.bias": (512,),
    }
    expected = {f"conv{k}.{name}": shape for k in (0, 1) for name, shape in layer.items()}
    assert block == expected | picture | {"resample_filter": (4, 4)}
    first = {name.removeprefix("synthesis.b4.") for name in names if ".b4." in name}
    assert first == {"const", "resample_filter", *(f"conv1.{name}" for name in layer), *picture}
    judge = set(Discriminator(8, 32768, 512).state_dict())
    convolution = {"weight", "bias", "resample_filter"}
    assert judge == {
        *(f"b8.{part}.{name}" for part in ("fromrgb", "conv0", "conv1") for name in convolution),
        *("b8.skip.weight", "b8.skip.resample_filter", "b8.resample_filter"),
        *(f"b4.conv.{name}" for name in convolution),
        *(f"b4.{part}.{name}" for part in ("fc", "out") for name in ("weight", "bias")),
    }


def test_a_full_size_network_has_the_official_number_of_weights():
    with torch.device("meta"):
        generator, judge = Generator(512, 512, 1024, 32768, 512), Discriminator(1024, 32768, 512)
    assert sum(value.numel() for value in generator.parameters()) == 30_370_060
    assert sum(value.numel() for value in judge.parameters()) == 29_012_513
    assert generator.num_ws == 18


def test_same_answer_as_the_official_backbone(shared: Path):
    """EG3D's planes come from the official StyleGAN2 with 96 channels, whose seeded answers are kept."""
    folder = shared / "parity"
    place = importlib.util.spec_from_file_location("parity_regen", folder / "regen.py")
    if place is None or place.loader is None:
        pytest.skip("needs shared/parity/regen.py")
    regen: Any = importlib.util.module_from_spec(place)
    place.loader.exec_module(regen)
    stored = regen.regen(str(folder / "eg3d" / "small_spec.json"))
    state = {
        name.removeprefix("backbone."): torch.from_numpy(np.asarray(value))
        for name, value in stored.items()
        if name.startswith("backbone.")
    }
    network = Generator(512, 512, 256, 2048, 32, 2, img_channels=96, label_size=25, clamp=None)
    network.load_state_dict(state, strict=True)
    known = np.load(folder / "eg3d" / "small.npz")
    label = torch.from_numpy(known["c"][[0, 0]])  # both were mapped with the first camera
    with torch.inference_mode():
        z = torch.from_numpy(known["z"])
        ws = network.mapping(z, 1.0, label)
        short = network.mapping(z, 0.7, label)
        planes = network.synthesis(short).view(2, 3, 32, 256, 256).numpy()
    np.testing.assert_allclose(ws[:, 0].numpy(), known["ws"], atol=1e-5)
    np.testing.assert_allclose(short[:, 5].numpy(), known["ws_trunc07"], atol=1e-5)
    np.testing.assert_allclose(planes.mean((3, 4)), known["planes_mean"], atol=1e-5)
    np.testing.assert_allclose(planes.std((3, 4), ddof=1), known["planes_std"], atol=1e-5)


def test_a_truncated_latent_lies_nearer_to_the_mean():
    network = Generator(4, 6, 4, 64, 6)
    network.mapping.w_avg.copy_(torch.arange(6.0))
    z = torch.randn(2, 4)
    whole, half = network.mapping(z), network.mapping(z, truncation=0.5)
    torch.testing.assert_close(half - network.mapping.w_avg, 0.5 * (whole - network.mapping.w_avg))


def test_noise_is_kept_left_out_or_drawn_from_a_seed():
    layer = StyledConvolution(2, 3, 4, 8)
    with torch.no_grad():
        layer.noise_strength.fill_(0.5)
    x, w = torch.randn(2, 2, 8, 8), torch.randn(2, 4)

    def run(noise: Any, seed: int = 0) -> Tensor:
        return layer(x, w, noise, torch.Generator().manual_seed(seed))

    assert torch.equal(run("random", 1), run("random", 1))
    assert not torch.equal(run("random", 1), run("random", 2))
    plain, kept = run("none"), run("const")
    before = torch.where(plain > 0, plain, plain / 0.2) / 2**0.5
    torch.testing.assert_close(leaky(before + 0.5 * layer.noise_const), kept)


def test_activations_are_cut_at_the_clamp():
    network = Generator(4, 4, 4, 64, 6, clamp=0.25)
    network.load_state_dict({name: 10 * value for name, value in network.state_dict().items()})
    assert network(torch.randn(2, 4)).detach().abs().max().item() == 0.25


def test_gradients_are_right():
    layer = StyledConvolution(2, 2, 3, 8, up=True, clamp=None).double()
    x, w = (torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in ((1, 2, 4, 4), (1, 3)))
    assert torch.autograd.gradcheck(lambda a, b: layer(a, b, "const", None), (x, w))


def test_gradients_reach_every_weight():
    network, judge = Generator(8, 8, 16, 128, 8, 2), Discriminator(16, 128, 8)
    judge(network(torch.randn(4, 8), noise="random")).sum().backward()
    for part in (network, judge):
        for name, weight in part.named_parameters():
            assert weight.grad is not None, name
            assert torch.isfinite(weight.grad).all(), name


def test_spread_is_the_mean_deviation_of_the_group():
    x = torch.tensor([0.0, 2.0, 10.0, 16.0]).reshape(4, 1, 1, 1).expand(4, 3, 2, 2)
    # Groups of two are pictures 0 and 2, 1 and 3: deviations 5 and 7.
    assert with_spread(x, 2)[:, 3, 0, 0].tolist() == pytest.approx([5.0, 7.0, 5.0, 7.0])


@pytest.mark.parametrize("wrong", [3, 2, 0, 96])
def test_sides_are_powers_of_two(wrong: int):
    with pytest.raises(ValueError, match="power of two"):
        resolutions(wrong)


def test_latents_of_another_network_are_refused():
    with pytest.raises(ValueError, match=r"\(B,4,w\)"):
        Generator(4, 4, 8, 64, 6).synthesis(torch.zeros(1, 6, 4))
