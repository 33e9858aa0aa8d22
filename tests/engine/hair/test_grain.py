"""Straight hair is told from curls, and its pieces are combed downwards."""

import numpy as np
import pytest

from engine.hair.grain import take_grain

SIDE, SCALE = 240, 1500.0


def picture(light):
    return (np.array([0.2, 0.12, 0.07]) * np.exp(light)[..., None]).astype(np.float32)


def grain_of(light):
    grain = take_grain(picture(light), np.ones((SIDE, SIDE), np.float32), SCALE, np.random.default_rng(0))
    assert grain is not None
    return grain


@pytest.mark.parametrize("degrees", [0, 35, 90])
def test_stripes_are_straight_whatever_their_direction(degrees):
    a = np.radians(degrees)
    x, y = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    grain = grain_of(0.2 * np.sin((x * np.cos(a) + y * np.sin(a)) * 2 * np.pi / 8))
    assert grain.curl == pytest.approx(0, abs=0.02)
    assert grain.contrast == pytest.approx(0.2 / np.sqrt(2), rel=0.15)
    light = grain.pieces.mean(-1)[:, 20:-20, 5:-5]
    across, along = np.abs(np.diff(light, axis=2)).mean(), np.abs(np.diff(light, axis=1)).mean()
    assert across > 5 * along


def test_noise_is_curly():
    import cv2

    noise = cv2.GaussianBlur(np.random.default_rng(1).standard_normal((SIDE, SIDE)), (0, 0), 1.5)
    grain = grain_of(0.3 * noise / noise.std())
    assert grain.curl > 0.9
    assert grain.length < grain_of(np.zeros((SIDE, SIDE)) + 0.1 * np.sin(np.arange(SIDE))[None]).length


def test_the_mean_is_the_hairs():
    x = np.arange(SIDE)
    linear = picture(np.broadcast_to(0.05 * np.sin(x), (SIDE, SIDE)))
    core = np.zeros((SIDE, SIDE), np.float32)
    core[:, :120] = 1
    linear[:, 120:] = 0.9
    grain = take_grain(linear, core, SCALE, np.random.default_rng(0))
    assert grain is not None
    assert grain.mean == pytest.approx([0.2, 0.12, 0.07], rel=0.02)


def test_too_little_hair_has_none():
    nothing = np.zeros((SIDE, SIDE), np.float32)
    assert take_grain(picture(nothing), nothing, SCALE, np.random.default_rng(0)) is None
