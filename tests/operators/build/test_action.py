"""A take as an action: what the head does at given frames."""

from dataclasses import replace

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from likeness.engine.camera import Camera
from likeness.operators.build import BuildOptions, action, build_head
from likeness.operators.build.action import build_action
from likeness.operators.build.curves import SLOTS, active_sheet
from likeness.operators.build.retime import on_scene_frames
from likeness.operators.build.take_options import TakeOptions, TargetError
from mathutils import Vector

from tests.engine.tracking.toy_take import toy_take
from tests.operators.build.measure import block_counts, evaluated_positions
from tests.operators.build.performance import bone_turn, expected_turn, key_values, performance, set_rate
from tests.operators.build.sphere_head import ARKIT


@pytest.fixture(autouse=True)
def rate(empty_file):
    """The scene has the takes' rate unless a test says otherwise."""
    set_rate(25)


def check_weights(head, take, start, still=()):
    for frame in range(len(take)):
        bpy.context.scene.frame_set(start + frame)
        values = key_values(head)
        for name in take.expression_names:
            expected = 0.0 if name in still else take.unit(name)[frame]
            assert values[name] == pytest.approx(expected, abs=1e-6), (name, frame)


def test_every_key_has_its_weight_at_every_frame(built):
    take = performance()
    made = build_action(built.head, take, TakeOptions(name="Clip", start_frame=7))
    assert made.frames == (7, 16)
    assert made.missing == ()
    check_weights(built.head, take, 7)


def test_keys_of_which_the_take_says_nothing_are_at_zero_and_identity_is_free(built):
    built.keys.key_blocks["browInnerUp"].value = 0.7
    built.keys.key_blocks["identity_00"].value = 1.5
    build_action(built.head, toy_take())
    bpy.context.scene.frame_set(4)
    assert key_values(built.head)["browInnerUp"] == 0.0
    assert key_values(built.head)["identity_00"] == 1.5
    sheet = active_sheet(built.keys)
    assert all(sheet.find(f'key_blocks["{name}"].value') for name in ARKIT)


def test_neck_and_head_together_turn_exactly_as_the_take(built):
    take = performance()
    build_action(built.head, take)
    for frame in range(len(take)):
        bpy.context.scene.frame_set(1 + frame)
        assert np.allclose(bone_turn(built.rig, "head"), expected_turn(take.neck[frame]), atol=1e-4)
        assert np.allclose(bone_turn(built.rig, "neck"), expected_turn(0.4 * take.neck[frame]), atol=1e-4)
        for bone in ("jaw", "eye.L", "eye.R"):
            assert np.allclose(bone_turn(built.rig, bone, "head"), np.eye(3), atol=1e-5)


def test_a_turn_beyond_the_bones_limits_is_said(built):
    take = replace(performance(), neck=np.tile(np.array([0, 1.4, 0], np.float32), (10, 1)))
    made = build_action(built.head, take)
    assert made.warnings == ["The bone “head” does not turn as far as the take in 10 frames."]


def test_gaze_and_jaw_move_by_bones_or_by_keys_and_never_by_both(built):
    take = performance()
    build_action(built.head, take, TakeOptions(gaze="bones", jaw="bones"))
    still = [name for name in ARKIT if name.startswith("eyeLook")] + ["jawOpen", "jawLeft", "jawRight"]
    check_weights(built.head, take, 1, still)
    for frame in range(len(take)):
        bpy.context.scene.frame_set(1 + frame)
        assert np.allclose(bone_turn(built.rig, "jaw", "head"), expected_turn(take.jaw[frame]), atol=1e-4)
        for bone, eye in (("eye.L", take.left_eye), ("eye.R", take.right_eye)):
            looks = bone_turn(built.rig, bone, "head") @ (0, -1, 0)
            assert np.allclose(looks, expected_turn(eye[frame]) @ (0, -1, 0), atol=1e-4)
    build_action(built.head, take)
    bpy.context.scene.frame_set(3)
    assert np.allclose(bone_turn(built.rig, "jaw", "head"), np.eye(3), atol=1e-6)
    assert np.allclose(bone_turn(built.rig, "eye.L", "head"), np.eye(3), atol=1e-6)


def seen_pixels(built, view, camera):
    scene = bpy.context.scene
    matrix = built.head.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world
    points = [matrix @ Vector(point.tolist()) for point in evaluated_positions(built.head)[::20]]
    views = [world_to_camera_view(scene, view, point) for point in points]
    return np.array([(item.x * camera.width, (1 - item.y) * camera.height) for item in views])


