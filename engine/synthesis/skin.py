"""A whole head's texture from a model that paints only a part of it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..heads.model import HeadModel
from ..render.lighting import srgb_to_linear
from ..texture.build import make_canvas
from ..texture.models.model import TextureModel


class SkinTexture:
    """Latents to linear albedo (3,S,S) of the head: the model's where it covers, else the base skin in its colour.

    Args:
        head: whose UV it is.
        model: on its device.
        size: S; None takes the model's. Smaller is quicker where pictures are small.
    """

    def __init__(self, head: HeadModel, model: TextureModel, size: int | None = None) -> None:
        self.model, self.size = model, size or model.size
        device = model.coverage.device
        canvas = make_canvas(head, model.size)
        skin = canvas.surface.picture(canvas.on_skin.astype(np.float32))
        base = torch.tensor(canvas.base.albedo, device=device).permute(2, 0, 1).float() / 255
        self.skin = self._sized(torch.tensor(skin, device=device)[None])[0]
        self.coverage = self._sized(model.coverage[None])[0] * self.skin
        self.base = self._sized(srgb_to_linear(base))
        total = self.coverage.sum().clamp_min(1e-6)
        self.usual = (self.base * self.coverage).sum((1, 2)) / total

    def __call__(self, latent: Tensor) -> Tensor:
        """(3,S,S) linear RGB. Differentiable in the latent."""
        painted = self._sized(srgb_to_linear(self.model.albedo(latent[None])[0].clamp(0, 1)))
        mean = (painted * self.coverage).sum((1, 2)) / self.coverage.sum().clamp_min(1e-6)
        gain = mean / self.usual.clamp_min(1e-3)
        elsewhere = self.base * (1 + self.skin * (gain[:, None, None] - 1))
        return self.coverage * painted + (1 - self.coverage) * elsewhere

    def _sized(self, picture: Tensor) -> Tensor:
        """(C,S,S) at this texture's size."""
        if picture.shape[-1] == self.size:
            return picture
        return interpolate(picture[None], (self.size, self.size), mode="area")[0]
