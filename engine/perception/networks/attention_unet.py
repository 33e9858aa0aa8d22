"""The 2D Attention U-Net: from a picture to one or more maps of the same size.

Attention U-Net (Oktay et al. 2018) in the 2D form that depth of faces was first regressed with at 128 px: five blocks
down, four up, attention gates on the skip connections, upsampling by bilinear resize and convolution, batch
normalisation everywhere, and a linear last layer. Names and shapes of the weights are those of the common PyTorch
implementation (Conv1, Up5, Att5, Up_conv5, ..., Conv_1x1), so that its files can be read as they are; that one resizes
to the nearest pixel, which is an option here.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

STEP = 16  # four halvings: the sides of a picture are multiples of this
Resize = Literal["bilinear", "nearest"]
WIDTH = 64  # channels of the published network's first block; each block down doubles them


class ConvolutionBlock(nn.Module):
    """Twice: convolution 3x3, batch normalisation, ReLU. (B,in,H,W) to (B,out,H,W)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, padding=1),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.conv(features)


class Enlargement(nn.Module):
    """Resize to twice the size, then convolution: no checkerboards. (B,in,H,W) to (B,out,2H,2W)."""

    def __init__(self, in_channels: int, out_channels: int, resize: Resize) -> None:
        super().__init__()
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2, mode=resize),
            nn.Conv2d(in_channels, out_channels, 3, padding=1),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.up(features)


class AttentionGate(nn.Module):
    """Lets through of the skip connection what the coarser features find of interest.

    Args:
        channels: of the features from below and of the skip connection.
        inner: of the space they are compared in.
    """

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.W_g = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner))
        self.W_x = nn.Sequential(nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner))
        self.psi = nn.Sequential(nn.Conv2d(inner, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid())

    def gate(self, below: Tensor, skip: Tensor) -> Tensor:
        """(B,1,H,W) 0..1, how much passes, from the features from below and the skip connection, (B,C,H,W) each."""
        return self.psi(torch.relu(self.W_g(below) + self.W_x(skip)))

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        return skip * self.gate(below, skip)


class AttentionUNet(nn.Module):
    """The network.

    Args:
        in_channels: of the picture.
        out_channels: maps it gives; they are not squashed.
        width: channels of the first block, 64 as published (35 million weights); they grow with its square.
        resize: "bilinear" as published for depth; "nearest" for files of the common PyTorch implementation.
    """

    def __init__(
        self, in_channels: int = 3, out_channels: int = 1, width: int = WIDTH, resize: Resize = "bilinear"
    ) -> None:
        super().__init__()
        if width < 2:
            raise ValueError(f"An Attention U-Net needs at least 2 channels in its first block, not {width}.")
        one, two, three, four, five = (width * 2**level for level in range(5))
        self.Maxpool = nn.MaxPool2d(2)
        self.Conv1 = ConvolutionBlock(in_channels, one)
        self.Conv2 = ConvolutionBlock(one, two)
        self.Conv3 = ConvolutionBlock(two, three)
        self.Conv4 = ConvolutionBlock(three, four)
        self.Conv5 = ConvolutionBlock(four, five)
        self.Up5 = Enlargement(five, four, resize)
        self.Att5 = AttentionGate(four, four // 2)
        self.Up_conv5 = ConvolutionBlock(five, four)
        self.Up4 = Enlargement(four, three, resize)
        self.Att4 = AttentionGate(three, three // 2)
        self.Up_conv4 = ConvolutionBlock(four, three)
        self.Up3 = Enlargement(three, two, resize)
        self.Att3 = AttentionGate(two, two // 2)
        self.Up_conv3 = ConvolutionBlock(three, two)
        self.Up2 = Enlargement(two, one, resize)
        self.Att2 = AttentionGate(one, one // 2)
        self.Up_conv2 = ConvolutionBlock(two, one)
        self.Conv_1x1 = nn.Conv2d(one, out_channels, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """The maps of some pictures.

        Args:
            pictures: (B,in_channels,H,W), both sides multiples of `STEP`.
        Returns:
            (B,out_channels,H,W).
        Raises:
            ValueError: a side is no multiple of `STEP`.
        """
        height, width = pictures.shape[-2:]
        if height % STEP or width % STEP or not height or not width:
            raise ValueError(f"The sides of a picture must be multiples of {STEP}, not {width} x {height}.")
        first = self.Conv1(pictures)
        second = self.Conv2(self.Maxpool(first))
        third = self.Conv3(self.Maxpool(second))
        fourth = self.Conv4(self.Maxpool(third))
        features = self.Conv5(self.Maxpool(fourth))
        for skip, enlarge, attend, merge in (
            (fourth, self.Up5, self.Att5, self.Up_conv5),
            (third, self.Up4, self.Att4, self.Up_conv4),
            (second, self.Up3, self.Att3, self.Up_conv3),
            (first, self.Up2, self.Att2, self.Up_conv2),
        ):
            features = enlarge(features)
            features = merge(torch.cat([attend(features, skip), features], dim=1))
        return self.Conv_1x1(features)
