"""The first stage of an inversion: the latent whose picture is nearest to the photo.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020, appendix D, with PTI's numbers: one w
for all layers ("W"), noise on it that dies away, and the network's noise maps optimised beside it, kept free of
pattern, so that w need not explain what is noise. The maps are thrown away afterwards, as in PTI.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as nnf

from .descent import Descent
from .generator import TriplaneGenerator
from .perceptual import Perceptual

LEAST_MAP = 8
"""Pixels along the smallest copy of a noise map that the regulariser looks at."""


@dataclass(frozen=True)
class PivotOptions:
    """Numbers of the stage.

    Attributes:
        steps: 500 of the thesis (section 3.2.4), after PTI's 450. rate: Adam's.
        ramp_up, ramp_down: shares of the steps in which the rate rises and falls.
        noise: on w, in standard deviations of w, at the beginning; it has died away after `noise_ramp` of the steps.
            None of it where the latent starts from a regressor's: it would throw away what that knows (ours).
        maps: the noise maps are optimised, too. maps_weight: of their regulariser.
        perceptual, pixels: weights of the two distances. The published 0 of pixels belongs to LPIPS's own weights; the
            substitute sees little of plain colours (ours).
        space: "w" one for all layers, "w+" one for each.
        samples: latents that the mean and the deviation of w are taken of.
    """

    steps: int = 500
    rate: float = 5e-3
    ramp_up: float = 0.05
    ramp_down: float = 0.25
    noise: float = 0.05
    noise_ramp: float = 0.75
    maps: bool = True
    maps_weight: float = 1e5
    perceptual: float = 1.0
    pixels: float = 1.0
    space: Literal["w", "w+"] = "w"
    samples: int = 10_000


@torch.no_grad()
def latent_statistics(network: TriplaneGenerator, label: Tensor, samples: int, seed: int = 0) -> tuple[Tensor, float]:
    """Mean (1,1,w) of w under a camera label (1,25), and the root mean square distance from it."""
    z = torch.randn((samples, network.config.z), generator=torch.Generator().manual_seed(seed)).to(label)
    w = network.mapping(z, label.expand(samples, -1))[:, :1]
    mean = w.mean(0, keepdim=True)
    return mean, float((w - mean).square().sum((1, 2)).mean().sqrt())


class Pivot:
    """The stage.

    Args:
        network: a copy of its own: its noise maps are changed. target: (1,3,S,S) -1..1. label: (1,25).
        start: (1,layers,w) or None for the mean latent.
    """

    def __init__(
        self, network: TriplaneGenerator, target: Tensor, label: Tensor, options: PivotOptions, seed: int,
        perceptual: Perceptual, start: Tensor | None = None,
    ) -> None:  # fmt: skip
        self.network, self.target, self.label, self.options = network, target, label, options
        self.seed, self.perceptual, self.steps = seed, perceptual, options.steps
        mean, self.deviation = latent_statistics(network, label, options.samples, seed)
        first = mean if start is None else start.to(mean)
        self.noise = options.noise if start is None else 0.0
        first = first.mean(1, keepdim=True) if options.space == "w" else first.expand(-1, network.layers, -1)
        self.w = first.detach().clone().requires_grad_()
        self.maps: dict[str, Tensor] = {}
        if options.maps:
            self.maps = {
                name: value for name, value in network.backbone.named_buffers() if name.endswith("noise_const")
            }
        self._draw_maps()
        self.descent = Descent({"w": self.w, **self.maps})
        with torch.no_grad():
            self.wanted = perceptual.describe(target)

    @torch.no_grad()
    def _draw_maps(self) -> None:
        generator = torch.Generator().manual_seed(self.seed)
        for value in self.maps.values():
            value.copy_(torch.randn(value.shape, generator=generator))
            value.requires_grad_()

    def rate(self, step: int) -> float:
        """The learning rate of a step: a cosine down at the end, a line up at the beginning."""
        share = step / self.steps
        down = min(1.0, (1 - share) / self.options.ramp_down)
        return self.options.rate * (0.5 - 0.5 * math.cos(down * math.pi)) * min(1.0, share / self.options.ramp_up)

    def spread(self, step: int) -> float:
        """Standard deviation of the noise on w at a step."""
        left = max(0.0, 1 - step / self.steps / self.options.noise_ramp)
        return self.deviation * self.noise * left**2

    def advance(self) -> None:
        """One step."""
        step = self.descent.step
        spread = self.spread(step)
        if spread == 0 and (step == 0 or self.spread(step - 1) > 0):
            self.descent.forget()  # losses under noise are not of the latent itself
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        noise = torch.randn(self.w.shape, generator=generator).to(self.w) * spread

        def loss() -> tuple[Tensor, float]:
            ws = (self.w + noise).expand(-1, self.network.layers, -1)
            image = self.network.synthesis(ws, self.label).image
            assert image is not None
            likeness = (
                self.options.perceptual * self.perceptual.between(self.perceptual.describe(image), self.wanted).sum()
            )
            likeness = likeness + self.options.pixels * (image - self.target).square().mean()
            smooth = self.options.maps_weight * sum(patterns(value) for value in self.maps.values())
            return likeness + smooth, float(likeness.detach())

        if self.descent.take(loss, self.rate(step)):
            self._normalise()

    @torch.no_grad()
    def _normalise(self) -> None:
        for value in self.maps.values():
            value.sub_(value.mean())
            value.mul_(value.square().mean().rsqrt())

    def enough(self) -> bool:
        """It runs to its end."""
        return False

    def best(self) -> Tensor:
        """(1,layers,w) the latent with the least loss so far."""
        return self.descent.best["w"].detach().expand(-1, self.network.layers, -1).clone()


def patterns(noise: Tensor) -> Tensor:
    """How much neighbouring pixels of a map (S,S) have in common, at all scales: nought of true noise.

    Karras et al. 2020, appendix D, equation 6; the maps wrap around.
    """
    noise, total = noise[None, None], noise.new_zeros(())
    while True:
        for axis in (2, 3):
            total = total + (noise * torch.roll(noise, 1, axis)).mean().square()
        if noise.shape[2] <= LEAST_MAP:
            return total
        noise = nnf.avg_pool2d(noise, 2)
