"""The measure of takes: the truth has no error, and what is wrong is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.camera import Camera
from engine.evaluation.takes import compare, film, perform_scene
from engine.heads.loader import load_head
from engine.media.clip import Clip
from engine.tracking.take import Take

FPS = 25.0


@pytest.fixture(scope="module")
def head():
    return load_head()


@pytest.fixture(scope="module")
def performance(head):
    return perform_scene(head.expression_names, "talking", 6.0, FPS, seed=1)


@pytest.fixture(scope="module")
def truth(head, performance) -> Take:
    """The take that a perfect tracker would give."""
    count, views = len(performance.times), performance.views()
    still = np.zeros((count, 3), np.float32)
    return Take(
        performance.times, FPS, performance.expression, head.expression_names,
        views[:, :3, :3].astype(np.float32), views[:, :3, 3].astype(np.float32), still, still, still, still,
        np.ones(count, np.float32), np.zeros((count, 478, 2), np.float32),
        Camera(np.eye(3), np.eye(4), 480, 480),
    )  # fmt: skip


def test_performances_hold_what_they_promise(head, performance) -> None:
    assert performance.expression.min() >= 0
    assert performance.expression.max() <= 1
    assert len(performance.blinks) >= 2
    assert len(performance.contacts) >= 2
    turning = perform_scene(head.expression_names, "turning", 4.0, FPS)
    assert np.abs(turning.angles[:, 0]).max() == pytest.approx(60, abs=1)
    assert not perform_scene(head.expression_names, "still", 1.0, FPS).expression.any()
    with pytest.raises(ValueError, match="no performance"):
        perform_scene(head.expression_names, "dancing", 1.0, FPS)


def test_the_truth_has_no_error(head, performance, truth) -> None:
    found = compare(head, performance, truth, np.zeros(124))
    assert found.units.max() == 0
    assert (found.pose, found.gaze, found.lips) == pytest.approx((0, 0, 0), abs=1e-3)
    assert found.lag == pytest.approx(0, abs=0.01)
    assert found.blinks == (1.0, 1.0)
    assert found.contacts == (1.0, 1.0)


def test_lag_missed_blinks_and_parted_lips_are_found(head, performance, truth) -> None:
    late = replace(truth, expression=np.roll(truth.expression, 2, axis=0))
    assert compare(head, performance, late, np.zeros(124)).lag == pytest.approx(2, abs=0.2)
    weights = truth.expression.copy()
    weights[:, head.expression_names.index("eyeBlinkLeft")] *= 0.8
    weights[:, head.expression_names.index("jawOpen")] += 0.1
    worse = compare(head, performance, replace(truth, expression=weights), np.zeros(124))
    assert worse.blinks[0] == 0
    assert worse.contacts[0] < 0.5
    assert worse.lips > 1
    assert worse.units[head.expression_names.index("jawOpen")] == pytest.approx(0.1, abs=1e-6)


def test_a_film_shows_a_face(head, performance, tmp_path: Path) -> None:
    short = replace(performance, times=performance.times[:3], expression=performance.expression[:3])
    film(tmp_path / "film.mp4", head, replace(short, angles=performance.angles[:3], place=performance.place[:3]))
    frames = list(Clip(tmp_path / "film.mp4").frames())
    assert len(frames) == 3
    assert frames[0].pixels.std() > 20
