"""Texture models of the open head, for other heads: painted in its square, then laid over the other's."""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from torch import Tensor

from ...heads.complete import open_head_on
from ...heads.loader import load_head
from ...heads.model import HeadModel
from ..base_skin import FINEST, counterparts
from ..surface import uv_surface
from .model import TextureModel
from .uv_transfer import UvTransfer


class CarriedTexture:
    """A texture model in another head's UV, see `model.TextureModel`.

    Args:
        model: in the open head's.
        transfer: from there into the other head's square.
    """

    def __init__(self, model: TextureModel, transfer: UvTransfer) -> None:
        self.model, self.transfer = model, transfer
        self.name, self.size, self.latent_shape = model.name, transfer.size, model.latent_shape
        self.coverage = transfer.apply(model.coverage[None, None])[0, 0] * transfer.coverage
        self.provenance = model.provenance

    def start(self, seed: int | None = None) -> Tensor:
        """The mean latent, or a draw."""
        return self.model.start(seed)

    def albedo(self, latent: Tensor) -> Tensor:
        """(B,3,S,S) sRGB 0..1, row 0 is v = 1."""
        return self.transfer.apply(self.model.albedo(latent))

    def penalty(self, latent: Tensor) -> Tensor:
        """(B,) mean of the squares, in standard deviations."""
        return self.model.penalty(latent)

    def to(self, device: str | torch.device) -> Self:
        """The model itself, moved to a device."""
        self.model, self.transfer = self.model.to(device), self.transfer.to(device)
        self.coverage = self.coverage.to(device)
        return self


def from_open_head(head: HeadModel, size: int) -> UvTransfer:
    """From the open head's square into another head's of side `size`, as the two were drawn onto each other.

    Raises:
        ModelFileError: the head has neither landmarks nor eyes to be compared by.
    """
    source = load_head()
    return transfer_between(head, open_head_on(head).vertices, source, size)


def transfer_between(head: HeadModel, drawn: np.ndarray, source: HeadModel, size: int) -> UvTransfer:
    """See `base_skin.carried_skin` for the arguments."""
    texels, index = counterparts(head, drawn, source, size)
    surface, known = uv_surface(head, size), uv_surface(source, FINEST)
    row, column = np.divmod(known.texels[index[:, 0]], FINEST)
    grid = np.zeros((size * size, 2), np.float32)
    covered = np.zeros(size * size, np.float32)
    where = surface.texels[texels]
    grid[where] = (np.stack([column, row], 1) + 0.5) * (2 / FINEST) - 1
    covered[where] = 1
    return UvTransfer(
        torch.tensor(grid).view(size, size, 2),
        torch.tensor(covered).view(size, size),
    )
