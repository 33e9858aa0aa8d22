"""EG3D's generator: latents and a camera in, a picture, its depth and the volume behind it out.

Chan et al., "Efficient Geometry-aware 3D Generative Adversarial Networks", CVPR 2022, figure 2: mapping and StyleGAN2
backbone (`texture.networks.stylegan2`), planes, decoder, volume renderer, super-resolution. Weights are named as in the
published files. Everything is float32 on every device; half precision, which the published code uses in the
super-resolution on CUDA, is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..texture.networks.stylegan2 import Generator as Backbone
from ..texture.networks.stylegan2 import Noise
from .config import FULL, LABEL, Configuration
from .decoder import Decoder
from .planes import Planes
from .renderer import CHUNK, Draws, look, rays
from .superresolution import SuperResolution


@dataclass(frozen=True, eq=False)
class Picture:
    """What a camera sees.

    Attributes:
        image: (B,3,S,S) about -1..1, finished. None where only the volume was looked at.
        raw: (B,3,R,R) as rendered. features: (B,C,R,R), whose first three are `raw`.
        depth: (B,1,R,R) along each ray, the generator's units. weight: (B,1,R,R) 0..1, share that met something.
    """

    image: Tensor | None
    raw: Tensor
    features: Tensor
    depth: Tensor
    weight: Tensor


class TriplaneGenerator(nn.Module):
    """The network. Its state dict has the published names.

    Args:
        config: sizes; None for the published head generator's.
    """

    def __init__(self, config: Configuration | None = None) -> None:
        super().__init__()
        self.config = config = config or FULL
        self.backbone = Backbone(
            config.z, config.w, config.plane_side, config.channel_base, config.channel_max, config.mapping_layers,
            img_channels=config.features * len(config.axes), label_size=LABEL, clamp=config.clamp,
        )  # fmt: skip
        self.superresolution = SuperResolution(config)
        self.decoder = Decoder(config.features, config.hidden, config.features, config.decoder_rate)

    @property
    def layers(self) -> int:
        """w that a picture takes: 14 of the published network."""
        return self.backbone.num_ws

    def mapping(self, z: Tensor, label: Tensor, truncation: float = 1.0, cutoff: int | None = None) -> Tensor:
        """(B,layers,w) of latents z (B,z) under camera labels (B,25).

        Args:
            truncation: below 1 moves w towards the mean. cutoff: only in this many layers; None for all.
        """
        how = self.config.rendering
        label = torch.zeros_like(label) if how.label_zero else label * how.label_scale
        ws = self.backbone.mapping(z, 1.0, label)
        if truncation == 1.0:
            return ws
        short = self.backbone.mapping.w_avg.lerp(ws, truncation)
        return short if cutoff is None else torch.cat([short[:, :cutoff], ws[:, cutoff:]], 1)

    def plane_maps(self, ws: Tensor, noise: Noise = "const", seed: int = 0) -> Tensor:
        """(B,3,C,S,S) of latents (B,layers,w); `noise` is the backbone's."""
        maps = self.backbone.synthesis(ws, noise, seed)
        return maps.view(len(ws), len(self.config.axes), self.config.features, *maps.shape[-2:])

    def planes(self, ws: Tensor, noise: Noise = "const", seed: int = 0) -> list[Planes]:
        """The volumes of latents (B,layers,w)."""
        how = self.config.rendering
        return [Planes.of(maps, how.box, self.config.axes) for maps in self.plane_maps(ws, noise, seed)]

    def render(
        self, planes: Sequence[Planes], label: Tensor, side: int | None = None, draws: Draws | None = None,
        chunk: int = CHUNK,
    ) -> Picture:  # fmt: skip
        """Pictures of volumes (B) under camera labels (B,25), without super-resolution.

        Args:
            side: pixels; None for the network's own. draws: None for `Draws.even`. chunk: see `renderer.look`.
        """
        side = side or self.config.raw_side
        how = self.config.rendering
        origins, directions = rays(label, side)
        draws = draws or Draws.even(len(label), side * side, how)
        draws = Draws(draws.jitter.to(label), draws.importance.to(label))
        found = [
            look(head, self.decoder, origin, toward, Draws(jitter, importance), how, chunk)
            for head, origin, toward, jitter, importance in zip(
                planes, origins, directions, draws.jitter, draws.importance, strict=True
            )
        ]
        features = torch.stack([part.features for part in found]).mT.reshape(len(found), -1, side, side)
        depth = torch.stack([part.depth for part in found]).view(-1, 1, side, side)
        weight = torch.stack([part.weight for part in found]).view(-1, 1, side, side)
        return Picture(None, features[:, :3], features, depth, weight)

    def finish(self, picture: Picture, ws: Tensor, noise: Noise = "none") -> Picture:
        """The same with the finished `image`, by super-resolution under the last of `ws`."""
        return replace(picture, image=self.superresolution(picture.raw, picture.features, ws[:, -1], noise))

    def synthesis(
        self, ws: Tensor, label: Tensor, noise: Noise = "const", side: int | None = None, draws: Draws | None = None,
        chunk: int = CHUNK, seed: int = 0,
    ) -> Picture:  # fmt: skip
        """Pictures of latents (B,layers,w) under camera labels (B,25).

        Args:
            noise: the backbone's; the super-resolution's is the published "none".
            side, draws, chunk: see `render`. seed: of noise that is "random".
        Raises:
            ValueError: latents or labels have another shape.
        """
        if label.shape != (len(ws), LABEL):
            raise ValueError(f"camera labels {tuple(label.shape)} are not ({len(ws)},{LABEL})")
        planes = self.planes(ws, noise, seed)
        return self.finish(self.render(planes, label, side, draws, chunk), ws)

    def forward(self, z: Tensor, label: Tensor, truncation: float = 1.0) -> Picture:
        """Pictures of latents z (B,z), the mapping conditioned on the same cameras (B,25)."""
        return self.synthesis(self.mapping(z, label, truncation), label)
