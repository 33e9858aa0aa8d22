"""Cameras as tensors agree with the project's camera, with SciPy's rotations, and with themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.camera import Camera
from engine.errors import EngineError
from engine.render.pinhole import LookAt, Pinhole, axis_angle_matrix


def turned_camera(centre: tuple[float, float] = (40.0, 30.0)) -> Camera:
    """A camera half a metre off, turned about all axes, for pictures of 80 x 60 pixels."""
    view = np.eye(4)
    view[:3, :3] = Rotation.from_euler("xyz", [170, 20, -10], degrees=True).as_matrix()
    view[:3, 3] = 0.03, -0.02, 0.5
    return Camera(np.array([[110.0, 0, centre[0]], [0, 110, centre[1]], [0, 0, 1]]), view, 80, 60)


POINTS = np.random.default_rng(0).normal(size=(2, 9, 3)) * 0.1


def test_pinhole_projects_as_the_camera_does() -> None:
    camera = turned_camera((35.0, 33.0))
    found = Pinhole.of(camera, dtype=torch.float64).project(torch.tensor(POINTS)).numpy()
    assert np.allclose(found[..., :2], camera.project(POINTS), atol=1e-9)
    assert np.allclose(found[..., 2], camera.to_camera(POINTS)[..., 2])


def test_pinhole_round_trip_and_position() -> None:
    camera = turned_camera((35.0, 33.0))
    pinhole = Pinhole.of(camera, dtype=torch.float64)
    back = pinhole.camera(80, 60)
    assert np.array_equal(back.K, camera.K)
    assert np.array_equal(back.world_to_camera, camera.world_to_camera)
    assert (back.width, back.height) == (80, 60)
    assert np.allclose(pinhole.position.numpy(), camera.position)
    assert pinhole.to("cpu", torch.float32).focal.dtype == torch.float32


def test_pinhole_gradients() -> None:
    pinhole = Pinhole.of(turned_camera(), dtype=torch.float64)
    parts = [
        part.clone().requires_grad_()
        for part in (pinhole.rotation, pinhole.translation, pinhole.focal, pinhole.centre, torch.tensor(POINTS))
    ]
    assert torch.autograd.gradcheck(lambda *p: (Pinhole(*p[:4]).project(p[4]), Pinhole(*p[:4]).position), parts)


def test_points_in_the_camera_plane_stay_finite() -> None:
    pinhole = Pinhole(torch.eye(3), torch.zeros(3), torch.tensor(50.0), torch.zeros(2))
    assert torch.isfinite(pinhole.project(torch.tensor([[0.1, 0.0, 0.0]]))).all()


@pytest.mark.parametrize("length", [0.0, 1e-9, 1e-3, 0.0316, 0.0317, 1.0, 3.1])
def test_axis_angle_is_scipys_and_smooth(length: float) -> None:
    """Both branches, the seam between them (angle² = 0.001), and zero, where the derivative is the generator's."""
    vector = torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64) / 3 * length
    assert np.allclose(axis_angle_matrix(vector).numpy(), Rotation.from_rotvec(vector.numpy()).as_matrix(), atol=1e-14)
    assert torch.autograd.gradcheck(axis_angle_matrix, vector.clone().requires_grad_())


def test_look_at_round_trip_of_a_camera() -> None:
    camera = turned_camera()
    look = LookAt.from_camera(camera, dtype=torch.float64)
    back = look.to_pinhole(80, 60).camera(80, 60)
    assert np.allclose(back.K, camera.K)
    assert np.allclose(back.world_to_camera, camera.world_to_camera)
    twice = look.to_pinhole(160, 120).camera(160, 120)
    assert np.allclose(twice.project(POINTS), 2 * camera.project(POINTS))


def test_look_at_of_ten_numbers() -> None:
    """A camera in front of the head sees what is to the head's left on the right, and up is up."""
    numbers = torch.tensor([0, 0, 2, 0, 0, 0, 0, 5, 1, 1.5], dtype=torch.float64)
    look = LookAt.of(numbers)
    assert torch.equal(look.vector, numbers)
    pinhole = look.to_pinhole(100, 200)
    assert float(pinhole.focal) == 300
    assert torch.allclose(pinhole.position, numbers[:3])
    seen = pinhole.project(torch.tensor([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], dtype=torch.float64))
    expected = torch.tensor([[50, 100, 2], [65, 100, 2], [50, 85, 2]], dtype=torch.float64)
    assert torch.allclose(seen, expected)


def test_look_at_target_is_next_to_the_origin_and_in_front() -> None:
    look = LookAt.from_camera(turned_camera(), dtype=torch.float64)
    sight = look.target - look.position
    assert abs(float(sight @ look.target)) < 1e-12
    away = turned_camera()
    away.world_to_camera[2, 3] = -0.5
    look = LookAt.from_camera(away, dtype=torch.float64)
    assert np.allclose(look.to_pinhole(80, 60).camera(80, 60).world_to_camera, away.world_to_camera)


def test_look_at_gradients() -> None:
    numbers = LookAt.from_camera(turned_camera(), dtype=torch.float64).vector.requires_grad_()
    points = torch.tensor(POINTS)
    assert torch.autograd.gradcheck(lambda p: LookAt.of(p).to_pinhole(80, 60).project(points), numbers)


def test_look_at_refuses_what_ten_numbers_cannot_say() -> None:
    with pytest.raises(EngineError, match=r"principal point 35\.0, 33\.0"):
        LookAt.from_camera(turned_camera((35.0, 33.0)))
