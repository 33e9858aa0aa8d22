"""Frames of a known head: exact points give the exact pose and expression; the parts of a take say the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.fitting.detector import DetectorModel
from engine.fitting.solver import rotation_matrix
from engine.heads.loader import load_head
from engine.tracking.motion import (
    MotionOptions,
    bridged,
    calibrated,
    lip_heights,
    make_take,
    part_turns,
)
from engine.tracking.perform import perform
from engine.tracking.person import Performer, performer, spread_frames
from engine.tracking.turns import mean_rotation, to_axis_angle, to_matrix

SIZE = (640, 480)
FOCAL = 900.0
FACING = np.diag([1.0, -1.0, -1.0])


@pytest.fixture(scope="module")
def head():
    return load_head()


@pytest.fixture(scope="module")
def actor(head) -> Performer:
    """The mean head, seen by a detector that errs by a tenth of a millimetre."""
    count = len(head.embeddings["mediapipe"].faces)
    none = np.zeros((0, count, 3))
    exact = DetectorModel(np.zeros((count, 3)), np.zeros((5, count, 3)), none, none, none, np.full((count, 3), 1e-4))
    basis = head.expression_basis.astype(np.float32)
    return performer(
        head.vertices, head.faces, basis, head.expression_names, head.embeddings["mediapipe"], exact, FOCAL
    )


def weights(head, **units: float) -> np.ndarray:
    return np.array([units.get(name, 0.0) for name in head.expression_names])


def seen(actor: Performer, expression: np.ndarray, turn: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(478,3) what the detector sees."""
    points = actor.points.positions(expression) @ turn.T + place
    flat = FOCAL * points[:, :2] / points[:, 2:] + np.array(SIZE) / 2
    return np.column_stack([flat, (points[:, 2] - place[2]) * FOCAL / place[2]])


def test_exact_points_give_pose_and_expression(head, actor) -> None:
    turn = FACING @ rotation_matrix(np.radians([5.0, 20.0, -4.0]))
    place = np.array([0.03, -0.02, 0.8])
    truth = weights(head, jawOpen=0.5, mouthSmileLeft=0.6, mouthSmileRight=0.6, browInnerUp=0.4)
    first = perform(actor, seen(actor, truth, turn, place), SIZE)
    assert np.degrees(np.linalg.norm(to_axis_angle((first.rotation @ turn.T)[None])[0])) < 0.3
    assert np.abs(first.translation - place).max() < 0.004
    assert np.abs(first.expression - truth).max() < 0.1
    assert first.error < 0.003
    further = weights(head, jawOpen=0.2)
    follow = perform(actor, seen(actor, further, turn, place + np.array([0.005, 0, 0])), SIZE, first)
    assert np.abs(follow.expression - further).max() < 0.1


def test_after_a_leap_it_starts_anew(head, actor) -> None:
    first = perform(actor, seen(actor, weights(head), FACING, np.array([0.0, 0, 0.8])), SIZE)
    turn, place = FACING @ rotation_matrix(np.radians([0.0, -35.0, 0.0])), np.array([-0.15, 0.05, 1.2])
    found = perform(actor, seen(actor, weights(head), turn, place), SIZE, first)
    assert np.abs(found.translation - place).max() < 0.01


def test_what_was_told_counts_the_more_the_less_the_points_say(head, actor) -> None:
    place = np.array([0.0, 0.0, 0.8])
    points = seen(actor, weights(head), FACING, place)
    told = np.full(len(head.expression_names), np.nan)
    smile = head.expression_names.index("mouthSmileLeft")
    told[smile] = 0.8
    sure = perform(actor, points, SIZE, told=told)
    vague = replace(actor, detector=replace(actor.detector, deviation=np.full_like(actor.detector.deviation, 0.1)))
    unsure = perform(vague, points, SIZE, told=told)
    assert sure.expression[smile] < 0.02
    assert unsure.expression[smile] > 0.2
    assert perform(vague, points, SIZE).expression[smile] < 0.02


def test_taken_alone_only_pose_and_gaze_are_solved(head, actor) -> None:
    turn, place = FACING @ rotation_matrix(np.radians([5.0, 20.0, -4.0])), np.array([0.03, -0.02, 0.8])
    truth = weights(head, jawOpen=0.5, mouthSmileLeft=0.6, mouthSmileRight=0.6, eyeLookOutLeft=0.5, eyeLookInRight=0.5)
    told = np.where([name.startswith(("eyeLook", "tongue")) for name in head.expression_names], np.nan, truth)
    first = perform(actor, seen(actor, truth, turn, place), SIZE, told=told, alone=True)
    heard = np.isfinite(told)
    np.testing.assert_array_equal(first.expression[heard], told[heard])
    np.testing.assert_allclose(first.expression[~heard], truth[~heard], atol=0.05)
    assert np.abs(first.translation - place).max() < 0.004
    assert first.error < 0.003
    further = perform(actor, seen(actor, truth, turn, place + 0.005), SIZE, first, np.where(heard, 0.3, np.nan), True)
    np.testing.assert_array_equal(further.expression[heard], 0.3)


