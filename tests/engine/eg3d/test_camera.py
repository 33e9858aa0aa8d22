"""Labels, cameras and photos agree on where things are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.camera import Camera
from engine.eg3d.camera import (
    FOCAL,
    METRES,
    Crop,
    camera_of,
    deep3d_label,
    in_register,
    intrinsics,
    label_from_camera,
    look_at,
    metres_for,
    orbit_label,
    origin_in_head,
    parts_of,
    published_crop,
    standard_face,
)
from engine.eg3d.photo import align_photo
from engine.eg3d.views import project
from engine.errors import EngineError, FaceError

POINTS = np.random.default_rng(1).uniform(-0.3, 0.3, (20, 3))


def portrait(width=600, height=800, focal=1500.0, distance=0.9) -> Camera:
    """A camera a little to the side of a head, looking at it."""
    pose = look_at(np.array([0.2, 0.05, distance]), np.array([0.0, -0.02, 0.0]))
    K = np.array([[focal, 0, width / 2 + 12], [0, focal, height / 2 - 5], [0, 0, 1]])
    return Camera(K, np.linalg.inv(pose), width, height)


def test_the_front_label_is_the_published_one():
    pose, inner = parts_of(orbit_label())
    expected = [[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 2.7], [0, 0, 0, 1]]
    np.testing.assert_allclose(pose, expected, atol=1e-7)
    np.testing.assert_allclose(inner, [[4.2647, 0, 0.5], [0, 4.2647, 0.5], [0, 0, 1]], atol=1e-4)


def test_the_parity_vectors_labels_are_orbits(known):
    """Written by the published code: a label of the front, and one beside it."""
    poses = [parts_of(label)[0] for label in known["c"]]
    for pose, label in zip(poses, known["c"], strict=True):
        place = pose[:3, 3]
        assert np.linalg.norm(place) == pytest.approx(2.7, abs=1e-5)
        yaw = np.degrees(np.arctan2(place[0], place[2]))
        pitch = np.degrees(np.arcsin(place[1] / 2.7))
        np.testing.assert_allclose(orbit_label(yaw, pitch)[:16], label[:16], atol=1e-4)


def test_cameras_on_the_orbit_look_at_the_pivot():
    for yaw, pitch in ((0, 0), (30, 0), (-75, 20), (10, -40)):
        place, _ = project(orbit_label(yaw, pitch), np.array([[0.0, 0.0, 0.2]]))
        np.testing.assert_allclose(place, [[0.5, 0.5]], atol=1e-6)
    assert parts_of(orbit_label(30))[0][0, 3] == pytest.approx(2.7 * 0.5, abs=1e-5)  # to the head's left


def test_a_camera_cannot_look_straight_down():
    with pytest.raises(ValueError, match="upright"):
        look_at(np.array([0.0, 1.0, 0.0]), np.zeros(3))


def test_a_label_has_25_numbers():
    with pytest.raises(ValueError, match="25"):
        parts_of(np.zeros(16))


def test_a_labels_camera_sees_what_the_label_sees():
    label = orbit_label(20, -10)
    camera = camera_of(label, 512)
    place, distance = project(label, POINTS)
    np.testing.assert_allclose(camera.project(POINTS * METRES), place * 512, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(camera.to_camera(POINTS * METRES), axis=1), distance * METRES, atol=1e-6)


def test_in_register_both_cameras_see_the_same():
    """A label made of a crop's own camera: every point of the volume falls on the same pixel."""
    camera = Crop(100.5, 180.25, 400.0).camera(portrait(), 512)
    origin = np.array([0.01, -0.02, 0.03])
    label = label_from_camera(camera, origin)
    register = in_register(label, camera)
    assert register.scale == pytest.approx(METRES)
    np.testing.assert_allclose(register.points(np.zeros(3)), origin, atol=1e-6)
    np.testing.assert_allclose(camera.project(register.points(POINTS)), project(label, POINTS)[0] * 512, atol=1e-3)


