"""Flattening: flat stays flat, folds never appear, density is obeyed."""

import numpy as np
import pytest

from scripts.bake_head.opening import boundary_loops, density, open_head
from scripts.bake_head.unwrap import Flattening, flatten, rest_edges, tutte


def grid(columns: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """(V,2) points of a unit square and (F,3) triangles, counter-clockwise."""
    across, up = np.meshgrid(np.linspace(0, 1, columns), np.linspace(0, 1, rows))
    index = np.arange(columns * rows).reshape(rows, columns)
    quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1).reshape(-1, 4)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return np.stack([across.ravel(), up.ravel()], axis=1), triangles


def areas(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    corners = points[triangles]
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2


def test_rest_edges_keep_lengths_and_area() -> None:
    corners = np.array([[[0, 0, 0], [3, 0, 0], [0, 4, 0]], [[1, 1, 1], [1, 1, 3], [1, 4, 1]]], float)
    edges = rest_edges(corners)
    np.testing.assert_allclose(np.linalg.norm(edges[:, :, 0], axis=1), [3, 2])
    np.testing.assert_allclose(np.linalg.norm(edges[:, :, 1], axis=1), [4, 3])
    np.testing.assert_allclose(np.linalg.det(edges) / 2, [6, 3])


def test_tutte_keeps_every_triangle_the_right_way_round() -> None:
    _, triangles = grid(9, 7)
    rim = boundary_loops(triangles)[0]
    turn = np.linspace(0, 2 * np.pi, len(rim), endpoint=False)
    result = tutte(triangles, rim, np.stack([np.cos(turn), np.sin(turn)], axis=1))
    assert len(rim) == 2 * (8 + 6)
    assert areas(result, triangles).min() > 0


def test_a_flat_sheet_comes_back_without_distortion() -> None:
    points, triangles = grid(8, 8)
    rng = np.random.default_rng(0)
    inner = (points > 0.01).all(axis=1) & (points < 0.99).all(axis=1)
    start = points + rng.uniform(-0.03, 0.03, points.shape) * inner[:, None]
    flat = np.concatenate([points, np.zeros((len(points), 1))], axis=1)
    free = np.repeat(inner[:, None], 2, axis=1)
    task = Flattening(triangles, rest_edges(flat[triangles]), np.ones(len(triangles)), start, free)
    np.testing.assert_allclose(flatten(task, tolerance=1e-12), points, atol=1e-5)


def test_wanted_density_is_approached_and_nothing_folds() -> None:
    points, triangles = grid(12, 12)
    wanted = np.where(points[triangles].mean(axis=1)[:, 0] < 0.5, 1.5, 0.5)
    flat = np.concatenate([points, np.zeros((len(points), 1))], axis=1)
    rest = rest_edges(flat[triangles]) * wanted[:, None, None]
    free = (points > 0.01) & (points < 0.99)
    result = flatten(Flattening(triangles, rest, np.linalg.det(rest), points, free))
    area = areas(result, triangles)
    assert area.min() > 0
    assert area[wanted > 1].mean() > 1.5 * area[wanted < 1].mean()
    np.testing.assert_allclose(area.sum(), 1)


def test_loops_are_found_with_the_surface_on_their_left() -> None:
    points, triangles = grid(6, 6)
    hole = ~((np.abs(points[triangles].mean(axis=1) - 0.5) < 0.1).all(axis=1))
    loops = sorted(boundary_loops(triangles[hole]), key=len)
    assert [len(loop) for loop in loops] == [4, 20]

    def turning(loop: np.ndarray) -> float:
        x, y = points[loop].T
        return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())

    assert turning(loops[0]) < 0 < turning(loops[1])


def test_the_face_is_wanted_denser_than_the_back() -> None:
    nose, ear, nape = density(np.array([[0.0, 6.9, 1.6], [0.8, 7.0, 0.2], [0.0, 6.0, -0.2]]))
    assert 1.0 < nose < 1.5
    assert nose > 1.8 * ear > 1.8 * nape > 0


@pytest.mark.parametrize("height", [0.6, 0.8])
def test_a_head_like_shell_fills_its_rectangle(height: float) -> None:
    vertices, polygons, mirror = shell()
    uv, uv_polygons = open_head(vertices, polygons, mirror, height)
    corners = uv[np.where(uv_polygons < 0, uv_polygons[:, 2:3], uv_polygons)]
    area = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]) / 2
    assert area.min() > 0
    assert area.sum() == pytest.approx(height, rel=0.08)  # but for the mouth and eyes
    np.testing.assert_allclose([uv.min(), uv[:, 0].max(), uv[:, 1].max()], [0, 1, height], atol=1e-9)
    np.testing.assert_allclose(sorted(uv[:, 0]), sorted(1 - uv[:, 0]), atol=1e-9)


def shell() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A ball of quads, open below, with a mouth and two eyes; vertices, polygons, mirror table."""
    count, rings = 32, 24
    turn = 2 * np.pi * np.arange(count) / count
    fall = np.linspace(0.03, 0.85 * np.pi, rings)
    ring = np.stack([np.sin(turn), np.zeros(count), np.cos(turn)], axis=1)
    points = np.sin(fall)[:, None, None] * ring + np.cos(fall)[:, None, None] * [0, 1, 0]
    vertices = np.concatenate([points.reshape(-1, 3), [[0, 1, 0]]]) * [0.8, 1.1, 0.9] + [0, 7.0, 0.6]
    index = np.arange(rings * count).reshape(rings, count)
    right = np.roll(index, -1, axis=1)
    quads = np.stack([index[1:], right[1:], right[:-1], index[:-1]], axis=-1)
    keep = np.ones(quads.shape[:2], bool)
    keep[14:16, [30, 31, 0, 1]] = False
    keep[9:11, [2, 3, 28, 29]] = False
    top = np.stack([index[0], right[0], np.full(count, rings * count), np.full(count, -1)], axis=-1)
    mirrored = np.append(index[:, -np.arange(count) % count].ravel(), rings * count)
    return vertices, np.concatenate([quads[keep], top]).astype(np.int32), mirrored.astype(np.int32)
