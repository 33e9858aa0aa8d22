"""Latents for textures that exist: the principal components of their density, each made normal by its ranks.

They are what the generator starts from. To paint each texture from its own components is learned in some hundred steps,
without a discriminator; what the components leave open (pores, freckles) is then learned against one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as nnf

from ...texture.models.small import density

SIDE = 32
"""Side of the small pictures whose components are taken."""
DETAILS = 4
"""One in so many components is of detail."""
AROUND = 5
"""Pixels of half the pictures' size, odd: detail is what differs from the mean over as many squared."""
MORE, ROUNDS = 10, 3
"""Of the randomised decomposition (Halko, Martinsson and Tropp, SIAM Review 53(2), 2011, algorithm 4.4)."""
POWER = 0.75
"""Of the components' deviations. With 1 the complexion, 98 % of all variance, would drown the others; with 0 the
network has to find it among all of them first."""


@dataclass(frozen=True)
class Codes:
    """Latents of N textures and of their mirror images.

    Attributes:
        own, mirrored: (N,z) float32.
        strength: (z,) the components' deviations, as a power of them, with a mean square of 1.
    """

    own: Tensor
    mirrored: Tensor
    strength: Tensor


def component_codes(textures: NDArray[np.uint8], numbers: int, seed: int) -> Codes:
    """The first components of textures (N,S,S,3), distributed as the generator's latents are.

    Most are of the small pictures; one in `DETAILS` is of what the others do not tell about detail.

    Args:
        numbers: z, how many. Where the textures have fewer, the others are drawn.
        seed: of the decomposition and of what is drawn.
    """
    small, detail = _seen(textures)
    details = min(numbers // DETAILS, len(textures) - 1)
    broad = min(numbers - details, len(textures) - 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        own, other, scale = _components(small.flatten(1), small.flip(2).flatten(1), broad)
        if details:
            fine, turned = detail.flatten(1), detail.flip(2).flatten(1)
            told = torch.linalg.lstsq(torch.cat([own, other]), torch.cat([fine, turned])).solution
            added = _components(fine - own @ told, turned - other @ told, details)
            own, other = torch.cat([own, added[0]], 1), torch.cat([other, added[1]], 1)
        rest = torch.randn(2, len(small), numbers - own.shape[1])
    strength = torch.cat([scale, scale[-1:].expand(numbers - broad)]) ** POWER
    strength = strength / strength.square().mean().sqrt()
    return Codes(torch.cat([own, rest[0]], 1), torch.cat([other, rest[1]], 1), strength)


def _components(flat: Tensor, mirrored: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """Normal codes (N,rank) of rows (N,F) and of their mirror images, and the components' deviations (rank)."""
    mean = (flat.mean(0) + mirrored.mean(0)) / 2
    _, values, basis = torch.svd_lowrank(flat - mean, min(rank + MORE, *flat.shape), niter=ROUNDS)
    both = _normal((torch.cat([flat, mirrored]) - mean) @ basis[:, :rank])
    own, other = both.split(len(flat))
    return own, other, (values[:rank] / np.sqrt(len(flat))).clamp_min(1e-6)


def _seen(textures: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """(N,32,32,3) density of small pictures; (N,S/2,S/2) what greys of half the size have beside their surroundings."""
    small, detail = [], []
    for some in np.array_split(textures, max(1, len(textures) // 64)):
        dense = density(torch.tensor(some).permute(0, 3, 1, 2).float() / 255)
        small.append(nnf.adaptive_avg_pool2d(dense, SIDE).permute(0, 2, 3, 1))
        grey = nnf.avg_pool2d(dense.mean(1, keepdim=True), 2)
        around = nnf.avg_pool2d(grey, AROUND, 1, AROUND // 2, count_include_pad=False)
        detail.append((grey - around)[:, 0])
    return torch.cat(small), torch.cat(detail)


def _normal(values: Tensor) -> Tensor:
    """(N,z) with each column's values replaced by those that a standard normal has at their ranks."""
    ranks = values.argsort(0).argsort(0)
    return torch.special.ndtri((ranks + 0.5) / len(values))
