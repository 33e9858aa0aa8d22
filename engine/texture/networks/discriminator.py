"""StyleGAN2's discriminator, which a generator learns against; see `stylegan2` for the papers.

"resnet" (Karras et al. 2020, figure 7c), with the names and shapes of the PyTorch edition's weights
(`b256.fromrgb.weight`, `b8.conv0.bias`, `b4.fc.weight`, ...).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from .stylegan2 import CLAMP, EPSILON, Dense, activated, blur_filter, channels, filtered, resolutions


class Convolution(nn.Module):
    """A convolution of the discriminator: weights scaled when used, blurred before it halves the size.

    Args:
        inputs, outputs: channels. kernel: side. halves: every second sample. plain: no bias, no activation.
    """

    resample_filter: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        halves: bool = False,
        plain: bool = False,
        clamp: float | None = CLAMP,
    ) -> None:
        super().__init__()
        self.kernel, self.halves, self.clamp = kernel, halves, clamp
        self.register_buffer("resample_filter", blur_filter())
        self.gain = 1.0 / float(np.sqrt(inputs * kernel**2))
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = None if plain else nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        weight, around = self.weight * self.gain, self.kernel // 2
        if not self.halves:
            x = nnf.conv2d(x, weight, padding=around)
        elif self.kernel == 1:
            x = nnf.conv2d(filtered(x, self.resample_filter, 1, 1, 2), weight)
        else:
            x = nnf.conv2d(filtered(x, self.resample_filter, 1 + around, 1 + around), weight, stride=2)
        if self.bias is not None:
            return activated(x + self.bias[:, None, None], gain, self.clamp)
        x = x * gain
        return x if self.clamp is None else x.clamp(-self.clamp * gain, self.clamp * gain)


class DiscriminatorBlock(nn.Module):
    """Two convolutions beside a short cut, to half the size. `picture` is 0 but at the first block."""

    def __init__(self, picture: int, inputs: int, outputs: int, clamp: float | None) -> None:
        super().__init__()
        self.register_buffer("resample_filter", blur_filter())
        if picture:
            self.fromrgb = Convolution(picture, inputs, 1, clamp=clamp)
        self.conv0 = Convolution(inputs, inputs, 3, clamp=clamp)
        self.conv1 = Convolution(inputs, outputs, 3, halves=True, clamp=clamp)
        self.skip = Convolution(inputs, outputs, 1, halves=True, plain=True, clamp=clamp)

    def forward(self, x: Tensor) -> Tensor:
        if hasattr(self, "fromrgb"):
            x = self.fromrgb(x)
        half = float(np.sqrt(0.5))
        return self.skip(x, half) + self.conv1(self.conv0(x), half)


def with_spread(x: Tensor, group: int) -> Tensor:
    """One map more: how much pictures of a group differ, on average (Karras et al. 2018, section 3).

    Args:
        x: (B,C,H,W), B a multiple of the group's size. Pictures i, i + B/group, ... are a group.
    """
    count, _, height, width = x.shape
    group = min(group, count)
    apart = x.reshape(group, -1, *x.shape[1:])
    spread = (apart.var(0, unbiased=False) + EPSILON).sqrt().mean((1, 2, 3))
    return torch.cat([x, spread.repeat(group)[:, None, None, None].expand(count, 1, height, width)], 1)


class DiscriminatorEnd(nn.Module):
    """The last block: from (B,C,4,4) to one number."""

    def __init__(self, inputs: int, group: int, clamp: float | None) -> None:
        super().__init__()
        self.group = group
        self.conv = Convolution(inputs + 1, inputs, 3, clamp=clamp)
        self.fc = Dense(inputs * 16, inputs, active=True)
        self.out = Dense(inputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.fc(self.conv(with_spread(x, self.group)).flatten(1)))


class Discriminator(nn.Module):
    """How real pictures (B,channels,R,R) look: (B,1), above nought for real.

    Args:
        resolution, channel_base, channel_max, img_channels, clamp: as for `Generator`.
        group: pictures whose spread is measured together.
    """

    def __init__(
        self,
        resolution: int,
        channel_base: int,
        channel_max: int,
        img_channels: int = 3,
        group: int = 4,
        clamp: float | None = CLAMP,
    ) -> None:
        super().__init__()
        self.sides = resolutions(resolution)[:0:-1]
        for number, side in enumerate(self.sides):
            inputs, outputs = (channels(at, channel_base, channel_max) for at in (side, side // 2))
            picture = img_channels if number == 0 else 0
            setattr(self, f"b{side}", DiscriminatorBlock(picture, inputs, outputs, clamp))
        self.b4 = DiscriminatorEnd(channels(4, channel_base, channel_max), group, clamp)

    def forward(self, image: Tensor) -> Tensor:
        x = image
        for side in self.sides:
            x = getattr(self, f"b{side}")(x)
        return self.b4(x)
