"""The one way in which a solver sees any texture: a latent in standard deviations, and the albedo it stands for."""

from __future__ import annotations

from typing import Protocol, Self, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class TextureModel(Protocol):
    """A model of albedo in the head's UV. S is the side of its square in pixels.

    Attributes:
        name: for reports, for example "linear".
        size: S.
        latent_shape: of one latent, without a batch axis.
        coverage: (S,S) float32 0..1, where the model says something; the rest is the caller's to fill.
        provenance: sources and licences, for reports.
    """

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    @property
    def latent_shape(self) -> tuple[int, ...]: ...

    @property
    def coverage(self) -> Tensor: ...

    @property
    def provenance(self) -> dict[str, str]: ...

    def start(self, seed: int | None = None) -> Tensor:
        """A latent (*latent_shape): the mean, or a draw from the prior."""
        ...

    def albedo(self, latent: Tensor) -> Tensor:
        """Albedo (B,3,S,S), sRGB 0..1, row 0 is v = 1, of latents (B,*latent_shape). Differentiable."""
        ...

    def penalty(self, latent: Tensor) -> Tensor:
        """(B,) mean of squares of latents (B,*latent_shape), in standard deviations of the prior."""
        ...

    def to(self, device: str | torch.device) -> Self:
        """The model on a device."""
        ...


def mean_square(latent: Tensor) -> Tensor:
    """(B,) mean of squares of (B,...): twice the negative log of a standard normal, per number, less its constant."""
    return latent.flatten(1).square().mean(1)


def draw(shape: tuple[int, ...], seed: int | None, device: str | torch.device = "cpu") -> Tensor:
    """Standard normal numbers of a shape, drawn on the CPU so as to be the same everywhere; zeros without a seed."""
    if seed is None:
        return torch.zeros(shape, device=device)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(device)
