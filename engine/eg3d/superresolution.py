"""From rendered features to the finished picture, four times as large (EG3D, section 4.2; `SuperresolutionHybrid8XDC`).

Two StyleGAN2 blocks that begin with the rendered features and RGB instead of constants, and use the last w throughout.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from ..texture.networks.stylegan2 import Noise, SynthesisBlock
from .config import Configuration


class SuperResolution(nn.Module):
    """`block0` and `block1`, as published."""

    def __init__(self, config: Configuration) -> None:
        super().__init__()
        first, second = config.sr_channels
        side, clamp = config.sr_side, config.sr_clamp
        self.side, self.antialias = side, config.sr_antialias
        self.block0 = SynthesisBlock(config.features, first, config.w, 2 * side, 3, clamp)
        self.block1 = SynthesisBlock(first, second, config.w, 4 * side, 3, clamp)

    def forward(self, rgb: Tensor, features: Tensor, w: Tensor, noise: Noise = "none") -> Tensor:
        """(B,3,4S,4S), about -1..1.

        Args:
            rgb, features: (B,3,R,R) and (B,C,R,R) as rendered; brought to S pixels where R differs.
            w: (B,w) the last of the head's latents.
        """
        if features.shape[-1] != self.side:
            size = (self.side, self.side)
            features = nnf.interpolate(features, size, mode="bilinear", antialias=self.antialias)
            rgb = nnf.interpolate(rgb, size, mode="bilinear", antialias=self.antialias)
        if features.device.type == "cpu":  # a quarter faster there, most of all the transposed convolution
            features = features.contiguous(memory_format=torch.channels_last)
        maps, image = self.block0(features, rgb, (w, w, w), noise, None)
        return self.block1(maps, image, (w, w, w), noise, None)[1]
