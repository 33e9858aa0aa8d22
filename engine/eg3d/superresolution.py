"""From rendered features to the finished picture, four times as large (EG3D, section 4.2; `SuperresolutionHybrid8XDC`).

Two StyleGAN2 blocks that begin with the rendered features and RGB instead of constants, and use the last w throughout.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from ..texture.networks.stylegan2 import EPSILON, ROOT, SLOPE, Noise, StyledConvolution, SynthesisBlock, doubled
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
        if features.device.type == "cpu":  # a third faster there, most of all the transposed convolution
            # A copy in any case: one picture's features lie so already, but with a batch stride that hides it.
            features = features.clone(memory_format=torch.channels_last)
        if len(w) == 1 and noise == "none" and not torch.is_grad_enabled():
            maps, image = quick_block(self.block0, features, rgb, w)
            return quick_block(self.block1, maps, image, w)[1]
        maps, image = self.block0(features, rgb, (w, w, w), noise, None)
        return self.block1(maps, image, (w, w, w), noise, None)[1]


def quick_block(block: SynthesisBlock, maps: Tensor, image: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """What a block gives for one w (1,w) without noise and gradients, in fewer passes over the maps.

    Style and demodulation are put into the kernels rather than the maps, the bias into the convolution, and the
    activation is done in place: a large part of the time goes into moving maps of 512 pixels, not into multiplying.
    """
    maps = _quick(block.conv1, _quick(block.conv0, maps, w), w)
    paint = block.torgb
    added = nnf.conv2d(maps, paint.weight * (paint.affine(w) * paint.gain)[:, :, None, None], paint.bias)
    if paint.clamp is not None:
        added = added.clamp_(-paint.clamp, paint.clamp)
    return maps, doubled(image, block.resample_filter) + added


def _quick(layer: StyledConvolution, x: Tensor, w: Tensor) -> Tensor:
    kernel = layer.weight * layer.affine(w)[:, :, None, None]
    kernel = kernel * ((kernel.square().sum((1, 2, 3), keepdim=True) + EPSILON).rsqrt() * ROOT)
    bias = layer.bias * ROOT
    if layer.up:
        x = nnf.conv_transpose2d(x, kernel.transpose(0, 1), stride=2)
        count = x.shape[1]
        x = nnf.conv2d(x, (4 * layer.resample_filter).expand(count, 1, -1, -1), bias, padding=1, groups=count)
    else:
        x = nnf.conv2d(x, kernel, bias, padding=1)
    x = nnf.leaky_relu_(x, SLOPE)
    return x if layer.clamp is None else x.clamp_(-layer.clamp, layer.clamp)
