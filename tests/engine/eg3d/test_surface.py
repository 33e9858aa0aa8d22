"""Marching cubes draws the surface where it is, closed and the right way round; pieces and fewer triangles."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import measure

from engine.eg3d.simplify import simplify
from engine.eg3d.surface import components, largest_piece, marching_cubes, table


def ball(count=40, radius=0.7) -> np.ndarray:
    axis = np.linspace(-1, 1, count)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    return (radius - np.sqrt(x**2 + y**2 + z**2)).astype(np.float32)


def noise(seed=0) -> np.ndarray:
    """Every case there is, with nothing at the border."""
    volume = np.full((20, 21, 22), -9, np.float32)
    volume[1:-1, 1:-1, 1:-1] = np.random.default_rng(seed).normal(size=(18, 19, 20))
    return volume


def edges(faces):
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def is_closed(faces) -> bool:
    """Every edge is used once in each direction."""
    there = set(map(tuple, edges(faces).tolist()))
    return len(there) == 3 * len(faces) and there == {(b, a) for a, b in there}


def volume_of(vertices, faces) -> float:
    a, b, c = np.asarray(vertices, float)[faces].transpose(1, 0, 2)
    return float((a * np.cross(b, c)).sum() / 6)


def test_a_ball_has_its_volume_and_its_radius():
    vertices, faces = marching_cubes(ball(), 0.0)
    radius = 0.7 * 39 / 2
    assert volume_of(vertices, faces) == pytest.approx(
        4 / 3 * np.pi * radius**3, rel=5e-3
    )  # positive: outside in front
    np.testing.assert_allclose(np.linalg.norm(vertices - 19.5, axis=1), radius, atol=0.02)
    assert is_closed(faces)
    assert len(vertices) - 3 * len(faces) // 2 + len(faces) == 2


def test_surfaces_of_noise_are_closed():
    vertices, faces = marching_cubes(noise(), 0.1)
    assert is_closed(faces)
    assert len(vertices) == faces.max() + 1


def test_vertices_are_those_of_another_implementation():
    volume = noise(3)
    vertices, faces = marching_cubes(volume, 0.1)
    theirs, others, _, _ = measure.marching_cubes(volume, 0.1, method="lorensen")
    assert len(faces) == len(others)
    order, their_order = (np.lexsort(np.round(v, 3).T) for v in (vertices, theirs))
    # Theirs adds a small number to the differences that it divides by.
    np.testing.assert_allclose(vertices[order], theirs[their_order], atol=5e-4)


def test_one_inner_corner_is_cut_off_by_one_triangle():
    volume = np.zeros((2, 2, 2), np.float32)
    volume[0, 0, 0] = 4.0
    vertices, faces = marching_cubes(volume, 1.0)
    assert sorted(vertices.tolist()) == [[0, 0, 0.75], [0, 0.75, 0], [0.75, 0, 0]]
    a, b, c = vertices[faces[0]]
    assert (np.cross(b - a, c - a) > 0).all()


def test_the_table_has_every_case():
    rule = table()
    assert rule.counts[[0, 255]].tolist() == [0, 0]
    assert (rule.counts[1:255] > 0).all()
    assert rule.counts.max() == 5
    assert rule.counts[[0b1, 0b11, 0b1111, 0b1001]].tolist() == [1, 2, 2, 2]


def test_an_empty_volume_has_no_surface():
    vertices, faces = marching_cubes(np.zeros((4, 4, 4)), 1.0)
    assert vertices.shape == faces.shape == (0, 3)


def test_components_of_a_chain_and_a_loose_triangle():
    faces = np.array([[5, 6, 7], [7, 8, 9], [9, 4, 3], [0, 1, 2]])
    assert components(faces, 11).tolist() == [0, 0, 0, 3, 3, 3, 3, 3, 3, 3, 10]


def test_the_largest_piece_is_kept():
    volume = np.maximum(ball(30, 0.5), -0.2)
    volume[1:4, 1:4, 1:4] = 0.3
    vertices, faces = marching_cubes(volume, 0.0)
    kept, own, which = largest_piece(vertices, faces)
    assert is_closed(own)
    np.testing.assert_allclose(np.linalg.norm(kept - 14.5, axis=1), 0.5 * 29 / 2, atol=0.05)
    assert np.array_equal(vertices[which], kept)
    assert len(own) < len(faces)


def test_fewer_triangles_keep_shape_and_orientation():
    vertices, faces = marching_cubes(ball(), 0.0)
    fewer, own = simplify(vertices, faces, 1500)
    assert 0.85 * 1500 < len(own) <= 1500
    assert is_closed(own)
    assert own.max() < len(fewer)
    radius = 0.7 * 39 / 2
    assert volume_of(fewer, own) == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.02)
    assert np.abs(np.linalg.norm(fewer - 19.5, axis=1) - radius).max() < 0.15  # of cells of about 1.5


def test_corners_of_a_box_stay_sharp():
    volume = np.full((33, 33, 33), -1.0, np.float32)
    volume[8:25, 8:25, 8:25] = 1.0
    vertices, faces = marching_cubes(volume, 0.0)
    fewer, _ = simplify(vertices, faces, 300)
    corners = np.stack(np.meshgrid([7.5, 24.5], [7.5, 24.5], [7.5, 24.5]), -1).reshape(-1, 3)
    nearest = np.linalg.norm(corners[:, None] - fewer, axis=2).min(1)
    means = np.linalg.norm(corners[:, None] - vertices, axis=2).min(1)
    assert nearest.max() < 0.75  # marching cubes itself cuts them by half a voxel
    assert means.max() == pytest.approx(0.5 * 2**0.5, abs=1e-3)


def test_small_meshes_stay_as_they_are():
    vertices, faces = marching_cubes(ball(8), 0.0)
    same, own = simplify(vertices, faces, len(faces))
    assert np.array_equal(same, vertices)
    assert own is faces
    with pytest.raises(ValueError, match="four"):
        simplify(vertices, faces, 3)
