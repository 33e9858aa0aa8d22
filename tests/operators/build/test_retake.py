"""A second performance for some frames: there it rules, elsewhere nothing changes."""

from dataclasses import replace

import bpy
import numpy as np
import pytest
from likeness.operators.build import retake as module
from likeness.operators.build.action import apply_take_to_mesh, build_action
from likeness.operators.build.curves import active_sheet
from likeness.operators.build.retake import retake
from likeness.operators.build.take_options import TakeOptions, TargetError

from tests.operators.build.measure import block_counts
from tests.operators.build.performance import bone_turn, expected_turn, key_values, performance, set_rate
from tests.operators.build.sphere_head import ARKIT

FIRST, LAST, BLEND = 11, 30, 4


@pytest.fixture(autouse=True)
def rate(empty_file):
    """The scene has the takes' rate."""
    set_rate(25)


@pytest.fixture
def take():
    """What is there first."""
    return performance(40)


@pytest.fixture
def second(take):
    """Another performance, from frame 6 on."""
    return replace(take, expression=1 - take.expression, neck=-take.neck, jaw=take.jaw[::-1].copy()).part(0, 30)


def curves(head, rig):
    for block, paths in (
        (head.data.shape_keys, [(f'key_blocks["{name}"].value', 0) for name in ARKIT]),
        (rig, [(f'pose.bones["{bone}"].rotation_euler', axis) for bone in ("neck", "head") for axis in range(3)]),
    ):
        for path, index in paths:
            yield path, index, active_sheet(block).find(path, index)


def keyframes(curve):
    return [(tuple(point.co), point.interpolation, point.handle_left_type) for point in curve.keyframe_points]


def test_inside_the_second_rules_and_outside_nothing_changes(built, take, second):
    build_action(built.head, take, TakeOptions(start_frame=1))
    before = {(path, index): keyframes(curve) for path, index, curve in curves(built.head, built.rig)}
    made = retake(built.head, second, FIRST, LAST, TakeOptions(start_frame=6), BLEND)
    assert made.frames == (FIRST, LAST)
    for path, index, curve in curves(built.head, built.rig):
        after = keyframes(curve)
        assert [item for item in after if item[0][0] <= FIRST] == before[path, index][:FIRST]
        assert [item for item in after if item[0][0] >= LAST] == before[path, index][LAST - 1 :]
        assert len(after) == len(take)
    for frame in range(FIRST, LAST + 1):
        bpy.context.scene.frame_set(frame)
        weight = min(frame - FIRST, LAST - frame, BLEND) / BLEND
        values = key_values(built.head)
        for name in ARKIT:
            old, new = take.unit(name)[frame - 1], second.unit(name)[frame - 6]
            assert values[name] == pytest.approx(old + weight * (new - old), abs=1e-5)
        if weight == 1:
            assert np.allclose(bone_turn(built.rig, "head"), expected_turn(second.neck[frame - 6]), atol=1e-4)


def test_added_it_goes_on_top_within_the_keys_range(built, take, second):
    build_action(built.head, take)
    retake(built.head, second, FIRST, LAST, TakeOptions(start_frame=6, brows=0.5), BLEND, additive=True)
    frame = 20
    bpy.context.scene.frame_set(frame)
    values = key_values(built.head)
    for name in ARKIT:
        added = second.unit(name)[frame - 6] * (0.5 if name.startswith("brow") else 1.0)
        assert values[name] == pytest.approx(min(take.unit(name)[frame - 1] + added, 1.0), abs=1e-5)
    old, new = expected_turn(0.4 * take.neck[frame - 1]), expected_turn(0.4 * second.neck[frame - 6])
    assert np.allclose(bone_turn(built.rig, "neck"), old @ new, atol=1e-4)


def test_sparse_curves_keep_their_shape_outside(built, take, second):
    build_action(built.head, take, TakeOptions(reduce=0.3))
    outside = [frame for frame in range(1, 41) if frame <= FIRST or frame >= LAST]
    before = {
        (path, index): [curve.evaluate(frame) for frame in outside]
        for path, index, curve in curves(built.head, built.rig)
    }
    retake(built.head, second, FIRST, LAST, TakeOptions(start_frame=6, reduce=0.05), BLEND)
    for path, index, curve in curves(built.head, built.rig):
        assert np.allclose([curve.evaluate(frame) for frame in outside], before[path, index], atol=1e-5)


