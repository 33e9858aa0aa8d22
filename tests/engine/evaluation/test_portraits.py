"""Real portraits: who is whose, contours, and the tables of made-up sights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.evaluation.portraits import (
    CONTOURS,
    FITTED,
    Portrait,
    PortraitSight,
    confidence_table,
    consistency_table,
    contour_distances,
    find_portraits,
    to_loop,
    together,
    vertex_distances,
)
from engine.heads.loader import load_head
from engine.perception.crop import Window
from engine.perception.dense import DensePoints
from engine.perception.observation import FaceObservation
from engine.training.perception.point_set import choose_points

SQUARE = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], float)


@pytest.fixture(scope="module")
def head():
    return load_head()


def test_distance_to_a_closed_line():
    points = np.array([[5, 2], [-3, -4], [0, 5], [12, 5]], float)
    np.testing.assert_allclose(to_loop(points, SQUARE), [2, 5, 0, 2])


def test_pairs_through_others_are_one_person():
    people = together([("a", "b"), ("c", "d"), ("e", "b"), ("f", "g"), ("d", "f")])
    assert sorted(map(sorted, people)) == [["a", "b", "e"], ["c", "d", "f", "g"]]


def test_people_seen_twice_come_first(tmp_path: Path):
    for name in ("x/1.jpg", "x/2.jpg", "y/3.jpg", "y/4.jpg", "y/5.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    listed = "first,second,distance\ny/4.jpg,x/2.jpg,0.3\ny/5.jpg,y/gone.jpg,0.3\n"
    (tmp_path / "same_person_pairs.csv").write_text(listed, encoding="utf-8")
    portraits, people = find_portraits(tmp_path, 3)
    assert [p.name for p in portraits] == ["y/4.jpg", "x/2.jpg", "x/1.jpg"]
    assert people == [[0, 1]]
    assert portraits[0].path == tmp_path / "y/4.jpg"
    assert len(find_portraits(tmp_path, 0)[0]) == 2


def test_dense_points_on_the_head_agree_with_contours_on_the_head(head):
    """What is left is how far the vertices are from the contours; points moved by 3 % of the eyes' distance show."""
    vertices = choose_points(head)
    flip = np.array([1000.0, -1000.0, -1000.0])
    marks = (head.embeddings["mediapipe"].positions(head.vertices, head.faces) * flip).astype(np.float32)
    face = FaceObservation(marks, np.zeros(4, np.float32), 1.0)
    floor = vertex_distances(head, vertices)

    def dense(shift: float) -> DensePoints:
        points = head.vertices[vertices] * flip + [0.0, shift, 0.0]
        sure = np.ones((len(vertices), 2), np.float32)
        return DensePoints(vertices, points.astype(np.float32), sure, sure[:, 0], 1.0, Window(np.zeros(2), 256.0))

    still = contour_distances(head, dense(0.0), face)
    moved = contour_distances(head, dense(0.03 * face.interocular), face)
    for name in CONTOURS:
        assert still[name] == pytest.approx(floor[name], rel=0.05)
        assert still[name] < 0.01
        assert 0.012 < moved[name] < 0.035


def sight(number: int, shape: np.ndarray, face: float = 0.99, chest: float = 0.1) -> PortraitSight:
    shapes = {name: shape for name in ("raw", *FITTED)}
    beside = dict.fromkeys(FITTED, 0.01 * number)
    return PortraitSight(Portrait(str(number), Path("nowhere")), shapes, beside, face=face, chest=chest)


def test_people_whose_shapes_are_alike_are_told_apart():
    rng = np.random.default_rng(1)
    shapes = rng.normal(size=(2, 60, 3))
    sights = [sight(n, shapes[n // 2] + rng.normal(0, 0.02, (60, 3))) for n in range(4)]
    table = consistency_table([sight(9, shapes[0]), *sights], [[1, 2], [3, 4]])
    for row in table.rows:
        assert row[1] < 0.1  # type: ignore[operator]
        assert row[2] == 100.0
        assert row[4] == 4
    assert np.isnan(table.rows[0][3])  # MediaPipe's own points lie beside nothing
    assert table.rows[1][3] == pytest.approx(1.5)


def test_confidence_where_there_is_no_face_should_be_low():
    shape = np.zeros((3, 3))
    sights = [sight(0, shape, 0.9, 0.2), sight(1, shape, 0.3, float("nan")), sight(2, shape, 0.8, 0.7)]
    first, second = confidence_table(sights).rows
    assert first[1:] == pytest.approx((3, 200 / 3, 2 / 3, 0.3))
    assert second[1:] == pytest.approx((2, 50.0, 0.45, 0.7))
