"""The membrane against its closed-form solutions."""

import numpy as np

from engine.texture.harmonic import edges_of, extend


def strip(columns: int, rows: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """A triangulated strip; returns its vertex indices as a grid, and its edges without diagonals' influence."""
    grid = np.arange(rows * columns).reshape(rows, columns)
    across = np.stack([grid[:, :-1].ravel(), grid[:, 1:].ravel()], 1)
    along = np.stack([grid[:-1].ravel(), grid[1:].ravel()], 1)
    return grid, np.concatenate([across, along])


def test_edges_are_unique():
    faces = np.array([[0, 1, 2], [2, 1, 3]], np.int32)
    assert edges_of(faces).tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]


def test_between_two_held_ends_values_run_straight():
    grid, edges = strip(21)
    values, weights = np.zeros((grid.size, 1)), np.zeros(grid.size)
    weights[grid[:, 0]] = weights[grid[:, -1]] = 1e6
    values[grid[:, -1]] = 1.0
    found = extend(edges, values, weights, pull=0.0, tolerance=1e-8, iterations=2000)
    np.testing.assert_allclose(found[grid[2], 0], np.linspace(0, 1, 21), atol=1e-4)


def test_unreached_parts_take_the_mean_of_the_known():
    edges = np.array([[0, 1], [2, 3]])
    found = extend(edges, np.array([[1.0], [3.0], [9.0], [9.0]]), np.array([1.0, 1.0, 0.0, 0.0]), tolerance=1e-9)
    np.testing.assert_allclose(found[2:, 0], 2.0, atol=1e-6)


def test_unknown_values_are_ignored_even_when_absurd():
    grid, edges = strip(5)
    values, weights = np.full((grid.size, 3), np.nan), np.zeros(grid.size)
    values[grid[0, 0]], weights[grid[0, 0]] = 0.5, 1.0
    np.testing.assert_allclose(extend(edges, values, weights), 0.5, atol=1e-3)
