"""Thickness and length of hair are read from its outline in metres."""

import cv2
import numpy as np
import pytest

from engine.camera import Camera
from engine.hair.outline import RAYS, ROWS, measure_outline, sure_mask

SKULL, SIZE, FOCAL = 0.08, 400, 800.0


def ball(camera_turn: float = 0.0):
    """Points of a sphere, and a camera 2 m before it that is rolled by some degrees."""
    rng = np.random.default_rng(0)
    points = rng.standard_normal((20000, 3))
    points *= SKULL / np.linalg.norm(points, axis=1, keepdims=True)
    view = np.diag([1.0, -1.0, -1.0, 1.0])
    view[:3, 3] = (0, -0.03, 2)
    a = np.radians(camera_turn)
    roll = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    view[:3] = roll @ view[:3]
    K = np.array([[FOCAL, 0, SIZE / 2], [0, FOCAL, SIZE / 2], [0, 0, 1]])
    return points, Camera(K, view, SIZE, SIZE)


def disc(camera, radius):
    """A mask of everything within `radius` metres of the middle."""
    x, y = camera.project(np.zeros(3))
    columns, rows = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    return (np.hypot(columns - x, rows - y) < radius * FOCAL / 2).astype(np.float32)


@pytest.mark.parametrize("turn", [0.0, 30.0])
def test_even_hair_is_as_thick_as_it_is(turn):
    points, camera = ball(turn)
    outline = measure_outline(disc(camera, 0.11), camera, np.zeros(3), points)
    assert outline.scale == pytest.approx(FOCAL / 2)
    assert np.allclose(outline.skull[ROWS : ROWS + RAYS], SKULL, atol=0.002)
    assert np.allclose(outline.thickness[ROWS + 8 : ROWS + RAYS - 8], 0.03, atol=0.003)
    assert outline.general == pytest.approx(0.03, abs=0.003)


def test_a_bald_head_has_none():
    points, camera = ball()
    outline = measure_outline(np.zeros((SIZE, SIZE), np.float32), camera, np.zeros(3), points)
    assert outline.thickness.max() == 0
    assert outline.bottom.max() == 0


def test_what_hangs_is_measured_on_each_side():
    points, camera = ball()
    mask = disc(camera, 0.10)
    x, y = camera.project(np.zeros(3))
    pixels = FOCAL / 2
    cv2.rectangle(mask, (int(x + 0.06 * pixels), int(y)), (int(x + 0.12 * pixels), int(y + 0.16 * pixels)), 1.0, -1)
    outline = measure_outline(mask, camera, np.zeros(3), points)
    assert outline.bottom[0] == pytest.approx(0.16, abs=0.006)
    assert outline.bottom[1] < 0.11
    assert outline.extent[0, 40] == pytest.approx(0.12, abs=0.004)


def test_opposite_sides_are_at_opposite_ends():
    points, camera = ball()
    outline = measure_outline(disc(camera, 0.11), camera, np.zeros(3), points)
    place, radius = outline.place(camera.project(np.array([[0.08, 0.0, 0], [0, 0.08, 0], [-0.08, -0.03, 0]])))
    assert place == pytest.approx([ROWS, ROWS + RAYS / 2, ROWS + RAYS - 1 + 10], abs=0.6)
    assert radius == pytest.approx([0.08, 0.08, 0.08], abs=1e-3)


def test_faint_hair_counts_where_it_is_surest():
    faint = np.zeros((20, 20), np.float32)
    faint[5:15, 5:15] = 0.45
    assert sure_mask(faint)[10, 10] == pytest.approx(1)
    assert sure_mask(0.3 * faint).max() < 0.4
