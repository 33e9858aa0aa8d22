"""The mathematics behind the bundled head's population."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.bake_head import survey
from scripts.bake_head.expression import LOOKS, eyeball_turn
from scripts.bake_head.identity import Axis, condense, sample_macros
from scripts.bake_head.parts import follow_affine, follow_vertices
from scripts.bake_head.variation import _remainder, without_drift


def rotation(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


def test_components_reproduce_the_covariance_of_the_shapes() -> None:
    rng = np.random.default_rng(0)
    displacements = rng.standard_normal((6, 10, 3))
    mix = rng.standard_normal((6, 6))
    covariance = mix @ mix.T
    weights = condense(covariance, displacements, np.ones(10), 6)
    flat = displacements.reshape(6, -1)
    components = weights @ flat
    assert np.allclose(components.T @ components, flat.T @ covariance @ flat)
    strength = np.linalg.norm(components, axis=1)
    assert (np.diff(strength) <= 1e-9).all()
    assert np.allclose(components @ components.T, np.diag(strength**2), atol=1e-8)
    assert (np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], 1) > 0).all()


def test_important_vertices_are_kept_first() -> None:
    displacements = np.zeros((2, 2, 3))
    displacements[0, 0, 0], displacements[1, 1, 0] = 1.0, 1.5
    for importance, kept in (([1, 1], 1), ([9, 1], 0)):
        weights = condense(np.eye(2), displacements, np.array(importance, float), 1)
        assert np.allclose(np.abs(weights), np.eye(2)[kept])


def test_drift_is_taken_out_and_shape_stays() -> None:
    rng = np.random.default_rng(1)
    mean = rng.standard_normal((40, 3))
    motion = np.cross([0.01, -0.02, 0.03], mean) + np.array([0.5, -0.2, 0.1])
    shape = np.zeros((40, 3))
    shape[:20] = 0.1 * mean[:20] ** 2
    anchors = np.arange(40)
    still = without_drift(np.stack([motion, shape, shape + motion]), mean, anchors)
    assert np.abs(still[0]).max() < 1e-6
    assert np.allclose(still[1], still[2], atol=1e-6)
    assert np.abs(still[1].mean(axis=0)).max() < 1e-6


def test_macro_weights_are_those_of_whole_people() -> None:
    names, weights = sample_macros(200, np.random.default_rng(0))
    ancestry = [i for i, name in enumerate(names) if "universal" not in name]
    build = [i for i, name in enumerate(names) if "universal" in name]
    assert (len(ancestry), len(build)) == (12, 36)
    assert np.allclose(weights[:, ancestry].sum(axis=1), 1)
    assert np.allclose(weights[:, build].sum(axis=1), 1)
    assert weights.min() >= 0


def test_a_weight_moves_the_most_moved_vertex_by_the_spread() -> None:
    assert Axis("a", ("p",), ("n",), spread=1.5).moments(reach=10.0) == (0.0, 0.15)
    mean, deviation = Axis("a", ("p",), (), spread=1.0).moments(reach=10.0)
    assert mean == pytest.approx(0.0798)
    assert deviation == pytest.approx(0.0603)
    assert Axis("a", ("p",), ("n",), spread=1.5).moments(reach=0.0) == (0.0, 0.0)


def test_survey_is_a_covariance_with_the_published_spread() -> None:
    covariance = survey.covariance()
    assert np.linalg.eigvalsh(covariance).min() > 1
    noise = np.array([m.noise for m in survey.MEASUREMENTS])
    spread = np.sqrt(np.diag(covariance) + noise**2)
    assert np.allclose(spread, [m.deviation for m in survey.MEASUREMENTS])
    pupils = next(m for m in survey.MEASUREMENTS if m.name == "interpupillary distance")
    assert pupils.mean == pytest.approx(64.1)
    assert pupils.deviation == pytest.approx(np.sqrt((3.8**2 + 4.0**2) / 2 + 1))


def test_measurements_grow_with_the_figure_and_the_gradient_says_how_fast() -> None:
    rng = np.random.default_rng(2)
    figure = rng.standard_normal((15000, 3))
    step = rng.standard_normal((1, 15000, 3))
    assert np.allclose(survey.measure(2 * figure), 2 * survey.measure(figure))
    small = 1e-6
    slope = (survey.measure(figure + small * step[0]) - survey.measure(figure - small * step[0])) / (2 * small)
    assert np.allclose(survey.gradient(figure, step)[0], slope, atol=1e-5)


def test_remainder_completes_a_covariance_or_stays_positive() -> None:
    whole = np.array([[4.0, 1.0], [1.0, 3.0]])
    part = np.array([[1.0, 0.5], [0.5, 1.0]])
    assert np.allclose(_remainder(whole, part), whole - part)
    assert np.linalg.eigvalsh(_remainder(whole, 5 * part)).min() > 0


def test_affine_follower_repeats_an_affine_motion() -> None:
    rng = np.random.default_rng(3)
    figure = rng.standard_normal((60, 3))
    points = rng.standard_normal((5, 3))
    matrix, shift = rng.standard_normal((3, 3)) * 0.1, np.array([1.0, 2.0, 3.0])
    follow = follow_affine(points, np.arange(20, 60), figure, stiffness=0.0)
    assert np.allclose(follow @ (figure @ matrix + shift), points @ matrix + shift)
    assert np.allclose(follow_vertices(np.array([3, 7]), 60) @ figure, figure[[3, 7]])


@pytest.mark.parametrize(("side", "out"), [("Left", 1), ("Right", -1)])
def test_look_units_turn_an_eye_about_its_joint(side: str, out: int) -> None:
    pivot = np.array([0.5, 0.2, -0.1])
    ways = {"Up": [0, 1, 0], "Down": [0, -1, 0], "Out": [out, 0, 0], "In": [-out, 0, 0]}
    ahead = pivot[None] + [[0, 0, 1]]
    for way, direction in ways.items():
        front = eyeball_turn(ahead, pivot, f"eyeLook{way}{side}")[0] + [0, 0, 1]
        expected = np.sin(np.radians(LOOKS[way])) * np.array(direction) + [0, 0, np.cos(np.radians(LOOKS[way]))]
        assert np.allclose(front, expected)
