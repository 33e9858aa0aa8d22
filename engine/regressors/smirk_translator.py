"""SMIRK's image-to-image translator: a render of the face and a few pixels of the photo in, the photo out.

Retsinas et al., "3D Facial Expressions through Analysis-by-Neural-Synthesis", CVPR 2024, section 3.2: a U-Net with
residual blocks at its bottom. Training uses it; it is not needed to reconstruct. Names and shapes of the weights are
those of SMIRK's checkpoint (`smirk_generator.encoder1.enc1conv1.weight`, ...). Which pixels of the photo are kept is
random, and the caller's affair.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from .checkpoints import Published, all_names, filled, hollow, kind_of, part_of, read_checkpoint

FEATURES, LEVELS, RESIDUALS = 32, 4, 5
PREFIX = "smirk_generator."
TRANSLATOR = Published(
    "SMIRK's translator",
    "Choose SMIRK's own checkpoint (SMIRK_em1.pt) from https://github.com/georgeretsi/smirk: it holds both.",
)


def pair(inputs: int, outputs: int, name: str) -> nn.Sequential:
    """Two 3x3 convolutions, each normalised, with ReLU."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, channels in ((1, inputs), (2, outputs)):
        layers[f"{name}conv{number}"] = nn.Conv2d(channels, outputs, 3, padding=1, bias=False)
        layers[f"{name}norm{number}"] = nn.BatchNorm2d(outputs)
        layers[f"{name}relu{number}"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)


class Residual(nn.Module):
    """Two 3x3 convolutions over reflected borders, added to what went in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            *(nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=False), nn.BatchNorm2d(channels)),
            nn.ReLU(inplace=True),
            *(nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=False), nn.BatchNorm2d(channels)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class SmirkTranslator(nn.Module):
    """(B,6,H,W), render of the face and masked photo, RGB 0..1, to (B,3,H,W) 0..1; H and W multiples of 16."""

    def __init__(self) -> None:
        super().__init__()
        inputs = 6
        for level in range(1, LEVELS + 1):
            outputs = FEATURES << (level - 1)
            self.add_module(f"encoder{level}", pair(inputs, outputs, f"enc{level}"))
            inputs = outputs
        self.bottleneck = pair(inputs, 2 * inputs, "bottleneck")
        self.resnet_blocks = nn.ModuleList(Residual(2 * inputs) for _ in range(RESIDUALS))
        for level in range(LEVELS, 0, -1):
            outputs = FEATURES << (level - 1)
            self.add_module(f"upconv{level}", nn.ConvTranspose2d(2 * outputs, outputs, 2, 2))
            self.add_module(f"decoder{level}", pair(2 * outputs, outputs, f"dec{level}"))
        self.conv = nn.Conv2d(FEATURES, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Paint the photo.

        Raises:
            ValueError: the pictures have another shape.
        """
        if x.ndim != 4 or x.shape[1] != 6 or x.shape[2] % 16 or x.shape[3] % 16 or min(x.shape[2:]) < 32:
            raise ValueError(f"pictures are (B,6,H,W), H and W multiples of 16 from 32 on, not {tuple(x.shape)}")
        kept = []
        for level in range(1, LEVELS + 1):
            x = getattr(self, f"encoder{level}")(x)
            kept.append(x)
            x = nnf.max_pool2d(x, 2)
        x = self.bottleneck(x)
        for block in self.resnet_blocks:
            x = block(x)
        for level in range(LEVELS, 0, -1):
            x = torch.cat([getattr(self, f"upconv{level}")(x), kept[level - 1]], 1)
            x = getattr(self, f"decoder{level}")(x)
        return torch.sigmoid(self.conv(x))


def load_translator(path: Path) -> SmirkTranslator:
    """The network of a checkpoint, on the CPU, in evaluation mode; it can be trained further.

    Raises:
        ModelFileError: the file is missing, damaged, or another network's.
    """
    found = read_checkpoint(path, TRANSLATOR)
    prefix = PREFIX if any(str(name).startswith(PREFIX) for name in found) else ""
    state = part_of(found, prefix)
    if "bottleneck.bottleneckconv1.weight" not in state and not prefix:
        kind = kind_of(all_names(found))
        only = "it holds SMIRK's encoder without the translator"
        reason = only if kind.startswith("SMIRK") else f"it is {kind}" if kind else "it has none of its entries"
        raise TRANSLATOR.error(path, reason)
    return filled(hollow(SmirkTranslator), state, path, TRANSLATOR, prefix)
