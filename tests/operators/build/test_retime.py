"""A take's seconds as frames of a scene."""

from dataclasses import replace

import bpy
import numpy as np
import pytest
from likeness.engine.tracking.turns import to_matrix
from likeness.operators.build.retime import gap_frames, on_scene_frames, resampled, scene_rate

from tests.operators.build.performance import performance


def test_a_scenes_rate_counts_its_base():
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 30, 1.001
    assert scene_rate(bpy.context.scene) == pytest.approx(29.97003)


def test_the_same_rate_changes_nothing():
    take = performance(30, 24.0)
    assert on_scene_frames(take, 24.0) is take
    assert on_scene_frames(performance(100, 29.97), 30 / 1.001).fps == 29.97


@pytest.mark.parametrize(("fps", "rate", "frames"), [(30 / 1.001, 24.0, 49), (25.0, 24.0, 58), (50.0, 24.0, 29)])
def test_another_rate_has_as_many_frames_as_fit(fps, rate, frames):
    take = on_scene_frames(performance(61, fps), rate)
    assert len(take) == frames
    assert take.fps == rate
    assert np.allclose(np.diff(take.times), 1 / rate)
    assert take.times[-1] <= 60 / fps + 1e-9
    assert take.landmarks_2d.shape == (frames, 478, 2)


def test_half_way_weights_are_the_mean_and_turns_half_the_turn():
    take = performance(2, 25.0)
    turns = np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]], np.float32)
    take = replace(take, neck=turns, head_rotation=to_matrix(turns).astype(np.float32))
    middle = resampled(take, np.array([0.02]), 25.0)
    assert np.allclose(middle.expression[0], take.expression.mean(0), atol=1e-6)
    assert np.allclose(middle.head_translation[0], take.head_translation.mean(0), atol=1e-6)
    assert np.allclose(middle.neck[0], (0, 0.5, 0), atol=1e-6)
    assert np.allclose(middle.head_rotation[0], to_matrix([0, 0.5, 0]), atol=1e-6)


def test_turns_on_either_side_of_half_a_turn_go_the_short_way():
    take = replace(performance(2, 25.0), neck=np.array([[0, 3.1, 0], [0, -3.1, 0]], np.float32))
    middle = resampled(take, np.array([0.02]), 25.0)
    assert np.allclose(np.abs(middle.neck[0, 1]), np.pi, atol=1e-5)


def test_no_gap_is_too_short_for_a_slower_scene():
    confidence = np.ones(50, np.float32)
    confidence[[0, 1, 31, 49]] = 0
    take = replace(performance(50, 50.0), confidence=confidence)
    assert take.gaps == [(0, 2), (31, 32), (49, 50)]
    assert gap_frames(take, 50.0) == [(0, 2), (31, 32), (49, 50)]
    assert gap_frames(take, 24.0) == [(0, 1), (15, 16), (24, 25)]
