"""The bundled head's UV layout: one square, nothing on top of anything else, the face large and upright."""

import numpy as np
import pytest
from scipy import sparse
from scipy.ndimage import maximum_filter, minimum_filter
from scipy.sparse.csgraph import connected_components

from engine.heads.loader import load_head
from engine.heads.model import HeadModel

SIZE = 1024
PADDING = 8 * SIZE // 2048


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return load_head("open")


@pytest.fixture(scope="module")
def texels(head: HeadModel) -> tuple[np.ndarray, np.ndarray]:
    """(n,) texel and (n,) triangle of every hit of a texel centre strictly inside a UV triangle."""
    return rasterise(head.uv[head.uv_faces].astype(float) * SIZE)


@pytest.fixture(scope="module")
def islands(head: HeadModel) -> np.ndarray:
    """(F,) number of the connected UV island of each triangle."""
    edges = head.uv_faces[:, [0, 1, 1, 2]].reshape(-1, 2)
    count = len(head.uv)
    graph = sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1][head.uv_faces[:, 0]]


def rasterise(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low = np.floor(corners.min(axis=1)).astype(int)
    extent = np.ceil(corners.max(axis=1)).astype(int) - low
    count = extent.prod(axis=1)
    triangle = np.repeat(np.arange(len(corners)), count)
    step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    place = low[triangle] + np.stack([step % extent[triangle, 0], step // extent[triangle, 0]], axis=1)
    inside = np.ones(len(place), bool)
    for first, second in ((0, 1), (1, 2), (2, 0)):
        edge = (corners[:, second] - corners[:, first])[triangle]
        out = place + 0.5 - corners[triangle, first]
        inside &= edge[:, 0] * out[:, 1] - edge[:, 1] * out[:, 0] > 1e-9
    return (place[inside, 1] * SIZE + place[inside, 0]), triangle[inside]


def signed_areas(head: HeadModel) -> np.ndarray:
    corners = head.uv[head.uv_faces].astype(float)
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2


def test_inside_the_square(head: HeadModel) -> None:
    assert head.uv.min() >= 0.0035
    assert head.uv.max() <= 0.9965


def test_no_triangle_is_flipped(head: HeadModel) -> None:
    assert (signed_areas(head) > 0).all()


def test_no_texel_is_covered_twice(texels: tuple[np.ndarray, np.ndarray]) -> None:
    assert np.bincount(texels[0]).max() == 1


def test_islands_are_padded(texels: tuple[np.ndarray, np.ndarray], islands: np.ndarray) -> None:
    label = np.full(SIZE * SIZE, -1)
    label[texels[0]] = islands[texels[1]]
    label = label.reshape(SIZE, SIZE)
    nearest = np.where(label < 0, label.max() + 1, label)
    highest = maximum_filter(label, 2 * PADDING - 1)
    lowest = minimum_filter(nearest, 2 * PADDING - 1)
    covered = highest >= 0
    assert (highest[covered] == lowest[covered]).all()


def outer_skin(head: HeadModel, islands: np.ndarray) -> np.ndarray:
    areas = signed_areas(head)
    return islands == max(np.unique(islands), key=lambda island: areas[islands == island].sum())


def test_the_head_fills_most_of_the_square(head: HeadModel, islands: np.ndarray) -> None:
    areas = signed_areas(head)
    outer = outer_skin(head, islands)
    assert areas[outer].sum() > 0.7
    face = head.regions["face"][head.faces].all(axis=1) & outer
    assert areas[face].sum() > 0.24


def test_the_face_is_upright_and_even(head: HeadModel, islands: np.ndarray) -> None:
    face = head.regions["face"][head.faces].all(axis=1) & outer_skin(head, islands)
    corners, uv = head.vertices[head.faces[face]].astype(float), head.uv[head.uv_faces[face]].astype(float)
    surface = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    per_millimetre = np.sqrt(signed_areas(head)[face] / surface) * 2048 / 1000
    assert np.average(per_millimetre, weights=surface) > 4.5
    heights, rows = corners.mean(axis=1)[:, 1], uv.mean(axis=1)[:, 1]
    assert np.corrcoef(heights, rows)[0, 1] > 0.97


def test_both_sides_are_alike(head: HeadModel, islands: np.ndarray) -> None:
    outer = outer_skin(head, islands)
    at_vertex = np.full((len(head.vertices), 2), np.nan)
    at_vertex[head.faces[outer]] = head.uv[head.uv_faces[outer]]
    front = np.flatnonzero(head.regions["face"] & np.isfinite(at_vertex[:, 0]))
    np.testing.assert_allclose(at_vertex[front], at_vertex[head.mirror[front]] * [-1, 1] + [1, 0], atol=1e-5)
