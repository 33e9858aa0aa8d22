"""A tiny generator whose volume is a ball, whatever the latent: a head whose shape is known."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.nn import functional as nnf

from engine.eg3d.camera import orbit_label
from engine.eg3d.config import TINY
from engine.eg3d.generator import TriplaneGenerator
from engine.eg3d.load import save_generator

RADIUS = 0.25
"""Of the surface at `LEVEL`, the generator's units: 93 mm."""
LEVEL, STEEP = 10.0, 120.0
"""Raw density there, and how much it rises a unit towards the middle."""


def ball_generator(steps: int = 200) -> TriplaneGenerator:
    """Taught on random points of heads around the mean; the same weights every time."""
    torch.manual_seed(2)
    network = TriplaneGenerator(TINY)
    label = torch.tensor(orbit_label())[None]
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    with torch.enable_grad():
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = 1e-2 * (1 - step / steps)
            ws = network.mapping(torch.randn(16, TINY.z), label.expand(16, -1))
            ws = ws.mean(0, keepdim=True).lerp(ws[:1], 0.3)  # inversions begin with the mean
            points = nnf.normalize(torch.randn(1000, 3), dim=1) * torch.linspace(0.02, 0.6, 1000)[:, None]
            points = points.clamp(-0.5, 0.5)
            density, _ = network.decoder.query(network.planes(ws)[0], points)
            wanted = (LEVEL + STEEP * (RADIUS - points.norm(dim=1))).clamp(-10, 25)
            optimiser.zero_grad()
            nnf.smooth_l1_loss(density, wanted).backward()
            optimiser.step()
    return network.eval().requires_grad_(False)


def model_folder(network: TriplaneGenerator, folder: Path) -> Path:
    """A model folder in which the network lies as the user's generator."""
    folder.mkdir(parents=True, exist_ok=True)
    save_generator(network, folder / "ffhqrebalanced512-128.safetensors")
    return folder
