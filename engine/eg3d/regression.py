"""Latents from pictures at once: the two networks of the thesis "eg3d_supervised", sections 3.2.5 and 3.2.6.

Both take an aligned picture of -1..1 and give w for every layer, (B,14,512), and learn by the mean absolute difference
(equations 4.3 to 4.5). They start inversions from where the photo nearly is (`inversion.invert`, `start`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from ..errors import ModelFileError
from ..perception.networks.weights import load_network

LAYERS, WIDTH = 14, 512


@dataclass(frozen=True)
class Sizes:
    """Of a latent.

    Attributes:
        layers: that a picture takes. width: numbers in each w.
    """

    layers: int = LAYERS
    width: int = WIDTH


def l1_loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    """(B,) mean absolute differences of latents (B,layers,w)."""
    return (predicted - wanted).abs().flatten(1).mean(1)


def prepared(pictures: Tensor, side: int) -> Tensor:
    """(B,3,side,side) of -1..1, of pictures (B,3,H,W) of -1..1 (section 3.2.2: resized, mean and deviation of 0.5)."""
    if pictures.shape[-2:] == (side, side):
        return pictures
    return nnf.interpolate(pictures, (side, side), mode="bilinear", antialias=True)


class _Twice(nn.Sequential):
    """Two convolutions of 3x3, a ReLU after each."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.Conv2d(outputs, outputs, 3, padding=1), nn.ReLU()
        )


class LatentUnet(nn.Module):
    """The modified U-Net (section 3.2.5, figure 3.10).

    Four encoder blocks, the bridge and the first decoder block are the U-Net's. The other three decoder blocks give way
    to convolutions and max pooling that end at w channels on 1 x layers places. The thesis does not say which: here two
    of 3x3, each halved by max pooling, and one as high as what is left, and as wide as leaves one place for each layer
    (16 x 3 at 512 px). Convolutions are padded, so that the skipped maps fit; batches of 5 need no normalisation.

    Args:
        side: pixels of a picture, a multiple of 32. base: channels of the first block. sizes: of the latent.
    Raises:
        ValueError: the picture is too small for that many layers.
    """

    def __init__(self, side: int = 512, base: int = 64, sizes: Sizes | None = None) -> None:
        super().__init__()
        self.side, self.sizes = side, sizes or Sizes()
        left = side // 32
        if side % 32 or left < self.sizes.layers:
            raise ValueError(f"{side} pixels are no multiple of 32, or too few for {self.sizes.layers} layers")
        widths = [base * 2**k for k in range(4)]
        self.down = nn.ModuleList(_Twice(a, b) for a, b in zip([3, *widths[:3]], widths, strict=True))
        self.bridge = _Twice(widths[3], 2 * widths[3])
        self.up = nn.ConvTranspose2d(2 * widths[3], widths[3], 2, 2)
        self.decode = _Twice(2 * widths[3], widths[3])
        width = self.sizes.width
        self.head = nn.Sequential(
            nn.Conv2d(widths[3], width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, width, (left, left - self.sizes.layers + 1)),
        )  # fmt: skip
        for part in self.modules():  # He et al. 2015: without normalisation, PyTorch's own start fades in 15 layers
            if isinstance(part, nn.Conv2d) and part is not self.head[-1]:
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")

    def forward(self, pictures: Tensor) -> Tensor:
        """(B,layers,w) of pictures (B,3,H,W) of -1..1."""
        x = skipped = prepared(pictures, self.side)
        for block in self.down:
            skipped = block(x)
            x = nnf.max_pool2d(skipped, 2)
        x = self.decode(torch.cat([skipped, self.up(self.bridge(x))], 1))
        return self.head(x)[:, :, 0].mT

    @torch.no_grad()
    def start_at(self, w: Tensor) -> None:
        """Begin with a latent (w,), the mean: it is then what the untrained network answers, nearly."""
        last = self.head[-1]
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        last.bias.copy_(w)


class _Block(nn.Module):
    """A transformer block, normalised before attention and before its two layers."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width, 1e-6), nn.LayerNorm(width, 1e-6)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        parts = self.attn["qkv"](self.norm1(x)).view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen = nnf.scaled_dot_product_attention(parts[0], parts[1], parts[2])
        x = x + self.attn["proj"](seen.transpose(1, 2).reshape(batch, tokens, width))
        return x + self.mlp["fc2"](nnf.gelu(self.mlp["fc1"](self.norm2(x))))


class LatentTransformer(nn.Module):
    """ViT-B/16 at 384 px with one linear layer to all of the latent (section 3.2.6, figure 3.11).

    Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, table 1: 12 blocks, width 768, 12 heads. The thesis
    gives a width of 1024, which is ViT-L's; "B/16", its blocks and its reference are taken at their word. Names are
    timm's (`blocks.0.attn.qkv.weight`), so that pre-trained weights can be filled in, all but `head`.

    Args:
        side: pixels of a picture. patch: of a token. width, blocks, heads: of the transformer. sizes: of the latent.
    """

    def __init__(
        self, side: int = 384, patch: int = 16, width: int = 768, blocks: int = 12, heads: int = 12,
        sizes: Sizes | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.side, self.sizes = side, sizes or Sizes()
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, patch, patch)})
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, (side // patch) ** 2 + 1, width))
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(blocks))
        self.norm = nn.LayerNorm(width, 1e-6)
        self.head = nn.Linear(width, self.sizes.layers * self.sizes.width)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B,layers,w) of pictures (B,3,H,W) of -1..1."""
        tokens = self.patch_embed["proj"](prepared(pictures, self.side)).flatten(2).mT
        x = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], 1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0]).view(-1, self.sizes.layers, self.sizes.width)

    @torch.no_grad()
    def start_at(self, w: Tensor) -> None:
        """Begin with a latent (w,), the mean: it is then what the untrained network answers, nearly."""
        self.head.bias.copy_(w.repeat(self.sizes.layers))


Regressor: TypeAlias = LatentUnet | LatentTransformer
NETWORKS: dict[str, type[LatentUnet] | type[LatentTransformer]] = {"unet": LatentUnet, "vit": LatentTransformer}


def network_from(description: dict[str, Any]) -> Regressor:
    """The untrained network that a file's description is of.

    Raises:
        KeyError, TypeError, ValueError: it is another network's.
    """
    if description["network"] != "latents":
        raise ValueError(f"it is the network “{description['network']}”, not “latents”")
    sizes = Sizes(int(description["layers"]), int(description["width"]))
    return NETWORKS[description["architecture"]](**description["settings"], sizes=sizes)


def load_regressor(path: Path) -> Regressor:
    """A trained network of either kind, as `python -m engine.training latents` leads to; on the CPU, not to be trained.

    Raises:
        ModelFileError: the file is missing, damaged, or another network's.
    """
    try:
        return load_network(path, network_from)
    except ModelFileError as error:
        cure = "Choose a file that “python -m engine.training latents” leads to."
        raise ModelFileError(error.message, cure) from error
