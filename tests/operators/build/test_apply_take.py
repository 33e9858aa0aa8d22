"""A take on other heads than the one it was tracked for."""

import bpy
import numpy as np
import pytest
from likeness.operators.build import build_head
from likeness.operators.build.action import apply_take_to_mesh, build_action
from likeness.operators.build.take_options import TakeOptions, TargetError

from tests.operators.build.measure import block_counts
from tests.operators.build.performance import bone_turn, expected_turn, key_values, performance, set_rate


@pytest.fixture(autouse=True)
def rate(empty_file):
    """The scene has the takes' rate."""
    set_rate(25)


def mesh_with_keys(*names):
    mesh = bpy.data.meshes.new("Alien")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    item = bpy.data.objects.new("Alien", mesh)
    bpy.context.scene.collection.objects.link(item)
    for name in ("Basis", *names):
        item.shape_key_add(name=name).value = 0.0
    return item


def test_any_mesh_plays_a_take_by_the_names_it_has(empty_file):
    alien, take = mesh_with_keys("JawOpen", "EYEBLINKLEFT", "antenna"), performance()
    made = apply_take_to_mesh(alien, take, TakeOptions(start_frame=0, gaze="bones"))
    assert len(made.missing) == 50
    assert "mouthClose" in made.missing
    bpy.context.scene.frame_set(6)
    values = key_values(alien)
    assert values["JawOpen"] == pytest.approx(take.unit("jawOpen")[6], abs=1e-6)
    assert values["EYEBLINKLEFT"] == pytest.approx(take.unit("eyeBlinkLeft")[6], abs=1e-6)
    assert values["antenna"] == 0.0


def test_a_mesh_without_such_names_is_a_clear_error(empty_file):
    for alien in (mesh_with_keys("antenna"), mesh_with_keys()):
        counts = block_counts()
        with pytest.raises(TargetError, match="jawOpen"):
            apply_take_to_mesh(alien, performance())
        assert block_counts() == counts


def test_another_persons_head_plays_the_same_take(built, person):
    other = build_head(bpy.context, person)
    take = performance()
    build_action(built.head, take)
    build_action(other.head, take)
    for frame in (0, 5):
        bpy.context.scene.frame_set(1 + frame)
        assert key_values(other.head)["jawOpen"] == key_values(built.head)["jawOpen"]
        assert np.allclose(bone_turn(other.rig, "head"), expected_turn(take.neck[frame]), atol=1e-4)
