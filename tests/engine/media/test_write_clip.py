"""Clips are written whole or not at all, and read back as they were."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.errors import OutputError
from engine.media.clip import Clip
from engine.media.write_clip import ClipWriter, usable_codecs

from .toy_clip import HEIGHT, WIDTH, number_of, numbered

ROOT = Path(__file__).parents[3]
COLOURS = [(200, 30, 30), (30, 180, 40), (30, 40, 190), (224, 172, 140), (92, 60, 46), (128, 128, 128)]


def test_something_can_be_written() -> None:
    assert "mp4v" in usable_codecs()


@pytest.mark.parametrize("fps", [12.0, 25.0, 30000 / 1001, 60.0])
def test_pictures_come_back_at_their_times(tmp_path: Path, fps: float) -> None:
    path = tmp_path / "Überblick 1.mp4"
    path.write_bytes(b"an earlier one")
    with ClipWriter(path, WIDTH, HEIGHT, fps) as clip:
        for number in range(30):
            assert path.read_bytes() == b"an earlier one"
            clip.add(numbered(number))
        assert clip.frames == 30
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    read = Clip(path)
    assert (read.info.width, read.info.height, read.info.frames) == (WIDTH, HEIGHT, 30)
    assert read.info.fps == pytest.approx(fps, abs=0.001)
    frames = list(read.frames())
    assert [number_of(frame.pixels) for frame in frames] == list(range(30))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(30) / fps, atol=0.001)


def test_colours_are_kept(tmp_path: Path) -> None:
    picture = np.zeros((64, 6 * 32, 3), np.uint8)
    for column, colour in enumerate(COLOURS):
        picture[:, 32 * column : 32 * column + 32] = colour
    with ClipWriter(tmp_path / "a.mp4", 192, 64, 25.0) as clip:
        for _ in range(5):
            clip.add(picture[::-1][::-1])  # not contiguous is fine
    for frame in Clip(tmp_path / "a.mp4").frames():
        for column, colour in enumerate(COLOURS):
            found = frame.pixels[8:-8, 32 * column + 8 : 32 * column + 24].reshape(-1, 3).astype(int)
            assert np.abs(found - colour).max() <= 12


@pytest.mark.parametrize(("width", "height"), [(161, 121), (160, 121), (161, 120), (3, 5)])
def test_odd_sizes_are_padded(tmp_path: Path, width: int, height: int) -> None:
    picture = np.full((height, width, 3), 60, np.uint8)
    picture[:, -1], picture[-1] = 200, 200
    with ClipWriter(tmp_path / "a.mp4", width, height, 25.0) as clip:
        clip.add(picture)
    (frame,) = Clip(tmp_path / "a.mp4").frames()
    assert frame.pixels.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(frame.pixels[-1].astype(int) - 200).mean() < 40


def test_nothing_is_left_after_an_exception(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"

    def fail_midway() -> None:
        with ClipWriter(path, WIDTH, HEIGHT, 25.0) as clip:
            clip.add(numbered(0))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail_midway()
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"an earlier one")
    with pytest.raises(RuntimeError, match="stop"):
        fail_midway()
    assert [item.read_bytes() for item in tmp_path.iterdir()] == [b"an earlier one"]


@pytest.mark.parametrize(
    "pixels", [np.zeros((120, 161, 3), np.uint8), np.zeros((120, 160), np.uint8), np.zeros((120, 160, 3))]
)
def test_wrong_pictures(tmp_path: Path, pixels: np.ndarray) -> None:
    with (
        pytest.raises(ValueError, match=r"made of \(120,160,3\) uint8"),
        ClipWriter(tmp_path / "a", 160, 120, 5) as clip,
    ):
        clip.add(pixels)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("width", "height", "fps"), [(0, 10, 25.0), (10, -1, 25.0), (10, 10, 0.0)])
def test_wrong_sizes(tmp_path: Path, width: int, height: int, fps: float) -> None:
    with pytest.raises(ValueError, match="No clip can have"):
        ClipWriter(tmp_path / "a.mp4", width, height, fps)


def test_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no picture"), ClipWriter(tmp_path / "a.mp4", 160, 120, 25.0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_no_folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("not a folder")
    for folder in ("missing", "file"):
        with pytest.raises(OutputError, match=r"Cannot write .*a\.mp4") as caught:
            ClipWriter(tmp_path / folder / "a.mp4", 160, 120, 25.0)
        assert "free space" in caught.value.cure
    assert capfd.readouterr().err == ""


def test_no_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.media.write_clip.usable_codecs", lambda: ())
    with pytest.raises(OutputError, match="no MP4 encoder"):
        ClipWriter(tmp_path / "a.mp4", 160, 120, 25.0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="limits file size by setrlimit")
def test_disk_full_leaves_the_earlier_clip(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"an earlier one")
    code = (
        "import resource, signal, sys, numpy as np; from pathlib import Path\n"
        "from engine.media.write_clip import ClipWriter, usable_codecs; from engine.errors import OutputError\n"
        "usable_codecs(); signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "noise = np.random.default_rng(0).integers(0, 256, (99, 99, 3), dtype=np.uint8)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        "try:\n"
        "    with ClipWriter(Path(sys.argv[1]), 99, 99, 25.0) as clip:\n"
        "        for _ in range(50): clip.add(noise)\n"
        "except OutputError as error: print(error)\n"
    )
    command = [sys.executable, "-B", "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert "could be written" in done.stdout
    assert done.stderr == ""
    assert [item.read_bytes() for item in tmp_path.iterdir()] == [b"an earlier one"]
