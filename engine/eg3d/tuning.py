"""The second stage of an inversion: the generator is tuned until the pivot's picture is the photo.

Roich et al. 2022, section 3.2, equation 3, with the locality regularisation of section 3.3, equations 4 to 6: at
latents some way from the pivot towards random ones, the tuned generator shall draw what the original draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .descent import Descent
from .generator import TriplaneGenerator
from .perceptual import Perceptual


@dataclass(frozen=True)
class TuningOptions:
    """Numbers of the stage.

    Attributes:
        steps: 350. rate: Adam's. perceptual, pixels: weights of the two distances.
        enough: perceptual distance at which it ends early. PTI's 0.06 is of LPIPS; None does not (ours, the
            substitute's numbers being others).
        locality_every: steps between looks at other latents, 0 for none; PTI's published settings leave them out, the
            thesis (section 3.2.4) has them. locality_samples: latents a look.
        locality_reach: how far from the pivot, in w. locality_perceptual, locality_pixels: weights of what differs.
        locality_truncation: of the random latents.
    """

    steps: int = 350
    rate: float = 3e-4
    perceptual: float = 1.0
    pixels: float = 1.0
    enough: float | None = None
    locality_every: int = 1
    locality_samples: int = 1
    locality_reach: float = 30.0
    locality_perceptual: float = 0.1
    locality_pixels: float = 0.1
    locality_truncation: float = 0.5


class Tuning:
    """The stage.

    Args:
        original: the generator as it was; not changed. network: a copy of its own, to be tuned.
        target: (1,3,S,S) -1..1. label: (1,25). ws: (1,layers,w) the pivot.
    """

    def __init__(
        self, original: TriplaneGenerator, network: TriplaneGenerator, target: Tensor, label: Tensor, ws: Tensor,
        options: TuningOptions, seed: int, perceptual: Perceptual,
    ) -> None:  # fmt: skip
        self.original, self.network, self.target, self.label, self.ws = original, network, target, label, ws
        self.options, self.seed, self.perceptual, self.steps = options, seed, perceptual, options.steps
        parts = ("backbone.synthesis.", "superresolution.", "decoder.")  # all that draws: not the mapping
        named = {name: value for name, value in network.named_parameters() if name.startswith(parts)}
        for value in named.values():
            value.requires_grad_()
        self.descent = Descent(named)
        self.likeness = float("inf")
        with torch.no_grad():
            self.wanted = perceptual.describe(target)

    def advance(self) -> None:
        """One step."""
        step = self.descent.step

        def loss() -> tuple[Tensor, float]:
            image = _drawn(self.network, self.ws, self.label)
            likeness = self.perceptual.between(self.perceptual.describe(image), self.wanted).sum()
            near = self.options.perceptual * likeness + self.options.pixels * (image - self.target).square().mean()
            self.likeness = float(likeness.detach())
            every = self.options.locality_every
            apart = self._apart(step) if every and step % every == 0 else near.new_zeros(())
            return near + apart, float(near.detach())

        self.descent.take(loss, self.options.rate)

    def _apart(self, step: int) -> Tensor:
        """How far the generator has moved away from the original, at random latents around the pivot."""
        options = self.options
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        z = torch.randn((options.locality_samples, self.network.config.z), generator=generator).to(self.ws)
        total = self.ws.new_zeros(())
        with torch.no_grad():
            others = self.original.mapping(z, self.label.expand(len(z), -1), options.locality_truncation)
        for other in others:
            direction = other[None] - self.ws
            length = direction[:, 0].norm().clamp_min(1e-8)
            ws = self.ws + options.locality_reach * direction / length
            with torch.no_grad():
                before = _drawn(self.original, ws, self.label)
            after = _drawn(self.network, ws, self.label)
            total = total + options.locality_pixels * (after - before).square().mean()
            total = total + options.locality_perceptual * self.perceptual(after, before).sum()
        return total / options.locality_samples

    def enough(self) -> bool:
        """The picture is as near as the options ask."""
        return self.options.enough is not None and self.likeness < self.options.enough

    def best(self) -> TriplaneGenerator:
        """The network with the least loss so far, no longer to be trained."""
        self.descent.restore()
        return self.network.eval().requires_grad_(False)


def _drawn(network: TriplaneGenerator, ws: Tensor, label: Tensor) -> Tensor:
    image = network.synthesis(ws, label).image
    assert image is not None
    return image
