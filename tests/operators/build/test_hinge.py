import dataclasses

import numpy as np
import pytest
from likeness.operators.build.hinge import DEFAULT_ANGLE, jaw_hinge

from tests.operators.build.sphere_head import ARKIT, JAW, JAW_DEGREES, turn


def test_the_keys_own_turn_is_found(person):
    hinge = jaw_hinge(person)
    assert np.degrees(hinge.angle) == pytest.approx(JAW_DEGREES, abs=0.05)
    assert np.allclose(hinge.pivot, JAW, atol=2e-4)


def test_a_joint_off_the_hinge_does_not_matter(person):
    joints = person.joints.copy()
    joints[2] += (0.0, 0.015, -0.01)
    assert np.allclose(jaw_hinge(dataclasses.replace(person, joints=joints)).pivot, JAW, atol=2e-4)


def test_without_the_key_the_joint_is_a_plain_hinge(person):
    names = tuple(name.replace("jawOpen", "mouthWide") for name in person.expression_names)
    hinge = jaw_hinge(dataclasses.replace(person, expression_names=names))
    assert hinge.angle == DEFAULT_ANGLE
    assert np.allclose(hinge.pivot, JAW)


@pytest.mark.parametrize("degrees", [0.0, -20.0, 3.0])
def test_a_key_that_hardly_turns_is_no_hinge(person, degrees):
    basis = person.expression_basis.copy()
    vertices = person.vertices.astype(float)
    basis[ARKIT.index("jawOpen")] = person.skin_weights[:, 2:3] * (turn(vertices, JAW, degrees, 0) - vertices)
    assert jaw_hinge(dataclasses.replace(person, expression_basis=basis)).angle == DEFAULT_ANGLE


def test_a_head_without_a_jaw_has_none(person):
    assert jaw_hinge(dataclasses.replace(person, joint_names=("a", "b", "c", "d", "e"))) is None
