"""The perceptual distance is that of its equation, and takes whatever weights there are."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from engine.eg3d.perceptual import VGG, Perceptual, Vgg, load_lpips, substitute
from engine.errors import ModelFileError


def test_the_distance_is_that_of_unit_activations():
    """Two layers by hand: activations (3,4) and (4,3) at one place have unit vectors (0.6,0.8) and (0.8,0.6)."""
    layers = {0.0: [[3.0, 4.0], [1.0, 0.0]], 1.0: [[4.0, 3.0], [0.0, 2.0]]}

    def features(x):
        return [torch.tensor([layers[float(picture.mean())][k] for picture in x])[..., None, None] for k in (0, 1)]

    first, second = torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)
    assert Perceptual(features)(first, second).item() == pytest.approx(0.08 + 2.0)
    weights = [torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.25])]
    assert Perceptual(features, weights)(first, second).item() == pytest.approx(0.04 + 0.75)
    assert Perceptual(features)(first, first).item() == 0


def test_large_pictures_are_averaged_down():
    seen = []
    Perceptual(lambda x: seen.append(x) or [x]).describe(torch.arange(512.0).expand(1, 3, 512, 512))
    assert seen[0].shape == (1, 3, 256, 256)
    torch.testing.assert_close(seen[0][0, 0, 0, :3], torch.tensor([0.5, 2.5, 4.5]))


def test_the_substitute_tells_pictures_apart_and_has_gradients():
    distance = substitute()
    first = torch.rand(1, 3, 64, 64) * 2 - 1
    other = (first * 0.5).requires_grad_()
    near, far = distance(first, first + 0.01 * torch.randn_like(first)), distance(first, other)
    assert 0 < near.item() < far.item()
    far.sum().backward()
    assert other.grad is not None
    assert other.grad.abs().sum() > 0
    assert "in place of LPIPS" in distance.name
    assert not any(value.requires_grad for value in distance.parameters())


def test_own_weights_of_lpips_are_used(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.eg3d.perceptual.VGG", ((4, 4), (6, 6), (6, 6, 6), (8, 8, 8), (8, 8, 8)))
    network = Vgg()
    save_file({**network.state_dict(), "classifier.0.weight": torch.zeros(2)}, tmp_path / "vgg.safetensors")
    channels = {f"lin{k}.model.1.weight": torch.rand(1, n, 1, 1) for k, n in enumerate((4, 6, 6, 8, 8))}
    save_file(channels, tmp_path / "lin.safetensors")
    distance = load_lpips(tmp_path / "vgg.safetensors", tmp_path / "lin.safetensors")
    first, second = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    total = 0.0
    for number, (a, b) in enumerate(zip(network(first), network(second), strict=True)):
        unit = (
            a / (a.square().sum(1, keepdim=True) + 1e-10).sqrt() - b / (b.square().sum(1, keepdim=True) + 1e-10).sqrt()
        )
        total += (unit.square() * channels[f"lin{number}.model.1.weight"]).sum(1).mean().item()
    assert distance(first, second).item() == pytest.approx(total, rel=1e-4)
    assert distance.name == "LPIPS"
    assert load_lpips(tmp_path / "vgg.safetensors").name == "VGG16, all channels alike"
    with pytest.raises(ModelFileError, match=r"lin0\.model\.1\.weight"):
        load_lpips(tmp_path / "vgg.safetensors", tmp_path / "vgg.safetensors")
    with pytest.raises(ModelFileError, match="not VGG16"):
        load_lpips(tmp_path / "lin.safetensors")


def test_vgg_has_torchvisions_names():
    with torch.device("meta"):
        names = list(Vgg().state_dict())
    numbers = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    assert names == [f"features.{number}.{part}" for number in numbers for part in ("weight", "bias")]
    assert sum(len(group) for group in VGG) == len(numbers)
