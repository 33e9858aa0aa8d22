"""The smoother against its own definition and against what animators see: no lag, no lost peaks, bridged gaps."""

from __future__ import annotations

import numpy as np
import pytest

from engine.tracking.smooth import OneEuro, smooth, strength

FPS = 25.0


@pytest.mark.parametrize("count", [3, 4, 5, 40])
def test_it_solves_its_normal_equations(count: int) -> None:
    rng = np.random.default_rng(count)
    y, w = rng.standard_normal((count, 2)), rng.uniform(0.1, 1, (count, 2))
    s = strength(np.array([2.0, 6.0]), FPS)
    difference = np.diff(np.eye(count), 2, axis=0)
    expected = [
        np.linalg.solve(np.diag(w[:, c]) + s[c] * difference.T @ difference, w[:, c] * y[:, c]) for c in range(2)
    ]
    np.testing.assert_allclose(smooth(y, w, np.array([2.0, 6.0]), FPS), np.array(expected).T, atol=1e-9)


@pytest.mark.parametrize("cutoff", [1.0, 4.0, 8.0])
def test_half_of_a_wave_at_the_cutoff_is_left_without_delay(cutoff: float) -> None:
    t = np.arange(500) / FPS
    wave = np.cos(2 * np.pi * cutoff * t)
    found = smooth(wave[:, None], np.ones(500), cutoff, FPS)[100:400, 0]
    np.testing.assert_allclose(found, 0.5 * wave[100:400], atol=0.01)


def test_lines_and_short_takes_stay_as_they_are() -> None:
    line = np.linspace(0, 3, 60)[:, None]
    np.testing.assert_allclose(smooth(line, np.ones(60), 1.0, FPS), line, atol=1e-6)
    np.testing.assert_array_equal(smooth(line[:2], np.ones(2), 1.0, FPS), line[:2])
    np.testing.assert_allclose(smooth(line, np.ones(60), 12.5, FPS), line)  # half the frame rate: nothing to smooth


def test_gaps_are_bridged_straight() -> None:
    line = np.linspace(0, 3, 60)[:, None].copy()
    seen = np.ones(60)
    seen[20:35] = 0
    spoilt = np.where(seen[:, None] > 0, line, 100.0)
    spoilt[25] = np.nan
    np.testing.assert_allclose(smooth(spoilt, seen, 2.0, FPS), line, atol=1e-3)


def test_a_wrong_frame_is_distrusted_where_asked() -> None:
    t = np.arange(200) / FPS
    wave = np.sin(2 * np.pi * 0.5 * t)[:, None] + 0.01 * np.random.default_rng(0).standard_normal((200, 1))
    spoilt = wave.copy()
    spoilt[90] += 3.0
    robust, plain = (smooth(spoilt, np.ones(200), 4.0, FPS, robust=flag)[90, 0] for flag in (True, False))
    assert abs(robust - wave[90, 0]) < 0.05
    assert abs(plain - wave[90, 0]) > 0.3


def test_nothing_seen_gives_numbers_all_the_same() -> None:
    assert np.isfinite(smooth(np.full((30, 2), np.nan), np.zeros(30), 3.0, FPS, robust=True)).all()


def test_one_euro_stills_noise_and_follows_movement() -> None:
    rng = np.random.default_rng(1)
    t = np.arange(400) / FPS
    still, moving = OneEuro(), OneEuro()
    noise = 0.02 * rng.standard_normal(400)
    quiet = np.array([still(time, np.array([value]))[0] for time, value in zip(t, noise, strict=True)])
    assert quiet[50:].std() < 0.6 * noise.std()
    ramp = np.clip((t - 4) * 4, 0, 4)
    followed = np.array([moving(time, np.array([value]))[0] for time, value in zip(t, ramp, strict=True)])
    assert abs(followed[-1] - 4) < 0.01
    assert np.argmax(followed > 2) - np.argmax(ramp > 2) <= 4