def test_edited_keyframes_outside_keep_their_handles(built, take, second):
    build_action(built.head, take)
    curve = active_sheet(built.keys).find('key_blocks["jawOpen"].value')
    point = curve.keyframe_points[3]
    point.interpolation, point.handle_left_type, point.handle_right_type = "BEZIER", "FREE", "FREE"
    point.handle_left, point.handle_right = (3.5, 0.9), (4.25, 0.1)
    retake(built.head, second, FIRST, LAST, TakeOptions(start_frame=6), BLEND)
    point = active_sheet(built.keys).find('key_blocks["jawOpen"].value').keyframe_points[3]
    assert (point.interpolation, point.handle_left_type, point.handle_right_type) == ("BEZIER", "FREE", "FREE")
    assert np.allclose((*point.handle_left, *point.handle_right), (3.5, 0.9, 4.25, 0.1))


def test_what_bones_do_in_the_action_bones_go_on_doing(built, take, second):
    build_action(built.head, take, TakeOptions(jaw="bones", gaze="bones"))
    retake(built.head, second, FIRST, LAST, TakeOptions(start_frame=6), BLEND)
    bpy.context.scene.frame_set(20)
    assert key_values(built.head)["jawOpen"] == 0.0
    assert key_values(built.head)["eyeLookUpLeft"] == 0.0
    assert np.allclose(bone_turn(built.rig, "jaw", "head"), expected_turn(second.jaw[14]), atol=1e-4)


def test_an_object_that_moves_goes_on_as_before(built, take, second):
    build_action(built.head, take, TakeOptions(head="object"))
    places = [active_sheet(built.rig).find("location", axis).evaluate(20) for axis in range(3)]
    retake(built.head, second, FIRST, LAST, TakeOptions(start_frame=6), BLEND)
    assert [active_sheet(built.rig).find("location", axis).evaluate(20) for axis in range(3)] == places


def test_only_the_frames_that_the_take_has_change(built, take, second):
    build_action(built.head, take)
    assert retake(built.head, second, 1, 400, TakeOptions(start_frame=6)).frames == (6, 35)
    with pytest.raises(TargetError, match="does not reach"):
        retake(built.head, second, 1, 5, TakeOptions(start_frame=6))


def test_gaps_inside_are_marked(built, take, second):
    build_action(built.head, take)
    confidence = second.confidence.copy()
    confidence[:8] = confidence[12:14] = 0
    retake(built.head, replace(second, confidence=confidence), FIRST, LAST, TakeOptions(name="Two", start_frame=6))
    markers = sorted((marker.frame, marker.name) for marker in bpy.context.scene.timeline_markers)
    assert markers == [(11, "Two gap"), (14, "Two gap ends"), (18, "Two gap"), (20, "Two gap ends")]


def test_a_head_without_an_action_is_a_clear_error(built, second):
    with pytest.raises(TargetError, match="no active action"):
        retake(built.head, second, 1, 30)


def test_a_mesh_that_played_a_take_can_have_a_retake(built, take, second):
    bpy.data.objects.remove(built.rig)
    del built.head["likeness_expression"]
    apply_take_to_mesh(built.head, take)
    retake(built.head, second, FIRST, LAST, TakeOptions(start_frame=6))
    bpy.context.scene.frame_set(20)
    assert key_values(built.head)["jawOpen"] == pytest.approx(second.unit("jawOpen")[14], abs=1e-6)


@pytest.mark.parametrize("step", ["_mix_turn", "mark_gaps"])
def test_a_failure_leaves_every_keyframe_as_it_was(built, take, second, monkeypatch, step):
    build_action(built.head, take)
    before = {(path, index): keyframes(curve) for path, index, curve in curves(built.head, built.rig)}
    counts = block_counts()
    original = getattr(module, step)

    def fail(*arguments):
        original(*arguments)
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr(module, step, fail)
    confidence = np.ones(30, np.float32)
    confidence[12] = 0
    with pytest.raises(RuntimeError, match="on fire"):
        retake(built.head, replace(second, confidence=confidence), FIRST, LAST, TakeOptions(start_frame=6))
    assert {(path, index): keyframes(curve) for path, index, curve in curves(built.head, built.rig)} == before
    assert block_counts() == counts
    assert len(bpy.context.scene.timeline_markers) == 0
