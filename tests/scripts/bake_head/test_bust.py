"""A mesh is cut along a curve without slivers, and what is numbered first stays so."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.bake_head.bust import Cut, cut_mesh

SIDE = 9


def grid() -> tuple[np.ndarray, np.ndarray]:
    """(81,2) points one apart and (64,4) quads."""
    points = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="xy"), axis=-1).reshape(-1, 2)
    corner = (np.arange(SIDE - 1)[:, None] * SIDE + np.arange(SIDE - 1)).ravel()
    quads = np.stack([corner, corner + 1, corner + 1 + SIDE, corner + SIDE], axis=1)
    return points.astype(float), quads.astype(np.int32)


def cut_above(height: np.ndarray, final: np.ndarray | None = None, first: np.ndarray | None = None) -> Cut:
    points, quads = grid()
    first = np.zeros(len(points), bool) if first is None else first
    return cut_mesh(quads, quads, height, len(points), first, height if final is None else final)


def area(points: np.ndarray, polygons: np.ndarray) -> np.ndarray:
    """(P,) signed areas of quads and triangles."""
    corners = np.where(polygons < 0, polygons[:, :1], polygons)
    x, y = points[corners].transpose(2, 0, 1)
    return 0.5 * (x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1)


def test_a_straight_cut_leaves_the_right_area_and_a_straight_edge() -> None:
    points, _ = grid()
    cut = cut_above(points[:, 1] - 3.4)
    kept = cut.follow @ points
    assert area(kept, cut.polygons).sum() == pytest.approx(8 * 4.6)
    assert kept[:, 1].min() == pytest.approx(3.4)
    assert np.isclose(kept[:, 1], 3.4).sum() == SIDE
    assert (cut.polygons[:, 3] >= 0).all()


def test_a_slanted_cut_makes_no_sliver_and_runs_along_the_line() -> None:
    points, _ = grid()
    height = points[:, 1] + 0.37 * points[:, 0] - 4.21
    cut = cut_above(height)
    kept = cut.follow @ points
    areas = area(kept, cut.polygons)
    assert areas.min() > 0.04
    level = kept[:, 1] + 0.37 * kept[:, 0] - 4.21
    assert level.min() > -1e-9
    assert np.isclose(level, 0).sum() >= SIDE
    assert np.allclose(np.asarray(cut.follow.sum(axis=1)), 1)


def test_texture_points_stay_with_their_vertices() -> None:
    points, _ = grid()
    cut = cut_above(points[:, 1] - 2.8)
    places, texture = cut.follow @ points, cut.uv_follow @ points
    assert np.allclose(places[cut.polygons[:, :3]], texture[cut.uv_polygons[:, :3]])


def test_the_related_shape_moves_the_edge_but_not_the_polygons() -> None:
    points, _ = grid()
    plain = cut_above(points[:, 1] - 3.4)
    shifted = cut_above(points[:, 1] - 3.4, final=points[:, 1] - 3.2)
    assert np.array_equal(plain.polygons, shifted.polygons)
    assert (shifted.follow @ points)[:, 1].min() == pytest.approx(3.2)


def test_chosen_vertices_come_first_in_their_old_order() -> None:
    points, _ = grid()
    first = (points[:, 1] > 4) & (points[:, 0] > 2)
    for level in (2.2, 3.7):
        cut = cut_above(points[:, 1] - level, first=first)
        assert np.allclose((cut.follow @ points)[: first.sum()], points[first])