@pytest.mark.parametrize("own_camera", [False, True])
@pytest.mark.parametrize("scale_length", [1.0, 0.01])
@pytest.mark.parametrize("rig", [True, False])
def test_as_an_object_the_head_is_seen_where_the_footage_has_it(person, own_camera, scale_length, rig):
    bpy.context.scene.unit_settings.scale_length = scale_length
    built = build_head(bpy.context, person, None, BuildOptions(rig=rig, camera=False, location=(1.0, 2.0, 0.0)))
    take, camera = performance(), None
    render = bpy.context.scene.render
    render.resolution_x, render.resolution_y = take.camera.width, take.camera.height
    if own_camera:
        first = build_action(built.head, take, TakeOptions(head="object"))
        camera = first.camera
        camera.location.x += 3.0
        camera.rotation_euler.z += 1.0
        bpy.context.view_layer.update()
    made = build_action(built.head, take, TakeOptions(head="object", camera=camera))
    neutral = person.vertices[::20].astype(float)
    for frame in (0, 4, 9):
        bpy.context.scene.frame_set(1 + frame)
        for block in built.keys.key_blocks[1:]:
            block.mute = True
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = take.head_rotation[frame], take.head_translation[frame]
        pixels = Camera(take.camera.K, pose, 640, 360).project(neutral)
        assert np.abs(seen_pixels(built, made.camera, take.camera) - pixels).max() < 0.2


