"""The network that sees parts and depth: one Attention U-Net with a map for depth and one for each region."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..regions import REGIONS
from .attention_unet import AttentionUNet

SIDE = 128
"""Pixels of the square crop that it is trained on."""
WIDTH = 16
"""Channels of the first block of the bundled network: 2.2 million weights."""
OUTPUTS = 1 + len(REGIONS)
MIDDLE, SPREAD = 0.5, 0.25
"""What is taken from sRGB values 0..1, and what the rest is divided by."""


def build_parts_network(width: int = WIDTH) -> AttentionUNet:
    """The network, untrained."""
    return AttentionUNet(3, OUTPUTS, width)


def describe_parts_network(width: int = WIDTH) -> dict[str, Any]:
    """What a file of its weights says of it."""
    return {"network": "parts", "width": width, "regions": list(REGIONS)}


def parts_network_from(description: dict[str, Any]) -> AttentionUNet:
    """The network that a file of weights describes.

    Raises:
        KeyError, ValueError: it is another kind, or knows other regions.
    """
    if description["network"] != "parts":
        raise ValueError(f"it is the network “{description['network']}”, not “parts”")
    if tuple(description["regions"]) != REGIONS:
        raise ValueError("it tells other regions apart")
    return build_parts_network(int(description["width"]))


def network_input(pictures: Tensor) -> Tensor:
    """What the network takes, (B,3,S,S) float32 -2..2, channels last, from (B,S,S,3) uint8 sRGB."""
    return (pictures.permute(0, 3, 1, 2).float() / 255.0 - MIDDLE) / SPREAD


def split_output(output: Tensor) -> tuple[Tensor, Tensor]:
    """Encoded depth (B,S,S), see `depth_scale`, and region logits (B,R,S,S), from what the network gives."""
    return output[:, 0], output[:, 1:]
