"""ResNet-50 (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, table 1), stage by stage.

Names and shapes of the weights are torchvision's, so that a file of its weights (or anyone's in that layout) can be a
start; stride 2 is in the 3x3 convolutions, as there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

BLOCKS = (3, 4, 6, 3)
WIDTHS = (64, 128, 256, 512)
EXPANSION = 4
CHANNELS = tuple(width * EXPANSION for width in WIDTHS)
"""After each stage."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's RGB


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1, beside a shortcut."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * EXPANSION
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        out = torch.relu(self.bn1(self.conv1(x)))
        out = torch.relu(self.bn2(self.conv2(out)))
        return torch.relu(self.bn3(self.conv3(out)) + self.downsample(x))


class ResNet50(nn.Module):
    """The trunk, without the classifier. `start` then the four stages; the caller may change what is between them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = WIDTHS[0]
        for number, (width, count) in enumerate(zip(WIDTHS, BLOCKS, strict=True), 1):
            first = Bottleneck(inputs, width, 1 if number == 1 else 2)
            inputs = width * EXPANSION
            self.add_module(
                f"layer{number}", nn.Sequential(first, *(Bottleneck(inputs, width, 1) for _ in range(count - 1)))
            )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def start(self, images: Tensor) -> Tensor:
        """(B,3,S,S) RGB 0..1 to (B,64,S/4,S/4)."""
        mean, deviation = (images.new_tensor(part)[:, None, None] for part in (MEAN, DEVIATION))
        return self.maxpool(torch.relu(self.bn1(self.conv1((images - mean) / deviation))))

    @property
    def stages(self) -> list[nn.Module]:
        """In order."""
        return [getattr(self, f"layer{number}") for number in range(1, 5)]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Activations after each stage: at 224 px (B,256,56,56), (B,512,28,28), (B,1024,14,14), (B,2048,7,7)."""
        x, activations = self.start(images), []
        for stage in self.stages:
            x = stage(x)
            activations.append(x)
        return activations
