"""A face beside the middle of a photo is cut out as a camera sees it that was turned towards it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.camera import Camera
from engine.eg3d.camera import Crop, Register, in_register, label_from_camera, metres_for, orbit_label
from engine.eg3d.config import Configuration
from engine.eg3d.photo import centred, cut_warped
from engine.eg3d.superresolution import SuperResolution
from engine.eg3d.views import project

POINTS = np.random.default_rng(4).normal([0.05, 0.1, 0.0], 0.05, (20, 3))


def aside() -> Camera:
    """Looks past the points: they lie 20 and 12 degrees off its axis, in the middle of its picture."""
    view = np.eye(4)
    view[:3, :3], view[:3, 3] = np.diag([1.0, -1.0, -1.0]), (0.3, -0.1, 1.0)
    K = np.array([[1000.0, 0, -94], [0, 1000, 456], [0, 0, 1]])
    return Camera(K, view, 512, 512)


def test_the_turned_camera_stands_in_the_same_place_and_its_axis_goes_through_the_middle() -> None:
    camera = aside()
    turned, warp = centred(camera)
    np.testing.assert_allclose(turned.position, camera.position, atol=1e-12)
    np.testing.assert_allclose(turned.K[:2, 2], 256)
    rotation = turned.world_to_camera[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    seen = np.column_stack([camera.project(POINTS) / 512, np.ones(20)]) @ warp.T
    np.testing.assert_allclose(seen[:, :2] / seen[:, 2:], turned.project(POINTS) / 512, atol=1e-12)


def test_what_lies_in_the_middle_stays_as_large() -> None:
    _, warp = centred(aside())
    around = np.array([[0.5, 0.5, 1], [0.5001, 0.5, 1], [0.5, 0.5001, 1]]) @ warp.T
    place = around[:, :2] / around[:, 2:]
    np.testing.assert_allclose(place[0], 0.5, atol=1e-12)
    across, down = place[1:] - place[0]
    assert abs(across[0] * down[1] - across[1] * down[0]) == pytest.approx(1e-8, rel=1e-3)


def test_a_face_in_the_middle_is_cut_straight() -> None:
    straight = Camera(np.array([[1000.0, 0, 256], [0, 1000, 256], [0, 0, 1]]), aside().world_to_camera, 512, 512)
    turned, warp = centred(straight)
    np.testing.assert_allclose(warp / warp[2, 2], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(turned.K, straight.K)


def test_dots_of_a_photo_land_where_the_turned_camera_sees_them() -> None:
    camera, crop = aside(), Crop(100.0, 50.0, 512.0)
    _, warp = centred(camera)
    picture = np.zeros((700, 700, 3), np.uint8)
    for place in ((150, 120), (256, 256), (400, 330)):  # in the crop
        picture[50 + place[1] - 2 : 50 + place[1] + 3, 100 + place[0] - 2 : 100 + place[0] + 3] = 255
    found = cut_warped(crop, warp, picture, 512)[..., 0].astype(float)
    for place in ((150.5, 120.5), (256.5, 256.5), (400.5, 330.5)):
        x, y, z = warp @ [place[0] / 512, place[1] / 512, 1]
        u, v = 512 * x / z, 512 * y / z
        rows, columns = np.mgrid[:512, :512] + 0.5
        near = found * (np.hypot(columns - u, rows - v) < 12)
        np.testing.assert_allclose(
            [(near * columns).sum() / near.sum(), (near * rows).sum() / near.sum()], [u, v], atol=0.15
        )


def test_beyond_the_photo_is_black() -> None:
    _, warp = centred(aside())
    found = cut_warped(Crop(-400.0, -400.0, 300.0), warp, np.full((64, 64, 3), 200, np.uint8), 32)
    assert not found.any()


def test_the_registers_camera_sees_what_the_labels_sees() -> None:
    label = orbit_label(20, 10)
    register = Register(np.diag([0.37, 0.37, 0.37, 1.0]) + np.pad(np.ones((3, 1)), ((0, 1), (3, 0))) * 0.02)
    camera = register.camera(label, 256)
    place, _ = project(label, POINTS)
    np.testing.assert_allclose(camera.project(register.points(POINTS)), 256 * place, atol=1e-4)
    rotation = camera.world_to_camera[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-6)


def test_it_is_the_photos_camera_where_the_lens_is_the_same() -> None:
    turned, _ = centred(aside())
    origin = np.array([0.05, 0.1, 0.0])
    label = label_from_camera(turned, origin)
    register = in_register(label, turned, metres_for(label, turned, origin))
    found = register.camera(label, 512)
    np.testing.assert_allclose(found.world_to_camera, turned.world_to_camera, atol=1e-5)
    np.testing.assert_allclose(found.K, turned.K, rtol=1e-6)


def test_the_quick_way_to_the_finished_picture_is_the_long_one() -> None:
    """With gradients the blocks run as published, without them in fewer passes: the same picture."""
    config = Configuration(sr_side=16, sr_channels=(12, 8), features=6, w=10, sr_clamp=0.5)
    torch.manual_seed(0)
    network = SuperResolution(config).requires_grad_(False)
    features, w = torch.randn(1, 6, 16, 16), torch.randn(1, 10)
    with torch.enable_grad():
        wanted = network(features[:, :3], features, w)
    with torch.no_grad():
        found = network(features[:, :3], features, w)
    assert wanted.abs().max() > 0.3
    torch.testing.assert_close(found, wanted, atol=2e-6, rtol=1e-5)
