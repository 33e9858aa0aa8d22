"""Skin colour as pigments."""

from __future__ import annotations

import numpy as np

from engine.render.lighting import srgb_to_linear
from engine.training.synthetic.pigment import (
    MELANIN,
    PIGMENTS,
    TONES,
    density,
    lab_to_linear,
    linear_to_lab,
    tone,
    typology_angle,
)

MONK = ("f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134")
"""Second to eighth swatch of the Monk skin tone scale, sRGB."""


def _linear(code: str) -> np.ndarray:
    return srgb_to_linear(np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)], np.uint8))


def test_lab_of_known_colours():
    assert np.allclose(linear_to_lab(np.ones(3)), [100, 0, 0], atol=0.01)
    red = linear_to_lab(np.array([1.0, 0, 0]))
    assert np.allclose(red, [53.24, 80.09, 67.20], atol=0.05)


def test_lab_goes_there_and_back():
    colours = np.random.default_rng(0).random((50, 3))
    assert np.allclose(lab_to_linear(linear_to_lab(colours)), colours, atol=1e-9)


def test_melanin_is_what_parts_light_from_dark_people():
    change = density(_linear(MONK[-1])) - density(_linear(MONK[0]))
    assert np.allclose(change / np.linalg.norm(change), MELANIN, atol=0.01)
    assert np.allclose(np.linalg.norm(PIGMENTS, axis=0), 1, atol=0.02)


def test_tones_cross_every_class_of_skin():
    angles = typology_angle(np.array([tone(place) for place in np.linspace(0, 1, 41)]))
    assert (np.diff(angles) < 0).all()
    assert angles[0] > 55
    assert angles[-1] < -60


def test_a_tone_is_its_entry_in_the_table():
    assert np.allclose(linear_to_lab(tone(0.5)), TONES[4], atol=1e-4)
    assert np.allclose(linear_to_lab(tone(0.5, 2, -1)) - TONES[4], [0, 2, -1], atol=1e-4)


def test_skin_reflects_most_red_and_least_blue():
    colours = np.array([tone(place) for place in np.linspace(0, 1, 21)])
    assert (colours[:, 0] > colours[:, 1]).all()
    assert (colours[:, 1] > colours[:, 2]).all()
