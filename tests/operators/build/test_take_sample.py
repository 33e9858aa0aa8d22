"""What a head does, back as a take."""

import bpy
import numpy as np
import pytest
from likeness.operators.build.action import build_action
from likeness.operators.build.take_options import TakeOptions, TargetError
from likeness.operators.build.take_sample import take_from_action

from tests.operators.build.performance import performance, set_rate
from tests.operators.build.sphere_head import ARKIT


@pytest.fixture(autouse=True)
def rate(empty_file):
    """The scene has the takes' rate."""
    set_rate(25)


@pytest.mark.parametrize("nla", [False, True])
@pytest.mark.parametrize("bones", [False, True])
def test_a_take_comes_back_as_it_went_in(built, nla, bones):
    take, carrier = performance(12), "bones" if bones else "keys"
    scene = bpy.context.scene
    scene.frame_set(3)
    build_action(built.head, take, TakeOptions(start_frame=5, nla=nla, gaze=carrier, jaw=carrier))
    back = take_from_action(built.head, 5, 16)
    assert scene.frame_current == 3
    assert back.expression_names == ARKIT
    assert back.fps == 25
    assert np.allclose(back.times, take.times)
    assert np.allclose(back.neck, take.neck, atol=1e-5)
    assert np.allclose(back.unit("mouthClose"), take.unit("mouthClose"), atol=1e-6)
    if bones:
        assert not back.unit("jawOpen").any()
        assert np.allclose(back.jaw, take.jaw, atol=1e-5)
        assert np.allclose(back.left_eye[:, :2], take.left_eye[:, :2], atol=0.02)  # without the roll
    else:
        assert np.allclose(back.expression, take.expression, atol=1e-6)
        assert np.allclose(back.jaw, 0, atol=1e-6)
        assert np.allclose(back.left_eye, 0, atol=1e-6)
    assert (back.confidence == 1).all()
    assert np.isnan(back.landmarks_2d).all()


def test_the_actions_own_frames_are_the_default(built):
    build_action(built.head, performance(12), TakeOptions(start_frame=5))
    assert len(take_from_action(built.head)) == 12


def test_without_an_action_the_head_holds_still_over_the_scenes_frames(built):
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 1, 6
    built.keys.key_blocks["jawOpen"].value = 0.25
    still = take_from_action(built.head)
    assert len(still) == 6
    assert (still.unit("jawOpen") == 0.25).all()


def test_a_driven_key_is_read_as_it_plays(built):
    curve = built.keys.key_blocks["jawOpen"].driver_add("value")
    curve.driver.expression = "frame / 100"
    taken = take_from_action(built.head, 10, 12)
    assert np.allclose(taken.unit("jawOpen"), (0.10, 0.11, 0.12), atol=1e-6)


def test_the_take_can_be_saved_and_played_again(built, tmp_path):
    build_action(built.head, performance(12))
    taken = take_from_action(built.head)
    taken.save(tmp_path)
    again = type(taken).load(tmp_path)
    build_action(built.head, again)
    assert np.allclose(take_from_action(built.head).expression, taken.expression, atol=1e-6)


def test_a_mesh_without_keys_is_a_clear_error():
    plain = bpy.data.objects.new("Plain", bpy.data.meshes.new("Plain"))
    with pytest.raises(TargetError, match="Plain"):
        take_from_action(plain)
