"""Errors of points, their stated doubt and visibility, on points whose errors are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.evaluation.dense_errors import (
    PLACES,
    calibration_table,
    compare_points,
    crops_without_faces,
    error_table,
    point_places,
    reliability_table,
    visibility_table,
)
from engine.evaluation.held_out import interocular, true_points, yaw_bin
from engine.heads.loader import load_head
from engine.perception.crop import OUTER_CORNERS
from engine.training.perception.point_set import choose_points

from .toy_pictures import METRE, picture, seen

OFF = 2.0  # pixels
YAWS = (0.0, 20.0, -45.0, 75.0)


@pytest.fixture(scope="module")
def head():
    return load_head()


@pytest.fixture(scope="module")
def vertices(head):
    return choose_points(head)


@pytest.fixture(scope="module")
def pictures(head):
    return [picture(head, seed, yaw) for seed, yaw in enumerate(YAWS)]


@pytest.fixture(scope="module")
def honest(head, vertices, pictures):
    return compare_points(head, pictures, [seen(head, p, vertices, OFF, OFF, n) for n, p in enumerate(pictures)])


def test_the_eyes_distance_does_not_shrink_with_turning(head):
    front = picture(head, 1)
    marks = head.embeddings["mediapipe"].positions(head.shape(front.identity), head.faces)[list(OUTER_CORNERS)]
    apart = np.linalg.norm(marks[0] - marks[1]) * METRE
    assert interocular(head, front) == pytest.approx(apart, rel=1e-5)
    assert interocular(head, picture(head, 1, 80.0)) == pytest.approx(apart, rel=1e-5)


def test_true_points_are_where_the_camera_shows_them(head):
    shown = picture(head, 2)
    nose = int(np.argmax(head.vertices[:, 2] * head.regions["nose"]))
    place = head.shape(shown.identity)[nose].astype(np.float64)
    (point,) = true_points(head, shown, np.array([nose]))
    depth = 1.5 - place[2]
    np.testing.assert_allclose(point[:2], 128 + np.array([place[0], -place[1]]) * METRE * 1.5 / depth, rtol=1e-5)
    assert point[2] == pytest.approx(-place[2] * METRE, rel=1e-5)


def test_turns_are_sorted_into_bins():
    assert [yaw_bin(angle) for angle in (0, -29.9, 30, -59, 60, 90, 91)] == [0, 0, 1, 1, 2, 2, 2]


def test_every_point_has_one_place(head, vertices):
    places = point_places(head, vertices)
    counts = dict(zip(PLACES, np.bincount(places, minlength=len(PLACES)), strict=True))
    assert min(counts.values()) > 10
    assert counts["iris"] == head.regions["eye"][vertices].sum()
    mirrored = point_places(head, head.mirror[vertices])
    assert np.mean(places == mirrored) > 0.98
    jaw = vertices[places == PLACES.index("jaw and outline")]
    assert head.vertices[jaw, 1].min() < head.vertices[head.regions["lips"], 1].min()  # below the mouth


def test_known_errors_come_back_in_the_right_unit(head, honest, pictures):
    table = error_table(honest)
    expected = 100 * OFF * np.sqrt(np.pi / 2) * np.mean([1 / interocular(head, shown) for shown in pictures])
    row = {str(row[0]): row for row in table.rows}
    column = {name: place for place, name in enumerate(table.columns)}
    assert row["all points"][column["all visible"]] == pytest.approx(expected, rel=0.05)
    assert row["all points"][column["all hidden"]] == pytest.approx(expected, rel=0.05)
    along = expected / (np.pi / 2)  # the mean size of a normal number against the mean length of two
    assert row["all points, along the view"][column["all visible"]] == pytest.approx(along, rel=0.05)


def test_honest_doubt_is_found_honest(honest):
    for row in calibration_table(honest).rows:
        assert row[1] == pytest.approx(row[2], abs=4)
        assert row[3] == pytest.approx(row[4], abs=3)
        assert row[5] == pytest.approx(1.0, abs=0.06)


def test_too_little_doubt_is_found_out(head, vertices, pictures):
    bold = compare_points(head, pictures, [seen(head, p, vertices, OFF, OFF / 2, n) for n, p in enumerate(pictures)])
    first = calibration_table(bold).rows[0]
    assert first[1] == pytest.approx(100 * (1 - np.exp(-1 / 8)), abs=3)
    assert first[5] == pytest.approx(2.0, abs=0.1)
    assert [row[3] for row in reliability_table(bold, 4).rows] == pytest.approx([2.0] * 4, abs=0.15)


def test_reliability_sorts_points_by_what_was_stated(head, vertices, pictures):
    sharp, vague = seen(head, pictures[0], vertices, 1.0, 1.0), seen(head, pictures[1], vertices, 5.0, 5.0, 1)
    rows = reliability_table(compare_points(head, pictures[:2], [sharp, vague]), 2).rows
    assert rows[1][1] / rows[0][1] == pytest.approx(5.0, rel=0.3)  # type: ignore[operator]
    assert [row[3] for row in rows] == pytest.approx([1.0, 1.0], abs=0.1)


def test_visibility_of_a_guesser_counts_half(head, vertices, pictures):
    sights = [seen(head, p, vertices, OFF, OFF) for p in pictures]
    right = visibility_table(compare_points(head, pictures, sights)).rows[0]
    assert right[1:5] == (100.0, 100.0, 100.0, 100.0)
    always = [replace(sight, visible=np.ones_like(sight.visible)) for sight in sights]
    row = visibility_table(compare_points(head, pictures, always)).rows[0]
    assert row[2:5] == (100.0, 0.0, 50.0)
    assert row[1] == pytest.approx(60, abs=5)


def test_corners_with_a_face_are_no_crops_without_one(pictures):
    found = crops_without_faces(pictures)
    assert len(found["invented background"]) == len(pictures)
    assert len(found["corner of a picture"]) < len(pictures)  # three quarters of each are skin
    assert all(crop.shape == (256, 256, 3) for crops in found.values() for crop in crops)
