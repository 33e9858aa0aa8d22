"""A progressively grown generator: GANFit's kind of texture model.

Karras et al., "Progressive Growing of GANs", ICLR 2018: section 4.1 (equalised learning rate), 4.2 (pixelwise feature
normalisation), appendix A and table 2 (layers). Names of the weights and the details that the paper leaves open are
those of pytorch_GAN_zoo, whose files are the ones that are about: `formatLayer.module.weight`, `groupScale0.0.module`,
`scaleLayers.K.0/1.module`, `toRGBLayers.K.module`. There the gain multiplies the bias, too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

START = 4
"""Side of the first maps."""
SLOPE = 0.2


def normalised(features: Tensor) -> Tensor:
    """Each vector of features (B,C,...) over its root mean square (section 4.2)."""
    return features * (features.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class Scaled(nn.Module):
    """A layer whose output is multiplied by He's constant sqrt(2 / inputs) (section 4.1)."""

    def __init__(self, module: nn.Conv2d | nn.Linear, equalised: bool = True) -> None:
        super().__init__()
        self.module = module
        self.gain = math.sqrt(2 / module.weight[0].numel()) if equalised else 1.0

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x) * self.gain


class ProgressiveGenerator(nn.Module):
    """Pictures from latents.

    Args:
        latent: numbers of a latent.
        widths: channels at 4, 8, 16, ... pixels.
        normalise: pixelwise normalisation, of the latent too.
        equalised: see `Scaled`.
        blend: share of the next smaller picture, for a network that was still growing.
        squash: a hyperbolic tangent at the end.
    """

    def __init__(
        self,
        latent: int,
        widths: list[int],
        normalise: bool = True,
        equalised: bool = True,
        blend: float = 0.0,
        squash: bool = False,
    ) -> None:
        super().__init__()
        self.latent, self.widths = latent, widths
        self.normalise, self.blend, self.squash = normalise, blend, squash

        def convolution(inputs: int, outputs: int, side: int = 3) -> Scaled:
            return Scaled(nn.Conv2d(inputs, outputs, side, padding=side // 2), equalised)

        self.formatLayer = Scaled(nn.Linear(latent, START * START * widths[0]), equalised)
        self.groupScale0 = nn.ModuleList([convolution(widths[0], widths[0])])
        self.scaleLayers = nn.ModuleList(
            nn.ModuleList([convolution(before, width), convolution(width, width)]) for before, width in pairwise(widths)
        )
        self.toRGBLayers = nn.ModuleList(convolution(width, 3, 1) for width in widths)

    @property
    def size(self) -> int:
        """Side of the pictures."""
        return START << len(self.scaleLayers)

    def forward(self, latent: Tensor) -> Tensor:
        """Latents (B,latent) to pictures (B,3,size,size), about -1..1."""
        maps = self.formatLayer(self._settled(latent))
        maps = self._active(maps.view(len(latent), -1, START, START))
        maps = self._active(self.groupScale0[0](maps))
        smaller = maps
        for group in self.scaleLayers:
            smaller, maps = maps, nnf.interpolate(maps, scale_factor=2, mode="nearest")
            for layer in group:  # type: ignore[attr-defined]
                maps = self._active(layer(maps))
        picture = self.toRGBLayers[-1](maps)
        if self.blend > 0 and len(self.scaleLayers):
            before = nnf.interpolate(self.toRGBLayers[-2](smaller), scale_factor=2, mode="nearest")
            picture = self.blend * before + (1 - self.blend) * picture
        return torch.tanh(picture) if self.squash else picture

    def _active(self, maps: Tensor) -> Tensor:
        return self._settled(nnf.leaky_relu(maps, SLOPE))

    def _settled(self, features: Tensor) -> Tensor:
        return normalised(features) if self.normalise else features


def shape_of(state: Mapping[str, Tensor]) -> tuple[int, list[int]]:
    """Size of the latent and channels at each resolution of a state dict.

    Raises:
        KeyError, ValueError: it is not this generator's.
    """
    weight = state["formatLayer.module.weight"]
    numbers = sorted(int(m[1]) for name in state if (m := re.fullmatch(r"scaleLayers\.(\d+)\.0\.module\.weight", name)))
    if weight.ndim != 2 or numbers != list(range(len(numbers))):
        raise ValueError("its scales are incomplete")
    widths = [weight.shape[0] // (START * START)]
    widths += [state[f"scaleLayers.{number}.0.module.weight"].shape[0] for number in numbers]
    return weight.shape[1], widths
