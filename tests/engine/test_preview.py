"""The contact sheet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.preview import (
    BACKDROP,
    FITTED,
    GAP,
    SEEN,
    SIDE,
    Crop,
    contact_sheet,
    cut,
    head_crop,
    overlay,
    preview,
    turntable,
)
from engine.render.lighting import ambient

from .toy_result import box_head


def gradient(width: int, height: int) -> np.ndarray:
    """(H,W,3) uint8 whose red is the column and green the row."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x, y, np.zeros_like(x)], -1).astype(np.uint8)


def test_cut_puts_pixels_where_the_crops_camera_puts_points() -> None:
    for side in (60.0, 200.0, SIDE / 1.0):
        crop = Crop(21.3, 33.7, side)
        panel = cut(gradient(240, 200), crop)
        place = np.array([80.5, 70.5])
        x, y = crop.to_panel(place)
        if max(x, y) < SIDE:
            value = panel[int(y), int(x)].astype(float)
            assert abs(value[0] - 80) <= 1.5
            assert abs(value[1] - 70) <= 1.5
        camera = box_head().camera
        point = np.array([0.02, 0.05, 0.1])
        assert np.allclose(crop.camera(camera).project(point), crop.to_panel(camera.project(point)))


def test_cut_shrinks_a_large_picture_without_moving_it() -> None:
    large = np.repeat(np.repeat(gradient(200, 160), 10, 0), 10, 1)
    panel = cut(large, Crop(300.0, 200.0, 1200.0))
    x, y = Crop(300.0, 200.0, 1200.0).to_panel(np.array([905.0, 705.0]))
    assert np.abs(panel[int(y), int(x), :2].astype(float) - [90, 70]).max() <= 1.5


def test_past_the_photo_is_backdrop() -> None:
    assert tuple(cut(gradient(50, 50), Crop(-100, -100, 120))[5, 5]) == BACKDROP


def test_crop_holds_the_head() -> None:
    head = box_head()
    crop = head_crop(head)
    shown = crop.to_panel(head.camera.project(head.vertices[4:]))
    assert shown.min() > 0
    assert shown.max() < SIDE


def test_overlay_marks_both_kinds_of_landmarks() -> None:
    head = box_head()
    picture = overlay(head, np.zeros((SIDE, SIDE, 3), np.uint8), Crop(0, 0, 240))
    for points, colour in ((head.landmarks_2d, SEEN), (head.landmarks_model_2d, FITTED)):
        x, y = (points[0] * SIDE / 240).astype(int)
        assert np.abs(picture[y, x].astype(int) - colour).max() < 60


def test_turntable_looks_at_the_named_side() -> None:
    head = box_head()
    front, left = turntable(head, 0), turntable(head, 90)
    assert front.position[2] > 1
    assert left.position[0] > 1
    # Seen from its left side, the face looks to the left of the picture.
    assert left.project(np.array([0.0, 0, 0.1]))[0] < left.project(np.array([0.0, 0, -0.1]))[0]


def test_sheet_is_laid_out_in_rows() -> None:
    panels = [(str(value), np.full((20, 30, 3), value, np.uint8)) for value in (10, 60, 120, 180, 240)]
    sheet = contact_sheet(panels, 2)
    assert sheet[GAP + 5, GAP + 5, 0] == 10
    assert sheet[GAP + 5, 2 * GAP + 30 + 5, 0] == 60
    assert sheet[GAP + 20 + 34 + 5, GAP + 5, 0] == 120


def test_preview_shows_the_box_from_its_sides() -> None:
    head = replace(box_head(), illumination=ambient())
    sheet = preview(head, gradient(240, 200))
    view = sheet[GAP : GAP + SIDE, GAP + 2 * (SIDE + GAP) :][:, :SIDE]
    assert np.abs(view[SIDE // 2, SIDE // 2].astype(int) - (180, 40, 40)).max() <= 2
    assert tuple(view[3, 3]) == BACKDROP
    profile = sheet[GAP + SIDE + 34 :, GAP + SIDE + GAP :][:SIDE, :SIDE]
    middle = profile[SIDE // 2, SIDE // 2].astype(int)
    assert middle[1] > 2 * middle[0]  # the box's side is green
