"""Glasses, hats, clothes and things before the face: whole meshes, where they belong."""

from __future__ import annotations

import numpy as np
import pytest

from engine.heads.loader import load_head
from engine.training.synthetic import clothing, headwear, occluders
from engine.training.synthetic.eyewear import SHAPES, draw_frame
from engine.training.synthetic.hair import shell_style
from engine.training.synthetic.propmesh import tube
from engine.training.synthetic.scalp import height
from engine.training.synthetic.scene import REGIONS, Prop
from engine.training.synthetic.solids import ellipsoid
from engine.training.synthetic.wearables import collar, glasses, hat, occluder, tucked

HEAD = load_head()


def _check(prop: Prop) -> None:
    count = len(prop.vertices)
    assert prop.region in REGIONS
    assert np.isfinite(prop.vertices).all()
    assert np.isfinite(prop.colour).all()
    assert prop.faces.min() >= 0
    assert prop.faces.max() < count
    assert prop.colour.shape == (count, 3)
    assert prop.colour.min() >= 0
    assert prop.region == "hair" or prop.colour.max() <= 1
    assert prop.anchors.min() >= 0
    assert prop.anchors.max() < len(HEAD.vertices)
    np.testing.assert_allclose(prop.weights.sum(axis=1), 1, atol=1e-4)


def _volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    corners = vertices[faces]
    return float((corners[:, 0] * np.cross(corners[:, 1], corners[:, 2])).sum() / 6)


def test_solids_are_closed_and_face_outwards() -> None:
    ball = ellipsoid(np.array([1.0, 2, 3]), np.array([0.5, 1, 2]), 64)
    assert _volume(ball.vertices, ball.faces) == pytest.approx(4 / 3 * np.pi, rel=0.02)
    rod = tube(np.linspace([0, 0, 0], [0, 0, 2.0], 5), 0.1, 64)
    assert abs(_volume(rod.vertices, rod.faces)) == pytest.approx(np.pi * 0.01 * 2, rel=0.01)
    turn = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    ring = tube(np.stack([np.cos(turn), np.sin(turn), 0 * turn], 1), 0.1, 64, closed=True)
    assert abs(_volume(ring.vertices, ring.faces)) == pytest.approx(2 * np.pi**2 * 0.01, rel=0.01)


@pytest.mark.parametrize("shape", SHAPES)
def test_lenses_have_their_measures(shape: str) -> None:
    frame = draw_frame(np.random.default_rng(0), shape)
    assert frame.shape == shape
    outline = frame.outline(np.linspace(0, 2 * np.pi, 400))
    assert np.ptp(outline[:, 0]) == pytest.approx(2 * frame.half[0], rel=0.25)
    assert 0.035 < np.ptp(outline[:, 0]) < 0.065


@pytest.mark.parametrize("seed", range(6))
def test_glasses_sit_before_the_eyes_and_on_the_ears(seed: int) -> None:
    frame, lens = glasses(HEAD, np.random.default_rng(seed))
    for prop in (frame, lens):
        _check(prop)
        assert prop.region == "glasses"
    eyes = HEAD.vertices[HEAD.regions["eye"]]
    assert lens.vertices[:, 2].min() > eyes[:, 2].max() - 0.012
    assert lens.vertices[:, 1].min() < 0.04 < lens.vertices[:, 1].max()
    assert 0 < lens.opacity < 1
    assert frame.opacity == 1
    assert (height(HEAD, frame.vertices)[0] < -0.004).mean() < 0.05
    assert frame.vertices[:, 2].min() < 0.0
    np.testing.assert_allclose(frame.vertices[:, 0].min(), -frame.vertices[:, 0].max(), atol=0.003)


def test_glasses_keep_their_shape_on_other_heads() -> None:
    frame, lens = glasses(HEAD, np.random.default_rng(1))
    posed = HEAD.shape(np.random.default_rng(2).standard_normal(len(HEAD.identity_basis)) * 0.8)
    moved = lens.placed(HEAD.vertices, posed).vertices - lens.vertices
    assert np.ptp(moved, axis=0).max() < 1e-6
    assert np.ptp(frame.placed(HEAD.vertices, posed).vertices - frame.vertices, axis=0).max() < 0.03


@pytest.mark.parametrize("kind", headwear.KINDS)
def test_hats_cover_the_head_and_free_the_face(kind: str) -> None:
    prop = hat(HEAD, np.random.default_rng(3), kind)
    _check(prop)
    assert prop.region == ("clothes" if kind in ("headscarf", "hood") else "other")
    nose = HEAD.vertices[HEAD.regions["nose"]]
    assert np.linalg.norm(prop.vertices[None, ::2] - nose[::8, None], axis=2).min() > 0.02
    if kind != "headband":
        top = HEAD.vertices[np.argmax(HEAD.vertices[:, 1])]
        assert prop.vertices[:, 1].max() > top[1]


def test_hair_is_tucked_under_a_hat() -> None:
    worn = hat(HEAD, np.random.default_rng(4), "beanie")
    loose = shell_style(HEAD, np.random.default_rng(4), "afro")
    under = tucked(loose, worn)
    assert under is not None
    assert len(under.faces) < 0.9 * len(loose.faces)
    _check(under)
    assert under.vertices[:, 1].max() < worn.vertices[:, 1].max()
    assert tucked(loose, hat(HEAD, np.random.default_rng(4), "headscarf")) is None


@pytest.mark.parametrize("kind", clothing.KINDS)
def test_clothes_cover_the_busts_end(kind: str) -> None:
    prop = collar(HEAD, np.random.default_rng(5), kind)
    _check(prop)
    assert prop.region == "clothes"
    assert prop.vertices[:, 0].max() > 0.2
    assert prop.vertices[:, 0].min() < -0.2
    assert prop.vertices[:, 1].max() < -0.02
    assert prop.vertices[:, 1].min() < -0.35
    assert (height(HEAD, prop.vertices[prop.vertices[:, 1] > -0.15])[0] < 0).mean() < 0.1


@pytest.mark.parametrize("kind", occluders.KINDS)
def test_things_are_before_the_face(kind: str) -> None:
    prop = occluder(HEAD, np.random.default_rng(6), kind)
    _check(prop)
    assert prop.region == "other"
    above, _ = height(HEAD, prop.vertices[prop.vertices[:, 1] > -0.1])
    assert ((above < -0.006) & (above > -0.04)).mean() < 0.05


def test_a_hand_has_the_skin_it_is_given() -> None:
    dark, fair = (
        occluder(HEAD, np.random.default_rng(7), "hand", skin=np.array([tone, tone * 0.6, tone * 0.4]))
        for tone in (0.1, 0.6)
    )
    assert np.median(fair.colour[:, 0]) > 3 * np.median(dark.colour[:, 0])
    np.testing.assert_allclose(dark.vertices, fair.vertices)
