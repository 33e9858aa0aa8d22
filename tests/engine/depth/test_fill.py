"""Filling in, and membranes."""

from __future__ import annotations

import numpy as np

from engine.depth.fill import membrane, push_pull, sampled


def test_what_is_known_stays_and_constants_spread() -> None:
    rng = np.random.default_rng(0)
    values, known = rng.normal(size=(37, 53)), (rng.random((37, 53)) > 0.9).astype(float)
    found = push_pull(values, known)
    assert np.allclose(found[known > 0], values[known > 0], atol=1e-6)
    assert np.allclose(push_pull(np.full((37, 53), 3.0), known), 3.0)
    assert np.allclose(push_pull(np.stack([values] * 3, -1), known)[..., 1], found, atol=1e-6)


def test_an_even_load_on_a_disc_makes_a_ball() -> None:
    """u = R^2 - r^2 where the load is 4; the border lies half a pixel beyond the last pixel, which is 1 % of R."""
    side, radius = 160, 70
    rows, columns = np.mgrid[:side, :side] + 0.5
    square = (rows - 80) ** 2 + (columns - 80) ** 2
    inside = square < radius**2
    nothing = np.zeros((side, side))
    found = np.sqrt(np.maximum(membrane(inside, nothing, nothing, 4.0), 0))
    ball = np.sqrt(np.maximum(radius**2 - square, 0))
    assert np.abs(found - ball)[square < (radius - 5) ** 2].max() < 0.04 * radius
    assert (found[~inside] == 0).all()


def test_a_membrane_without_load_keeps_straight_lines() -> None:
    rows, columns = np.mgrid[:100, :120] + 0.5
    inside = (rows - 50) ** 2 + (columns - 60) ** 2 < 40**2
    line = 0.3 * columns - 0.1 * rows + 5
    found = membrane(inside, 0 * line, 0 * line, 0.0, line)
    assert np.abs(found - line).max() < 0.1


def test_a_firm_target_is_reached_and_a_loose_one_smoothed() -> None:
    step = np.where(np.arange(96) < 48, 0.0, 1.0)[None].repeat(96, 0)
    everywhere = np.ones_like(step, bool)
    firm = membrane(everywhere, step, np.full_like(step, 100.0))
    loose = membrane(everywhere, step, np.full_like(step, 0.01))
    assert np.abs(firm - step).max() < 0.02
    # A screened membrane falls off as exp(-x sqrt(weight)): a half exactly at the step.
    expected = np.where(np.arange(96) < 48, 0.5 * np.exp((np.arange(96) - 47.5) * 0.1), 0)
    assert np.abs(loose[48, 20:48] - expected[20:48]).max() < 0.03


def test_reading_between_pixels() -> None:
    rows, columns = np.mgrid[:20, :30] + 0.5
    places = np.random.default_rng(0).uniform(1, 19, (5000, 2))
    assert np.abs(sampled(2 * columns - rows, places) - (2 * places[:, 0] - places[:, 1])).max() < 0.1
