import bpy
import numpy as np
import pytest
from likeness.operators.build import BuildOptions, build_head
from likeness.operators.build.keys import set_expression

from tests.operators.build.measure import evaluated_positions, key_positions, to_blender
from tests.operators.build.sphere_head import ARKIT


def test_keys_are_basis_then_the_units_in_order_then_identity(built):
    names = [block.name for block in built.keys.key_blocks]
    assert names[0] == "Basis"
    assert tuple(names[1:53]) == ARKIT
    assert names[53:] == [f"identity_{index:02d}" for index in range(8)]


@pytest.mark.parametrize("count", [0, 3, 99])
def test_identity_keys_are_as_many_as_asked_for_and_there_are(person, count):
    built = build_head(bpy.context, person, None, BuildOptions(identity_keys=count))
    assert len(built.keys.key_blocks) == 53 + min(count, 8)


def test_ranges_and_values_at_rest(built):
    for block in built.keys.key_blocks[1:]:
        low = -3 if block.name.startswith("identity") else 0
        assert (block.slider_min, block.slider_max) == (low, 3 if low else 1), block.name
        assert block.value == 0


def test_the_neutral_head_is_the_basis(built, person):
    assert np.allclose(evaluated_positions(built.head), to_blender(person.vertices), atol=1e-6)


@pytest.mark.parametrize("index", [0, 17, 51])
def test_a_key_at_one_is_the_unit(built, person, index):
    expected = to_blender(person.vertices + person.expression_basis[index].astype(np.float32))
    assert np.allclose(key_positions(built.keys.key_blocks[1 + index]), expected, atol=1e-7)
    built.keys.key_blocks[1 + index].value = 1.0
    assert np.allclose(evaluated_positions(built.head), expected, atol=1e-6)


def test_an_identity_key_moves_by_standard_deviations_both_ways(built, person):
    step = to_blender(person.identity_basis[2].astype(np.float32))
    built.keys.key_blocks["identity_02"].value = -2.0
    moved = evaluated_positions(built.head) - to_blender(person.vertices)
    assert np.allclose(moved, -2.0 * step, atol=1e-6)


def test_keep_expression_starts_with_the_photos_weights(person):
    built = build_head(bpy.context, person, None, BuildOptions(keep_expression=True))
    values = [block.value for block in built.keys.key_blocks[1:53]]
    assert np.allclose(values, person.expression, atol=1e-6)
    assert built.keys.key_blocks["identity_00"].value == 0


def test_set_expression_limits_values_and_ignores_other_names(built):
    set_expression(built.keys, {"jawOpen": 1.7, "cheekPuff": 0.25, "earWiggle": 1.0})
    assert built.keys.key_blocks["jawOpen"].value == 1.0
    assert built.keys.key_blocks["cheekPuff"].value == 0.25
