"""The base skin in other heads' UV."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.heads.loader import load_head
from engine.heads.model import HeadModel
from engine.texture.base_skin import base_skin, carried_skin
from engine.texture.surface import uv_surface

HEAD = load_head()
SIZE = 256


@pytest.fixture(scope="module")
def turned() -> HeadModel:
    """The open head with its texture coordinates mirrored: another layout of the same surface."""
    return replace(HEAD, name="turned", uv=(HEAD.uv * [-1, 1] + [1, 0]).astype(np.float32))


def test_the_open_heads_skin_is_its_own() -> None:
    assert base_skin(HEAD, SIZE) is base_skin(HEAD, SIZE)


def test_a_skin_laid_over_the_same_surface_is_the_same_skin(turned: HeadModel) -> None:
    """Mirrored coordinates mirror the picture, and the brows and lips in it."""
    carried = carried_skin(turned, HEAD.vertices, HEAD, SIZE)

    own = base_skin(HEAD, SIZE)
    mask = uv_surface(turned, SIZE).mask & uv_surface(HEAD, SIZE).mask[:, ::-1]
    difference = np.abs(carried.albedo.astype(float) - own.albedo[:, ::-1])[mask]
    assert difference.mean() < 4
    for name in ("brow", "lips", "iris", "scalp"):
        both = carried.regions[name][mask] + own.regions[name][:, ::-1][mask]
        alike = (carried.regions[name] * own.regions[name][:, ::-1])[mask].sum()
        assert 2 * alike / both.sum() > 0.85, name


def test_where_nothing_corresponds_the_skin_is_plain(turned: HeadModel) -> None:
    drawn = HEAD.vertices.copy()
    lost = HEAD.vertices[:, 1] < np.median(HEAD.vertices[:, 1])
    drawn[lost] += 1.0

    carried = carried_skin(turned, drawn, HEAD, SIZE)

    surface = uv_surface(turned, SIZE)
    skin = turned.face_materials[surface.faces] == turned.material_names.index("skin")
    low = surface.gather(HEAD.vertices, turned.faces)[:, 1] < np.median(HEAD.vertices[:, 1]) - 0.03
    assert np.ptp(surface.flat(carried.albedo)[skin & low], axis=0).max() == 0
    assert not surface.flat(carried.regions["lips"])[skin & low].any()


def test_a_larger_eye_has_the_same_iris(turned: HeadModel) -> None:
    grown = HEAD.vertices.copy()
    eye = HEAD.regions["eye.L"]
    grown[eye] = grown[eye].mean(0) + 1.4 * (grown[eye] - grown[eye].mean(0))
    larger = replace(turned, name="larger", vertices=grown)

    carried, plain = (carried_skin(head, HEAD.vertices, HEAD, SIZE) for head in (larger, turned))

    both = carried.regions["iris"] * plain.regions["iris"]
    assert both.sum() > 0.8 * plain.regions["iris"].sum()
