"""Windows on a picture: there and back again."""

import numpy as np
import pytest

from engine.perception.crop import Window, window_around
from engine.perception.topology import MIRROR


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("roll", [0.0, 0.7, -2.5])
def test_points_return(roll: float, flipped: bool) -> None:
    window = Window(np.array([120.0, 80.0]), 90.0, roll, flipped)
    matrix = window.matrix(192)
    points = np.random.default_rng(3).uniform(0, 200, (478, 3))
    seen = np.column_stack([points[:, :2] @ matrix[:, :2].T + matrix[:, 2], points[:, 2] * 192 / 90])
    returned = window.to_picture(seen, 192)
    assert np.allclose(returned, points[MIRROR] if flipped else points)


def test_matrix_sends_corners_to_corners() -> None:
    matrix = Window(np.array([50.0, 40.0]), 20.0).matrix(10)
    assert np.allclose(matrix @ [40, 30, 1], [0, 0])
    assert np.allclose(matrix @ [60, 50, 1], [10, 10])
    turned = Window(np.array([50.0, 40.0]), 20.0, np.pi / 2).matrix(10)
    assert np.allclose(turned @ [50, 50, 1], [10, 5])  # "right" in the window is "down" in the picture
    assert np.allclose(Window(np.array([50.0, 40.0]), 20.0, 0.0, True).matrix(10) @ [40, 30, 1], [10, 0])


@pytest.mark.parametrize("side", [24.0, 100.0, 360.0])
def test_cut_samples_where_the_matrix_says(side: float) -> None:
    """A linear picture keeps its values through any similarity: no half-pixel shift, enlarged or reduced."""
    rows, columns = np.mgrid[0:400, 0:500].astype(np.float32) + 0.5
    picture = np.dstack([columns, rows, columns + rows])
    window = Window(np.array([250.0, 200.0]), side, 0.3)
    cut = window.cut(picture, 48)
    matrix = window.matrix(48)
    centres = np.stack(np.meshgrid(np.arange(48) + 0.5, np.arange(48) + 0.5), axis=-1)
    expected = (centres - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    inside = (np.abs(expected - [250, 200]) < [240, 190]).all(axis=-1)
    assert np.abs(cut[..., :2] - expected)[inside].max() < 0.15


def test_reduction_does_not_alias() -> None:
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 200
    cut = Window(np.array([200.0, 200.0]), 300.0, 0.1).cut(stripes, 30)
    assert np.abs(cut.astype(int) - 100).max() < 12


def test_window_around_follows_the_eyes() -> None:
    points = np.zeros((478, 3))
    points[:468, :2] = np.random.default_rng(0).uniform(-1, 1, (468, 2)) * [30, 40]
    points[33, :2], points[263, :2] = (-20, 0), (20, 0)
    angle = 0.5
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = points.copy()
    turned[:, :2] = points[:, :2] @ turn.T + [300, 200]
    upright, window = window_around(points, 1.5), window_around(turned, 1.5)
    assert window.roll == pytest.approx(angle)
    assert window.side == pytest.approx(upright.side)
    assert np.allclose(window.centre, turn @ upright.centre + [300, 200])
