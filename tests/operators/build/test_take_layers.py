"""Left and right changed over, regions made stronger, without Blender."""

import numpy as np
import pytest
from likeness.engine.tracking.turns import to_matrix
from likeness.operators.build.take_layers import mirrored, mirrored_name, region_of, strengthened

from tests.operators.build.performance import performance
from tests.operators.build.sphere_head import ARKIT


def test_mirrored_twice_is_the_take_itself():
    take = performance()
    twice = mirrored(mirrored(take))
    for name in ("expression", "jaw", "neck", "left_eye", "right_eye", "head_rotation", "head_translation"):
        assert np.array_equal(getattr(twice, name), getattr(take, name)), name
    assert twice.expression_names == take.expression_names


def test_a_mirrored_head_is_seen_mirrored():
    take, points = performance(), np.random.default_rng(1).normal(size=(5, 3))
    other = mirrored(take)
    flip = np.array([-1.0, 1.0, 1.0])
    seen = points @ take.head_rotation[3].T + take.head_translation[3]
    assert np.allclose((points * flip) @ other.head_rotation[3].T + other.head_translation[3], seen * flip)
    assert np.allclose(to_matrix(other.neck[3]), np.diag(flip) @ to_matrix(take.neck[3]) @ np.diag(flip))


def test_every_unit_has_a_region_and_a_mirror_image_among_the_units():
    assert {region_of(name) for name in ARKIT} == {"brows", "eyes", "mouth"}
    assert {mirrored_name(name) for name in ARKIT} == set(ARKIT)
    assert region_of("headYaw") == ""


def test_bones_are_as_strong_as_the_units_they_stand_for():
    take = performance()
    changed = strengthened(take, eyes=0.5, mouth=2.0)
    assert np.allclose(changed.left_eye, 0.5 * take.left_eye)
    assert np.allclose(changed.jaw, 2.0 * take.jaw)
    assert np.array_equal(changed.neck, take.neck)
    assert changed.expression.max() == 1.0
    assert changed.unit("browInnerUp")[2] == pytest.approx(take.unit("browInnerUp")[2])