def test_a_level_camera_is_put_before_the_head_where_it_stands(person):
    built = build_head(bpy.context, person, None, BuildOptions(location=(1.0, 2.0, 0.0)))
    home = built.rig.location.copy()
    take = performance()
    made = build_action(built.head, take, TakeOptions(head="object"))
    bpy.context.scene.frame_set(1 + len(take) // 2)
    assert np.allclose(built.rig.location, home, atol=1e-6)
    assert np.allclose(made.camera.rotation_euler, (np.pi / 2, 0, 0), atol=1e-6)
    assert made.camera.parent is None


def test_the_head_goes_home_when_a_later_take_does_not_move_it(built):
    take, home = performance(), built.rig.location.copy()
    first = build_action(built.head, take, TakeOptions(head="object"))
    bpy.context.scene.frame_set(3)
    assert (built.rig.location - home).length > 1e-3
    again = build_action(built.head, take, TakeOptions(head="object"))
    assert np.allclose(first.camera.matrix_basis, again.camera.matrix_basis, atol=1e-6)
    build_action(built.head, take)
    bpy.context.scene.frame_set(3)
    assert np.allclose(built.rig.location, home, atol=1e-6)
    build_action(built.head, take, TakeOptions(head="none"))
    bpy.context.scene.frame_set(5)
    assert np.allclose(bone_turn(built.rig, "head"), np.eye(3), atol=1e-6)


def test_without_an_armature_the_keys_move_and_it_is_said(person):
    built = build_head(bpy.context, person, None, BuildOptions(rig=False))
    made = build_action(built.head, performance(), TakeOptions(gaze="bones"))
    assert "no armature" in made.warnings[0]
    check_weights(built.head, performance(), 1)


@pytest.mark.parametrize(("fps", "base", "take_fps"), [(24, 1.0, 30 / 1.001), (24, 1.0, 25.0), (24, 1.0, 50.0)])
def test_another_rate_is_resampled_on_whole_frames(built, fps, base, take_fps):
    set_rate(fps, base)
    take = performance(61, take_fps)
    made = build_action(built.head, take)
    assert made.frames == (1, 1 + int(60 / take_fps * 24 + 1e-6))
    for frame in range(made.frames[0], made.frames[1] + 1, 7):
        bpy.context.scene.frame_set(frame)
        seconds = (frame - 1) / fps
        expected = np.interp(seconds, take.times, take.unit("jawOpen"))
        assert key_values(built.head)["jawOpen"] == pytest.approx(expected, abs=1e-5)
        place = seconds * take_fps
        low = int(place)
        near = on_scene_frames(take, 24.0).neck[frame - 1]
        assert np.allclose(bone_turn(built.rig, "head"), expected_turn(near), atol=1e-4)
        assert np.abs(near - take.neck[low]).max() <= np.abs(np.diff(take.neck, axis=0)).max() + 1e-6


def test_the_usual_name_of_a_rate_is_that_rate(built):
    set_rate(30, 1.001)
    take = performance(50, 29.97)
    build_action(built.head, take)
    check_weights(built.head, take, 1)


@pytest.mark.parametrize("error", [0.02, 0.1])
def test_fewer_keyframes_stay_within_the_error(built, error):
    frames = np.arange(200)
    weights = np.clip(0.5 + 0.5 * np.sin(frames / np.linspace(5, 40, 52)[:, None]), 0, 1).T.astype(np.float32)
    take = replace(performance(200), expression=weights)
    build_action(built.head, take, TakeOptions(reduce=error))
    kept = 0
    for name in ARKIT:
        curve = active_sheet(built.keys).find(f'key_blocks["{name}"].value')
        kept += len(curve.keyframe_points)
        values = np.array([curve.evaluate(1 + frame) for frame in frames])
        assert np.abs(values - take.unit(name)).max() <= error
    assert kept < 0.5 * weights.size


def test_regions_are_as_strong_as_asked_for(built):
    take = performance()
    build_action(built.head, take, TakeOptions(brows=2.0, eyes=0.5, mouth=0.0))
    bpy.context.scene.frame_set(3)
    values = key_values(built.head)
    assert values["browInnerUp"] == pytest.approx(min(1.0, 2 * take.unit("browInnerUp")[2]), abs=1e-6)
    assert values["eyeBlinkLeft"] == pytest.approx(0.5 * take.unit("eyeBlinkLeft")[2], abs=1e-6)
    assert all(values[name] == 0 for name in ("jawOpen", "mouthLeft", "cheekPuff", "noseSneerLeft", "tongueOut"))


def test_in_the_mirror_sides_change_places(built):
    take = performance()
    build_action(built.head, take, TakeOptions(mirror=True))
    bpy.context.scene.frame_set(3)
    values = key_values(built.head)
    for name, other in (("jawLeft", "jawRight"), ("eyeLookInLeft", "eyeLookInRight"), ("browInnerUp", "browInnerUp")):
        assert values[name] == pytest.approx(take.unit(other)[2], abs=1e-6)
        assert values[other] == pytest.approx(take.unit(name)[2], abs=1e-6)
    flip = np.diag([-1.0, 1.0, 1.0])
    assert np.allclose(bone_turn(built.rig, "head"), flip @ expected_turn(take.neck[2]) @ flip, atol=1e-4)


def test_gaps_are_marked_with_the_clips_name(built):
    set_rate(50)
    take = performance(20, 25.0)
    confidence = take.confidence.copy()
    confidence[3:6] = 0
    made = build_action(built.head, replace(take, confidence=confidence), TakeOptions(name="Clip", start_frame=101))
    markers = {marker.name: marker.frame for marker in bpy.context.scene.timeline_markers}
    assert markers == {"Clip gap": 107, "Clip gap ends": 113}
    assert made.frames == (101, 139)


def test_a_second_take_leaves_the_first_to_go_back_to(built):
    first = build_action(built.head, performance(), TakeOptions(name="Clip"))
    second = build_action(built.head, performance(), TakeOptions(name="Clip"))
    assert len(first.actions) == len(second.actions) == (1 if SLOTS else 2)
    assert first.actions[0] != second.actions[0]
    assert first.actions[0].name == "Clip"
    assert all(made.use_fake_user for made in (*first.actions, *second.actions))
    assert active_sheet(built.keys).action == second.actions[0]
    assert active_sheet(built.rig).action == second.actions[-1]
    assert len(built.rig.animation_data.drivers) == 12


def test_on_a_track_the_take_is_one_strip_with_its_frames(built):
    mine = bpy.data.actions.new("Mine")
    built.keys.animation_data_create().action = mine
    take = performance()
    made = build_action(built.head, take, TakeOptions(name="Clip", start_frame=20, nla=True))
    assert len(made.strips) == 2
    for block in (built.keys, built.rig):
        data = block.animation_data
        assert data.action is None
        assert [track.name for track in data.nla_tracks] == ["Clip"]
        (strip,) = data.nla_tracks[0].strips
        assert (strip.name, strip.frame_start, strip.frame_end) == ("Clip", 20, 29)
        assert (strip.action_frame_start, strip.action_frame_end) == (20, 29)
        assert strip.action in made.actions
    assert mine.use_fake_user
    check_weights(built.head, take, 20)
    bpy.context.scene.frame_set(24)
    assert np.allclose(bone_turn(built.rig, "head"), expected_turn(take.neck[4]), atol=1e-4)


STAGES = ("strengthened", "key_channels", "neck_channels", "go_home", "_rest", "new_sheets", "fill", "activate")


@pytest.mark.parametrize("stage", [*STAGES, "push", "mark_gaps", "build_clip_camera"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("earlier", [False, True])
def test_a_failure_at_any_stage_leaves_the_file_as_it_was(built, monkeypatch, stage, after, earlier):
    if earlier:
        build_action(built.head, performance(), TakeOptions(head="object"))
    built.rig.pose.bones["jaw"].rotation_euler.x = 0.1
    options = TakeOptions(nla=stage == "push", head="object" if stage == "build_clip_camera" else "bones")
    take = replace(performance(), confidence=np.eye(10, dtype=np.float32)[3])
    state = lambda: (  # noqa: E731
        [active_sheet(built.keys), active_sheet(built.rig)],
        [tuple(row) for row in built.rig.matrix_basis],
        [list(block.animation_data.nla_tracks) for block in (built.keys, built.rig) if block.animation_data],
        built.keys.animation_data is None,
        dict(built.rig.items()).keys(),
        built.rig.pose.bones["jaw"].rotation_euler.x,
        len(bpy.context.scene.timeline_markers),
    )
    counts, before = block_counts(), state()
    step = getattr(action, stage)

    def fail(*arguments, **options):
        if after:
            step(*arguments, **options)
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr(action, stage, fail)
    with pytest.raises(RuntimeError, match="on fire"):
        build_action(built.head, take, options)
    assert block_counts() == counts
    assert state() == before


def test_an_empty_take_is_a_clear_error(built):
    with pytest.raises(TargetError, match="empty"):
        build_action(built.head, performance().part(0, 0))
