"""Faces in millimetres: what the fit is given, and the tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.camera import Camera
from engine.evaluation.face_errors import (
    EXACT,
    MEAN_HEAD,
    SIZE_ONLY,
    PersonErrors,
    exact_sighting,
    one_photo_table,
    several_photos_table,
    whole_photo,
)
from engine.evaluation.held_out import by_person
from engine.evaluation.metrics import ShapeError, shape_error
from engine.evaluation.sources import DENSE, FUSED, MESH_RENDERS, RECOGNISED, neutral_shape, solve_sighting
from engine.heads.loader import load_head
from engine.training.perception.point_set import choose_points

from .toy_pictures import picture, seen


@pytest.fixture(scope="module")
def head():
    return load_head()


def test_the_photo_around_a_picture_has_its_principal_point_in_the_middle(head):
    shown = picture(head, 1)
    K = shown.camera.K.copy()
    K[:2, 2] = -40.3, 300.0
    shown = replace(shown, camera=Camera(K, shown.camera.world_to_camera, 256, 256))
    (width, height), place = whole_photo(shown)
    np.testing.assert_allclose(K[:2, 2] + place, [width / 2, height / 2])
    assert (place >= 0).all()
    assert (place + 256 <= [width + 1, height + 1]).all()


def test_with_exact_points_and_focal_length_the_face_is_found(head):
    shown = picture(head, 3, 20.0)
    dense = seen(head, shown, choose_points(head), 0.0, 1.0)
    size, place = whole_photo(shown)
    sighting = exact_sighting(head, shown, dense)
    sighting = replace(sighting, observed=sighting.observed + np.append(place, 0.0))
    found = neutral_shape(head, solve_sighting(head, sighting, *size, float(shown.camera.K[0, 0])))
    face = head.regions["face"]
    truth = head.shape(shown.identity)[face]
    assert shape_error(found[face], truth).scaled < 0.15 * shape_error(head.vertices[face], truth).scaled


def person(dense: float, photos: int = 1) -> PersonErrors:
    """Of a mean head 2 mm off with scale and 4 mm without."""
    one = {MEAN_HEAD: ShapeError(4.0, 2.0), SIZE_ONLY: ShapeError(3.0, 0.0), DENSE: ShapeError(2 * dense, dense)}
    one[RECOGNISED] = ShapeError(2.0, 1.5)
    sources = {name: ShapeError(1.0, 1.0) for name in (RECOGNISED, MESH_RENDERS, DENSE, FUSED)}
    return PersonErrors(one | {EXACT: ShapeError(0.1, 0.1)} | (sources if photos > 1 else {}), sources, sources, photos)


def test_errors_stand_beside_the_mean_heads():
    table = one_photo_table([person(1.0), person(2.5), PersonErrors(missed=1)])
    row = {str(row[0]): row for row in table.rows}
    assert row[DENSE][1:] == pytest.approx((3.5, 87.5, 1.75, 87.5, 50.0))
    assert row[SIZE_ONLY][3:] == pytest.approx((0.0, 0.0, 100.0))
    assert row[RECOGNISED][1:3] == pytest.approx((2.0, 50.0))
    assert FUSED not in row
    assert "2 people; 1 pictures" in table.note


def test_people_with_one_usable_photo_say_nothing_of_several():
    table = several_photos_table([person(1.0, 5), person(1.0, 1)])
    assert "1 people, 5.0 photos" in table.note
    row = {str(row[0]): row for row in table.rows}
    assert row[f"{DENSE}, all together"][3:5] == pytest.approx((1.0, 50.0))
    assert row[f"{RECOGNISED}, mean"][3:5] == pytest.approx((1.0, 50.0))


def test_pictures_are_sorted_by_person(head):
    pictures = [picture(head, seed, person=who) for seed, who in enumerate((7, 8, 7, 9, 8))]
    assert [[p.name for p in person] for person in by_person(pictures)] == [
        ["toy/0", "toy/2"], ["toy/1", "toy/4"], ["toy/3"],
    ]  # fmt: skip