def test_with_the_trained_focal_length_the_head_stays_as_large_and_in_its_place():
    camera = Crop(100.5, 180.25, 400.0).camera(portrait(), 512)
    origin = np.array([0.01, -0.02, 0.03])
    label = label_from_camera(camera, origin, focal=FOCAL)
    assert parts_of(label)[1][0, 0] == pytest.approx(FOCAL, rel=1e-6)
    place, _ = project(label, np.zeros((1, 3)))
    np.testing.assert_allclose(place * 512, camera.project(origin[None]), atol=1e-3)
    metres = metres_for(label, camera, origin)
    assert metres == pytest.approx(METRES, rel=1e-6)
    register = in_register(label, camera, metres)
    np.testing.assert_allclose(register.points(np.zeros(3)), origin, atol=1e-6)
    # Points at the origin's distance fall on the same pixels; others differ by perspective alone.
    pose, _ = parts_of(label)
    flat = np.array([[0.1, 0.0, 0.0], [0.0, -0.1, 0.0], [0.1, 0.1, 0.0]]) @ pose[:3, :3].T
    np.testing.assert_allclose(camera.project(register.points(flat)), project(label, flat)[0] * 512, atol=1e-3)


def test_a_crops_camera_is_the_photos():
    camera, crop = portrait(), Crop(50.0, 120.0, 256.0)
    moved = (camera.project(POINTS) - [50, 120]) * 2
    np.testing.assert_allclose(crop.camera(camera, 512).project(POINTS), moved, atol=1e-9)


def test_a_crop_beyond_the_photo_is_black():
    picture = np.full((100, 80, 3), 200, np.uint8)
    cut = Crop(-20.0, 10.0, 60.0).cut(picture, 60)
    assert cut.shape == (60, 60, 3)
    assert (cut[:, :17] == 0).all()
    assert (cut[:, 23:] == 200).all()
    assert Crop(10.0, 70.0, 60.0).cut(picture, 60)[35:].max() == 0


def test_the_published_crop_makes_a_decimetre_of_the_face_300_pixels_of_1024():
    standard = np.array([[-0.3, 0.3, 0.2], [0.3, 0.3, 0.2], [0.0, 0.0, 0.5], [-0.25, -0.35, 0.3], [0.25, -0.35, 0.3]])
    scale, middle = 40.0, np.array([310.0, 420.0])
    points = standard[:, :2] * [scale, -scale] + middle
    crop = published_crop(points, standard, (640, 800))
    assert crop.size == pytest.approx(700 / 300 * scale)
    centre = np.array([crop.left, crop.top]) + crop.size / 2
    np.testing.assert_allclose(
        centre, [310.0, 421.0], atol=0.3
    )  # published: y from the last row's centre, whole pixels


def test_faces_of_no_size_are_refused():
    standard = np.random.default_rng(0).normal(size=(5, 3))
    with pytest.raises(EngineError, match="one place"):
        published_crop(np.full((5, 2), 7.0), standard, (100, 100))
    with pytest.raises(FaceError, match="too small"):
        published_crop(standard[:, :2] * 0.5 + 50, standard, (4000, 4000))


def test_deep3ds_answer_becomes_the_published_label():
    pose, _ = parts_of(deep3d_label(np.eye(3), np.zeros(3)))
    np.testing.assert_allclose(pose[:3, 3], [0, 0.006, 2.861], atol=1e-6)
    np.testing.assert_allclose(pose[:3, :3], np.diag([1, -1, -1]), atol=1e-7)
    # Deep3D turns row vectors: p R + t, before the camera at (0, 0, 10) that looks along -z.
    turn = Rotation.from_euler("yxz", [20, -5, 3], degrees=True).as_matrix()
    shift = np.array([0.1, -0.2, 0.3])
    label = deep3d_label(turn, shift)
    points = POINTS * 3
    seen = points @ turn + shift
    flat = FOCAL * seen[:, :2] / (10 - seen[:, 2:]) * [1, -1] + 0.5
    place, _ = project(label, points * 0.27 + [0, 0.006, 0.161])
    np.testing.assert_allclose(place, flat, atol=1e-5)


def test_a_photo_is_aligned_by_its_fitted_head():
    camera = portrait()
    head = np.random.default_rng(2).normal(size=(68, 3)) * [0.04, 0.05, 0.02] + [0, 0, 0.05]
    centre = head.mean(0)
    picture = np.zeros((800, 600, 3), np.uint8)
    photo = align_photo(picture, camera, head, centre)
    assert photo.image.shape == (512, 512, 3)
    np.testing.assert_allclose(photo.register.points(np.zeros(3)), origin_in_head(centre), atol=1e-6)
    place, _ = project(photo.label, np.zeros((1, 3)))
    np.testing.assert_allclose(place * 512, photo.camera.project(origin_in_head(centre)[None]), atol=1e-3)
    target, label = photo.target()
    assert target.shape == (1, 3, 512, 512)
    assert label.shape == (1, 25)
    np.testing.assert_allclose(standard_face(head, centre).mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(intrinsics()[:2, 2], 0.5)
