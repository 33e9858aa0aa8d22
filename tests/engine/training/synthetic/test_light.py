"""Light of synthetic pictures."""

from __future__ import annotations

import numpy as np
import pytest

from engine.render.lighting import irradiance, sphere_directions
from engine.training.synthetic.light import LEVEL_RANGE, SCENES, SHARES, kelvin, random_light

FRONTAL = sphere_directions(200)[sphere_directions(200)[:, 2] > 0]


def level(soft: np.ndarray, lamps: tuple) -> np.ndarray:
    light = np.maximum(irradiance(FRONTAL, soft), 0)
    for lamp in lamps:
        light = light + np.maximum(FRONTAL @ lamp.direction, 0)[:, None] * lamp.colour
    return FRONTAL[:, 2] @ light / FRONTAL[:, 2].sum()


def test_faces_are_exposed_around_the_usual() -> None:
    rng = np.random.default_rng(0)
    levels = np.array([level(*random_light(rng)).mean() * 0.3 for _ in range(300)])
    assert 0.15 < np.median(levels) < 0.27
    assert levels.min() > 0.8 * LEVEL_RANGE[0]
    assert levels.max() < 1.2 * LEVEL_RANGE[1]
    assert np.percentile(levels, 95) > 2.5 * np.percentile(levels, 5)


def test_dark_skin_gets_half_a_correction() -> None:
    light, dark = (random_light(np.random.default_rng(4), albedo=value)[0] for value in (0.4, 0.1))
    assert dark / light == pytest.approx(np.full((9, 3), 2.0), abs=1e-3)


def test_lamps_are_sane_and_shapes_fit() -> None:
    rng = np.random.default_rng(2)
    counts = set()
    for _ in range(200):
        soft, lamps = random_light(rng)
        assert soft.shape == (9, 3)
        assert soft.dtype == np.float32
        counts.add(len(lamps))
        for lamp in lamps:
            assert np.linalg.norm(lamp.direction) == pytest.approx(1.0, abs=1e-5)
            assert lamp.colour.min() >= 0
            assert 0 < lamp.softness < 0.7
    assert counts == {0, 1, 2, 3}


def test_flash_comes_from_the_camera() -> None:
    way = np.array([0.8, 0.0, 0.6])
    flash = next(scene for scene in SCENES if scene.__name__ == "flash")
    _, lamps = flash(np.random.default_rng(0), way)
    assert lamps[0].direction @ way > 0.95


def test_shares_are_of_all_scenes() -> None:
    assert len(SHARES) == len(SCENES)
    assert sum(SHARES) == pytest.approx(1.0)


def test_black_bodies() -> None:
    assert kelvin(6500) == pytest.approx([1, 1, 1])
    warm, cold = kelvin(2800), kelvin(12000)
    assert warm[0] > 1.4
    assert warm[2] < 0.6
    assert cold[0] < 0.9
    assert cold[2] > 1.1
