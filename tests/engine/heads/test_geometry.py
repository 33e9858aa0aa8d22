"""The small geometry under the loaders, against brute force and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from engine.heads.geometry import closest_places, closest_weights, edges_of, mirrored, nearest, pieces, vertex_normals
from engine.heads.sparse import SparseRows, laplacian, solve
from engine.heads.unwrap import unwrap


def test_pieces_are_what_hangs_together() -> None:
    np.testing.assert_array_equal(pieces(np.array([[0, 1, 2], [5, 4, 3], [2, 6, 1]]), 8), [0, 0, 0, 3, 3, 3, 0, 7])


@pytest.mark.parametrize("count", [1, 4])
def test_nearest_is_that_of_trying_all(count: int) -> None:
    random = np.random.default_rng(0)
    points, targets = random.normal(size=(300, 3)), random.normal(size=(200, 3))
    rows, far = nearest(points, targets, count)
    away = np.linalg.norm(points[:, None] - targets, axis=2)
    np.testing.assert_array_equal(rows, np.argsort(away, axis=1)[:, :count])
    np.testing.assert_allclose(far, np.sort(away, axis=1)[:, :count])
    assert nearest(points, targets[:2], 4)[0].shape == (300, 2)


@pytest.mark.parametrize(
    ("point", "weights"),
    [
        ([0.25, 0.25, 3], [0.5, 0.25, 0.25]),  # above the inside
        ([0.5, -2, 0], [0.5, 0.5, 0]),  # beside an edge
        ([-1, -1, 1], [1, 0, 0]),  # off a corner
        ([3, 0, 0], [0, 1, 0]),
        ([1, 1, 0], [0, 0.5, 0.5]),
    ],
)
def test_the_nearest_point_of_a_triangle(point: list[float], weights: list[float]) -> None:
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], float)
    np.testing.assert_allclose(closest_weights(np.array(point, float), corners), weights, atol=1e-12)


def test_places_facing_the_other_way_are_passed_over() -> None:
    square = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], float)
    vertices = np.concatenate([square, square - np.array([0, 0, 0.5])])
    faces = np.array([[0, 2, 1], [3, 4, 5]])  # the upper one faces down
    point, up = np.array([[0.2, 0.2, 0.1]]), np.array([[0, 0, 1.0]])
    assert closest_places(point, vertices, faces).face.tolist() == [0]
    found = closest_places(point, vertices, faces, up)
    assert found.face.tolist() == [1]
    np.testing.assert_allclose(found.distance, [0.6])
    np.testing.assert_allclose(found.on(vertices, faces), [[0.2, 0.2, -0.5]])


def test_mirror_images_and_the_midline() -> None:
    vertices = np.array([[1, 0, 0], [-1, 0, 0], [0, 2, 0], [0.5, 1, 0], [-0.5, 1.001, 0]])
    np.testing.assert_array_equal(mirrored(vertices), [1, 0, 2, 4, 3])


def test_normals_point_outwards() -> None:
    corners = np.array([[1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]], float)
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    np.testing.assert_allclose(vertex_normals(corners, faces), corners / np.sqrt(3), atol=1e-12)


def test_a_sparse_matrix_multiplies_and_solves_like_a_dense_one() -> None:
    random = np.random.default_rng(1)
    edges = np.array([[0, 1], [1, 2], [2, 3], [0, 3], [1, 3]])
    weights, extra = random.uniform(0.5, 2, 5), random.uniform(0.1, 1, 4)
    dense = np.diag(extra)
    for (a, b), weight in zip(edges, weights, strict=True):
        dense[[a, b], [a, b]] += weight
        dense[[a, b], [b, a]] -= weight
    matrix, right = laplacian(edges, weights, extra), random.normal(size=(4, 2))
    np.testing.assert_allclose(matrix @ right, dense @ right)
    np.testing.assert_allclose(solve(matrix, right, np.zeros((4, 2)), 1e-12), np.linalg.solve(dense, right), rtol=1e-9)
    doubled = SparseRows.of(np.array([0, 0]), np.array([1, 1]), np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    np.testing.assert_allclose(doubled @ np.array([[1.0], [10.0]]), [[31.0], [10.0]])


def signed_areas(uv: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (uv[faces[:, corner]].astype(float) for corner in range(3))
    return (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]


def test_a_head_is_laid_flat_without_folds_or_overlaps(toy_head) -> None:
    head = toy_head
    assert (signed_areas(head.uv, head.uv_faces) > 0).all()
    assert head.uv.min() >= 0
    assert head.uv.max() <= 1
    for slot, (low, high) in {0: (0.009, 0.991), 1: (0, 1), 2: (0, 1)}.items():
        used = head.uv[head.uv_faces[head.face_materials == slot]]
        assert used.min() >= low
        assert used.max() <= high
    skin = head.uv[np.unique(head.uv_faces[head.face_materials == 0])] - 0.5
    eyes = head.uv[np.unique(head.uv_faces[head.face_materials > 0])] - 0.5
    assert np.linalg.norm(skin, axis=1).max() < 0.4901
    assert np.linalg.norm(eyes, axis=1).min() > 0.5  # the corners outside the disc
    owner = np.full(len(head.uv), -1)
    owner[head.uv_faces.ravel()] = head.faces.ravel()
    assert (owner[head.uv_faces] == head.faces).all()
    # Few vertices are doubled: the seam at the back and the eyes' rims.
    assert len(head.uv) < 1.04 * len(head.vertices)
    face = np.isin(owner, np.flatnonzero(head.regions["nose"]))
    up = np.polyfit(head.vertices[owner[face], 1], head.uv[face, 1], 1)[0]
    assert up > 0


def test_what_is_no_surface_gets_islands_of_single_triangles() -> None:
    random = np.random.default_rng(0)
    faces = np.stack([random.permutation(30)[:3] for _ in range(101)])
    layout = unwrap(random.normal(size=(30, 3)), faces, np.zeros(101, int))
    assert (signed_areas(layout.uv, layout.faces) > 0).all()
    assert len(np.unique(layout.faces)) == 303
    cells = np.floor(layout.uv[layout.faces].mean(1) * 8).astype(int)
    assert np.bincount(cells[:, 0] * 8 + cells[:, 1]).max() <= 2


def test_edges_are_listed_once() -> None:
    np.testing.assert_array_equal(edges_of(np.array([[0, 1, 2], [2, 1, 3]])), [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]])
