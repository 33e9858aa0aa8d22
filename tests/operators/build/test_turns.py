"""Rotations of a whole take, against Blender's own and closed forms."""

import numpy as np
import pytest
from likeness.engine.tracking.turns import between, to_axis_angle, to_matrix
from likeness.operators.build.turns import from_euler, gaze_euler, to_euler
from mathutils import Euler, Matrix, Vector


@pytest.fixture
def vectors():
    rng = np.random.default_rng(0)
    axes = rng.normal(size=(200, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    return (
        axes
        * np.concatenate([rng.uniform(0, np.pi, 190), [0, 1e-12, 1e-6, 1e-3, 3.1, 3.14, np.pi, 0.5, 1, 2]])[:, None]
    )


def test_axis_angles_are_blenders_rotations(vectors):
    for vector, matrix in zip(vectors, to_matrix(vectors), strict=True):
        angle = np.linalg.norm(vector)
        assert np.allclose(
            matrix, Matrix.Rotation(angle, 3, Vector(vector.tolist())) if angle else np.eye(3), atol=1e-6
        )


def test_there_and_back_even_at_half_a_turn(vectors):
    back = to_axis_angle(to_matrix(vectors))
    assert np.allclose(to_matrix(back), to_matrix(vectors), atol=1e-9)
    short = np.linalg.norm(vectors, axis=1) < 3.139
    assert np.allclose(back[short], vectors[short], atol=1e-9)


def test_between_goes_the_shortest_way_evenly():
    first, second = to_matrix([0, 0, 3.0]), to_matrix([0, 0, -3.0])
    assert np.allclose(between(first, second, 0.0), first)
    assert np.allclose(between(first, second, 1.0), second)
    assert np.allclose(between(first, second, 0.5), to_matrix([0, 0, np.pi]))


def test_euler_angles_are_blenders(vectors):
    angles = vectors / 3
    for triple, matrix in zip(angles, from_euler(angles), strict=True):
        assert np.allclose(matrix, Euler(triple.tolist(), "XYZ").to_matrix(), atol=1e-6)
    for matrix in to_matrix(vectors):
        assert np.allclose(from_euler(to_euler(matrix[None])), matrix, atol=1e-5)


def test_euler_angles_do_not_jump():
    steps = np.linspace(0, 4 * np.pi, 400)
    spin = from_euler(np.stack([0.3 * np.sin(steps), 0.2 * np.cos(steps), steps], -1))
    angles = to_euler(spin)
    assert np.abs(np.diff(angles, axis=0)).max() < 0.05
    assert angles[-1, 2] == pytest.approx(4 * np.pi, abs=1e-4)
    assert to_euler(spin[:1], (0.0, 0.0, 2 * np.pi))[0, 2] == pytest.approx(2 * np.pi, abs=1e-4)


def test_gaze_points_the_same_way_without_a_twist(vectors):
    turns = to_matrix(vectors / 4)
    angles = gaze_euler(turns)
    assert np.allclose(from_euler(angles)[..., 1], turns[..., 1], atol=1e-9)
    assert (angles[:, 1] == 0).all()
