"""Blinks are found where eyes close quickly, and only there; lips that are seen to touch touch in the take."""

from __future__ import annotations

import numpy as np
import pytest

from engine.tracking.contacts import (
    close_eyes,
    close_lips,
    closing,
    eye_openness,
    find_blinks,
    lip_opening,
    touching,
)

FPS = 25.0


def eyes(frames: int = 150, noise: float = 0.01) -> np.ndarray:
    """(T,2) openness of eyes that look ahead, slightly noisy."""
    return 0.27 + noise * np.random.default_rng(0).standard_normal((frames, 2))


def blink(openness: np.ndarray, peak: int, depth: tuple[float, float] = (0.7, 0.8)) -> None:
    """A blink of about a fifth of a second."""
    shape = np.array([0.3, 0.8, 1.0, 0.8, 0.5, 0.2])
    openness[peak - 2 : peak + 4] *= 1 - shape[:, None] * np.array(depth)


@pytest.mark.parametrize("fps", [25.0, 50.0])
def test_blinks_are_found_and_close_wholly(fps: float) -> None:
    seen = eyes()
    for peak in (30, 70, 77, 110):
        blink(seen, peak)
    found = find_blinks(seen, fps)
    assert [b.peak for b in found] == [30, 70, 77, 110]
    assert all(b.left and b.right for b in found)
    shut = closing(seen, found, fps)
    assert (shut[[30, 70, 77, 110]] == 1).all()
    assert shut[:25].max() == 0
    assert shut[45:60].max() == 0


def test_noise_slow_looks_down_and_squints_are_no_blinks() -> None:
    seen = eyes(200, 0.012)
    seen[50:120] *= (1 - 0.35 * np.hanning(70))[:, None]
    seen[150:] *= 0.75
    assert find_blinks(seen, FPS) == []


def test_a_wink_closes_one_eye() -> None:
    seen = eyes()
    blink(seen, 60, (0.0, 0.85))
    (found,) = find_blinks(seen, FPS)
    assert (found.left, found.right) == (False, True)
    assert closing(seen, [found], FPS)[60].tolist() == [0.0, 1.0]


def test_eyes_shut_for_long_are_shut_all_the_time() -> None:
    seen = eyes(200)
    seen[80:130] *= 0.2
    shut = closing(seen, find_blinks(seen, FPS), FPS)
    assert shut[84:126].min() > 0.8


def test_frames_without_a_face_hold_no_blinks() -> None:
    seen = eyes()
    seen[40:60] = np.nan
    assert find_blinks(seen, FPS) == []


def test_openings_are_shares_of_widths_whatever_the_size() -> None:
    points = np.zeros((2, 478, 3))
    points[:, 263, 0], points[:, 362, 0] = 30.0, 0.0
    points[:, [386, 385, 387], 1] = 9.0
    points[:, 78, 0], points[:, 308, 0] = 0.0, 50.0
    points[:, [14, 87, 317, 178, 402], 1] = 5.0
    points[1] *= 3.0
    np.testing.assert_allclose(eye_openness(points)[:, 0], 0.3)
    np.testing.assert_allclose(lip_opening(points), 0.1)
    np.testing.assert_allclose(touching(np.array([0.0, 0.025, 0.2, np.nan])), [1, 1, 0, 0])


def test_closing_eyes_overrules_what_holds_them_open() -> None:
    names = ("eyeBlinkLeft", "eyeWideLeft", "eyeBlinkRight", "browInnerUp")
    before = np.array([[0.2, 0.5, 0.1, 0.7]])
    after = close_eyes(before, names, np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(after, [[1.0, 0.0, 0.1, 0.7]])


def test_lips_meet_by_what_parted_them_first() -> None:
    names = ("jawOpen", "mouthClose", "mouthLowerDownLeft")
    heights = np.array([0.030, -0.028, 0.006])
    before = np.array([[0.4, 0.0, 0.5]] * 3)
    after = close_lips(before, names, heights, 0.0, np.array([1.0, 0.0, 0.5]))
    assert after[0] @ heights == pytest.approx(0.0, abs=1e-9)
    assert after[0, 0] == 0.4  # the jaw stays as far down as it was
    assert after[0, 2] == 0.0
    np.testing.assert_array_equal(after[1], before[1])
    assert after[2] @ heights == pytest.approx(0.5 * before[2] @ heights)
    wide = close_lips(np.array([[1.0, 0.9, 0.0]]), names, np.array([0.08, -0.028, 0.006]), 0.0, np.ones(1))
    assert wide[0] @ np.array([0.08, -0.028, 0.006]) == pytest.approx(0.0, abs=1e-9)  # then the jaw helps
