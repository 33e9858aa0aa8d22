"""Texture models of the open head in another head's layout."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.heads.loader import load_head
from engine.heads.model import HeadModel
from engine.texture.models.carried import CarriedTexture, transfer_between
from engine.texture.models.linear import load_linear
from engine.texture.models.model import TextureModel

HEAD = load_head()
SIZE = 256


@pytest.fixture(scope="module")
def turned() -> HeadModel:
    """The open head with its texture coordinates mirrored: another layout of the same surface."""
    return replace(HEAD, name="turned", uv=(HEAD.uv * [-1, 1] + [1, 0]).astype(np.float32))


@pytest.fixture(scope="module")
def carried(turned: HeadModel) -> CarriedTexture:
    return CarriedTexture(load_linear(), transfer_between(turned, HEAD.vertices, HEAD, SIZE))


def test_it_is_a_texture_model(carried: CarriedTexture) -> None:
    assert isinstance(carried, TextureModel)
    assert carried.latent_shape == load_linear().latent_shape
    assert carried.coverage.shape == (SIZE, SIZE)


def test_a_mirrored_layout_has_mirrored_textures(carried: CarriedTexture) -> None:
    latent = 0.5 * carried.start(3)[None]

    found, own = carried.albedo(latent)[0], load_linear().albedo(latent)
    own = torch.nn.functional.interpolate(own, (SIZE, SIZE), mode="area")[0].flip(2)

    sure = carried.coverage > 0.99
    assert sure.float().mean() > 0.2
    assert float((found - own).abs().mean(0)[sure].mean()) < 0.02


def test_gradients_reach_the_latent(carried: CarriedTexture) -> None:
    latent = carried.start(1).requires_grad_()

    carried.albedo(latent[None]).square().mean().backward()

    assert latent.grad is not None
    assert float(latent.grad.abs().min()) > 0
