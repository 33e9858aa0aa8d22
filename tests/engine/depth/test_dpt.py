"""DPT-Large: the published file's names and sizes, and the same classes in a narrow network that runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.depth.dpt import DPT, DptShape, Fusion, double_estimate, estimate, load_dpt
from engine.errors import ModelFileError

NARROW = DptShape(32, 4, 4, 64, 16, (0, 1, 2, 3), (8, 12, 16, 16), 16, 10)


def narrow() -> DPT:
    torch.manual_seed(0)
    return DPT(NARROW).eval()


def test_the_published_files_tensors() -> None:
    with torch.device("meta"):
        state = DPT().state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    assert len(shapes) == 368
    assert sum(value.numel() for value in state.values()) == pytest.approx(344e6, rel=1e-3)
    assert shapes["pretrained.model.pos_embed"] == (1, 577, 1024)
    assert shapes["pretrained.model.blocks.23.attn.qkv.weight"] == (3072, 1024)
    assert shapes["pretrained.model.head.weight"] == (1000, 1024)
    assert shapes["pretrained.act_postprocess1.0.project.0.weight"] == (1024, 2048)
    assert shapes["pretrained.act_postprocess1.3.weight"] == (256, 1024, 1, 1)
    assert shapes["pretrained.act_postprocess1.4.weight"] == (256, 256, 4, 4)
    assert shapes["pretrained.act_postprocess2.4.weight"] == (512, 512, 2, 2)
    assert "pretrained.act_postprocess3.4.weight" not in shapes
    assert shapes["pretrained.act_postprocess4.4.weight"] == (1024, 1024, 3, 3)
    assert shapes["scratch.layer1_rn.weight"] == (256, 256, 3, 3)
    assert "scratch.layer1_rn.bias" not in shapes
    assert shapes["scratch.refinenet4.resConfUnit1.conv1.weight"] == (256, 256, 3, 3)
    assert [shapes[f"scratch.output_conv.{n}.weight"] for n in (0, 2, 4)] == [
        (128, 256, 3, 3), (32, 128, 3, 3), (1, 32, 1, 1),
    ]  # fmt: skip


def test_pictures_keep_their_size_and_depth_is_not_negative() -> None:
    with torch.inference_mode():
        found = narrow()(torch.rand(2, 3, 64, 96))
    assert found.shape == (2, 1, 64, 96)
    assert (found >= 0).all()
    with pytest.raises(ValueError, match="multiples of 32"):
        narrow()(torch.rand(1, 3, 64, 80))


def test_idle_weights_do_not_matter_and_hooked_ones_do() -> None:
    network, picture = narrow(), torch.rand(1, 3, 64, 64)

    def changed_by(name: str) -> bool:
        with torch.no_grad():
            features = [level.clone() for level in network.pretrained(picture)]
            before = network.scratch(features)
            weight = dict(network.named_parameters())[name]
            kept = weight.clone()
            weight.add_(torch.randn_like(weight))
            after = network(picture)
            weight.copy_(kept)
        return not torch.equal(before, after)

    assert not changed_by("pretrained.model.norm.weight")
    assert not changed_by("pretrained.model.head.weight")
    assert not changed_by("scratch.refinenet4.resConfUnit1.conv1.weight")
    assert changed_by("pretrained.model.blocks.3.mlp.fc2.weight")


def test_positions_of_another_grid_are_interpolated() -> None:
    model = narrow().pretrained.model
    with torch.no_grad():
        rows = torch.arange(4.0)[:, None].expand(4, 4)
        model.pos_embed[0, 1:] = rows.reshape(16, 1)
        model.pos_embed[0, 0] = 7.0
        moved = model._positions(8, 4)
    assert moved.shape == (1, 33, 32)
    assert (moved[0, 0] == 7).all()
    assert torch.allclose(moved[0, 1:, 0].reshape(8, 4)[2:4, 0], torch.tensor([0.75, 1.25]))
    assert torch.equal(model._positions(4, 4), model.pos_embed)


def test_fusion_enlarges_from_corner_to_corner() -> None:
    fuse = Fusion(1)
    with torch.no_grad():
        for weight in fuse.parameters():
            weight.zero_()
        fuse.out_conv.weight.fill_(1.0)
        found = fuse(torch.tensor([[[[0.0, 3.0], [0.0, 3.0]]]]))
    assert torch.allclose(found[0, 0, 0], torch.tensor([0.0, 1.0, 2.0, 3.0]))


@pytest.mark.parametrize("wrapped", [False, True])
def test_files_as_published_load(tmp_path: Path, wrapped: bool) -> None:
    network = narrow()
    state = network.state_dict()
    torch.save({"optimizer": {}, "model": state} if wrapped else state, tmp_path / "dpt.pt")
    found = load_dpt(tmp_path / "dpt.pt", NARROW)
    picture = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(found(picture), network(picture))


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(ModelFileError, match=r"other\.pt is not MiDaS' DPT-Large: it lacks"):
        load_dpt(tmp_path / "other.pt", NARROW)
    torch.save(narrow().state_dict(), tmp_path / "narrow.pt")
    with pytest.raises(ModelFileError, match="of size"):
        load_dpt(tmp_path / "narrow.pt")
    with pytest.raises(ModelFileError, match=r"missing\.pt"):
        load_dpt(tmp_path / "missing.pt")


def test_pictures_are_looked_at_as_midas_does() -> None:
    """The side that needs least change becomes the network's; both are multiples of 32."""
    network = narrow()
    assert estimate(network, np.zeros((128, 200, 3), np.uint8), 64).shape == (64, 96)
    assert estimate(network, np.zeros((40, 50, 3), np.uint8), 64).shape == (64, 64)


def test_large_pictures_are_looked_at_twice() -> None:
    network, rng = narrow(), np.random.default_rng(0)
    small, large = (rng.integers(0, 255, (side, side, 3), np.uint8) for side in (80, 160))
    assert np.array_equal(double_estimate(network, small), estimate(network, small, 64))
    assert double_estimate(network, large).shape == (128, 128)
