"""Encoded depth means what its documentation says."""

from __future__ import annotations

import numpy as np
import pytest

from engine.camera import Camera
from engine.heads.loader import load_head
from engine.perception.depth_scale import SPAN, decode_depth, encode_depth, eye_centres, reference_depth


def camera_before(distance: float) -> Camera:
    """Looks at the head's face from the front."""
    view = np.diag([1.0, -1.0, -1.0, 1.0])
    view[2, 3] = distance
    return Camera(np.array([[500.0, 0, 64], [0, 500.0, 64], [0, 0, 1]]), view, 128, 128)


def test_eyeballs_are_found_in_any_pose():
    head = load_head()
    joints = head.joints[[head.joint_names.index(name) for name in ("eye.L", "eye.R")]]
    np.testing.assert_allclose(eye_centres(head, head.vertices), joints, atol=3e-4)
    turn, move = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]), np.array([0.1, -2.0, 3.0])
    posed = eye_centres(head, head.vertices @ turn.T + move)
    np.testing.assert_allclose(posed, eye_centres(head, head.vertices) @ turn.T + move, atol=1e-5)


def test_the_eyes_are_at_zero_and_the_nose_before_them():
    head, camera = load_head(), camera_before(0.8)
    reference = reference_depth(camera, eye_centres(head, head.vertices))
    assert reference == pytest.approx(0.8 - 0.073, abs=1e-3)
    nose = camera.to_camera(head.vertices[head.regions["nose"]])[:, 2].min()
    assert float(encode_depth(nose, reference)) == pytest.approx(-0.047 / SPAN, abs=0.01)


def test_depth_along_the_axis_not_from_the_lens():
    aside = np.array([[0.3, 0.4, 0.1], [0.3, 0.4, 0.1]])
    assert reference_depth(camera_before(2.0), aside) == pytest.approx(1.9)


def test_background_and_far_things_are_one():
    encoded = encode_depth(np.array([[np.inf, 5.0], [1.15, 0.2]]), 1.0)
    assert encoded.dtype == np.float32
    np.testing.assert_allclose(encoded, [[1.0, 1.0], [1.0, -1.0]], atol=1e-6)


def test_round_trip():
    depth = np.linspace(0.9, 1.1, 7)
    np.testing.assert_allclose(decode_depth(encode_depth(depth, 1.0), 1.0), depth, atol=1e-6)
    np.testing.assert_allclose(decode_depth(np.array([-2.0, 0.5, 2.0])), [-SPAN, 0.5 * SPAN, SPAN], atol=1e-7)
