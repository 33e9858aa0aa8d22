"""Hair made from a portrait of known hair: where it stands, what it leaves free, its colour, how it follows."""

import numpy as np
import pytest

from engine.hair.build import make_hair
from engine.hair.envelope import DepthMap
from engine.hair.grid import scalp_centre
from engine.heads.loader import load_head
from engine.render.lighting import ambient, srgb_to_linear

from .toy import BROWN, FAR, portrait

THICK = 0.025


@pytest.fixture(scope="module")
def head():
    return load_head("open")


def grown(head, thickness=THICK, hanging=0.0, **options):
    shown = portrait(head, thickness, hanging)
    hair = make_hair(
        head, head.vertices, shown.camera, shown.pixels, shown.hair, ambient(), texture_size=512, **options
    )
    assert hair is not None
    return hair


@pytest.fixture(scope="module")
def short(head):
    return grown(head)


def test_the_mesh_is_sound(head, short):
    assert short.faces.max() == len(short.vertices) - 1
    assert short.uv_faces.max() == len(short.uv) - 1
    assert short.faces.shape == short.uv_faces.shape
    assert np.isfinite(short.vertices).all()
    assert short.uv.min() >= 0
    assert short.uv.max() <= 1
    assert short.albedo.shape == (192, 384, 4)
    assert 3000 < len(short.vertices) < 12000
    assert np.allclose(short.anchor_weights.sum(1), 1, atol=1e-5)


def test_it_reaches_the_outline(head, short):
    scalp = head.vertices[head.regions["scalp"]]
    assert short.vertices[:, 1].max() - scalp[:, 1].max() == pytest.approx(THICK, abs=0.008)
    for side in (-1, 1):
        reach = (side * short.vertices[:, 0]).max() - (side * scalp[:, 0]).max()
        assert reach == pytest.approx(THICK, abs=0.009)
    assert scalp[:, 2].min() - short.vertices[:, 2].min() == pytest.approx(THICK, abs=0.012)  # behind: the mean


def test_it_faces_outwards(head, short):
    corners = short.vertices[short.faces]
    away = corners.mean(1) - scalp_centre(head.vertices, head)
    above = away[:, 1] > 0.02
    outwards = (np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) * away).sum(1) > 0
    assert outwards[above].mean() > 0.9


def test_the_face_stays_free_and_the_back_is_covered(head, short):
    centres = short.vertices[short.faces].mean(1)
    eyes = head.vertices[head.regions["eye"]]
    before = (centres[:, 2] > eyes[:, 2].min()) & (centres[:, 1] < eyes[:, 1].max() + 0.015)
    before &= np.abs(centres[:, 0]) < np.abs(eyes[:, 0]).max() + 0.01
    assert not before.any()
    behind = centres[centres[:, 2] < -0.08]
    assert behind[:, 1].max() > 0.12
    assert behind[:, 1].min() < 0.05


def test_its_colour_is_the_photos_all_around(short):
    linear = srgb_to_linear(short.albedo[:96, :, :3])
    shown = short.albedo[:96, :, 3] > 128
    for columns in (slice(0, 96), slice(144, 240)):  # the face's side, the back
        mean = linear[:, columns][shown[:, columns]].mean(0)
        assert mean == pytest.approx(BROWN, rel=0.25)


def test_volume_0_lies_close(head, short):
    skull = np.linalg.norm(head.vertices[head.regions["scalp"]] - scalp_centre(head.vertices, head), axis=1).max()
    reach = np.linalg.norm(short.at_volume(0.0) - scalp_centre(head.vertices, head), axis=1)
    assert np.quantile(reach, 0.95) < skull + 0.012
    assert np.allclose(short.at_volume(1.0), short.vertices, atol=1e-7)
    step = short.at_volume(1.5) - short.vertices
    assert np.allclose(step, 0.5 * (short.vertices - short.close), atol=1e-6)


def test_it_follows_the_head(head, short):
    moved = short.moved(np.tile(np.array([0.01, 0.0, -0.02], np.float32), (len(head.vertices), 1)))
    assert np.allclose(moved.vertices - short.vertices, [0.01, 0, -0.02], atol=1e-6)
    weights = short.follow(head.skin_weights)
    assert np.allclose(weights.sum(1), 1, atol=1e-4)
    assert weights[short.vertices[:, 1] > 0.05][:, head.joint_names.index("head")].min() > 0.9


def test_long_hair_hangs_to_its_end_and_clears_the_shoulders(head):
    long = grown(head, hanging=0.16)
    centre = scalp_centre(head.vertices, head)
    assert long.vertices[:, 1].min() == pytest.approx(centre[1] - 0.16, abs=0.035)
    low = long.vertices[long.vertices[:, 1] < centre[1] - 0.11]
    assert np.abs(low[:, 0]).max() == pytest.approx(0.11, abs=0.02)
    assert low[:, 2].max() < 0.07  # beside the neck and behind it, not before the chin


def test_depth_shapes_the_front(head):
    """A depth map of a ball of hair around the scalp's middle; seen from the front the hair is as thick as the ball."""
    shown, plain = portrait(head, THICK), grown(head)
    centre, radius = scalp_centre(head.vertices, head), 0.13
    y, x = np.mgrid[: shown.camera.height, : shown.camera.width] + 0.5
    offset = np.stack([x, y], -1) - shown.camera.project(centre)
    beside = (offset**2).sum(-1) * (FAR / shown.camera.K[0, 0]) ** 2
    ball = FAR - centre[2] - np.sqrt(np.maximum(radius**2 - beside, 0))
    face = FAR - float(np.median(head.vertices[head.regions["face"], 2]))
    depth = np.where(shown.hair > 0.5, ball, face).astype(np.float32) + 7.0  # up to a constant
    deep = grown(head, depth=DepthMap(depth, np.ones_like(depth)))

    def reach(hair):
        away = hair.vertices - centre
        front = (np.abs(away[:, 0]) < 0.03) & (away[:, 2] > 0.05) & (away[:, 1] > 0.05)
        return float(np.median(np.linalg.norm(away[front], axis=1)))

    assert reach(deep) == pytest.approx(radius, abs=0.004)
    assert reach(plain) < radius - 0.01
    unsure = grown(head, depth=DepthMap(depth, np.zeros_like(depth)))
    assert np.array_equal(unsure.vertices, plain.vertices)


def test_the_same_seed_makes_the_same_hair(head, short):
    again = grown(head)
    assert np.array_equal(again.vertices, short.vertices)
    assert np.array_equal(again.albedo, short.albedo)
    other = grown(head, seed=1)
    assert not np.array_equal(other.albedo, short.albedo)


def test_no_hair_makes_none(head):
    shown = portrait(head, THICK)
    none = np.zeros_like(shown.hair)
    assert make_hair(head, head.vertices, shown.camera, shown.pixels, none, ambient(), 512) is None
    speck = none.copy()
    speck[100:106, 100:106] = 1
    assert make_hair(head, head.vertices, shown.camera, shown.pixels, speck, ambient(), 512) is None
