"""StyleGAN2: a generator of pictures and the discriminator that it learns against.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020, in the form of the PyTorch edition of
Karras et al., "Training Generative Adversarial Networks with Limited Data", NeurIPS 2020: "skip" generator (2020,
figure 7b), "resnet" discriminator (figure 7c). Names and shapes of the weights are those of that edition
(`mapping.fc0.weight`, `synthesis.b8.conv0.affine.weight`, ...), so that its files can be read as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

Noise = Literal["const", "none", "random"]
SLOPE = 0.2
"""Of the leaky ReLU below nought ..."""
ROOT = float(np.sqrt(2))
"""... and what its output is multiplied by, to keep its size."""
MAPPING_RATE = 0.01
"""How much slower the mapping network learns than the rest (Karras et al. 2019, appendix C)."""
BLUR = (1.0, 3.0, 3.0, 1.0)
"""The low-pass filter along each axis, before halving and after doubling."""
CLAMP = 256.0
"""Largest activation: the edition's, for half precision. Sound networks stay far below."""
EPSILON = 1e-8


def channels(resolution: int, channel_base: int, channel_max: int) -> int:
    """Feature maps at a resolution."""
    return min(channel_base // resolution, channel_max)


def resolutions(last: int) -> list[int]:
    """4, 8, ... up to a network's resolution.

    Raises:
        ValueError: it is no power of two from 4 on.
    """
    if last < 4 or last & (last - 1):
        raise ValueError(f"The resolution {last} is no power of two from 4 on.")
    return [2**power for power in range(2, last.bit_length())]


def blur_filter() -> Tensor:
    """(4,4) the two-dimensional `BLUR`, with sum 1."""
    total = sum(BLUR) ** 2
    # Not torch.outer: on the meta device it imports the whole compiler.
    return torch.tensor([[a * b / total for b in BLUR] for a in BLUR])


def filtered(x: Tensor, kernel: Tensor, before: int, after: int, stride: int = 1) -> Tensor:
    """Each channel of (B,C,H,W) filtered, zeros around it (`before` on top and left); every `stride`-th sample.

    Args:
        kernel: (k,k), symmetric.
    """
    padded = nnf.pad(x, (before, after, before, after))
    return nnf.conv2d(padded, kernel.expand(x.shape[1], 1, -1, -1), stride=stride, groups=x.shape[1])


def doubled(image: Tensor, kernel: Tensor) -> Tensor:
    """(B,C,H,W) to (B,C,2H,2W): zeros between the samples, then the filter, four times as strong."""
    count = image.shape[1]
    spread = nnf.conv_transpose2d(image, 4 * kernel.expand(count, 1, -1, -1), stride=2, groups=count)
    return spread[..., 1:-1, 1:-1]


def activated(x: Tensor, gain: float = 1.0, clamp: float | None = None) -> Tensor:
    """Leaky ReLU times the root of two and a gain, cut at the clamp times the gain."""
    x = nnf.leaky_relu(x, SLOPE) * (ROOT * gain)
    return x if clamp is None else x.clamp(-clamp * gain, clamp * gain)


class Dense(nn.Module):
    """A fully connected layer whose weights are scaled when used: all learn equally fast (Karras et al. 2018, 4.1).

    Args:
        inputs, outputs: how many. bias: its first value. rate: how fast it learns, relative to others.
        active: a leaky ReLU follows.
    """

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, rate: float = 1.0, active: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.gain, self.rate, self.active = rate / float(np.sqrt(inputs)), rate, active

    def forward(self, x: Tensor) -> Tensor:
        x = nnf.linear(x, self.weight * self.gain, self.bias * self.rate)
        return activated(x) if self.active else x


class Mapping(nn.Module):
    """From a normal latent z to the latent w that steers the picture (2019, figure 1b).

    Args:
        z_size, w_size: numbers in them. copies: of w, one for each layer of the synthesis. layers: of the network.
        label_size: numbers of a label that goes with z; 0 without.
    """

    w_avg: Tensor

    def __init__(self, z_size: int, w_size: int, copies: int, layers: int = 8, label_size: int = 0) -> None:
        super().__init__()
        self.copies, self.layers, self.label_size = copies, layers, label_size
        if label_size:
            self.embed = Dense(label_size, w_size)
        inputs = z_size + (w_size if label_size else 0)
        for number in range(layers):
            setattr(self, f"fc{number}", Dense(inputs if number == 0 else w_size, w_size, 0.0, MAPPING_RATE, True))
        self.register_buffer("w_avg", torch.zeros(w_size))

    def forward(self, z: Tensor, truncation: float = 1.0, label: Tensor | None = None) -> Tensor:
        """(B,copies,w) of latents (B,z) and labels (B,label); `truncation` under 1 moves them towards the mean w."""
        x = _unit(z)
        if self.label_size:
            if label is None:
                raise ValueError(f"This network wants a label of {self.label_size} numbers.")
            x = torch.cat([x, _unit(self.embed(label))], 1)
        x = self.through(x)
        if truncation != 1.0:
            x = self.w_avg.lerp(x, truncation)
        return x[:, None].expand(-1, self.copies, -1)

    def through(self, x: Tensor) -> Tensor:
        """(B,w) of what the layers are given (B,z and label): z is not normalised here."""
        for number in range(self.layers):
            x = getattr(self, f"fc{number}")(x)
        return x


def _unit(x: Tensor) -> Tensor:
    """Scaled to a mean square of 1."""
    return x * (x.square().mean(1, keepdim=True) + EPSILON).rsqrt()


class StyledConvolution(nn.Module):
    """A convolution whose input channels w scales and whose output channels are brought back to unit size.

    2020, section 2.2, equations 1 and 3; per-pixel noise after it. The maps are scaled rather than the kernels, which
    gives the same and needs no kernel for each picture.

    Args:
        inputs, outputs: channels. resolution: of what comes out. up: twice the size of what goes in.
    """

    noise_const: Tensor
    resample_filter: Tensor

    def __init__(
        self, inputs: int, outputs: int, w_size: int, resolution: int, up: bool = False, clamp: float | None = CLAMP
    ) -> None:
        super().__init__()
        self.up, self.clamp, self.resolution = up, clamp, resolution
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("resample_filter", blur_filter())
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.affine = Dense(w_size, inputs, 1.0)

    def forward(self, x: Tensor, w: Tensor, noise: Noise, generator: torch.Generator | None) -> Tensor:
        """(B,inputs,h,h) to (B,outputs,resolution,resolution); `generator` draws noise that is "random"."""
        style = self.affine(w)
        squares = self.weight.square().sum((2, 3))
        demodulation = (style.square() @ squares.T + EPSILON).rsqrt()
        x = x * style[:, :, None, None]
        if self.up:
            x = nnf.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            x = filtered(x, 4 * self.resample_filter, 1, 1)
        else:
            x = nnf.conv2d(x, self.weight, padding=1)
        # The activation's root of two goes in front of it, where it costs nothing.
        offset = self.bias[:, None, None] * ROOT
        if noise == "const":
            offset = offset + self.noise_const * (self.noise_strength * ROOT)
        elif noise == "random":
            offset = offset + _noise(x, generator) * (self.noise_strength * ROOT)
        x = nnf.leaky_relu(torch.addcmul(offset, x, demodulation[:, :, None, None] * ROOT), SLOPE)
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


def _noise(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """(B,1,H,W) normal, drawn on the CPU: the same on every device."""
    drawn = torch.randn((len(like), 1, *like.shape[2:]), generator=generator)
    return drawn.to(like.device, like.dtype)


class ToPicture(nn.Module):
    """What a block adds to the picture: a convolution 1x1 with scaled inputs, outputs as they come."""

    def __init__(self, inputs: int, outputs: int, w_size: int, clamp: float | None = CLAMP) -> None:
        super().__init__()
        self.gain, self.clamp = 1.0 / float(np.sqrt(inputs)), clamp
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.affine = Dense(w_size, inputs, 1.0)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = nnf.conv2d(x * (self.affine(w) * self.gain)[:, :, None, None], self.weight) + self.bias[:, None, None]
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


class SynthesisBlock(nn.Module):
    """The layers at one resolution. `inputs` is 0 at the first, which starts from constant maps."""

    resample_filter: Tensor

    def __init__(
        self, inputs: int, outputs: int, w_size: int, resolution: int, picture: int, clamp: float | None
    ) -> None:
        super().__init__()
        self.register_buffer("resample_filter", blur_filter())
        self.first = not inputs
        if self.first:
            self.const = nn.Parameter(torch.randn(outputs, resolution, resolution))
        else:
            self.conv0 = StyledConvolution(inputs, outputs, w_size, resolution, True, clamp)
        self.conv1 = StyledConvolution(outputs, outputs, w_size, resolution, False, clamp)
        self.torgb = ToPicture(outputs, picture, w_size, clamp)

    @property
    def steps(self) -> int:
        """Convolutions that change the maps."""
        return 1 if self.first else 2

    def forward(
        self, x: Tensor | None, image: Tensor | None, ws: Sequence[Tensor], noise: Noise, draw: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Maps and picture, from those of half the size. ws: a (B,w) for each convolution and one for the picture."""
        start = self.const.expand(len(ws[0]), -1, -1, -1) if x is None else self.conv0(x, ws[0], noise, draw)
        maps = self.conv1(start, ws[-2], noise, draw)
        added = self.torgb(maps, ws[-1])
        return maps, added if image is None else doubled(image, self.resample_filter) + added


class Synthesis(nn.Module):
    """From w to the picture."""

    def __init__(
        self,
        w_size: int,
        resolution: int,
        channel_base: int,
        channel_max: int,
        picture: int = 3,
        clamp: float | None = CLAMP,
    ) -> None:
        super().__init__()
        self.sides, inputs = resolutions(resolution), 0
        for side in self.sides:
            outputs = channels(side, channel_base, channel_max)
            setattr(self, f"b{side}", SynthesisBlock(inputs, outputs, w_size, side, picture, clamp))
            inputs = outputs
        self.copies = 2 * len(self.sides)

    def forward(self, ws: Tensor, noise: Noise = "const", seed: int = 0) -> Tensor:
        """(B,channels,R,R), about -1..1, of ws (B,copies,w).

        Args:
            noise: "const" is stored with the weights, "none" leaves it out, "random" is drawn from `seed`.
        Raises:
            ValueError: ws are of another network.
        """
        if ws.ndim != 3 or ws.shape[1] != self.copies:
            raise ValueError(f"ws {tuple(ws.shape)} are not (B,{self.copies},w).")
        draw = torch.Generator().manual_seed(seed) if noise == "random" else None
        x = image = None
        place = 0
        for side in self.sides:
            block = getattr(self, f"b{side}")
            own = ws[:, place : place + block.steps + 1].unbind(1)
            x, image = block(x, image, own, noise, draw)
            place += block.steps
        assert image is not None
        return image


class Generator(nn.Module):
    """Pictures from latents: `generator.synthesis(generator.mapping(z))`.

    Args:
        z_dim, w_dim: numbers in the latents. resolution: side of the picture, a power of two.
        channel_base, channel_max: feature maps at a resolution R are min(channel_base // R, channel_max).
        mapping_layers: of the mapping network. img_channels: of the picture. label_size: see `Mapping`.
        clamp: largest activation, None for no limit.
    Raises:
        ValueError: the resolution is no power of two.
    """

    def __init__(
        self,
        z_dim: int,
        w_dim: int,
        resolution: int,
        channel_base: int,
        channel_max: int,
        mapping_layers: int = 8,
        img_channels: int = 3,
        label_size: int = 0,
        clamp: float | None = CLAMP,
    ) -> None:
        super().__init__()
        self.z_dim, self.w_dim, self.resolution = z_dim, w_dim, resolution
        self.synthesis = Synthesis(w_dim, resolution, channel_base, channel_max, img_channels, clamp)
        self.mapping = Mapping(z_dim, w_dim, self.synthesis.copies, mapping_layers, label_size)

    @property
    def num_ws(self) -> int:
        """Layers that each take a w."""
        return self.synthesis.copies

    def forward(self, z: Tensor, truncation: float = 1.0, noise: Noise = "const", seed: int = 0) -> Tensor:
        """(B,channels,R,R) of z (B,z_dim)."""
        return self.synthesis(self.mapping(z, truncation), noise, seed)
