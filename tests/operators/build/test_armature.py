import numpy as np
import pytest
from likeness.operators.build.armature import plan_bones

from tests.operators.build.measure import evaluated_positions, to_blender
from tests.operators.build.sphere_head import EYES, JAW, turn


def test_bones_are_the_joints_with_their_parents(built):
    bones = built.rig.data.bones
    parents = {bone.name: bone.parent.name if bone.parent else None for bone in bones}
    assert parents == {"neck": None, "head": "neck", "jaw": "head", "eye.L": "head", "eye.R": "head"}


def test_bones_start_at_the_joints_and_end_where_an_animator_expects(built, person):
    bones = built.rig.data.bones
    for index, name in enumerate(person.joint_names):
        assert np.allclose(bones[name].head_local, to_blender(person.joints[index]), atol=2e-4), name
    assert np.allclose(bones["neck"].tail_local, bones["head"].head_local)
    assert bones["head"].use_connect
    assert np.allclose(bones["head"].tail_local, (0, 0, 0.1), atol=1e-6)
    assert np.allclose(bones["eye.L"].tail_local - bones["eye.L"].head_local, (0, -0.024, 0), atol=1e-5)
    chin = bones["jaw"].tail_local
    assert chin.x == 0
    assert chin.y < -0.05
    assert chin.z < JAW[1]


def test_the_hinge_is_every_bones_x_axis(built):
    for bone in built.rig.data.bones:
        assert np.allclose(bone.x_axis, (1, 0, 0), atol=1e-5), bone.name


def test_no_bone_is_too_short_to_exist(person):
    import dataclasses

    flat = dataclasses.replace(person, joints=np.zeros_like(person.joints), skin_weights=person.skin_weights * 0)
    for plan in plan_bones(flat):
        assert np.linalg.norm(plan.tail - plan.head) >= 0.0099


def test_vertex_groups_hold_the_skinning_weights(built, person):
    groups = built.head.vertex_groups
    assert [group.name for group in groups] == list(person.joint_names)
    weights = np.zeros_like(person.skin_weights)
    for vertex in built.head.data.vertices:
        for item in vertex.groups:
            weights[vertex.index, item.group] = item.weight
    assert np.allclose(weights, person.skin_weights, atol=1e-4)


def test_the_head_is_bound_after_its_keys(built):
    assert built.head.parent == built.rig
    assert [modifier.type for modifier in built.head.modifiers] == ["ARMATURE", "SUBSURF"]
    assert built.head.modifiers[0].object == built.rig


@pytest.mark.parametrize(
    ("bone", "axis", "degrees", "engine_axis", "sign"),
    [("eye.L", 0, 20.0, 0, 1), ("eye.R", 2, 15.0, 1, -1), ("jaw", 0, 20.0, 0, 1)],
)
def test_a_posed_bone_turns_what_it_owns_about_its_joint(built, person, bone, axis, degrees, engine_axis, sign):
    built.rig.pose.bones[bone].rotation_euler[axis] = np.radians(degrees)
    index = person.joint_names.index(bone)
    owned = person.skin_weights[:, index] == 1
    pivot = {**EYES, "jaw": JAW}[bone]
    expected = to_blender(turn(person.vertices[owned].astype(float), pivot, sign * degrees, engine_axis))
    assert owned.any()
    assert np.allclose(evaluated_positions(built.head)[owned], expected, atol=2e-4)


def test_turning_the_head_bone_carries_jaw_and_eyes(built, person):
    built.rig.pose.bones["head"].rotation_euler.y = np.radians(30.0)
    moved = evaluated_positions(built.head)
    face = person.skin_weights[:, 1:].sum(1) > 0.999
    pivot = person.joints[1].astype(float)
    assert np.allclose(moved[face], to_blender(turn(person.vertices[face].astype(float), pivot, 30.0, 1)), atol=1e-5)
