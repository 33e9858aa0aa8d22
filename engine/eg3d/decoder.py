"""From a point's features to how dense and what colour it is there (EG3D, section 3.2: "a lightweight decoder")."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from ..texture.networks.stylegan2 import Dense
from .planes import Planes

BEYOND = 0.001
"""The colours' sigmoid is widened by this on both sides, as in MipNeRF."""


class Decoder(nn.Module):
    """Two fully connected layers with a softplus between; names as published: `net.0`, `net.2`.

    Args:
        features: of the planes. hidden: width between. outputs: colour features; the first three are RGB.
        rate: see `Dense`.
    """

    def __init__(self, features: int, hidden: int, outputs: int, rate: float = 1.0) -> None:
        super().__init__()
        self.net = nn.Sequential(
            Dense(features, hidden, 0.0, rate), nn.Softplus(), Dense(hidden, 1 + outputs, 0.0, rate)
        )

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Of features (P,C): raw densities (P,) and colour features (P,outputs) of -0.001 to 1.001."""
        (first, offset), (second, last) = self.layer(0), self.layer(1)
        hidden = nnf.softplus(nnf.linear(features, first, offset))
        # Density and colours apart, so that each lies together in memory: a third faster on the CPU.
        colours = torch.sigmoid(nnf.linear(hidden, second[1:], last[1:]))
        beyond = torch.tensor(-BEYOND, dtype=colours.dtype, device=colours.device)
        return hidden @ second[0] + last[0], torch.add(beyond, colours, alpha=1 + 2 * BEYOND)

    def query(self, planes: Planes, points: Tensor) -> tuple[Tensor, Tensor]:
        """Raw densities (P,) and colour features (P,outputs) at points (P,3)."""
        return self(planes.features(points))

    def layer(self, number: int) -> tuple[Tensor, Tensor]:
        """Weights and bias of layer 0 or 1, as they are used."""
        dense = self.net[2 * number]
        assert isinstance(dense, Dense)
        return dense.weight * dense.gain, dense.bias * dense.rate

    def densities(self, planes: Planes, points: Tensor) -> Tensor:
        """Raw densities (P,) alone, at points (P,3): the colours, most of the work, are left out."""
        (first, offset), (second, last) = self.layer(0), self.layer(1)
        hidden = nnf.softplus(nnf.linear(planes.features(points), first, offset))
        return hidden @ second[0] + last[0]
