"""The parametric parts on their own: eyeball, crowns, lash strips, packing of UV islands."""

import numpy as np
import pytest

from scripts.bake_head.eyes import IRIS_DISC, IRIS_RINGS, SEGMENTS, eyeball
from scripts.bake_head.lashes import strip_grid
from scripts.bake_head.tooth import LOWER, UPPER, build_crown
from scripts.bake_head.uv import BORDER, GAP, STRIP, _pack


def volume(points: np.ndarray, polygons: np.ndarray) -> float:
    """Six times the signed volume between the surface and the origin."""
    last = np.where(polygons[:, 3] < 0, polygons[:, 2], polygons[:, 3])
    first, second, third = (points[polygons[:, i]] for i in range(3))
    halves = np.einsum("nk,nk->n", first, np.cross(second, third))
    return float((halves + np.einsum("nk,nk->n", first, np.cross(third, points[last]))).sum())


def signed_areas(uv: np.ndarray, polygons: np.ndarray) -> np.ndarray:
    last = np.where(polygons[:, 3] < 0, polygons[:, 2], polygons[:, 3])
    return np.cross(uv[polygons[:, 2]] - uv[polygons[:, 0]], uv[last] - uv[polygons[:, 1]]) / 2


def test_an_eyeball_is_a_unit_ball_with_a_bulge_before_the_iris() -> None:
    points, uv, polygons = eyeball(0.37, 0.03)
    radius = np.linalg.norm(points, axis=1)
    white = np.hypot(points[:, 0], points[:, 1]) > 0.38
    np.testing.assert_allclose(radius[white], 1)
    assert radius.max() == pytest.approx(1.03) == radius[0]
    assert volume(points, polygons) > 0
    assert (signed_areas(uv, polygons) > 0).all()
    limbus = np.arange(1, 1 + SEGMENTS) + SEGMENTS * IRIS_RINGS.index(1.0)
    np.testing.assert_allclose(np.hypot(*points[limbus, :2].T), 0.37)
    np.testing.assert_allclose(np.hypot(*uv[limbus].T), IRIS_DISC)
    assert np.hypot(*uv.T).max() == pytest.approx(1)


@pytest.mark.parametrize("crown", [*UPPER, *LOWER])
def test_a_crown_has_its_measures_and_faces_outwards(crown) -> None:
    shape = build_crown(crown)
    assert np.ptp(shape.points[:, 0]) == pytest.approx(crown.width, rel=1e-6)
    assert np.ptp(shape.points[:, 1]) <= crown.thickness * 1.0001
    assert shape.points[:, 2].max() == pytest.approx(1.12 * crown.height, abs=0.01)
    outwards = volume(shape.points - shape.points.mean(axis=0), shape.polygons)
    assert abs(outwards) > 0.5 * crown.width * crown.height * crown.thickness
    assert (signed_areas(shape.uv, shape.polygons) > 0).all()
    mirrored = np.round(shape.points * [-1, 1, 1], 9)
    assert {tuple(point) for point in mirrored + 0.0} == {tuple(point) for point in np.round(shape.points, 9) + 0.0}
    assert shape.tone[:, 0].min() == 0
    assert shape.tone[:, 1].max() == pytest.approx(1)


def test_a_shuffled_strip_is_put_in_order_from_the_nose_and_the_root() -> None:
    columns, rows = 7, 4
    rng = np.random.default_rng(3)
    number = rng.permutation(columns * rows).reshape(columns, rows)
    quads = np.stack([number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]], -1).reshape(-1, 4)
    places = np.zeros((columns * rows, 3))
    places[number] = np.stack(np.broadcast_arrays(-1 - np.arange(columns)[:, None], 0, np.arange(rows)), axis=-1)
    np.testing.assert_array_equal(strip_grid(rng.permutation(quads), places), number)


def test_islands_are_packed_apart_and_by_one_scale() -> None:
    rng = np.random.default_rng(1)
    sizes = rng.uniform(0.1, 1.0, (17, 2))
    boxes = [np.array([[0, 0], [width, 0], [width, height], [0, height]]) for width, height in sizes]
    placed = _pack(boxes)
    low = np.array([box.min(axis=0) for box in placed])
    high = np.array([box.max(axis=0) for box in placed])
    scale = (high - low) / sizes
    np.testing.assert_allclose(scale, scale[0, 0])
    assert low.min() >= BORDER - 1e-12
    assert high[:, 0].max() <= 1 - BORDER + 1e-12
    assert high[:, 1].max() <= BORDER + STRIP - GAP + 1e-12
    for i in range(len(boxes)):
        for j in range(i):
            apart = np.maximum(low[i] - high[j], low[j] - high[i]).max()
            assert apart >= GAP - 1e-9
    assert (high - low).prod(axis=1).sum() > 0.4 * STRIP
