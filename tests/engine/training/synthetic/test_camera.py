"""Cameras of synthetic pictures."""

from __future__ import annotations

import numpy as np
import pytest

from engine.fitting.pose import yaw_pitch_roll
from engine.heads.loader import load_head
from engine.training.synthetic.camera import (
    DISTANCE_RANGE,
    FILL_RANGE,
    JITTER,
    head_to_camera,
    random_angles,
    random_camera,
    towards_camera,
    turn_towards,
)

HEAD = load_head()
FACE = HEAD.vertices[HEAD.regions["face"]]


def test_the_face_fills_the_crop_as_promised() -> None:
    rng = np.random.default_rng(0)
    distances, offsets = [], []
    for _ in range(200):
        camera, _ = random_camera(FACE, 256, rng)
        seen = camera.project(FACE)
        low, high = seen.min(axis=0), seen.max(axis=0)
        share = (high - low).max() / 256
        assert FILL_RANGE[0] - 1e-9 <= share <= FILL_RANGE[1] + 1e-9
        assert np.all(abs((low + high) / 512 - 0.5) <= JITTER + 1e-9)
        depth = camera.to_camera(FACE.mean(axis=0))[2]
        assert DISTANCE_RANGE[0] - 0.1 < depth < DISTANCE_RANGE[1] + 0.1
        distances.append(depth)
        offsets.append(abs(camera.K[:2, 2] - 128).max() / 256)
        assert np.linalg.det(camera.world_to_camera[:3, :3]) == pytest.approx(1.0)
    assert np.percentile(distances, 10) < 0.6
    assert np.percentile(distances, 90) > 3.0
    assert (np.array(offsets) > 0.5).mean() > 0.3  # faces off the photo's middle


def test_yaw_is_mostly_frontal_and_reaches_profile() -> None:
    rng = np.random.default_rng(1)
    angles = np.array([random_angles(rng) for _ in range(4000)])
    yaw = abs(angles[:, 0])
    assert (yaw <= 35).mean() == pytest.approx(0.6, abs=0.03)
    assert 85 < yaw.max() <= 90
    assert abs(angles[:, 1]).max() <= 35
    assert abs(angles[yaw < 40, 2]).max() <= 15
    assert 15 < abs(angles[yaw > 60, 2]).max() <= 30
    assert abs(np.array([random_angles(rng, 20.0)[0] for _ in range(200)])).max() <= 20


def test_angles_are_the_engines() -> None:
    assert yaw_pitch_roll(head_to_camera(25.0, -12.0, 0.0)) == pytest.approx((25.0, -12.0, 0.0))
    assert yaw_pitch_roll(head_to_camera(0.0, 0.0, 9.0)) == pytest.approx((0.0, 0.0, 9.0))


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 30), (50, 25), (-70, -30)])
def test_eyes_are_level_without_roll(yaw: float, pitch: float) -> None:
    line = head_to_camera(yaw, pitch, 0.0) @ [1.0, 0.0, 0.0]
    assert line[1] == pytest.approx(0.0, abs=1e-12)


def test_roll_is_clockwise_in_the_picture() -> None:
    line = head_to_camera(0.0, 0.0, 10.0) @ [1.0, 0.0, 0.0]
    assert np.degrees(np.arctan2(line[1], line[0])) == pytest.approx(10.0)  # y down


def test_turning_towards_a_direction() -> None:
    direction = np.array([0.4, -0.2, 1.0])
    turn = turn_towards(direction)
    assert turn @ [0, 0, 1] == pytest.approx(direction / np.linalg.norm(direction))
    assert turn @ turn.T == pytest.approx(np.eye(3))


def test_direction_to_the_camera_follows_the_yaw() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        camera, angles = random_camera(FACE, 256, rng)
        way = towards_camera(camera, FACE)
        # The head turned to the picture's right is seen from its right side (x < 0).
        seen = -np.degrees(np.arctan2(way[0], way[2]))
        if abs(angles[1]) < 15 and abs(angles[2]) < 8 and abs(angles[0]) < 70:
            assert seen == pytest.approx(angles[0], abs=6.0)
