"""A synthetic photo whose head, skin, light and camera are known, small enough for many fits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from engine.camera import Camera
from engine.fitting.result import HeadFit
from engine.heads.loader import load_head
from engine.heads.model import HeadModel
from engine.heads.skin import load_base_skin
from engine.perception.observation import Masks
from engine.recognition.load import Recogniser, load_small
from engine.render.differentiable import Topology, render_mesh
from engine.render.lighting import ambient, directional, linear_to_srgb
from engine.render.lights import HarmonicLight
from engine.render.pinhole import Pinhole
from engine.synthesis.skin import SkinTexture

SIDE = 200
SIZE = 256


class TintedSkin:
    """A texture model of three numbers: the base skin, each channel 20 % brighter per standard deviation."""

    name, size, latent_shape = "tinted", SIZE, (3,)

    def __init__(self) -> None:
        self.base = torch.tensor(load_base_skin(SIZE).albedo).permute(2, 0, 1).float() / 255
        self.coverage = torch.ones((SIZE, SIZE))
        self.provenance = {"skin": "CC0"}

    def start(self, seed: int | None = None) -> torch.Tensor:
        """The base skin, or a draw."""
        return torch.zeros(3) if seed is None else torch.randn(3, generator=torch.Generator().manual_seed(seed))

    def albedo(self, latent: torch.Tensor) -> torch.Tensor:
        """(B,3,S,S) sRGB."""
        return (self.base[None] * (1 + 0.2 * latent[:, :, None, None])).clamp(0, 1)

    def penalty(self, latent: torch.Tensor) -> torch.Tensor:
        """(B,)."""
        return latent.square().mean(1)

    def to(self, device: str) -> TintedSkin:
        """The same: there is only the CPU here."""
        return self


@dataclass(frozen=True)
class World:
    """A photo and everything that is true of it.

    Attributes:
        pixels: (SIDE,SIDE,3) uint8. masks: of it.
        fit: the head as it is. latent: of its skin. light: (9,3).
    """

    head: HeadModel
    model: TintedSkin
    recogniser: Recogniser
    pixels: np.ndarray
    masks: Masks
    fit: HeadFit
    latent: torch.Tensor
    light: np.ndarray

    def shifted(self, **changes: np.ndarray) -> HeadFit:
        """A landmark fit that is wrong in something."""
        return replace(self.fit, **changes)


def true_fit(head: HeadModel) -> HeadFit:
    """The mean head, smiling a little, seen from the front."""
    K = np.array([[600.0, 0.0, SIDE / 2], [0.0, 600.0, SIDE / 2], [0.0, 0.0, 1.0]])
    view = np.diag([1.0, -1.0, -1.0, 1.0])
    view[:3, 3] = [0.0, 0.03, 0.9]
    camera = Camera(K, view, SIDE, SIDE)
    expression = np.zeros(len(head.expression_names), np.float32)
    expression[[head.expression_names.index(f"mouthSmile{side}") for side in ("Left", "Right")]] = 0.4
    neutral = head.vertices.astype(np.float32)
    posed = (neutral + np.tensordot(expression, head.expression_basis, 1)).astype(np.float32)
    landmarks = camera.project(head.embeddings["mediapipe"].positions(posed, head.faces)).astype(np.float32)
    none = np.zeros_like(neutral)
    identity = np.zeros(len(head.identity_basis), np.float32)
    return HeadFit(camera, identity, expression, none, neutral, posed, head.joints, landmarks)


@pytest.fixture(scope="session")
def world() -> World:
    """See the module."""
    head, model = load_head(), TintedSkin()
    fit, latent = true_fit(head), torch.tensor([0.6, -0.3, -0.6])
    light = ambient(0.5) + directional(np.array([0.8, 0.4, 0.6]), 0.5)
    with torch.no_grad():
        drawn = render_mesh(
            torch.tensor(fit.posed),
            Topology.of(head),
            SkinTexture(head, model)(latent),
            HarmonicLight(torch.tensor(light)),
            Pinhole.of(fit.camera),
            (SIDE, SIDE),
            torch.full((SIDE, SIDE, 3), 0.2),
        )
    pixels = (linear_to_srgb(drawn.image.clamp(0, 1)).numpy() * 255).round().astype(np.uint8)
    skin = (drawn.coverage.numpy() > 0.5).astype(np.float32)
    none = np.zeros_like(skin)
    masks = Masks(person=skin, skin=skin, hair=none, eyes=none, inner_mouth=none)
    return World(head, model, load_small(), pixels, masks, fit, latent, light)
