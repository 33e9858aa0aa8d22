"""Crops and their cameras: what is known of similarities, and round trips."""

from __future__ import annotations

import numpy as np
import pytest

from engine.heads.loader import load_head
from engine.perception.crop import Window
from engine.recognition.load import load_small
from engine.regressors.crop import SIDE, FaceCrop, face_crop

from .toy import HEIGHT, WIDTH, landmarks_of, portrait_camera


def test_the_crop_is_the_recognition_networks_enlarged():
    head, recogniser = load_head(), load_small()
    points = landmarks_of(head, portrait_camera())
    crop = face_crop(recogniser, points, WIDTH, HEIGHT)
    matrix = recogniser.matrix(points)
    own = (points - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5
    np.testing.assert_allclose(crop.points(points), own * SIDE / recogniser.side, atol=1e-9)


def test_cutting_shows_what_the_points_say():
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[398:402, 698:702] = 255
    crop = FaceCrop(Window(np.array([690.0, 410.0]), 112.0, 0.3), WIDTH, HEIGHT)
    cut = crop.cut(image)[..., 0].astype(float)
    rows, columns = np.indices(cut.shape) + 0.5
    middle = np.array([(columns * cut).sum(), (rows * cut).sum()]) / cut.sum()
    np.testing.assert_allclose(middle, crop.points(np.array([[700.0, 400.0]]))[0], atol=0.05)


@pytest.mark.parametrize("roll", [0.0, 0.4, -2.0])
def test_cameras_come_back_from_the_crop(roll: float):
    camera = portrait_camera()
    crop = FaceCrop(Window(np.array([760.0, 330.0]), 310.0, roll), WIDTH, HEIGHT)
    back = crop.to_photo(crop.to_crop(camera))
    np.testing.assert_allclose(back.K, camera.K, atol=1e-9)
    np.testing.assert_allclose(back.world_to_camera, camera.world_to_camera, atol=1e-12)
    assert (back.width, back.height) == (WIDTH, HEIGHT)


def test_in_the_photos_middle_the_crops_camera_sees_exactly_the_crop():
    camera = portrait_camera(place=(0.01, 0.02, 1.3))
    crop = FaceCrop(Window(np.array([WIDTH, HEIGHT]) / 2, 310.0, 0.2), WIDTH, HEIGHT)
    points = np.random.default_rng(1).normal(0, 0.08, (20, 3))
    np.testing.assert_allclose(crop.to_crop(camera).project(points), crop.points(camera.project(points)), atol=1e-9)


def test_off_the_middle_it_sees_the_crop_up_to_the_stretch_of_the_angle():
    """At 10 degrees off the axis, a point half a crop away is off by up to 1.5 % of that, and a little perspective."""
    camera = portrait_camera(place=(np.tan(np.radians(10)) * 1.3, 0.0, 1.3))
    middle = camera.project(np.zeros((1, 3)))[0]
    crop = FaceCrop(Window(middle, 240.0), WIDTH, HEIGHT)
    points = np.random.default_rng(1).uniform(-0.06, 0.06, (50, 3))
    apart = np.linalg.norm(crop.to_crop(camera).project(points) - crop.points(camera.project(points)), axis=1)
    assert apart.max() < 0.015 * SIDE / 2 + 1.5
    np.testing.assert_allclose(crop.to_crop(camera).project(np.zeros((1, 3)))[0], [SIDE / 2, SIDE / 2], atol=1e-6)


def test_a_known_focal_length_leaves_the_head_as_large():
    camera = portrait_camera()
    crop = FaceCrop(Window(camera.project(np.zeros((1, 3)))[0], 310.0), WIDTH, HEIGHT)
    seen = crop.to_crop(camera)
    longer = crop.to_photo(seen, focal=3000.0)
    assert longer.K[0, 0] == 3000.0
    again = crop.to_crop(longer)
    assert again.world_to_camera[2, 3] > seen.world_to_camera[2, 3]
    size = [c.K[0, 0] / c.world_to_camera[2, 3] for c in (seen, again)]
    assert size[0] == pytest.approx(size[1], rel=1e-9)
    np.testing.assert_allclose(again.world_to_camera[:3, :3], seen.world_to_camera[:3, :3], atol=1e-12)