def test_a_take_says_what_was_solved(head, actor) -> None:
    places = [np.array([0.01 * t, 0.0, 0.9]) for t in range(8)]
    truth = weights(head, jawOpen=0.4)
    points = np.array([seen(actor, truth, FACING, place) for place in places])
    confidence = np.ones(8)
    confidence[3] = 0
    frames = [perform(actor, p, SIZE) if c else None for p, c in zip(points, confidence, strict=True)]
    options = MotionOptions("none", calibrate=False, contacts=False)
    take = make_take(head, actor, frames, points, confidence, np.arange(8) / 25, 25.0, SIZE, options)
    np.testing.assert_allclose(take.unit("jawOpen"), 0.4, atol=0.05)
    np.testing.assert_allclose(take.head_translation, np.array(places), atol=0.004)
    assert np.isnan(take.landmarks_2d[3]).all()
    assert np.abs(take.neck).max() < 0.01
    assert np.degrees(take.jaw[0, 0]) > 5  # the mouth opens by a turn about the person's left-right axis
    assert take.camera.K[0, 0] == FOCAL


def test_parts_turn_as_the_units_do(head, actor) -> None:
    one = {name: np.array([weights(head, **{name: 1.0})]) for name in ("jawOpen", "eyeLookDownLeft", "eyeLookOutLeft")}
    jaw = part_turns(head, actor, one["jawOpen"])["jaw"][0]
    assert 20 < np.degrees(jaw[0]) < 32
    down = np.degrees(part_turns(head, actor, one["eyeLookDownLeft"])["left_eye"][0])
    assert down[0] == pytest.approx(20, abs=2)
    out = np.degrees(part_turns(head, actor, one["eyeLookOutLeft"])["left_eye"][0])
    assert out[1] == pytest.approx(22, abs=2)  # towards the person's left
    assert np.abs(part_turns(head, actor, one["jawOpen"])["left_eye"]).max() < 1e-3


def test_lips_part_by_the_jaw_and_close_by_their_unit(head, actor) -> None:
    heights = dict(zip(head.expression_names, lip_heights(actor), strict=True))
    assert heights["jawOpen"] > 0.02
    assert heights["mouthClose"] < -0.02
    assert abs(heights["browInnerUp"]) < 1e-4


def test_rest_is_taken_off_what_is_calibrated() -> None:
    names = ("browDownLeft", "mouthSmileLeft")
    held = np.array([[0.2, 0.2]] * 9 + [[0.6, 0.6]])
    found = calibrated(held, names, np.ones(10))
    assert found[0, 0] == pytest.approx(0.0, abs=1e-9)
    assert found[9, 0] == pytest.approx(0.5)
    np.testing.assert_array_equal(found[:, 1], held[:, 1])


def test_long_gaps_neither_swing_nor_run_away() -> None:
    values = np.linspace(0, 1, 200)[:, None] ** 2
    seen = np.zeros(200)
    seen[50:60] = seen[140:150] = 1
    found = bridged(values, seen)
    assert (found[:50] == values[50]).all()
    assert (found[150:] == values[149]).all()
    np.testing.assert_allclose(np.diff(found[60:139, 0], 2), 0, atol=1e-12)
    np.testing.assert_array_equal(bridged(values, np.zeros(200)), np.zeros((200, 1)))


def test_rotations_round_trip() -> None:
    vectors = np.random.default_rng(0).normal(0, 0.5, (20, 3))
    np.testing.assert_allclose(to_axis_angle(to_matrix(vectors)), vectors, atol=1e-9)
    near = to_matrix(0.1 * vectors)
    middle = mean_rotation(near)
    np.testing.assert_allclose(middle @ middle.T, np.eye(3), atol=1e-12)
    assert np.linalg.norm(to_axis_angle(middle[None])) < 0.05


def test_frames_to_solve_from_are_spread_and_sure() -> None:
    rng = np.random.default_rng(0)
    landmarks = np.tile(rng.uniform(100, 300, (478, 3)), (40, 1, 1))
    landmarks += rng.normal(0, 2, landmarks.shape)
    confidence = np.ones(40)
    confidence[::2] = 0
    chosen = spread_frames(landmarks, confidence, 5)
    assert len(set(chosen)) == 5
    assert all(number % 2 for number in chosen)
