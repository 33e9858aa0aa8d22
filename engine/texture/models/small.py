"""The bundled texture generator: a small StyleGAN2 that paints face, ears and neck of the head's UV square.

What GANFit uses a large one for (Gecer et al., "Fast-GANFIT", TPAMI 2021, section 3.1, eq. 6), here 256 pixels for
the part of the UV square that a face needs. The latent is w in standard deviations along its principal axes, so that
all its numbers are alike to an optimiser.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from ...perception.networks.weights import load_network
from ..networks.stylegan2 import Generator, Noise

WEIGHTS = Path(__file__).parents[1] / "data" / "texture_generator.safetensors"
SIZE = 512
"""Side of the texture, texels."""


@dataclass(frozen=True)
class Window:
    """A part of the head's UV square, in shares of its side from the top left corner."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right <= 1 and 0 <= self.top < self.bottom <= 1):
            raise ValueError(f"The window {self} is no part of the square.")

    def cut(self, textures: Tensor, side: int) -> Tensor:
        """(B,C,side,side) of whole textures (B,C,S,S): each texel the mean of what it covers."""
        size = textures.shape[-1]
        first, last = round(self.top * size), round(self.bottom * size)
        left, right = round(self.left * size), round(self.right * size)
        part = textures[..., first:last, left:right]
        return nnf.interpolate(part, (side, side), mode="bilinear", align_corners=False, antialias=True)

    def grid(self, size: int) -> Tensor:
        """(S,S,2) where `grid_sample` (corners not aligned) finds the square's texels in the window; over 1 outside."""
        places = (torch.arange(size) + 0.5) / size
        x = (places - self.left) / (self.right - self.left) * 2 - 1
        y = (places - self.top) / (self.bottom - self.top) * 2 - 1
        return torch.stack([x.expand(size, size), y[:, None].expand(size, size)], -1)

    def cover(self, size: int, margin: float) -> Tensor:
        """(S,S) 1 in the window, falling smoothly to 0 within `margin` (shares of the square) of its edges.

        An edge that is the square's own does not fall off.
        """
        places = (torch.arange(size) + 0.5) / size

        def along(first: float, last: float) -> Tensor:
            rise = torch.ones(size) if first <= 0 else ((places - first) / margin).clamp(0, 1)
            fall = torch.ones(size) if last >= 1 else ((last - places) / margin).clamp(0, 1)
            least = torch.minimum(rise, fall)
            return least * least * (3 - 2 * least)

        return along(self.top, self.bottom)[:, None] * along(self.left, self.right)


WINDOW = Window(left=0.0625, top=0.109375, right=0.9375, bottom=0.765625)
"""Face, forehead, ears and throat of the open head: 448 by 336 texels of 512."""
COARSER = 2
"""How much smaller the linear part's side is."""
BENDS = 2
"""What the linear part knows beside w, see `TextureNetwork.told`."""
DETAILS = 12
"""Grey patterns at full resolution that the linear part has beside."""
POWER, OFFSET = 2.4, 0.055
"""Of sRGB's power law."""
MARGIN = 0.03
"""Shares of the square over which the window's edge fades into what is around it."""


def density(srgb: Tensor) -> Tensor:
    """What pigments add up in: minus the logarithm of albedo, here of sRGB's power law, of sRGB 0..1."""
    return -POWER * ((srgb + OFFSET) / (1 + OFFSET)).log()


def colour(dense: Tensor) -> Tensor:
    """sRGB of a density, the reverse of `density`. Very low ones come out above 1."""
    return (1 + OFFSET) * (-dense / POWER).exp() - OFFSET


