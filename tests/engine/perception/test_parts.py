"""The parts network at work: a network made by hand sees what it must, its files are checked, its maps find home."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import ModelFileError
from engine.models.registry import PARTS_NETWORK
from engine.perception import parts
from engine.perception.crop import Window
from engine.perception.depth_scale import SPAN
from engine.perception.networks.parts import (
    SIDE,
    build_parts_network,
    describe_parts_network,
    network_input,
    split_output,
)
from engine.perception.networks.weights import load_network, save_network
from engine.perception.parts import PartsObservation, face_confidence, see_parts
from engine.perception.regions import GROUPS, REGIONS

SKIN, HAIR, BACKGROUND = REGIONS.index("skin"), REGIONS.index("hair"), REGIONS.index("background")


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a network that takes red for skin 3 cm before the eyes, and all else for background."""
    path = tmp_path_factory.mktemp("net") / "parts.safetensors"
    torch.manual_seed(0)
    network = build_parts_network(2)
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
        first, second = network.Conv1.conv[0], network.Conv1.conv[3]
        for norm in (network.Conv1.conv[1], network.Conv1.conv[4], network.Up_conv2.conv[1], network.Up_conv2.conv[4]):
            norm.weight.fill_(1.0)
        first.weight[0, 0, 1, 1] = 1.0  # red above the middle gives 0..2
        second.weight[0, 0, 1, 1] = 1.0
        network.Att2.psi[1].bias.fill_(20.0)  # gate open
        network.Up_conv2.conv[0].weight[0, 0, 1, 1] = 1.0
        network.Up_conv2.conv[3].weight[0, 0, 1, 1] = 1.0
        last = network.Conv_1x1
        last.weight[0, 0, 0, 0], last.bias[0] = -0.6, 1.0  # depth from 1 to -0.2
        last.weight[1 + SKIN, 0, 0, 0], last.bias[1 + BACKGROUND] = 20.0, 10.0
    save_network(path, network.state_dict(), describe_parts_network(2))
    return path


def red_square() -> np.ndarray:
    picture = np.zeros((200, 300, 3), np.uint8)
    picture[60:120, 100:180, 0] = 255
    return picture


