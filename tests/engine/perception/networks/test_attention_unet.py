"""The network is the published one, and refuses what it cannot take."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.perception.networks.attention_unet import AttentionGate, AttentionUNet, Enlargement


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict[str, torch.Tensor]:
    """The reference implementation's seeded weights."""
    place = importlib.util.spec_from_file_location("parity_regen", shared / "parity" / "regen.py")
    if place is None or place.loader is None:
        pytest.skip("needs shared/parity/regen.py")
    regen: Any = importlib.util.module_from_spec(place)
    place.loader.exec_module(regen)
    arrays = regen.regen(str(shared / "parity" / "attunet" / "attunet_spec.json"))
    return {key: torch.from_numpy(np.asarray(array)) for key, array in arrays.items()}


def test_same_answer_as_the_reference_implementation(shared: Path, reference: dict[str, torch.Tensor]):
    network = AttentionUNet(resize="nearest").eval()
    network.load_state_dict(reference, strict=True)
    vectors = np.load(shared / "parity" / "attunet" / "attunet.npz")
    with torch.inference_mode():
        answer = network(torch.from_numpy(vectors["x"].astype(np.float32))).numpy()
    assert answer.shape == vectors["y"].shape
    assert np.abs(vectors["y"]).max() > 5.0
    np.testing.assert_allclose(answer, vectors["y"], atol=1e-3)  # random weights blow rounding up; values reach 5.4


def test_same_names_and_shapes_as_the_reference_implementation(reference: dict[str, torch.Tensor]):
    own = {key: tuple(value.shape) for key, value in AttentionUNet().state_dict().items()}
    assert own == {key: tuple(value.shape) for key, value in reference.items()}


def test_maps_have_the_pictures_size():
    network = AttentionUNet(in_channels=4, out_channels=13, width=4).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 4, 32, 48)).shape == (2, 13, 32, 48)


def test_weights_grow_with_the_square_of_the_width():
    sizes = {width: sum(p.numel() for p in AttentionUNet(3, 13, width).parameters()) for width in (8, 16)}
    assert sizes[16] == 2_184_945
    assert 3.8 < sizes[16] / sizes[8] < 4.0


def test_gradient_reaches_every_weight():
    network = AttentionUNet(out_channels=2, width=4).train()
    network(torch.randn(2, 3, 32, 32)).square().mean().backward()
    biases = {f"{name}.bias" for name, layer in network.named_modules() if isinstance(layer, torch.nn.Conv2d)} - {
        "Conv_1x1.bias"
    }  # right before batch normalisation, where a bias changes nothing
    for name, weight in network.named_parameters():
        assert weight.grad is not None
        assert weight.grad.isfinite().all()
        assert name in biases or weight.grad.abs().sum() > 0, name
    assert network.Conv1.conv[0].weight.grad.abs().max() > 1e-7  # type: ignore[union-attr]


def test_gates_lie_between_shut_and_open_and_scale_the_skip_connection():
    attend = AttentionGate(6, 3).train()
    below, skip = 3 * torch.randn(2, 6, 16, 16), 3 * torch.randn(2, 6, 16, 16)
    gate = attend.gate(below, skip).detach()
    assert gate.shape == (2, 1, 16, 16)
    assert 0.0 < float(gate.min()) < 0.4
    assert 0.6 < float(gate.max()) < 1.0
    torch.testing.assert_close(attend(below, skip).detach(), skip * gate)


def test_enlarging_is_bilinear():
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    resized = Enlargement(1, 1, "bilinear").up[0](ramp)
    torch.testing.assert_close(resized[0, 0, 3], torch.tensor([0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0]))


@pytest.mark.parametrize("size", [(120, 128), (128, 100), (8, 8), (0, 16)])
def test_sides_that_cannot_be_halved_four_times_are_refused(size: tuple[int, int]):
    with pytest.raises(ValueError, match="multiples of 16"):
        AttentionUNet(width=2)(torch.zeros(1, 3, *size))


def test_no_room_for_the_gates():
    with pytest.raises(ValueError, match="at least 2 channels"):
        AttentionUNet(width=1)
