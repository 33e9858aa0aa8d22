"""How unlike two pictures look: distances of a network's activations.

Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (LPIPS), CVPR 2018, equation 1:
activations of some layers, scaled to unit length at every place, their squared differences weighted by channel,
averaged over places and added up over layers. The published weights, VGG16 and the channels' weights, cannot be
shipped; users who have them are served by `load_lpips`. Without them the bundled recognition network stands in, all
channels alike. It knows faces only, is smaller, and its numbers are on another scale: fit for inversion, not for
comparing with printed LPIPS figures.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from ..errors import ModelFileError
from ..models.safe_load import load_tensors
from ..recognition.load import load_small
from ..recognition.small import SIDE as RECOGNISED

SIDE = 256
"""Pixels of what is compared: larger pictures are averaged down to it (Karras et al. 2020, appendix D)."""
EPSILON = 1e-10
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""LPIPS's normalisation of pictures of -1..1."""
VGG = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Channels of VGG16's convolutions; the activations after each group are compared."""
Features = Callable[[Tensor], list[Tensor]]


class Perceptual(nn.Module):
    """A perceptual distance.

    Args:
        features: (B,3,H,W) of -1..1 to activations (B,C,h,w), one for each layer.
        weights: (C,) of each layer's channels, not negative; None for the mean over channels.
        name: for reports.
    """

    def __init__(self, features: Features, weights: list[Tensor] | None = None, name: str = "") -> None:
        super().__init__()
        self.features, self.name = features, name
        self.weights = None if weights is None else nn.ParameterList(nn.Parameter(w, False) for w in weights)

    def describe(self, images: Tensor) -> list[Tensor]:
        """Weighted unit activations of pictures (B,3,H,W) of -1..1: what the distance is Euclidean in."""
        side = images.shape[-1]
        if side > SIDE:
            images = nnf.interpolate(images, (SIDE, SIDE), mode="area")
        found = []
        for number, layer in enumerate(self.features(images)):
            unit = layer / (layer.square().sum(1, keepdim=True) + EPSILON).sqrt()
            if self.weights is not None:
                unit = unit * self.weights[number].sqrt()[:, None, None]
            found.append(unit)
        return found

    def between(self, first: list[Tensor], second: list[Tensor]) -> Tensor:
        """(B,) distances of what `describe` gave."""
        terms = [(a - b).square().sum(1).mean((1, 2)) for a, b in zip(first, second, strict=True)]
        return torch.stack(terms).sum(0)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """(B,) distances of pictures (B,3,H,W) of -1..1."""
        return self.between(self.describe(first), self.describe(second))


class _Recognised(nn.Module):
    """Activations of the bundled network, which wants pictures no smaller than its own."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)  # the loader hands out the same one to everybody

    def forward(self, images: Tensor) -> list[Tensor]:
        if images.shape[-1] < RECOGNISED:
            images = nnf.interpolate(images, (RECOGNISED, RECOGNISED), mode="bilinear")
        return self.network(images / 2 + 0.5)[1]


def substitute() -> Perceptual:
    """The bundled recognition network's activations, for users without LPIPS's weights.

    Raises:
        ModelFileError: its file is missing or damaged.
    """
    return Perceptual(_Recognised(load_small().network), name="recognition network (in place of LPIPS)")


class Vgg(nn.Module):
    """VGG16's convolutions, as LPIPS uses them; named as torchvision's (`features.0.weight`, ...)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self.ends: list[int] = []
        inputs = 3
        for group in VGG:
            if layers:
                layers.append(nn.MaxPool2d(2))
            for outputs in group:
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
                inputs = outputs
            self.ends.append(len(layers) - 1)
        self.features = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> list[Tensor]:
        x = (images - images.new_tensor(SHIFT)[:, None, None]) / images.new_tensor(SCALE)[:, None, None]
        found = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in self.ends:
                found.append(x)
        return found


def load_lpips(vgg: Path, channels: Path | None = None) -> Perceptual:
    """LPIPS with the user's weights.

    Args:
        vgg: torchvision's VGG16. channels: LPIPS's own (`lin0.model.1.weight`, ...); None weighs all alike.
    Raises:
        ModelFileError: a file is missing, damaged or another network's.
    """
    state = {name: value for name, value in load_tensors(vgg).items() if name.startswith("features.")}
    network = Vgg()
    cure = "Choose torchvision's VGG16 (vgg16-397923af.pth)."
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ModelFileError(f"The file {vgg} is not VGG16: {str(error).splitlines()[-1].strip()}", cure) from error
    weights = None if channels is None else _channels(channels)
    network.eval().requires_grad_(False)
    return Perceptual(network, weights, "LPIPS" if weights else "VGG16, all channels alike")


def _channels(path: Path) -> list[Tensor]:
    found: dict[str, Any] = load_tensors(path)
    weights = []
    for number, group in enumerate(VGG):
        value = found.get(f"lin{number}.model.1.weight")
        if not isinstance(value, Tensor) or value.numel() != group[-1] or not (value >= 0).all():
            raise ModelFileError(
                f"The file {path} has no weights “lin{number}.model.1.weight” of {group[-1]} channels.",
                "Choose LPIPS's vgg.pth, version 0.1.",
            )
        weights.append(value.detach().float().flatten())
    return weights
