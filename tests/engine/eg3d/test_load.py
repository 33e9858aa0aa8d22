"""The published pickle is read without running it, and other networks are told apart."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from engine.eg3d.config import FULL, PLANE_AXES, TINY, to_json
from engine.eg3d.generator import TriplaneGenerator
from engine.eg3d.load import CONFIGURATION, load_generator, save_generator
from engine.errors import ModelFileError
from engine.models.convert import convert
from engine.models.identify import identify
from engine.models.registry import EG3D

THIN = {"channel_base": 512, "channel_max": 8}


@pytest.fixture(scope="module")
def kwargs(shared):
    path = shared / "parity" / "eg3d" / "full_init_kwargs.json"
    if not path.is_file():
        pytest.skip("needs shared/parity/eg3d")
    return json.loads(path.read_text())["init_kwargs"] | THIN


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return TriplaneGenerator(replace(FULL, **THIN)).state_dict()


def matrices(*axes) -> torch.Tensor:
    """(3,3,3) permutations that send coordinates (a, b, rest) to columns, rows and away."""
    found = torch.zeros(3, 3, 3)
    for plane, (first, second) in enumerate(axes):
        for place, axis in enumerate((first, second, 3 - first - second)):
            found[plane, place, axis] = 1
    return found


def test_the_published_pickle_is_read_and_nothing_in_it_runs(published, kwargs, weights, tmp_path):
    path = published(weights, kwargs, neural_rendering_resolution=128, axes=matrices(*PLANE_AXES))
    network = load_generator(path)
    assert network.config == replace(FULL, **THIN)  # 128 from the state; the arguments leave it at 64
    found = network.state_dict()
    assert all(torch.equal(found[name], value) for name, value in weights.items())
    assert not network.training
    assert not any(value.requires_grad for value in network.parameters())
    assert not (tmp_path / "it ran").exists()


def test_networks_of_the_corrected_code_have_other_planes(published, kwargs, weights):
    """Published matrices are (x,y), (x,z), (z,x), whose inverses the code takes; the corrected third is (z,y)."""
    official = torch.tensor([[[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, 1], [0, 1, 0]],
                             [[0, 0, 1], [1, 0, 0], [0, 1, 0]]]).float()  # fmt: skip
    points = torch.randn(5, 3)
    projected = (points[None] @ torch.linalg.inv(official))[..., :2]
    for plane, (first, second) in enumerate(PLANE_AXES):
        torch.testing.assert_close(projected[plane], points[:, [first, second]])
    assert load_generator(published(weights, kwargs, axes=official)).config.axes == PLANE_AXES
    corrected = matrices((0, 1), (0, 2), (2, 1))
    assert load_generator(published(weights, kwargs, axes=corrected)).config.axes == ((0, 1), (0, 2), (2, 1))


def test_a_converted_pickle_keeps_its_planes_and_its_size(published, kwargs, weights, tmp_path):
    corrected = published(weights, kwargs, neural_rendering_resolution=128, axes=matrices((0, 1), (0, 2), (2, 1)))
    path = convert(corrected, tmp_path / "models", model=EG3D)
    network = load_generator(path)
    assert network.config == load_generator(corrected).config
    assert all(torch.equal(network.state_dict()[name], value) for name, value in weights.items())
    assert identify(path).kind == "eg3d"


def test_planes_aslant_are_refused(published, kwargs, weights):
    turned = torch.linalg.qr(torch.randn(3, 3, 3))[0]
    with pytest.raises(ModelFileError, match="do not lie along the axes"):
        load_generator(published(weights, kwargs, axes=turned))


def test_a_plain_stylegan2_is_named(published, kwargs, weights):
    with pytest.raises(ModelFileError, match="plain StyleGAN2") as caught:
        load_generator(published(weights, kwargs, class_name="Generator"))
    assert "ffhqrebalanced512-128.pkl" in caught.value.cure


@pytest.mark.parametrize(
    ("change", "training", "said"),
    [
        ({"avg_camera_pivot": [0, 0, -0.06]}, None, "cats"),
        ({"white_back": True}, None, "cars"),
        ({}, {"path": "/data/AFHQ_cats_512.zip"}, "cats"),
        ({}, {"path": "D:\\sets\\cars_train"}, "cars"),
        (
            {"superresolution_module": "training.superresolution.SuperresolutionHybrid2X"},
            None,
            "SuperresolutionHybrid2X",
        ),
    ],
)
def test_cats_cars_and_other_sizes_are_named(published, kwargs, change, training, said):
    own = kwargs | {"rendering_kwargs": kwargs["rendering_kwargs"] | change}
    with pytest.raises(ModelFileError, match=said) as caught:
        load_generator(published({"a": torch.zeros(1)}, own, training=training))
    assert "network.pkl" in caught.value.message


def test_missing_weights_are_named(published, kwargs, weights):
    fewer = {name: value for name, value in weights.items() if not name.startswith("superresolution.block1.")}
    with pytest.raises(ModelFileError, match=r"19 of \d+ entries are missing") as caught:
        load_generator(published(fewer, kwargs))
    assert "“superresolution.block1.resample_filter”" in caught.value.message
    assert caught.value.message.count("“") == 5
    assert "and 14 more" in caught.value.message


def test_missing_arguments_are_named(published, kwargs, weights):
    fewer = {name: value for name, value in kwargs.items() if name != "z_dim"}
    with pytest.raises(ModelFileError, match="z_dim"):
        load_generator(published(weights, fewer))


def test_a_state_dict_of_another_network_is_named(tmp_path):
    path = tmp_path / "net.safetensors"
    save_file({"synthesis.b4.const": torch.zeros(1), "mapping.fc0.weight": torch.zeros(1)}, path)
    with pytest.raises(ModelFileError, match="StyleGAN2"):
        load_generator(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"none\.pkl"):
        load_generator(tmp_path / "none.pkl")


@pytest.mark.slow
def test_a_state_dict_is_taken_for_the_published_network(tmp_path):
    network = TriplaneGenerator(FULL)
    torch.save({"G_ema": network.state_dict()}, tmp_path / "net.pt")
    found = load_generator(tmp_path / "net.pt")
    assert found.config == FULL
    assert torch.equal(found.decoder.net[0].weight, network.decoder.net[0].weight)  # type: ignore[union-attr]


def test_a_saved_generator_says_what_it_is(tiny, tmp_path):
    path = tmp_path / "tiny.safetensors"
    save_generator(tiny, path)
    found = load_generator(path)
    assert found.config == TINY
    weights = found.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in tiny.state_dict().items())


@pytest.mark.parametrize(
    "change", [{"w": 0}, {"w": "16"}, {"plane_side": 24}, {"mapping_layers": 5000}, {"axes": 3}, {"more": 1}, None]
)
def test_headers_that_say_something_else_are_refused(tiny, tmp_path, change):
    path = tmp_path / "tiny.safetensors"
    text = "[" if change is None else json.dumps(json.loads(to_json(TINY)) | change)
    save_file(tiny.state_dict(), path, {CONFIGURATION: text})
    with pytest.raises(ModelFileError, match=r"tiny\.safetensors.*configuration cannot be read"):
        load_generator(path)


def test_weights_of_another_size_than_the_header_says_are_refused(tiny, tmp_path):
    path = tmp_path / "tiny.safetensors"
    save_file(tiny.state_dict(), path, {CONFIGURATION: to_json(replace(TINY, hidden=8))})
    with pytest.raises(ModelFileError, match="another shape"):
        load_generator(path)
