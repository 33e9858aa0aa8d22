"""A texture that was moved along the surface is found again and moved back."""

import cv2
import numpy as np
import pytest

from engine.heads.loader import load_head
from engine.texture.register import REACH, carried, detail, displacement
from engine.texture.surface import uv_surface

SIZE = 512
FLOOR = 2e-3


@pytest.fixture(scope="module")
def surface():
    return uv_surface(load_head("open"), SIZE)


def pattern(shift=(0.0, 0.0)):
    """(S,S,3) spots on skin, moved right and down by texels."""
    rng = np.random.default_rng(4)
    spots = cv2.GaussianBlur(rng.standard_normal((SIZE, SIZE)).astype(np.float32), (0, 0), 3.0)
    moved = cv2.warpAffine(spots, np.array([[1.0, 0, shift[0]], [0, 1.0, shift[1]]]), (SIZE, SIZE))
    return (0.3 * np.exp(0.5 * moved / spots.std()))[..., None] * np.array([1, 0.7, 0.5], np.float32)


def seen(surface, color, weight):
    flat = surface.flat(color.astype(np.float32))
    return flat, detail(flat, surface.flat(weight.astype(np.float32)), surface, FLOOR)


@pytest.fixture(scope="module")
def window():
    weight = np.zeros((SIZE, SIZE), np.float32)
    weight[120:330, 150:360] = 1
    return weight


@pytest.mark.parametrize("shift", [(3.0, 0.0), (-2.0, 2.5)])
def test_a_move_is_found_and_undone(surface, window, shift):
    still, first = seen(surface, pattern(), window)
    color, second = seen(surface, pattern(shift), window)
    moves = displacement(first, second)
    inside = np.s_[150:300, 180:330]
    np.testing.assert_allclose(np.median(moves[inside], axis=(0, 1)), shift, atol=0.3)
    back = surface.picture(carried(color, moves, surface))[inside]
    before = np.abs(surface.picture(color)[inside] - surface.picture(still)[inside]).mean()
    assert np.abs(back - surface.picture(still)[inside]).mean() < 0.25 * before
    assert np.linalg.norm(moves, axis=2).max() <= REACH


def test_light_alone_moves_nothing(surface, window):
    _, first = seen(surface, pattern(), window)
    dark = np.linspace(0.4, 1.2, SIZE)[:, None, None]
    _, second = seen(surface, pattern() * dark, window)
    assert np.abs(displacement(first, second)).max() < 0.3


def test_what_only_one_shows_is_not_moved(surface, window):
    _, first = seen(surface, pattern(), window)
    _, second = seen(surface, pattern((3, 0)), np.roll(window, 210, axis=1))
    assert not displacement(first, second).any()


def test_moves_fade_away_from_what_both_show(surface, window):
    _, first = seen(surface, pattern(), window)
    _, second = seen(surface, pattern((3, 0)), window)
    moves = displacement(first, second)
    assert np.abs(moves[:60]).max() == 0
    assert np.abs(np.diff(moves[..., 0], axis=0)).max() < 0.5
