"""Tracking from end to end, on a real face whose picture is moved about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from engine.errors import FaceError, JobCancelled, MediaError
from engine.media.write_clip import ClipWriter
from engine.progress import Progress
from engine.result import Reconstruction
from engine.tracking import job
from engine.tracking.chunks import FOLDER
from engine.tracking.job import track
from engine.tracking.livelink import read_livelink
from engine.tracking.options import TrackOptions
from engine.tracking.take import Take

QUICK = TrackOptions(texture_size=256, preview=False, device="cpu")
FRAMES, FPS = 24, 25.0
HIDDEN = range(8, 13)


def shifts() -> np.ndarray:
    """(T,2) pixels by which the picture is moved."""
    t = np.arange(FRAMES) / FPS
    return np.column_stack([30 * np.sin(2 * np.pi * 0.7 * t), 12 * np.sin(2 * np.pi * 1.1 * t)])


def write_clip(path: Path, pictures: Iterator[np.ndarray]) -> Path:
    first = next(pictures)
    with ClipWriter(path, first.shape[1], first.shape[0], FPS) as writer:
        for picture in chain([first], pictures):
            writer.add(picture)
    return path


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The astronaut, moved about; in a few frames a curtain hides her."""
    import cv2

    data = pytest.importorskip("skimage.data")
    picture = cv2.resize(data.astronaut(), (768, 768), interpolation=cv2.INTER_CUBIC)[:512, 80:720]

    def pictures() -> Iterator[np.ndarray]:
        for number, (x, y) in enumerate(shifts()):
            matrix = np.array([[1, 0, x], [0, 1, y]], np.float64)
            moved = cv2.warpAffine(picture, matrix, (640, 512), borderMode=cv2.BORDER_REPLICATE)
            yield np.full_like(moved, 90) if number in HIDDEN else moved

    return write_clip(tmp_path_factory.mktemp("clip") / "gehört dazu.mp4", pictures())


