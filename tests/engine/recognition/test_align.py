"""Crops for recognition: similarities against published ones, and pictures whose crops are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.autograd import gradcheck

from engine.errors import EngineError
from engine.media.photo import Photo
from engine.perception.landmarks import find_face
from engine.recognition import arcface, small
from engine.recognition.align import arcface_points, corner_points, crop, similarity


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(1)


def moved(points: NDArray, matrix: NDArray) -> NDArray:
    return points @ matrix[:, :2].T + matrix[:, 2]


def places(height: int, width: int) -> torch.Tensor:
    """(1,2,H,W) a picture whose colours are its own pixels' x and y."""
    across, down = torch.meshgrid(torch.arange(float(width)), torch.arange(float(height)), indexing="xy")
    return torch.stack([across, down])[None].double()


def test_same_matrices_as_the_reference_implementation(shared: Path):
    vectors = np.load(shared / "parity" / "arcface" / "align.npz")
    np.testing.assert_allclose(arcface.TEMPLATE, vectors["dst"], atol=1e-5)
    for points, matrix in zip(vectors["lmk5"], vectors["M"], strict=True):
        np.testing.assert_allclose(similarity(points, arcface.TEMPLATE), matrix, rtol=1e-5, atol=1e-5)


def test_a_similarity_is_found_again():
    turn, size = np.deg2rad(130), 0.37
    linear = size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = np.column_stack([linear, [12.0, -30.0]])
    points = np.random.default_rng(1).normal(0, 50, (5, 2))
    np.testing.assert_allclose(similarity(points, moved(points, matrix)), matrix, atol=1e-10)
    back = similarity(moved(points, matrix), points)
    np.testing.assert_allclose(moved(moved(points, matrix), back), points, atol=1e-10)


def test_faces_are_never_mirrored():
    points = np.random.default_rng(2).normal(0, 50, (5, 2))
    assert np.linalg.det(similarity(points, points * [-1, 1])[:, :2]) > 0


def test_points_in_one_place_are_refused():
    with pytest.raises(EngineError, match="one place"):
        similarity(np.full((5, 2), 7.0), arcface.TEMPLATE)


@pytest.mark.parametrize("network", [arcface, small])
@pytest.mark.parametrize("size", [0.3, 1.0, 4.0, 7.0])
def test_crop_brings_the_five_points_to_the_template(network, size: float):
    """Where the template has a point, the crop shows the place in the picture where that point was."""
    turn = np.deg2rad(20)
    linear = size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    span = int(2 * size * network.SIDE) + 8
    source = (network.TEMPLATE - network.SIDE / 2) @ linear.T + span / 2
    matrix = torch.tensor(similarity(source, network.TEMPLATE))[None]
    picture = torch.cat([places(span, span), torch.zeros(1, 1, span, span, dtype=torch.float64)], 1)
    seen = crop(picture, matrix, network.SIDE)
    assert seen.shape == (1, 3, network.SIDE, network.SIDE)
    at = (torch.tensor(network.TEMPLATE) * 2 + 1) / network.SIDE - 1
    found = torch.nn.functional.grid_sample(seen, at[None, None], align_corners=False)[0, :2, 0].T
    np.testing.assert_allclose(found.numpy(), source, atol=1e-6)


def test_whole_shifts_copy_pixels_and_what_is_outside_is_black():
    picture = torch.rand(1, 3, 8, 8, dtype=torch.float64)
    shifted = crop(picture, torch.tensor([[[1.0, 0.0, -2.0], [0.0, 1.0, 3.0]]], dtype=torch.float64), 8)
    torch.testing.assert_close(shifted[:, :, 3:, :6], picture[:, :, :5, 2:])
    assert shifted[:, :, :3].abs().max() < 1e-12
    assert shifted[:, :, :, 6:].abs().max() < 1e-12


@pytest.mark.parametrize("times", [2, 3, 4])
def test_reducing_takes_the_mean_of_all_pixels(times: int):
    picture = torch.rand(2, 3, 5 * times, 5 * times, dtype=torch.float64)
    shift = -(times - 1) / 2 / times
    matrix = torch.tensor([[1 / times, 0.0, shift], [0.0, 1 / times, shift]], dtype=torch.float64)
    wanted = torch.nn.functional.avg_pool2d(picture, times)
    torch.testing.assert_close(crop(picture, matrix.expand(2, 2, 3), 5), wanted)


@pytest.mark.parametrize("scale", [0.8, 0.45])
def test_gradients_in_picture_and_matrix(scale: float):
    picture = torch.rand(1, 1, 7, 6, dtype=torch.float64, requires_grad=True)
    matrix = torch.tensor([[[scale, 0.11, 0.2], [-0.13, scale, 0.3]]], dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda image, place: crop(image, place, 3), (picture, matrix))


@pytest.mark.parametrize(("points", "network"), [(arcface_points, arcface), (corner_points, small)])
def test_a_real_faces_points_lie_near_the_template(points, network):
    """And in its order: the nearest of the template's points is the own one."""
    from skimage.data import astronaut

    face = find_face(Photo(Path("astronaut.png"), np.ascontiguousarray(astronaut())))
    five = points(face.landmarks)
    found = moved(five, similarity(five, network.TEMPLATE))
    distances = np.linalg.norm(found[:, None] - network.TEMPLATE, axis=-1)
    assert distances.argmin(1).tolist() == [0, 1, 2, 3, 4]
    assert np.sqrt((distances.diagonal() ** 2).mean()) < 0.05 * network.SIDE
