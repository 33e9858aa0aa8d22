"""Triangles over a grid: all of them, and few."""

from __future__ import annotations

import numpy as np
import pytest

from engine.depth.simplify import Hierarchy, Leaves


def whole(height: int, width: int) -> Leaves:
    there = np.ones((height - 1, width - 1), bool)
    return Leaves(there, there)


def areas(faces: np.ndarray, width: int) -> np.ndarray:
    """Signed, counter-clockwise as the camera sees it is positive."""
    row, column = np.divmod(faces.astype(np.int64), width)
    one, two = ((column[:, k] - column[:, 0], row[:, k] - row[:, 0]) for k in (1, 2))
    return -(one[0] * two[1] - one[1] * two[0]) / 2


def ordered(faces: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(np.roll(face, -int(face.argmin())).tolist()) for face in faces}


@pytest.mark.parametrize("shape", [(9, 9), (6, 13), (40, 21)])
def test_without_tolerance_all_triangles_are_there(shape: tuple[int, int]) -> None:
    heights = np.random.default_rng(0).normal(size=shape)
    leaves = whole(*shape)
    assert ordered(Hierarchy(heights, leaves).faces(-1.0)) == ordered(leaves.faces())
    assert len(leaves.faces()) == leaves.count == 2 * (shape[0] - 1) * (shape[1] - 1)
    assert (areas(leaves.faces(), shape[1]) == 0.5).all()


def test_a_plane_needs_two() -> None:
    heights = np.add.outer(0.5 * np.arange(33), 0.25 * np.arange(33))
    assert len(Hierarchy(heights, whole(33, 33)).faces(1e-4)) == 2


def test_few_triangles_cover_the_same_ground_once() -> None:
    rng = np.random.default_rng(1)
    leaves = Leaves(rng.random((28, 43)) > 0.3, rng.random((28, 43)) > 0.3)
    flat = Hierarchy(np.zeros((29, 44)), leaves).faces(0.0)
    assert len(flat) < leaves.count
    assert (areas(flat, 44) > 0).all()
    assert areas(flat, 44).sum() == leaves.count / 2
    assert len(np.unique(flat)) <= len(np.unique(leaves.faces()))


def test_no_cracks_open() -> None:
    """Every inner edge has two faces: only the square's own border is a border."""
    heights = np.random.default_rng(2).normal(size=(33, 33)).cumsum(0).cumsum(1)
    faces = Hierarchy(heights, whole(33, 33)).faces(float(np.abs(heights).max() / 10))
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    unique, times = np.unique(edges, axis=0, return_counts=True)
    row, column = np.divmod(unique[times == 1], 33)
    on_border = ((row == 0) | (row == 32)).all(1) | ((column == 0) | (column == 32)).all(1)
    assert on_border.all()
    assert times.max() == 2


def test_the_surface_stays_within_the_tolerance() -> None:
    rows, columns = np.mgrid[:65, :65]
    heights = 10 * np.sin(rows / 9.0) * np.cos(columns / 7.0)
    for tolerance in (0.5, 0.05):
        faces = Hierarchy(heights, whole(65, 65)).faces(tolerance)
        row, column = np.divmod(faces.astype(np.int64), 65)
        flat = heights.ravel()[faces]
        best = np.full(len(faces), np.inf)
        for one, two in ((0, 1), (1, 2), (2, 0)):
            r, c = (row[:, one] + row[:, two]) // 2, (column[:, one] + column[:, two]) // 2
            even = ((row[:, one] + row[:, two]) % 2 == 0) & ((column[:, one] + column[:, two]) % 2 == 0)
            error = np.abs(heights[r, c] - 0.5 * (flat[:, one] + flat[:, two]))
            longest = np.hypot(row[:, one] - row[:, two], column[:, one] - column[:, two])
            size = np.sqrt(2 * np.abs(areas(faces, 65)))
            best = np.where(even & (longest > 1.2 * size), error, best)
        assert best[np.isfinite(best)].max() <= tolerance


def test_a_budget_is_kept_and_used() -> None:
    rows, columns = np.mgrid[:129, :129]
    heights = 30 * np.sin(rows / 19.0) * np.cos(columns / 17.0)
    found = Hierarchy(heights, whole(129, 129)).within(2000)
    assert found is not None
    assert 1800 < len(found) <= 2000


def test_an_impossible_budget_is_told() -> None:
    ragged = np.random.default_rng(3).random((32, 32)) > 0.5
    assert Hierarchy(np.zeros((33, 33)), Leaves(ragged, ragged)).within(10) is None
