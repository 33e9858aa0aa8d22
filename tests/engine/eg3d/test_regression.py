"""The regressors have the thesis' shapes, learn, and carry timm's names."""

from __future__ import annotations

import pytest
import torch

from engine.eg3d.regression import LatentTransformer, LatentUnet, Sizes, l1_loss, prepared


def test_the_unet_answers_a_latent_for_each_layer():
    """At full size, without computing: 512 pixels to (14,512)."""
    with torch.device("meta"):
        network = LatentUnet()
        assert network(torch.zeros(2, 3, 512, 512)).shape == (2, 14, 512)
        assert network(torch.zeros(1, 3, 700, 700)).shape == (1, 14, 512)
    last = network.state_dict()["head.6.weight"]
    assert last.shape == (512, 512, 16, 3)


def test_the_transformer_is_vit_b_16_at_384():
    with torch.device("meta"):
        network = LatentTransformer()
        assert network(torch.zeros(2, 3, 384, 384)).shape == (2, 14, 512)
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert shapes["pos_embed"] == (1, 577, 768)
    assert shapes["patch_embed.proj.weight"] == (768, 3, 16, 16)
    assert shapes["blocks.11.attn.qkv.weight"] == (2304, 768)
    assert shapes["blocks.0.mlp.fc1.weight"] == (3072, 768)
    assert shapes["head.weight"] == (7168, 768)
    body = sum(value.numel() for name, value in network.named_parameters() if not name.startswith("head."))
    assert body == 86_090_496  # timm's vit_base_patch16_384 without its head


def test_attention_is_softmax_of_scaled_products():
    network = LatentTransformer(8, 4, 6, 1, 2, Sizes(2, 3)).eval()
    block = network.blocks[0]
    x = torch.randn(1, 5, 6)
    normal = block.norm1(x)  # type: ignore[operator, union-attr]
    q, k, v = block.attn["qkv"](normal)[0].view(5, 3, 2, 3).permute(1, 2, 0, 3)  # type: ignore[operator, union-attr, index]
    seen = torch.softmax(q @ k.mT / 3**0.5, -1) @ v
    wanted = x + block.attn["proj"](seen.permute(1, 0, 2).reshape(1, 5, 6))  # type: ignore[operator, union-attr, index]
    inner = block.mlp["fc1"](block.norm2(wanted))  # type: ignore[operator, union-attr, index]
    gelu = inner * 0.5 * (1 + torch.erf(inner / 2**0.5))
    torch.testing.assert_close(block(x), wanted + block.mlp["fc2"](gelu))  # type: ignore[operator, union-attr, index]


@pytest.mark.parametrize("kind", ["unet", "vit"])
def test_it_learns_the_latents_of_a_few_pictures(kind):
    sizes = Sizes(6, 8)
    network = LatentUnet(192, 4, sizes) if kind == "unet" else LatentTransformer(48, 12, 32, 2, 4, sizes)
    pictures, wanted = torch.randn(3, 3, 48, 48), torch.randn(3, 6, 8)
    network.start_at(wanted.mean((0, 1)))
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        loss = l1_loss(network(pictures), wanted).mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert all(value.grad is not None for value in network.parameters())


def test_it_starts_at_the_mean():
    network = LatentTransformer(48, 12, 32, 1, 4, Sizes(6, 8))
    network.start_at(torch.full((8,), 100.0))
    assert (network(torch.zeros(1, 3, 48, 48)) - 100).abs().max() < 5


def test_the_loss_is_the_mean_difference():
    first, second = torch.zeros(2, 14, 512), torch.zeros(2, 14, 512)
    second[1] = -0.25
    assert l1_loss(first, second).tolist() == [0.0, 0.25]


def test_pictures_are_resized():
    picture = torch.arange(4.0).repeat_interleave(2).expand(1, 3, 8, 8)
    assert prepared(picture, 8) is picture
    torch.testing.assert_close(prepared(picture, 4)[0, 0, 0].mean(), torch.tensor(1.5))


def test_too_small_pictures_are_refused():
    with pytest.raises(ValueError, match="14 layers"):
        LatentUnet(384)
