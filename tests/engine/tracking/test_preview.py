"""The preview shows footage, head and clay side by side, at the footage's pace, and darkens where nothing was seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.camera import Camera
from engine.media.clip import Clip
from engine.media.write_clip import ClipWriter
from engine.progress import JobCancelled, Progress
from engine.render.lighting import studio
from engine.tracking.preview import SIDE, shown_square, write_preview
from tests.engine.toy_result import box_head

from .toy_take import toy_take

RED = (200, 30, 30)


@pytest.fixture
def footage(tmp_path: Path) -> Clip:
    with ClipWriter(tmp_path / "red.mp4", 640, 360, 25.0) as writer:
        for _ in range(12):
            writer.add(np.full((360, 640, 3), RED, np.uint8))
    return Clip(tmp_path / "red.mp4")


@pytest.fixture
def take():
    made = toy_take(12, 25.0, ("jawOpen", "still"))
    camera = Camera(np.array([[700.0, 0, 320], [0, 700, 180], [0, 0, 1]]), np.eye(4), 640, 360)
    rng = np.random.default_rng(3)
    landmarks = (np.array([320, 180]) + 50 * rng.uniform(-1, 1, (12, 478, 2))).astype(np.float32)
    return replace(made, camera=camera, landmarks_2d=landmarks)


def test_three_panels(footage: Clip, take, tmp_path: Path) -> None:
    take.confidence[6:8] = 0
    write_preview(tmp_path / "preview.mp4", footage, replace(box_head(), illumination=studio()), take, Progress())
    clip = Clip(tmp_path / "preview.mp4")
    assert clip.info.fps == pytest.approx(12.5)
    frames = [frame.pixels.astype(int) for frame in clip.frames()]
    assert len(frames) == 6
    assert frames[0].shape == (SIDE, 3 * SIDE, 3)
    middle = SIDE // 2
    assert np.abs(frames[0][middle, middle] - RED).max() < 20
    clay, textured = frames[0][middle, 2 * SIDE + middle], frames[0][middle, SIDE + middle]
    assert np.ptp(clay) < 25
    assert np.ptp(textured) > 50  # the box is painted
    assert frames[3].mean() < 0.6 * frames[0].mean()


def test_the_square_holds_the_face(take) -> None:
    shown = shown_square(take)
    low, high = take.landmarks_2d.min(axis=(0, 1)), take.landmarks_2d.max(axis=(0, 1))
    assert (shown.centre - shown.side / 2 < low).all()
    assert (shown.centre + shown.side / 2 > high).all()


def test_a_cancelled_preview_leaves_nothing(footage: Clip, take, tmp_path: Path) -> None:
    with pytest.raises(JobCancelled):
        write_preview(tmp_path / "preview.mp4", footage, box_head(), take, Progress(cancelled=lambda: True))
    assert [path.name for path in tmp_path.iterdir()] == ["red.mp4"]
