"""Backgrounds of synthetic pictures, and what cameras do to pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.training.synthetic import lens
from engine.training.synthetic.background import KINDS, SHARES, random_background, random_patch


def chart(side: int = 128) -> np.ndarray:
    """A smooth coloured ramp with a dark square."""
    ramp = np.linspace(60, 200, side, dtype=np.float32)
    picture = np.stack([np.add.outer(ramp, ramp) / 2, np.add.outer(ramp, 0 * ramp), np.add.outer(0 * ramp, ramp)], -1)
    picture[side // 3 : side // 2, side // 3 : side // 2] = 20
    return picture.astype(np.uint8)


@pytest.mark.parametrize("size", [96, 256])
def test_backgrounds_are_bytes_and_differ(size: int) -> None:
    means = []
    for seed in range(30):
        picture = random_background(size, np.random.default_rng(seed))
        assert picture.shape == (size, size, 3)
        assert picture.dtype == np.uint8
        means.append(picture.mean())
    assert np.std(means) > 20
    assert np.array_equal(picture, random_background(size, np.random.default_rng(29)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_background_works(kind) -> None:
    picture = kind(64, np.random.default_rng(0))
    assert picture.shape == (64, 64, 3)
    assert np.isfinite(picture).all()


def test_shares_are_of_all_kinds() -> None:
    assert len(SHARES) == len(KINDS)
    assert sum(SHARES) == pytest.approx(1.0)


def test_patches_are_pictures() -> None:
    for seed in range(10):
        assert random_patch(40, np.random.default_rng(seed)).shape == (40, 40, 3)


def test_spoiling_is_reproducible_and_leaves_its_input() -> None:
    before = chart()
    kept = before.copy()
    first, second = (lens.spoil(before, np.random.default_rng(11)) for _ in range(2))
    assert np.array_equal(first, second)
    assert np.array_equal(before, kept)
    assert first.shape == before.shape
    assert first.dtype == np.uint8


def test_strength_scales_the_damage() -> None:
    def damage(strength: float) -> float:
        found = [
            np.abs(lens.spoil(chart(), np.random.default_rng(s), strength).astype(int) - chart()).mean()
            for s in range(30)
        ]
        return float(np.mean(found))

    assert damage(0.0) < 1.0
    assert damage(0.0) < damage(0.4) < damage(1.0)


def test_some_pictures_turn_grey() -> None:
    grey = 0
    for seed in range(200):
        picture = lens.develop(chart(), np.random.default_rng(seed), 1.0).astype(int)
        grey += int(np.ptp(picture, axis=2).max() == 0)
    assert 8 < grey < 40


def test_noise_has_the_deviation_of_its_kind() -> None:
    flat = np.full((128, 128, 3), 120, np.uint8)
    deviations = [lens.noise(flat, np.random.default_rng(seed), 1.0).std() for seed in range(60)]
    assert 0.1 < min(deviations) < 1.5
    assert 8.0 < max(deviations) < 21.0
    assert abs(lens.noise(flat, np.random.default_rng(1), 1.0).mean() - 120) < 1.0


def test_kernels_sum_to_one_and_blur_where_they_should() -> None:
    assert lens.disc(3.0).sum() == pytest.approx(1.0, abs=1e-6)
    kernel = lens.line(9.0, 0)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-6)
    assert np.count_nonzero(kernel.sum(axis=1)) == 1  # along x only
    assert np.count_nonzero(kernel.sum(axis=0)) == 9


def test_low_resolution_loses_detail() -> None:
    sharp = chart()
    low = lens.reduced(sharp, 24, np.random.default_rng(0), noisy=False, strength=1.0)
    edges = [np.abs(cv2.Laplacian(picture, cv2.CV_32F)).mean() for picture in (sharp, low)]
    assert low.shape == sharp.shape
    assert edges[1] < 0.75 * edges[0]


def test_covers_hide_a_part_only() -> None:
    for seed in range(20):
        picture = np.zeros((100, 100, 3), np.uint8)
        lens.cover(picture, np.random.default_rng(seed))
        assert (picture.any(axis=2)).mean() < 0.5
