"""MobileNetV3 in its "minimal" form: 3x3 kernels, ReLU, no squeeze-and-excitation, TensorFlow's padding.

Howard et al., "Searching for MobileNetV3", ICCV 2019, tables 1 and 2, without what the authors' minimalistic models
leave out. Names and shapes of the weights are those of timm's `tf_mobilenetv3_small_minimal_100` and `..._large_...`
made with `features_only`: neither timm nor torchvision is among the packages that the engine brings along.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

EPSILON = 1e-3
"""Of batch normalisation, as TensorFlow's models have it."""
STEM = 16
HALVINGS = 32
"""How much smaller the last features are than the picture, along each side."""


@dataclass(frozen=True)
class Stage:
    """Blocks of one width.

    Attributes:
        stride: of the first block.
        width: channels that each block gives.
        inner: channels between the 1x1 convolutions of each block; empty for a block without the first of them.
    """

    stride: int
    width: int
    inner: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """A whole network.

    Attributes:
        stages: in order. last: channels of the 1x1 convolution after them.
        levels: stages after which features are kept, counted from 1; 0 is the stem.
    """

    stages: tuple[Stage, ...]
    last: int
    levels: tuple[int, ...]


SMALL = Plan(
    (
        Stage(2, 16, ()),
        Stage(2, 24, (72, 88)),
        Stage(2, 40, (96, 240, 240)),
        Stage(1, 48, (120, 144)),
        Stage(2, 96, (288, 576, 576)),
    ),
    576,
    (0, 1, 2, 4, 6),
)
LARGE = Plan(
    (
        Stage(1, 16, ()),
        Stage(2, 24, (64, 72)),
        Stage(2, 40, (72, 120, 120)),
        Stage(2, 80, (240, 200, 184, 184)),
        Stage(1, 112, (480, 672)),
        Stage(2, 160, (672, 960, 960)),
    ),
    960,
    (1, 2, 3, 5, 7),
)


class SameConv(nn.Conv2d):
    """A 3x3 convolution that halves: zeros are added as TensorFlow's "SAME" does, the odd one right and below."""

    def forward(self, input: Tensor) -> Tensor:
        height, width = (_missing(side) for side in input.shape[-2:])
        padded = nnf.pad(input, (width // 2, width - width // 2, height // 2, height - height // 2))
        return super().forward(padded)


def _missing(side: int) -> int:
    """Zeros that a side lacks: kernel 3, stride 2."""
    return max((-(-side // 2) - 1) * 2 + 3 - side, 0)


def convolution(inputs: int, outputs: int, stride: int, groups: int = 1) -> nn.Conv2d:
    """3x3, without bias."""
    if stride == 1:
        return nn.Conv2d(inputs, outputs, 3, 1, 1, groups=groups, bias=False)
    return SameConv(inputs, outputs, 3, stride, groups=groups, bias=False)


def normalisation(channels: int) -> nn.BatchNorm2d:
    """Of these networks."""
    return nn.BatchNorm2d(channels, EPSILON)


class Separable(nn.Module):
    """Depthwise, then 1x1, beside a shortcut where sizes agree."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = convolution(inputs, inputs, stride, inputs)
        self.bn1 = normalisation(inputs)
        self.conv_pw = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn2 = normalisation(outputs)
        self.short = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv_pw(nnf.relu(self.bn1(self.conv_dw(x)), inplace=True)))
        return out + x if self.short else out


class Inverted(nn.Module):
    """1x1 to many channels, depthwise, 1x1 to few, beside a shortcut where sizes agree."""

    def __init__(self, inputs: int, inner: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv_pw = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = normalisation(inner)
        self.conv_dw = convolution(inner, inner, stride, inner)
        self.bn2 = normalisation(inner)
        self.conv_pwl = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = normalisation(outputs)
        self.short = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        out = nnf.relu(self.bn1(self.conv_pw(x)), inplace=True)
        out = nnf.relu(self.bn2(self.conv_dw(out)), inplace=True)
        out = self.bn3(self.conv_pwl(out))
        return out + x if self.short else out


class Pointwise(nn.Module):
    """1x1, normalised, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn1 = normalisation(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return nnf.relu(self.bn1(self.conv(x)), inplace=True)


class MobileNetV3(nn.Module):
    """(B,3,H,W) to features at five levels, the last 32 times smaller."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.levels = plan.levels
        self.conv_stem = convolution(3, STEM, 2)
        self.bn1 = normalisation(STEM)
        self.blocks = nn.Sequential()
        width = STEM
        for stage in plan.stages:
            blocks = nn.Sequential()
            for number, inner in enumerate(stage.inner or (0,)):
                stride = 1 if number else stage.stride
                block = Inverted(width, inner, stage.width, stride) if inner else Separable(width, stage.width, stride)
                blocks.append(block)
                width = stage.width
            self.blocks.append(blocks)
        self.blocks.append(nn.Sequential(Pointwise(width, plan.last)))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features at the levels of the plan, largest first."""
        x = nnf.relu(self.bn1(self.conv_stem(images)), inplace=True)
        found = [x] if 0 in self.levels else []
        for number, blocks in enumerate(self.blocks, 1):
            x = blocks(x)
            if number in self.levels:
                found.append(x)
        return found


def folded(network: nn.Module) -> nn.Module:
    """Batch normalisation multiplied into the convolutions before it, in place: less work, the same function.

    Modules are paired by the order in which they were added, as all networks of these files add them.

    Args:
        network: in evaluation mode. It cannot be trained any more, nor its weights be written as they came.
    """
    for module in list(network.modules()):
        before: tuple[str, nn.Conv2d] | None = None
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d) and before is not None:
                setattr(module, before[0], torch.nn.utils.fuse_conv_bn_eval(before[1], child))
                setattr(module, name, nn.Identity())
            before = (name, child) if isinstance(child, nn.Conv2d) else None
    return network
