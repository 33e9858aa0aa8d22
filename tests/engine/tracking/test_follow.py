"""Following one person through cuts to somebody else, and choosing whom to follow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.media.read import read_photo
from engine.tracking.follow import SIDE, Follower, portrait, two_looks

SIZE = 320


@pytest.fixture(scope="module")
def people(shared: Path) -> list[np.ndarray]:
    """Two people's portraits, (S,S,3)."""
    import cv2

    folder = shared / "data" / "photos"
    if not folder.is_dir():
        pytest.skip("needs the shared photos")
    pictures = [read_photo(folder / f"{name}.jpg").pixels for name in ("obama", "L000602")]
    return [np.asarray(cv2.resize(p[: p.shape[1]], (SIZE, SIZE), interpolation=cv2.INTER_AREA)) for p in pictures]


def test_somebody_else_is_a_gap_and_the_person_is_found_again(people) -> None:
    first, other = people
    cut = [first] * 4 + [other] * 4 + [first] * 4
    follower = Follower()
    seen = [follower(picture, number / 25) is not None for number, picture in enumerate(cut)]
    assert seen == [True] * 4 + [False] * 4 + [True] * 4
    assert follower.strangers == pytest.approx([n / 25 for n in range(4, 8)])


def test_somebody_else_at_the_very_same_place_is_a_cut_too(people) -> None:
    """Both faces are brought to the same place and size, as in a cut between two close-ups."""
    from engine.media.photo import Photo
    from engine.perception.crop import window_around
    from engine.perception.landmarks import find_face

    close = []
    for picture in people:
        window = window_around(find_face(Photo(Path("p.png"), picture)).landmarks.astype(float), 2.0)
        close.append(np.asarray(window.cut(picture, SIZE)))
    follower = Follower()
    seen = [
        follower(picture, number / 25) is not None for number, picture in enumerate([close[0]] * 3 + [close[1]] * 3)
    ]
    assert seen == [True] * 3 + [False] * 3


def test_the_second_face_can_be_chosen(people) -> None:
    import cv2

    large, small = people[0], cv2.resize(people[1], (SIZE * 2 // 3, SIZE * 2 // 3), interpolation=cv2.INTER_AREA)
    both = np.full((SIZE, 2 * SIZE, 3), 128, np.uint8)
    both[:, :SIZE] = large
    both[: small.shape[0], SIZE : SIZE + small.shape[1]] = small
    for choice, left in ((0, True), (1, False)):
        sight = Follower(choice)(both, 0.0)
        assert sight is not None
        assert (sight.points[:, 0].mean() < SIZE) == left


def test_an_interrupted_follower_goes_on_alike(people) -> None:
    shifted = [np.roll(people[0], 3 * number, axis=1) for number in range(6)]
    whole, half = Follower(), Follower()
    straight = [whole(picture, number / 25) for number, picture in enumerate(shifted)]
    first = [half(picture, number / 25) for number, picture in enumerate(shifted[:3])]
    assert first[-1] is not None
    again = Follower()
    again.go_on(half.looks, first[-1].points.astype(np.float32).astype(float), 2 / 25, np.zeros(0))
    rest = [again(picture, (3 + number) / 25) for number, picture in enumerate(shifted[3:])]
    for one, two in zip(straight[3:], rest, strict=True):
        assert one is not None
        assert two is not None
        np.testing.assert_allclose(one.points, two.points, atol=0.1)


def test_noise_has_no_face() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3)).astype(np.uint8)
    assert Follower()(noise, 0.0) is None


def test_looks_are_compared_without_their_exposure(people) -> None:
    from engine.perception.crop import Window

    window = Window(np.array([SIZE / 2, SIZE / 2]), SIZE / 1.5)
    one = portrait(people[0], window)
    darker = portrait((people[0] * 0.6 + 10).astype(np.uint8), window)
    other = portrait(people[1], window)
    assert one.shape == (SIDE, SIDE, 3)
    assert np.vdot(one, darker) > 0.98
    assert np.vdot(one, other) < 0.8
    assert two_looks(np.zeros((100, 100, 3), np.uint8), Window(np.array([50.0, 50.0]), 80.0)) is None
