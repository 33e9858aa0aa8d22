import dataclasses

import numpy as np
import pytest
from likeness.operators.build.hinge import DEFAULT_ANGLE, opening_angle

from tests.operators.build.sphere_head import ARKIT, JAW, JAW_DEGREES, turn


def test_the_keys_own_turn_is_found(person):
    assert np.degrees(opening_angle(person)) == pytest.approx(JAW_DEGREES, abs=0.05)


def test_without_the_key_it_is_an_ordinary_jaws(person):
    names = tuple(name.replace("jawOpen", "mouthWide") for name in person.expression_names)
    assert opening_angle(dataclasses.replace(person, expression_names=names)) == DEFAULT_ANGLE


@pytest.mark.parametrize("degrees", [0.0, -20.0, 3.0])
def test_a_key_that_hardly_turns_is_no_hinge(person, degrees):
    basis = person.expression_basis.copy()
    vertices = person.vertices.astype(float)
    basis[ARKIT.index("jawOpen")] = person.skin_weights[:, 2:3] * (turn(vertices, JAW, degrees, 0) - vertices)
    assert opening_angle(dataclasses.replace(person, expression_basis=basis)) == DEFAULT_ANGLE


def test_a_head_without_a_jaw(person):
    assert opening_angle(dataclasses.replace(person, joint_names=("a", "b", "c", "d", "e"))) == DEFAULT_ANGLE
