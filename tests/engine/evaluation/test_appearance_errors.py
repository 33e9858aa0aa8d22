"""Errors of skin, light and shape against people who are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.evaluation.appearance_errors import (
    SIZE,
    TruePerson,
    delta_e,
    directed,
    face_texels,
    measure_appearance,
)
from engine.heads.loader import load_head
from engine.render.lighting import ambient, directional, srgb_to_linear
from engine.training.synthetic.scene import Lamp

HEAD = load_head()
SKIN = np.array([180, 130, 110], np.uint8)
LIGHT = np.array([0.6, 0.0, 0.8])


def person() -> TruePerson:
    """The mean head with one colour of skin, lit from its left."""
    albedo = np.broadcast_to(srgb_to_linear(SKIN / np.float32(255)), (SIZE, SIZE, 3)).astype(np.float32)
    return TruePerson((Path("a.png"),), (LIGHT,), HEAD.vertices, albedo)


def plain(colour: np.ndarray) -> np.ndarray:
    return np.broadcast_to(colour.astype(np.uint8), (SIZE, SIZE, 3)).copy()


def lit() -> np.ndarray:
    return ambient(0.5) + directional(LIGHT, np.ones(3))


def test_what_is_right_has_no_error() -> None:
    error = measure_appearance(HEAD, person(), HEAD.vertices, plain(SKIN), lit(), 0)

    assert error.albedo < 0.5
    assert error.relative < 0.5
    assert error.light == pytest.approx(0, abs=0.01)
    assert error.shape.rigid == pytest.approx(0, abs=1e-4)


def test_the_brightness_of_light_is_told_from_the_skins_colour() -> None:
    """A darker albedo under brighter light is the same photo: only the error without the gain may see it."""
    darker = measure_appearance(HEAD, person(), HEAD.vertices, plain(SKIN * 0.7), lit(), 0)

    assert darker.albedo > 8
    assert darker.relative < 0.5


def test_light_from_above_is_a_right_angle_off() -> None:
    above = ambient(0.5) + directional(np.array([0.0, 1.0, 0.0]), np.ones(3))

    assert measure_appearance(HEAD, person(), HEAD.vertices, plain(SKIN), above, 0).light == pytest.approx(90, abs=0.1)


def test_lamps_count_as_light() -> None:
    lamp = Lamp(np.array([0.0, 0.0, 1.0]), np.full(3, 9.0))

    light = directed(ambient(1.0), [lamp])

    assert light[2] > 0.1
    np.testing.assert_allclose(light[:2], 0, atol=1e-6)
    assert not directed(ambient(1.0)).any()


def test_a_published_colour_difference() -> None:
    """Pure red and pure green, CIE Delta E 2000: 86.6 by Sharma et al.'s formula."""
    assert delta_e(np.array([[1.0, 0, 0]]), np.array([[0, 1.0, 0]])) == pytest.approx(86.6, abs=0.1)


def test_brows_are_not_skin() -> None:
    from engine.heads.skin import load_base_skin

    texels = face_texels(HEAD)

    assert 0.05 < texels.mean() < 0.6
    assert not (texels & (load_base_skin(SIZE).regions["brow"] > 0.5)).any()
