"""The unrolled scalp lies on the head, evenly, from the whorl to the neck."""

import numpy as np
import pytest

from engine.hair.field import blurred, inward_distance, normals, resized, sampled
from engine.hair.grid import COLUMNS, REACH, ROWS, WHORL, scalp_centre, scalp_grid
from engine.heads.loader import load_head


@pytest.fixture(scope="module")
def head():
    return load_head("open")


@pytest.fixture(scope="module")
def grid(head):
    return scalp_grid(head)


def test_nodes_lie_in_their_directions(head, grid):
    away = grid.skull(head.vertices) - scalp_centre(head.vertices, head)
    away /= np.linalg.norm(away, axis=-1, keepdims=True)
    angle = np.arccos(np.clip(away @ (WHORL / np.linalg.norm(WHORL)), -1, 1))
    rows = np.linspace(0, REACH, ROWS)
    assert np.abs(angle - rows[:, None])[:30].max() < np.radians(2)
    quarter = away[20, COLUMNS // 4]
    assert quarter[0] > 0.8  # a quarter turn from the face's side of the whorl is the head's left


def test_neighbours_are_close_and_ears_are_bridged(head, grid):
    skull = grid.skull(head.vertices)
    assert np.linalg.norm(np.diff(skull, axis=0), axis=-1)[:34].max() < 0.012
    assert not grid.sound.all()
    assert np.allclose(grid.weights.sum(-1), 1, atol=1e-5)


def test_normals_point_outwards(head, grid):
    skull = grid.skull(head.vertices)
    away = skull - scalp_centre(head.vertices, head)
    assert ((normals(skull) * away).sum(-1)[1:30] > 0).all()


def test_fields_close_around_the_head():
    field = np.zeros((9, 12), np.float32)
    field[4, 0] = 1
    soft = blurred(field, (1.0, 1.0))
    assert soft[4, 11] == pytest.approx(soft[4, 1])
    assert soft.sum() == pytest.approx(1, abs=1e-3)
    assert sampled(field, np.array([4.0]), np.array([11.5]))[0] == pytest.approx(0.5)
    assert resized(field, (9, 24))[4, 23] == pytest.approx(resized(field, (9, 24))[4, 0], abs=1e-6)


def test_distance_to_the_border_runs_around_the_head():
    inside = np.ones((20, 40), bool)
    inside[:, 0] = False
    distance = inward_distance(inside)
    assert distance[10, 1] == pytest.approx(1, abs=0.1)
    assert distance[10, 39] == pytest.approx(1, abs=0.1)
    assert distance[10, 5] == pytest.approx(5, abs=0.3)
