"""Keys and bones share the work: nothing moves twice."""

import numpy as np
import pytest
from likeness.operators.build.limits import LIMITS

from tests.operators.build.measure import evaluated_positions
from tests.operators.build.sphere_head import EYES, JAW_DEGREES


@pytest.fixture
def pose(built, person):
    """Set jawOpen, the jaw bone's degrees and the layer; returns how far the chin turned, in degrees."""
    skin = person.skin_weights[:, 2] == 1
    before = evaluated_positions(built.head)[skin]
    pivot = np.array(built.rig.data.bones["jaw"].head_local)

    def apply(key: float, degrees: float, layer: float = 0.0) -> float:
        built.keys.key_blocks["jawOpen"].value = key
        built.rig.pose.bones["jaw"].rotation_euler.x = np.radians(degrees)
        built.rig["jaw_layer"] = layer
        built.rig.update_tag()
        after = evaluated_positions(built.head)[skin]
        a, b = (before - pivot)[:, 1:], (after - pivot)[:, 1:]
        turned = np.arctan2(np.sum(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]), np.sum(a * b))
        return float(np.degrees(turned))

    return apply


def test_key_alone_bone_alone_and_both_open_the_mouth_once(pose):
    assert pose(1.0, 0.0) == pytest.approx(JAW_DEGREES, abs=0.1)
    assert pose(0.0, JAW_DEGREES) == pytest.approx(JAW_DEGREES, abs=0.1)
    assert pose(1.0, JAW_DEGREES) == pytest.approx(JAW_DEGREES, abs=0.1)


def test_the_larger_of_key_and_bone_decides(pose):
    assert pose(0.5, 6.0) == pytest.approx(pose(0.5, 0.0), abs=0.05)
    assert pose(0.25, 24.0) == pytest.approx(24.0, abs=0.8)


def test_the_layer_adds_the_bone_within_what_the_key_leaves(pose):
    half = pose(0.5, 0.0)
    assert pose(0.5, 6.0, layer=1.0) == pytest.approx(half + 6.0, abs=0.5)
    assert pose(1.0, 24.0, layer=1.0) == pytest.approx(JAW_DEGREES, abs=0.1)


def test_the_jaw_neither_opens_inside_out_nor_too_far(pose):
    assert pose(0.0, -20.0) == pytest.approx(0.0, abs=1e-3)
    assert pose(0.0, 80.0) == pytest.approx(LIMITS["jaw"].x[1], abs=0.01)


def test_the_keys_are_free_of_drivers(built):
    assert built.keys.animation_data is None


def gaze(built, person, eye):
    """Degrees down and towards the person's right, of the eyeball."""
    owned = person.skin_weights[:, person.joint_names.index(eye)] == 1
    points = evaluated_positions(built.head)[owned]
    rest = person.vertices[owned]
    front = points[np.argmax(rest[:, 2])] - points.mean(0)
    assert len(points) > 10
    assert EYES[eye] is not None
    return np.degrees(np.arctan2(-front[2], -front[1])), np.degrees(np.arctan2(-front[0], -front[1]))


@pytest.mark.parametrize(
    ("eye", "key", "axis", "direction"),
    [
        ("eye.L", "eyeLookDownLeft", 0, 1),
        ("eye.L", "eyeLookUpLeft", 0, -1),
        ("eye.L", "eyeLookInLeft", 2, 1),
        ("eye.L", "eyeLookOutLeft", 2, -1),
        ("eye.R", "eyeLookDownRight", 0, 1),
        ("eye.R", "eyeLookUpRight", 0, -1),
        ("eye.R", "eyeLookInRight", 2, -1),
        ("eye.R", "eyeLookOutRight", 2, 1),
    ],
)
def test_a_full_look_key_leaves_the_eye_bone_nothing_in_its_direction(built, person, eye, key, axis, direction):
    bone = built.rig.pose.bones[eye]
    coordinate = 0 if axis == 0 else 1
    bone.rotation_euler[axis] = direction * np.radians(15.0)
    by_bone = gaze(built, person, eye)[coordinate]
    assert np.sign(by_bone) == direction
    assert abs(by_bone) == pytest.approx(15.0, abs=0.1)
    built.keys.key_blocks[key].value = 1.0
    both = gaze(built, person, eye)[coordinate]
    bone.rotation_euler[axis] = 0.0
    by_key = gaze(built, person, eye)[coordinate]
    assert np.sign(by_key) == direction
    assert both == pytest.approx(by_key, abs=1e-3)


def test_every_bone_is_held_to_its_limits(built):
    for bone in built.rig.pose.bones:
        limit = next(item for item in bone.constraints if item.type == "LIMIT_ROTATION")
        low, high = LIMITS[bone.name].x
        assert np.degrees([limit.min_x, limit.max_x]) == pytest.approx([low, high], abs=1e-3)
        assert limit.owner_space == "LOCAL"


def test_drivers_run_without_python(built):
    drivers = built.rig.animation_data.drivers
    assert len(drivers) == 2 + 8 + 2
    for curve in drivers:
        assert curve.driver.is_valid
        assert curve.driver.is_simple_expression
