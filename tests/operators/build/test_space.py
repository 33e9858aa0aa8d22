import numpy as np
from likeness.engine.camera import Camera
from likeness.operators.build.space import Space


def test_up_becomes_z_and_the_face_looks_along_minus_y():
    axes = Space().to_blender(np.eye(3))
    assert np.array_equal(axes, [[1, 0, 0], [0, 0, 1], [0, -1, 0]])


def test_the_scale_is_blender_units_a_metre_and_the_inverse_takes_it_back():
    points = np.random.default_rng(0).normal(size=(5, 4, 3))
    space = Space(100.0)
    assert np.allclose(space.to_blender([0, 1, 0]), [0, 0, 100])
    assert np.allclose(space.to_engine(space.to_blender(points)), points, atol=1e-6)


def test_a_camera_straight_ahead_stands_before_the_face_and_looks_at_it():
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[2, 3] = 0.5
    matrix = Space().camera_matrix(Camera(np.eye(3), pose, 10, 10))
    assert np.allclose(matrix[:3, 3], [0, -0.5, 0])
    assert np.allclose(-matrix[:3, 2], [0, 1, 0])  # looks along +Y
    assert np.allclose(matrix[:3, 1], [0, 0, 1])  # its top is up
