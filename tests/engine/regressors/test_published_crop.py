"""Crops as the published codes cut them, against scikit-image and Pillow doing it their way."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.errors import EngineError, FaceError
from engine.regressors import published_crop as crops


def points_in(box: tuple[float, float, float, float], count: int, seed: int = 1) -> np.ndarray:
    """Points of which some lie on the edges of a box x0, y0, x1, y1."""
    low, high = np.array(box[:2]), np.array(box[2:])
    inside = np.random.default_rng(seed).uniform(low, high, (count, 2))
    inside[0], inside[1] = low, high
    return inside


@pytest.mark.parametrize(
    ("matrix", "size"),
    [
        (crops.smirk_matrix(points_in((100, 50, 200, 170), 478)), int(110 * 1.4)),
        (crops.deca_matrix(points_in((100, 50, 200, 170), 68)), int(110 * 1.1 * 1.25)),
    ],
)
def test_the_box_becomes_the_first_to_the_last_pixel(matrix: np.ndarray, size: int):
    """Its side is cut off to whole pixels; its middle is the points' box's."""
    corners = np.array([[150, 110]] * 3) + np.array([[-1, -1], [1, 1], [0, 0]]) * size / 2
    found = corners @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(found, [[0, 0], [223, 223], [111.5, 111.5]], atol=1e-9)


@pytest.mark.parametrize("box", [(60, 40, 180, 190), (-30, 60, 150, 250), (10, 10, 60, 60), (2, 3, 290, 230)])
def test_same_pixels_as_scikit_image(box: tuple[float, float, float, float]):
    transform = pytest.importorskip("skimage.transform")
    points = points_in(box, 478)
    picture = np.random.default_rng(3).integers(0, 256, (240, 300, 3), np.uint8)
    centre, size = (points.min(0) + points.max(0)) / 2, int(np.ptp(points, axis=0).sum() / 2 * 1.4)
    source = centre + np.array([[-size, -size], [-size, size], [size, -size]]) / 2
    form = transform.estimate_transform("similarity", source, np.array([[0, 0], [0, 223], [223, 0]]))
    wanted = transform.warp(picture, form.inverse, output_shape=(224, 224), preserve_range=True).astype(np.uint8)
    matrix = crops.smirk_matrix(points)
    np.testing.assert_allclose(matrix, form.params[:2], atol=1e-9)
    found = crops.cut(picture, matrix)
    differing = found.astype(int) - wanted
    assert np.abs(differing).max() <= 1  # where a number is whole, rounding decides on which side it is cut off
    assert (differing != 0).mean() < 0.001


def test_turned_crops_sample_the_same_way():
    picture = np.random.default_rng(4).integers(0, 256, (40, 50, 3), np.uint8)
    quarter = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 49.0]])  # to the left by 90 degrees
    np.testing.assert_array_equal(crops.cut(picture, quarter, 50)[:, :40], np.rot90(picture))
    assert not crops.cut(picture, quarter, 50)[:, 40:].any()
    shift = np.array([[1.0, 0.0, -0.25], [0.0, 1.0, -0.5]])
    slightly = shift + np.eye(2, 3, 1) * 1e-12
    np.testing.assert_array_equal(crops.cut(picture, shift, 30), crops.cut(picture, slightly, 30))


@pytest.mark.parametrize("points", [np.zeros((478, 2)), np.full((478, 2), np.nan)])
def test_faces_of_no_size_are_refused(points: np.ndarray):
    for matrix in (crops.smirk_matrix, crops.deca_matrix):
        with pytest.raises(FaceError):
            matrix(points)


def test_the_camera_puts_points_into_the_crop():
    """x' = s (x + t), y up; -1..1 is the crop's width."""
    points = torch.tensor([[[0.0, 0.0, 5.0], [0.1, 0.05, -3.0]]])
    found = crops.crop_points(points, torch.tensor([[8.0, 0.01, -0.02]]))
    torch.testing.assert_close(found[0, 0], torch.tensor([112 * 1.08, 112 * 1.16]))
    torch.testing.assert_close(found[0, 1], torch.tensor([112 * 1.88, 112 * 0.76]))


def test_five_of_the_68_points():
    points = np.arange(136.0).reshape(68, 2)
    np.testing.assert_array_equal(crops.five_points(points)[:, 0] / 2, [37.5, 43.5, 30, 48, 54])


STANDARD = np.array([[-0.3, 0.3, 0.2], [0.3, 0.3, 0.2], [0, 0, 0.5], [-0.25, -0.3, 0.25], [0.25, -0.3, 0.25]])


def seen(scale: float, middle: tuple[float, float]) -> np.ndarray:
    """The standard face's points in a picture, y down."""
    return STANDARD[:, :2] * [scale, -scale] + np.array(middle)


def test_deep3d_sets_the_size_and_the_middle():
    """A unit of the standard face takes 102 pixels; its origin lies in the middle."""
    picture = np.zeros((400, 500, 3), np.uint8)
    picture[190:211, 290:311] = 255  # around the origin
    found = crops.deep3d_crop(picture, seen(51.0, (300, 200)), STANDARD)[..., 0]
    rows, columns = np.nonzero(found > 127)
    assert found.shape == (224, 224)
    assert np.ptp(rows) + 1 == pytest.approx(42, abs=1)  # twice as large as in the picture
    np.testing.assert_allclose([rows.mean(), columns.mean()], [111.5, 111.5], atol=2)


def test_deep3d_outside_the_picture_is_black():
    found = crops.deep3d_crop(np.full((200, 200, 3), 200, np.uint8), seen(102.0, (20, 100)), STANDARD)
    assert not found[:, :80].any()
    assert found[100, 180].tolist() == [200] * 3


def test_deep3d_refuses_points_in_one_place_and_tiny_faces():
    picture = np.zeros((300, 300, 3), np.uint8)
    with pytest.raises(EngineError, match="one place"):
        crops.deep3d_crop(picture, np.full((5, 2), 9.0), STANDARD)
    with pytest.raises(FaceError, match="too small"):
        crops.deep3d_crop(picture, seen(0.5, (100, 100)), STANDARD)
