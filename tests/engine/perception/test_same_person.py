"""Groups by distance, and sharpness by picture."""

import cv2
import numpy as np
import pytest

from engine.perception.observation import FaceObservation
from engine.perception.same_person import company, distances, sharpness

LIMIT = 0.5


def apart(*pairs, count, far=0.8):
    """(N,N) distances, `far` but for pairs (a, b, distance)."""
    found = far * (1 - np.eye(count))
    for a, b, value in pairs:
        found[a, b] = found[b, a] = value
    return found


def test_distances_are_euclidean():
    found = distances([np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([1.0, 0.0])])
    np.testing.assert_allclose(found, np.sqrt(2) * np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))


def test_the_odd_one_is_not_of_the_company():
    found = company(apart((0, 1, 0.3), (0, 3, 0.35), (1, 3, 0.3), count=4), LIMIT)
    assert (found.together, found.majority) == ((0, 1, 3), True)


def test_two_and_two_are_no_majority():
    found = company(apart((0, 1, 0.3), (2, 3, 0.2), count=4), LIMIT)
    assert (found.together, found.majority) == ((2, 3), False)


def test_a_picture_like_most_of_the_others_belongs_to_them():
    """The turned picture 3 is unlike 0, but like 1 and 2."""
    found = company(apart((0, 1, 0.3), (0, 2, 0.3), (1, 2, 0.3), (1, 3, 0.4), (2, 3, 0.4), count=4), LIMIT)
    assert (found.together, found.majority) == ((0, 1, 2, 3), True)


def test_a_picture_like_one_of_many_does_not_bring_in_a_stranger():
    near = [(a, b, 0.3) for a in range(4) for b in range(a)]
    assert company(apart(*near, (3, 4, 0.45), count=5), LIMIT).together == (0, 1, 2, 3)


def test_one_alone():
    assert company(np.zeros((1, 1)), LIMIT).together == (0,)


def face(side):
    """A face in the middle of a square picture, its eyes' outer corners 0.3 of the side apart."""
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:, :2] = side / 2
    landmarks[33, 0] -= 0.15 * side
    landmarks[263, 0] += 0.15 * side
    return FaceObservation(landmarks, np.zeros(4, np.float32), 1.0)


@pytest.fixture
def picture():
    grain = np.random.default_rng(0).uniform(0, 255, (400, 400)).astype(np.float32)
    grey = cv2.GaussianBlur(grain, (0, 0), 1.5)
    return np.repeat(((grey - grey.min()) * 255 / np.ptp(grey)).astype(np.uint8)[..., None], 3, 2)


def test_blurred_and_small_pictures_are_less_sharp_and_dark_ones_as_sharp(picture):
    whole = sharpness(picture, face(400))
    assert sharpness(cv2.GaussianBlur(picture, (0, 0), 3.0), face(400)) < 0.3 * whole
    assert sharpness(cv2.resize(picture, (80, 80), interpolation=cv2.INTER_AREA), face(80)) < 0.7 * whole
    assert sharpness((0.5 * picture).astype(np.uint8), face(400)) == pytest.approx(whole, rel=0.05)