@pytest.mark.parametrize("flipped", [False, True])
def test_sees_and_maps_find_home(by_hand: Path, flipped: bool):
    picture = red_square()
    window = Window(np.array([130.0, 95.0]), 160.0, roll=0.2, flipped=flipped)
    seen = see_parts(picture, window, by_hand)
    assert seen.regions.shape == (len(REGIONS), SIDE, SIDE)
    assert seen.regions.dtype == seen.depth.dtype == np.float32
    np.testing.assert_allclose(seen.regions.sum(axis=0), 1.0, atol=1e-5)
    skin = seen.on_picture(seen.region("skin"), 200, 300)
    inside, outside = np.zeros((200, 300), bool), np.ones((200, 300), bool)
    inside[63:117, 103:177], outside[57:123, 97:183] = True, False
    assert skin[inside].min() > 0.99
    assert skin[outside].max() < 0.01
    depth = seen.on_picture(seen.depth, 200, 300, outside=SPAN)
    np.testing.assert_allclose(depth[inside], -0.03, atol=1e-3)
    np.testing.assert_allclose(depth[outside], SPAN, atol=1e-3)
    assert seen.labels()[SIDE // 2, SIDE // 2] == SKIN
    assert seen.confidence > 0.95


def test_mirrored_look_changes_nothing_for_a_network_without_sides(by_hand: Path):
    window = Window(np.array([130.0, 95.0]), 128.0)
    one, two = (see_parts(red_square(), window, by_hand, mirrored=mirrored) for mirrored in (False, True))
    np.testing.assert_allclose(one.regions, two.regions, atol=1e-5)
    np.testing.assert_allclose(one.depth, two.depth, atol=1e-6)


def test_nothing_is_seen_with_confidence_where_no_face_is(by_hand: Path):
    window = Window(np.array([130.0, 95.0]), 160.0)
    assert see_parts(np.zeros((200, 300, 3), np.uint8), window, by_hand).confidence == 0.0
    uniform = np.full((len(REGIONS), 16, 16), 1 / len(REGIONS), np.float32)
    assert face_confidence(uniform) == 0.0
    small = np.zeros((len(REGIONS), 100, 100), np.float32)
    small[BACKGROUND] = 1.0
    small[:, :10, :30] = 0.0
    small[SKIN, :10, :30] = 1.0
    assert face_confidence(small) == pytest.approx(0.03 / parts.LEAST_FACE)
    small[SKIN], small[BACKGROUND] = 0.8, 0.2
    assert face_confidence(small) == pytest.approx(0.6)


def test_groups_sum_their_members():
    regions = np.zeros((len(REGIONS), 1, 2), np.float32)
    regions[SKIN, 0, 0], regions[REGIONS.index("lip"), 0, 0], regions[HAIR, 0, 0] = 0.5, 0.25, 0.25
    regions[BACKGROUND, 0, 1] = 1.0
    seen = PartsObservation(Window(np.zeros(2), 2.0), regions, np.zeros((1, 2), np.float32), 1.0)
    assert seen.group("skin").tolist() == [[0.75, 0.0]]
    assert seen.group("person").tolist() == [[1.0, 0.0]]
    assert seen.group("hair").tolist() == [[0.25, 0.0]]
    assert all(set(names) <= set(REGIONS) for names in GROUPS.values())


def test_input_is_scaled_as_documented():
    crops = torch.tensor([[[[0, 255, 51]]]], dtype=torch.uint8)
    torch.testing.assert_close(network_input(crops).flatten(), torch.tensor([-2.0, 2.0, -1.2]))
    assert network_input(torch.zeros(2, 8, 8, 3, dtype=torch.uint8)).is_contiguous(memory_format=torch.channels_last)
    depth, logits = split_output(torch.arange(26.0).reshape(2, 13, 1, 1))
    assert depth.flatten().tolist() == [0.0, 13.0]
    assert logits[1, :, 0, 0].tolist() == list(range(14, 26))


def test_half_precision_keeps_the_answer(tmp_path: Path):
    torch.manual_seed(3)
    network = build_parts_network(4).eval()
    save_network(tmp_path / "net", network.state_dict(), describe_parts_network(4))
    read = load_network(tmp_path / "net", lambda _: build_parts_network(4))
    assert not read.training
    assert not any(weight.requires_grad for weight in read.parameters())
    pictures = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(read(pictures), network(pictures), atol=3e-3, rtol=0)
    stored = load_file(tmp_path / "net")
    assert stored["Conv1.conv.0.weight"].dtype == torch.float16
    assert stored["Conv1.conv.1.running_var"].dtype == torch.float32


def damaged(path: Path, how: str) -> None:
    """Spoil a file of weights."""
    network = build_parts_network(2)
    state, right = network.state_dict(), describe_parts_network(2)
    if how == "cut off":
        path.write_bytes(path.read_bytes()[:5000])
    elif how == "text":
        path.write_text("not a network")
    elif how == "no description":
        save_file(state, path)
    elif how == "other kind":
        save_network(path, state, {"network": "points"})
    elif how == "other regions":
        save_network(path, state, {**right, "regions": ["background", "person"]})
    elif how == "other width":
        save_network(path, state, describe_parts_network(3))
    elif how == "numbers":
        state["Conv_1x1.bias"][0] = torch.nan
        save_file(state, path, {"likeness": '{"network": "parts", "width": 2, "regions": ' + regions_text() + "}"})


def regions_text() -> str:
    return "[" + ", ".join(f'"{name}"' for name in REGIONS) + "]"


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("cut off", "damaged"),
        ("text", "damaged"),
        ("no description", "damaged"),
        ("other kind", "another network"),
        ("other regions", "other regions"),
        ("other width", "another network"),
        ("numbers", "no numbers"),
    ],
)
def test_unusable_files_are_named(by_hand: Path, tmp_path: Path, how: str, message: str):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(by_hand.read_bytes())
    damaged(path, how)
    with pytest.raises(ModelFileError, match=message) as caught:
        see_parts(red_square(), Window(np.array([50.0, 50.0]), 64.0), path)
    assert "mine.safetensors" in caught.value.message
    assert caught.value.cure


def test_missing_and_exchanged_files(by_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    window = Window(np.array([50.0, 50.0]), 64.0)
    with pytest.raises(ModelFileError, match="cannot be read"):
        see_parts(red_square(), window, tmp_path / "nowhere.safetensors")
    empty = replace(PARTS_NETWORK, bundled=tmp_path / "none")
    monkeypatch.setattr(parts, "PARTS_NETWORK", empty)
    with pytest.raises(ModelFileError, match=r"parts\.safetensors"):
        see_parts(red_square(), window)
    digest = hashlib.sha256(by_hand.read_bytes()).hexdigest()
    monkeypatch.setattr(parts, "PARTS_NETWORK", replace(empty, bundled=by_hand.parent, sha256=digest))
    assert see_parts(red_square(), window).regions.shape[0] == len(REGIONS)
    parts._load.cache_clear()
    monkeypatch.setattr(parts, "PARTS_NETWORK", replace(empty, bundled=by_hand.parent, sha256="0" * 64))
    with pytest.raises(ModelFileError, match="SHA-256"):
        see_parts(red_square(), window)
