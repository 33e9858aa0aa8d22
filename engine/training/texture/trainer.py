"""One step of training after the other, for the generator of textures and its discriminator.

Two parts. In the warm one the generator learns alone to paint textures from their principal components (`codes`). In
the other it learns against the discriminator (StyleGAN2: logistic loss, R1 every `lazy` steps; no path-length term);
half of its latents stay components of real textures, whose colours it is held to, so that no kind of skin is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as nnf

from ...texture.models.small import TextureNetwork, colour, density
from ...texture.networks.discriminator import Discriminator
from . import losses
from .codes import component_codes
from .start import pictures_of, prepare

BROAD = 16
"""Side of the colours that the discriminator does not see, pixels."""
WARM_BETAS, ADVERSARIAL_BETAS = (0.9, 0.99), (0.0, 0.99)


@dataclass(frozen=True)
class Size:
    """Of the generator; see `TextureNetwork`."""

    z_dim: int = 40
    w_dim: int = 40
    side: int = 256
    channel_base: int = 2048
    channel_max: int = 96
    mapping_layers: int = 2
    shuffle: int = 2


@dataclass(frozen=True)
class Learning:
    """What is learned, and how fast.

    Attributes:
        batch: textures in a step against the discriminator; even.
        warm: steps without it. warm_batch: textures in each of those.
        seed: of the first weights, and of everything drawn.
        rate_warm, rate_generator, rate_discriminator: Adam's.
        gamma: strength of R1. lazy: steps from one R1 to the next.
        anchor: strength of the coarse difference to the textures whose components are painted.
        jitter: standard deviations added to the components, so that between them is learned, too.
        channel_base, channel_max: of the discriminator.
        mirror: textures are also learned from mirrored.
    """

    batch: int = 4
    warm: int = 100
    warm_batch: int = 4
    seed: int = 0
    rate_warm: float = 4e-3
    rate_generator: float = 1.5e-3
    rate_discriminator: float = 1.5e-3
    gamma: float = 1.0
    lazy: int = 16
    anchor: float = 4.0
    jitter: float = 0.1
    channel_base: int = 1024
    channel_max: int = 64
    mirror: bool = True

    def __post_init__(self) -> None:
        if self.batch < 2 or self.batch % 2 or min(self.lazy, self.warm_batch) < 1:
            raise ValueError("batch is even, lazy and warm_batch are at least 1.")


class Pair(nn.Module):
    """Generator and discriminator, as one thing to save."""

    def __init__(self, network: TextureNetwork, discriminator: Discriminator) -> None:
        super().__init__()
        self.network, self.discriminator = network, discriminator


class Trainer:
    """The networks, their optimisers, and what a step does.

    What a step learns from depends on nothing but its number: a run can go on where it stopped.

    Args:
        textures: (N,side,side,3) uint8 sRGB.
        size, learning: see there. device: torch's name of it.
    """

    def __init__(self, textures: NDArray[np.uint8], size: Size, learning: Learning, device: str = "cpu") -> None:
        self.textures, self.learning, self.device = textures, learning, device
        self.codes = component_codes(textures, size.z_dim, learning.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(learning.seed)
            network = TextureNetwork(**vars(size))
            prepare(network, self.codes, textures, learning.mirror)
            judge = Discriminator(
                size.side // size.shuffle,
                learning.channel_base,
                learning.channel_max,
                3 * size.shuffle**2,
                group=4 if learning.batch % 4 == 0 else 2,
                clamp=None,
            )
        self.pair = Pair(network, judge).to(device)
        self.network, self.judge = self.pair.network, self.pair.discriminator
        self.makers = torch.optim.Adam(self.network.parameters(), learning.rate_warm, WARM_BETAS)
        self.judges = torch.optim.Adam(self.judge.parameters(), learning.rate_discriminator, ADVERSARIAL_BETAS)

    def state(self) -> dict:
        """Of both optimisers."""
        return {"makers": self.makers.state_dict(), "judges": self.judges.state_dict()}

    def load(self, state: dict) -> None:
        """Take `state` over."""
        self.makers.load_state_dict(state["makers"])
        self.judges.load_state_dict(state["judges"])

    def step(self, number: int) -> dict[str, Tensor]:
        """Take one step; figures to log."""
        rng = np.random.default_rng((self.learning.seed, number))
        if number < self.learning.warm:
            return self._warm(number, rng)
        return self._adversarial(number, rng)

    def _warm(self, number: int, rng: np.random.Generator) -> dict[str, Tensor]:
        real, codes = self._batch(rng, self.learning.warm_batch)
        left = 1 - number / self.learning.warm
        rate = self.learning.rate_warm * min(1.0, (number + 1) / 20, 0.1 + 0.9 * min(1.0, 2 * left))
        loss = losses.difference(self.network.paint(self._ws(codes), "none"), real)
        self._improve(self.makers, loss, rate, WARM_BETAS)
        return {"difference": loss.detach()}

    def _adversarial(self, number: int, rng: np.random.Generator) -> dict[str, Tensor]:
        learning, half = self.learning, self.learning.batch // 2
        real, codes = self._batch(rng, learning.batch)
        jitter, drawn = (self._normal(rng, half, codes.shape[1]) for _ in range(2))
        ws = torch.cat([self._ws(codes[:half] + learning.jitter * jitter), self.network.generator.mapping(drawn)])
        made = self.network.dense(ws, "random", int(rng.integers(1 << 62)))
        wanted = density(real)

        told = losses.telling(self._judge(wanted), self._judge(made.detach()))
        self._improve(self.judges, told, learning.rate_discriminator, ADVERSARIAL_BETAS)
        figures = {"telling": told.detach()}
        if number % learning.lazy == 0:
            figures["r1"] = self._flatten(wanted)

        fooled = losses.fooling(self._judge(made))
        apart = losses.coarse_difference(colour(made[:half]), real[:half])
        # The discriminator is new when the warm part ends: what it says counts little at first.
        rate = learning.rate_generator * min(1.0, (number - learning.warm + 1) / 100)
        self._improve(self.makers, fooled + learning.anchor * apart, rate, ADVERSARIAL_BETAS)
        return figures | {"fooling": fooled.detach(), "coarse": apart.detach()}

    def _ws(self, codes: Tensor) -> Tensor:
        """(B,copies,w) of components, not normalised: their length says something."""
        mapping = self.network.generator.mapping
        return mapping.through(codes)[:, None].expand(-1, mapping.copies, -1)

    def _flatten(self, dense: Tensor) -> Tensor:
        """A step of R1 alone, as strong as those that were left out together."""
        packed = self._packed(dense).requires_grad_()
        steep = losses.steepness(self.judge(packed), packed)
        loss = 0.5 * self.learning.gamma * self.learning.lazy * steep
        self._improve(self.judges, loss, self.learning.rate_discriminator, ADVERSARIAL_BETAS)
        return steep.detach()

    def _packed(self, dense: Tensor) -> Tensor:
        """(B,3·shuffle²,R,R) of densities: the discriminator, too, sees neighbours as channels.

        Less the mean and the broad colours, and in units in which detail is about 1: complexions differ so much that a
        discriminator which sees them learns nothing else for long, and the linear part has them right.
        """
        offset = (dense - self.network.mean) / self.network.spread
        broad = nnf.interpolate(nnf.adaptive_avg_pool2d(offset, BROAD), offset.shape[2:], mode="bilinear")
        return nnf.pixel_unshuffle(offset - broad, self.network.shuffle)

    def _judge(self, dense: Tensor) -> Tensor:
        return self.judge(self._packed(dense))

    @staticmethod
    def _improve(optimizer: torch.optim.Optimizer, loss: Tensor, rate: float, betas: tuple[float, float]) -> None:
        for group in optimizer.param_groups:
            group["lr"], group["betas"] = rate, betas
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        gradients = torch.autograd.grad(loss, weights, allow_unused=True)
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def _batch(self, rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        """Textures (B,3,side,side) 0..1 and their components (B,z)."""
        chosen = np.sort(rng.integers(len(self.textures), size=count))
        turned = torch.tensor(rng.random(count) < (0.5 if self.learning.mirror else 0.0))
        order = torch.tensor(rng.permutation(count))
        pictures = pictures_of(self.textures[chosen])
        pictures = torch.where(turned[:, None, None, None], pictures.flip(3), pictures)
        codes = torch.where(turned[:, None], self.codes.mirrored[chosen], self.codes.own[chosen])
        return pictures[order].to(self.device), codes[order].to(self.device)

    def _normal(self, rng: np.random.Generator, *shape: int) -> Tensor:
        return torch.tensor(rng.standard_normal(shape, np.float32), device=self.device)
