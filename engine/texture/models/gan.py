"""Textures by generators from users' files, behind the one interface.

Fast-GANFIT (Gecer et al., TPAMI 2021), eq. 6: T(p) = G(p), with a progressively grown G. FFHQ-UV (Bai et al., CVPR
2023) has a StyleGAN2, whose w, or a w for each layer (w+; Abdal et al., "Image2StyleGAN", ICCV 2019), is the latent.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ...errors import ModelFileError
from ..networks.progressive import ProgressiveGenerator
from ..networks.stylegan2 import Generator
from .gan_files import Statistics, measured_statistics, read_progressive, read_statistics, read_stylegan2
from .linear import soft_clamp
from .model import draw, mean_square
from .uv_transfer import UvTransfer

Space = Literal["w", "w+"]


@dataclass(frozen=True)
class StyleGan2Texture:
    """A StyleGAN2 generator of textures.

    The latent is w, or a w for each layer, less its mean and over its deviation, so that `penalty` is the squared
    Mahalanobis distance (with a diagonal covariance, as FFHQ-UV has it) over the number of numbers.

    Attributes:
        name: of the model.
        generator: of pictures -1..1 in a layout of its own.
        statistics: of w.
        space: "w" or "w+".
        transfer: into the head's square.
        provenance: sources and licences.
    """

    name: str
    generator: Generator
    statistics: Statistics
    space: Space
    transfer: UvTransfer
    provenance: dict[str, str]

    @property
    def size(self) -> int:
        """Side of the head's square, texels."""
        return self.transfer.size

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """(w,) or (layers, w)."""
        width = self.generator.w_dim
        return (width,) if self.space == "w" else (self.generator.num_ws, width)

    @property
    def coverage(self) -> Tensor:
        """(S,S) 0..1."""
        return self.transfer.coverage

    @torch.no_grad()
    def start(self, seed: int | None = None) -> Tensor:
        """The mean w, or a draw of z brought to w."""
        if seed is None:
            return torch.zeros(self.latent_shape, device=self.statistics.mean.device)
        z = draw((1, self.generator.z_dim), seed, self.statistics.mean.device)
        w = (self.generator.mapping(z)[0, 0] - self.statistics.mean) / self.statistics.deviation
        return w.expand(self.latent_shape).clone()

    def source(self, latent: Tensor) -> Tensor:
        """Textures (B,3,R,R) in the generator's own layout, sRGB, not bounded."""
        w = latent * self.statistics.deviation + self.statistics.mean
        if self.space == "w":
            w = w[:, None].expand(-1, self.generator.num_ws, -1)
        return (self.generator.synthesis(w, noise="const") + 1) / 2

    def albedo(self, latent: Tensor) -> Tensor:
        """See `TextureModel.albedo`."""
        return soft_clamp(self.transfer.apply(self.source(latent)))

    def penalty(self, latent: Tensor) -> Tensor:
        """See `TextureModel.penalty`."""
        return mean_square(latent)

    def to(self, device: str | torch.device) -> StyleGan2Texture:
        """The model on a device."""
        statistics = Statistics(self.statistics.mean.to(device), self.statistics.deviation.to(device))
        return replace(
            self,
            generator=copy.deepcopy(self.generator).to(device),
            statistics=statistics,
            transfer=self.transfer.to(device),
        )


@dataclass(frozen=True)
class ProgressiveTexture:
    """A progressively grown generator of textures, as in GANFit.

    The latent z is normal. Where the generator brings it to unit size first, its length says nothing, and the prior's
    mass lies where the mean of squares is 1; so `penalty` is then (mean of squares - 1)², and there is no mean texture.

    Attributes:
        name: of the model.
        generator: of pictures -1..1 in a layout of its own.
        transfer: into the head's square.
        provenance: sources and licences.
    """

    name: str
    generator: ProgressiveGenerator
    transfer: UvTransfer
    provenance: dict[str, str]

    @property
    def size(self) -> int:
        """Side of the head's square, texels."""
        return self.transfer.size

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """(z,)."""
        return (self.generator.latent,)

    @property
    def coverage(self) -> Tensor:
        """(S,S) 0..1."""
        return self.transfer.coverage

    def start(self, seed: int | None = None) -> Tensor:
        """A draw; without a seed, zeros where the generator has a mean, else the draw of seed 0."""
        if seed is None and self.generator.normalise:
            seed = 0
        return draw(self.latent_shape, seed, self.coverage.device)

    def source(self, latent: Tensor) -> Tensor:
        """Textures (B,3,R,R) in the generator's own layout, sRGB, not bounded."""
        return (self.generator(latent) + 1) / 2

    def albedo(self, latent: Tensor) -> Tensor:
        """See `TextureModel.albedo`."""
        return soft_clamp(self.transfer.apply(self.source(latent)))

    def penalty(self, latent: Tensor) -> Tensor:
        """(B,) see the class."""
        square = mean_square(latent)
        return (square - 1) ** 2 if self.generator.normalise else square

    def to(self, device: str | torch.device) -> ProgressiveTexture:
        """The model on a device."""
        return replace(self, generator=copy.deepcopy(self.generator).to(device), transfer=self.transfer.to(device))


def load_stylegan2(path: Path, transfer: UvTransfer, space: Space = "w") -> StyleGan2Texture:
    """A StyleGAN2 texture model from the user's file, see `gan_files.read_stylegan2`.

    Args:
        path: of the generator; FFHQ-UV's statistics of w are taken from beside it, others are measured.
        transfer: from the generator's layout, for example `uv_transfer.from_landmarks(FFHQ_UV, ...)`.
        space: of the latents.
    Raises:
        ModelFileError: the file is missing, damaged, or another's.
    """
    generator = read_stylegan2(path)
    statistics = read_statistics(path) or measured_statistics(generator)
    if statistics.mean.numel() != generator.w_dim:
        raise ModelFileError(
            f"The file {path.with_suffix('.pt')} is for w of {statistics.mean.numel()} numbers, the generator has "
            f"{generator.w_dim}.",
            "Remove it: the statistics are then measured.",
        )
    return StyleGan2Texture("stylegan2", generator, statistics, space, transfer, _users_file(path, "StyleGAN2"))


def load_progressive(path: Path, transfer: UvTransfer) -> ProgressiveTexture:
    """A progressive GAN's texture model from the user's file, see `gan_files.read_progressive`.

    Raises:
        ModelFileError: the file is missing, damaged, or another's.
    """
    generator = read_progressive(path)
    return ProgressiveTexture("progressive", generator, transfer, _users_file(path, "Progressive GAN"))


def _users_file(path: Path, kind: str) -> dict[str, str]:
    return {
        "texture model": f"{kind} ({path.name})",
        "texture licence": "the licence of the user's file",
        "texture source": "the user's own file",
    }