class TextureNetwork(nn.Module):
    """Skins from w: a mean, what is linear in w, and what a StyleGAN2 generator adds.

    All three add up in density, as complexion, flush and freckles do (see `engine.training.synthetic.pigment`): light
    and dark skins then have the same lips and folds. The linear part, at half the resolution and with some grey
    patterns at the whole, holds what differs from skin to skin; the generator paints what is not linear.

    `shuffle`² neighbouring pixels are channels of one of the generator's: sub-pixel layers (Shi et al., "Real-Time
    Single Image and Video Super-Resolution", CVPR 2016, eq. 4) give twice the side for the price of a few channels.

    Args:
        z_dim, w_dim, channel_base, channel_max, mapping_layers: see `Generator`.
        side: of the picture, pixels. shuffle: pixels along each side of what one pixel of the generator becomes.
    """

    mean: Tensor
    linear: Tensor
    detail: Tensor
    detail_shares: Tensor
    origin: Tensor
    axis: Tensor
    spread: Tensor
    w_mean: Tensor
    w_axes: Tensor

    def __init__(
        self, z_dim: int, w_dim: int, side: int, channel_base: int, channel_max: int, mapping_layers: int, shuffle: int
    ) -> None:
        super().__init__()
        resolution, picture = side // shuffle, 3 * shuffle**2
        self.side, self.shuffle = side, shuffle
        self.generator = Generator(
            z_dim, w_dim, resolution, channel_base, channel_max, mapping_layers, picture, clamp=None
        )
        self.register_buffer("mean", torch.ones(3, side, side))
        self.register_buffer("linear", torch.zeros(w_dim + BENDS, 3, side // COARSER, side // COARSER))
        self.register_buffer("detail", torch.zeros(DETAILS, side, side))
        self.register_buffer("detail_shares", torch.zeros(DETAILS, w_dim + BENDS))
        self.register_buffer("origin", torch.zeros(w_dim))
        self.register_buffer("axis", torch.zeros(w_dim))
        self.register_buffer("spread", torch.ones([]))
        self.register_buffer("w_mean", torch.zeros(w_dim))
        self.register_buffer("w_axes", torch.eye(w_dim))

    def forward(self, z: Tensor, noise: Noise = "const", seed: int = 0) -> Tensor:
        """(B,3,side,side) sRGB, about 0..1, of z (B,z_dim)."""
        return self.paint(self.generator.mapping(z), noise, seed)

    def paint(self, ws: Tensor, noise: Noise = "const", seed: int = 0) -> Tensor:
        """(B,3,side,side) sRGB, about 0..1, of ws (B,num_ws,w_dim)."""
        return colour(self.dense(ws, noise, seed))

    def dense(self, ws: Tensor, noise: Noise = "const", seed: int = 0) -> Tensor:
        """The density of `paint`."""
        added = nnf.pixel_shuffle(self.generator.synthesis(ws, noise, seed), self.shuffle)
        return self.broad(ws.mean(1)) + self.spread * added

    def broad(self, w: Tensor) -> Tensor:
        """(B,3,side,side) density without what the generator adds, of w (B,w_dim)."""
        told = self.told(w)
        offset = torch.einsum("bk,kchw->bchw", told, self.linear)
        detail = torch.einsum("bk,khw->bhw", told @ self.detail_shares.T, self.detail)
        offset = nnf.interpolate(offset, (self.side, self.side), mode="bilinear", align_corners=False)
        return self.mean + offset + detail[:, None]

    def told(self, w: Tensor) -> Tensor:
        """(B,w_dim+2) what the linear part is linear in: w, and its bends along the axis of complexion.

        These are Hermite's polynomials of the second and third degree: complexions are not normally distributed.
        """
        offset = w - self.origin
        along = (offset @ self.axis)[:, None]
        return torch.cat([offset, along**2 - 1, along**3 - 3 * along], 1)

    @torch.no_grad()
    def measure_w(self, z: Tensor) -> None:
        """Set the mean and the principal axes (columns, a standard deviation long) of w from latents z (N,z_dim)."""
        w = self.generator.mapping(z)[:, 0].double()
        mean = w.mean(0)
        values, vectors = torch.linalg.eigh((w - mean).T @ (w - mean) / (len(w) - 1))
        self.w_mean.copy_(mean)
        self.w_axes.copy_((vectors * values.clamp_min(0).sqrt()).flip(1))
        self.generator.mapping.w_avg.copy_(mean)


def build_texture_network(description: dict[str, Any]) -> TextureNetwork:
    """The network of a file's description."""
    if description.get("network") != "texture":
        raise ValueError("it is no texture generator")
    return TextureNetwork(**description["size"])


class SmallGeneratorTexture:
    """The bundled generator as a texture model, see `model.TextureModel`.

    Attributes:
        name: what it is called. size: side of the texture, texels. latent_shape: of a latent.
        coverage: (S,S) 0..1, where the model says something.
        provenance: what it was made from, by whom, under which licence.

    Args:
        path: file of weights; None for the bundled one. size: side of the texture, texels.
    Raises:
        ModelFileError: the file is missing, damaged, or another network's.
    """

    name = "Small generator"

    def __init__(self, path: Path | None = None, size: int = SIZE) -> None:
        found: dict[str, Any] = {}

        def build(description: dict[str, Any]) -> TextureNetwork:
            found.update(description, window=Window(**description["window"]))
            return build_texture_network(description)

        self.network = load_network(path or WEIGHTS, build)
        self.window: Window = found["window"]
        self.size = size
        self.latent_shape: tuple[int, ...] = (self.network.w_mean.numel(),)
        self.coverage = self.window.cover(size, MARGIN)
        self.provenance = {"file": (path or WEIGHTS).name, **{k: str(v) for k, v in found["provenance"].items()}}
        self._grid = self.window.grid(size)

    def to(self, device: str | torch.device) -> SmallGeneratorTexture:
        """The model itself, moved to a device."""
        self.network.to(device)
        self.coverage, self._grid = self.coverage.to(device), self._grid.to(device)
        return self

    def start(self, seed: int | None = None) -> Tensor:
        """The mean latent, or with a seed a draw: (latent,), standard deviations."""
        axes = self.network.w_axes
        if seed is None:
            return torch.zeros(self.latent_shape, device=axes.device)
        z = torch.randn(1, self.network.generator.z_dim, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            w = self.network.generator.mapping(z.to(axes.device))[0, 0]
            return torch.linalg.solve(axes, w - self.network.w_mean)

    def albedo(self, latent: Tensor) -> Tensor:
        """(B,3,S,S) sRGB 0..1 in the head's UV, row 0 is v = 1, of latents (B,latent). Differentiable.

        Outside the window stands what is at its edge.
        """
        w = self.network.w_mean + latent @ self.network.w_axes.T
        picture = self.network.paint(w[:, None].expand(-1, self.network.generator.num_ws, -1))
        grid = self._grid.expand(len(latent), -1, -1, -1)
        whole = nnf.grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=False)
        return whole.clamp(0, 1)

    def penalty(self, latent: Tensor) -> Tensor:
        """(B,) mean of the squares, in standard deviations."""
        return latent.square().mean(1)
