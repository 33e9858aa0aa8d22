"""Evidence: points at vertices, the network's doubt, and two detectors together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.fitting.detector import DetectorModel
from engine.fitting.sighting import DENSE_DOUBT, Sighting, at_vertices, dense_sighting, fused
from engine.heads.loader import load_head
from engine.perception.crop import Window
from engine.perception.dense import DensePoints

COUNT = 40


@pytest.fixture(scope="module")
def head():
    return load_head()


@pytest.fixture(scope="module")
def vertices(head):
    return np.linspace(0, np.flatnonzero(head.regions["skin"])[-1], COUNT).astype(np.int32)


def plain_detector(count: int = COUNT, usual: float | None = 1e-3) -> DetectorModel:
    none = np.zeros((0, count, 3))
    return DetectorModel(
        bias=np.zeros((count, 3)),
        turn=np.zeros((5, count, 3)),
        answer=none,
        cause=none,
        modes=none,
        deviation=np.full((count, 3), 1e-3),
        usual=None if usual is None else np.full((count, 2), usual),
    )


def seen(head, vertices, scale=1000.0, deviation=1.0) -> DensePoints:
    """The mean head from the front, far away, `scale` pixels a metre."""
    points = head.vertices[vertices] * np.array([scale, -scale, -scale])
    doubt = np.full((len(vertices), 2), deviation, np.float32)
    ones = np.ones(len(vertices), np.float32)
    return DensePoints(vertices, points.astype(np.float32), doubt, ones, 1.0, Window(np.zeros(2), 256.0))


def test_vertices_are_points_of_the_surface(head, vertices):
    found = at_vertices(head, vertices).positions(head.vertices, head.faces)
    np.testing.assert_array_equal(found, head.vertices[vertices])


def test_twice_the_usual_doubt_is_twice_the_deviation(head, vertices):
    sighting = dense_sighting(head, seen(head, vertices, deviation=2.0), plain_detector())  # 2 px are 2 mm
    np.testing.assert_allclose(sighting.detector.deviation, 2e-3 * DENSE_DOUBT, rtol=1e-5)


def test_doubt_is_kept_within_reason(head, vertices):
    sighting = dense_sighting(head, seen(head, vertices, deviation=500.0), plain_detector())
    np.testing.assert_allclose(sighting.detector.deviation, 8e-3 * DENSE_DOUBT, rtol=1e-5)


def test_calibration_of_other_points_is_refused(head, vertices):
    with pytest.raises(ModelFileError, match="41 points"):
        dense_sighting(head, seen(head, vertices), plain_detector(COUNT + 1))


def test_of_two_detectors_the_first_tells_depth(head, vertices):
    first = dense_sighting(head, seen(head, vertices), plain_detector())
    second = Sighting(first.embedding, first.observed + 5.0, replace(plain_detector(), usual=None))
    both = fused(first, second)
    assert both.deep.sum() == COUNT
    assert both.deep[:COUNT].all()
    np.testing.assert_array_equal(both.observed[COUNT:], first.observed + 5.0)
    assert np.isfinite(both.detector.deviation[:, :2]).all()