@pytest.fixture(scope="module")
def result(moving: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("result") / "take"
    track(moving, out, QUICK)
    return out


def test_all_files_are_there_and_readable(result: Path) -> None:
    assert not (result / FOLDER).exists()
    report = json.loads((result / "report.json").read_text(encoding="utf-8"))
    assert report["frames"] == FRAMES
    assert report["fps"] == pytest.approx(FPS)
    assert len(report["confidence"]) == FRAMES
    assert report["reprojection"]["mean"] < 0.03
    assert {"Following the face", "Solving the head", "Solving the performance"} <= set(report["seconds"])
    head = Reconstruction.load(result)
    assert head.albedo.shape == (256, 256, 3)
    take = Take.load(result)
    assert take.expression_names == head.expression_names
    table = read_livelink(result / "livelink.csv", FPS)
    smile = take.expression_names.index("mouthSmileLeft")
    np.testing.assert_allclose(table.unit("mouthSmileLeft"), take.expression[:, smile], atol=1e-5)


def test_the_face_is_followed(result: Path) -> None:
    take = Take.load(result)
    seen = take.confidence > 0
    moved = take.landmarks_2d[seen].mean(axis=1) - take.landmarks_2d[seen].mean(axis=(0, 1))
    expected = shifts()[seen] - shifts()[seen].mean(axis=0)
    assert np.abs(moved - expected).max() < 1.5


def test_a_still_face_stays_still_in_the_take(result: Path) -> None:
    take, head = Take.load(result), Reconstruction.load(result)
    basis = head.expression_basis[:, head.face_region].astype(np.float32)
    offsets = np.tensordot(take.expression - take.expression.mean(axis=0), basis, 1)
    assert np.linalg.norm(offsets, axis=2).mean() < 4e-4  # metres, over frames and vertices
    assert np.degrees(np.linalg.norm(take.neck, axis=1)).max() < 4.0


def test_what_was_hidden_is_a_gap_that_is_filled(result: Path) -> None:
    take = Take.load(result)
    assert take.gaps == [(HIDDEN.start, HIDDEN.stop)]
    assert np.isnan(take.landmarks_2d[HIDDEN.start]).all()
    place = take.head_translation[:, 0]
    assert np.isfinite(take.expression).all()
    assert np.abs(np.diff(place)).max() < 3 * np.abs(np.diff(place)).mean()
    report = json.loads((result / "report.json").read_text(encoding="utf-8"))
    assert report["gaps"] == [[pytest.approx(8 / FPS, abs=1e-3), pytest.approx(13 / FPS, abs=1e-3)]]


def test_a_reconstructed_head_can_act(moving: Path, result: Path, tmp_path: Path) -> None:
    report = track(moving, tmp_path / "again", replace(QUICK, head=result, end=0.28))
    assert report["frames"] == 7
    first, again = Reconstruction.load(result), Reconstruction.load(tmp_path / "again")
    np.testing.assert_array_equal(first.vertices, again.vertices)
    one, other = Take.load(result).part(0, 7), Take.load(tmp_path / "again")
    assert np.abs(one.expression - other.expression).mean() < 0.06


def test_a_cancelled_job_goes_on_where_it_was(
    moving: Path, result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "FRAMES", 5)
    out = tmp_path / "take"
    polled = 0

    def impatient() -> bool:
        nonlocal polled
        polled += 1
        return polled > 17

    with pytest.raises(JobCancelled):
        track(moving, out, QUICK, Progress(cancelled=impatient))
    assert [path.name for path in out.iterdir()] == [FOLDER]
    report = track(moving, out, QUICK)
    assert report["frames_resumed"] in (10, 15)
    assert not (out / FOLDER).exists()
    np.testing.assert_allclose(Take.load(out).landmarks_2d, Take.load(result).landmarks_2d, atol=0.2)


def test_a_cancelled_job_leaves_nothing_where_nothing_is_wanted(moving: Path, tmp_path: Path) -> None:
    with pytest.raises(JobCancelled):
        track(moving, tmp_path / "new" / "take", replace(QUICK, keep_partial=False), Progress(cancelled=lambda: True))
    assert not (tmp_path / "new").exists()


def test_a_face_in_few_frames_is_a_take_with_a_warning(moving: Path, result: Path, tmp_path: Path) -> None:
    from engine.media.clip import Clip

    frames = [frame.pixels for frame in Clip(moving).frames(end=0.2)]
    pictures = iter([np.full_like(frames[0], 90)] * 12 + frames[:3] + [np.full_like(frames[0], 90)] * 12)
    clip = write_clip(tmp_path / "short appearance.mp4", pictures)
    report = track(clip, tmp_path / "take", replace(QUICK, head=result))
    assert report["frames_with_face"] == 3
    assert any("Only 11%" in warning for warning in report["warnings"])
    take = Take.load(tmp_path / "take")
    assert take.gaps == [(0, 12), (15, 27)]
    assert np.isfinite(take.head_translation).all()
    assert np.ptp(take.head_translation[:, 2]) < 0.3  # held, not run away with


def test_footage_without_a_face_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    clip = write_clip(tmp_path / "noise.mp4", (rng.integers(0, 255, (240, 320, 3), np.uint8) for _ in range(5)))
    with pytest.raises(FaceError, match=r"noise\.mp4"):
        track(clip, tmp_path / "out", QUICK)
    assert not (tmp_path / "out").exists()


def test_other_bad_input_says_what_is_wrong(moving: Path, tmp_path: Path) -> None:
    text = tmp_path / "letter.mp4"
    text.write_text("Dear Sir or Madam")
    with pytest.raises(MediaError, match=r"letter\.mp4"):
        track(text, tmp_path / "out", QUICK)
    with pytest.raises(MediaError, match=r"starts"):
        track(moving, tmp_path / "out", replace(QUICK, start=60.0))
    with pytest.raises(MediaError, match="no rate"):
        track(moving, tmp_path / "out", replace(QUICK, fps=-5.0))
    with pytest.raises(MediaError, match="ends at"):
        track(moving, tmp_path / "out", replace(QUICK, start=0.5, end=0.4))
    with pytest.raises(FaceError, match="no reconstructed head"):
        track(moving, tmp_path / "out", replace(QUICK, head=tmp_path, end=0.2))
    assert not (tmp_path / "out").exists()
