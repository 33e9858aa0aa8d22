"""Footage of every kind arrives upright, in order, and at the time it is shown."""

from __future__ import annotations

import tracemalloc
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.errors import MediaError
from engine.media import clip as module
from engine.media.clip import Clip, Frame

from .toy_clip import HEIGHT, WIDTH, damage, number_of, numbered, turn, write_gif, write_video


def numbers(frames: list[Frame]) -> list[int]:
    return [number_of(frame.pixels) for frame in frames]


def write_pictures(folder: Path, names: list[str]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(numbered(number)).save(folder / name)
    return [folder / name for name in names]


@pytest.mark.parametrize(
    ("name", "codec", "fps"),
    [
        ("a.mp4", "mp4v", 25.0), ("a.mp4", "mp4v", 30000 / 1001), ("Müller 写真: 1.mov", "mp4v", 24000 / 1001),
        ("a.mkv", "mp4v", 24.0), ("a.mkv", "MJPG", 59.94), ("a.webm", "VP80", 30.0), ("a.webm", "VP90", 25.0),
        ("a.avi", "MJPG", 25.0),
    ],
)  # fmt: skip
def test_every_picture_arrives_once_at_its_time(tmp_path: Path, name: str, codec: str, fps: float) -> None:
    clip = Clip(write_video(tmp_path / name, 40, fps, codec))
    info = clip.info
    assert (info.width, info.height, info.frames, info.kind) == (WIDTH, HEIGHT, 40, "video")
    assert info.fps == pytest.approx(fps, abs=0.01)
    assert info.seconds == pytest.approx(40 / fps, abs=0.01)
    frames = list(clip.frames())
    assert numbers(frames) == list(range(40)) == [frame.index for frame in frames]
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(40) / info.fps, atol=1e-9)
    assert clip.count() == 40
    assert clip.warnings == []
    assert numbers(list(clip.frames())) == list(range(40))  # and again


@pytest.mark.parametrize(
    ("fps", "expected"),
    [
        (50.0, [number // 2 for number in range(80)]),
        (12.5, list(range(0, 40, 2))),
        (5.0, list(range(0, 40, 5))),
        (10.0, [0, 2, 5, 7, 10, 12, 15, 17, 20, 22, 25, 27, 30, 32, 35, 37]),
    ],
)
def test_other_rates_show_what_is_seen_then(tmp_path: Path, fps: float, expected: list[int]) -> None:
    clip = Clip(write_video(tmp_path / "a.mp4", 40))
    frames = list(clip.frames(fps=fps))
    assert numbers(frames) == expected
    assert [frame.time for frame in frames] == [index / fps for index in range(len(expected))]
    assert clip.count(fps=fps) == len(expected)


@pytest.mark.parametrize(
    ("start", "end", "first", "last"), [(0.4, 0.8, 10, 19), (0.41, None, 10, 39), (1.2, 9, 30, 39)]
)
def test_a_stretch(tmp_path: Path, start: float, end: float | None, first: int, last: int) -> None:
    clip = Clip(write_video(tmp_path / "a.mkv", 40))
    frames = list(clip.frames(start, end))
    assert numbers(frames) == list(range(first, last + 1))
    assert frames[0].time == start
    assert clip.count(start, end) == len(frames)


def test_nothing_beyond_the_end(tmp_path: Path) -> None:
    clip = Clip(write_video(tmp_path / "a.mp4", 40))
    assert list(clip.frames(5.0)) == []
    assert list(clip.frames(50.0)) == []
    assert list(clip.frames(1.0, 1.0)) == []
    assert clip.count(5.0) == 0


@pytest.mark.parametrize(("start", "end", "fps"), [(-1, None, None), (2, 1, None), (0, None, 0.0), (0, None, np.nan)])
def test_wrong_stretches(tmp_path: Path, start: float, end: float | None, fps: float | None) -> None:
    clip = Clip(write_video(tmp_path / "a.mp4", 2))
    with pytest.raises(ValueError, match="No such stretch"):
        clip.frames(start, end, fps)


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    """Time stamps 0, 40, 240, 280, 380, 880 ms."""
    clip = Clip(write_gif(tmp_path / "a.gif", [40, 200, 40, 100, 500, 40]))
    frames = list(clip.frames(fps=50.0))
    expected = [0] * 2 + [1] * 10 + [2] * 2 + [3] * 5 + [4] * 25
    assert numbers(frames)[: len(expected)] == expected
    assert set(numbers(frames)[len(expected) :]) == {5}
    assert [frame.index for frame in frames] == list(range(len(frames)))  # a long wait is no hole
    assert numbers(list(clip.frames(0.3, 0.5, 20.0))) == [3, 3, 4, 4]
    assert clip.warnings == []


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (270, 3)])
def test_phone_videos_come_upright(tmp_path: Path, degrees: int, turns: int) -> None:
    """The header asks for a turn clockwise: stored is what needs it."""
    clip = Clip(turn(write_video(tmp_path / "a.mp4", 3), tmp_path / "b.mp4", degrees))
    upright = next(clip.frames()).pixels
    assert (clip.info.height, clip.info.width) == upright.shape[:2]
    expected = np.rot90(numbered(0), -turns)
    assert expected.shape == upright.shape
    assert np.abs(upright.astype(int) - expected).mean() < 6


@pytest.mark.parametrize("start", [0.6, 1.0, 2.37])
@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "mp4v"), ("a.mkv", "MJPG"), ("a.webm", "VP80")])
def test_seeking_is_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, codec: str, start: float) -> None:
    clip = Clip(write_video(tmp_path / name, 75, codec=codec))
    decoded = list(clip.frames(start, start + 0.3))
    monkeypatch.setattr(module, "SEEK_FROM", 0.5)
    monkeypatch.setattr(module, "SEEK_BACK", 0.25)
    sought = list(clip.frames(start, start + 0.3))
    assert numbers(sought) == numbers(decoded)
    assert [frame.time for frame in sought] == [frame.time for frame in decoded]
    np.testing.assert_array_equal(sought[-1].pixels, decoded[-1].pixels)


def test_seeking_past_a_long_wait_falls_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEEK_FROM", 0.1)
    monkeypatch.setattr(module, "SEEK_BACK", 0.05)
    clip = Clip(write_gif(tmp_path / "a.gif", [40, 200, 40, 100, 500, 40]))
    assert numbers(list(clip.frames(0.85, 0.9, 50.0))) == [4, 4, 5]


@pytest.mark.parametrize(
    ("name", "frames", "fps"), [("short_hamilton_clip", 275, 29.97), ("obama_weekly_512", 190, 25)]
)
def test_real_clips(shared: Path, monkeypatch: pytest.MonkeyPatch, name: str, frames: int, fps: float) -> None:
    clip = Clip(shared / "data" / "clips" / f"{name}.mp4")
    assert (clip.info.frames, round(clip.info.fps, 2)) == (frames, fps)
    everything = {frame.index: frame.pixels[::16, ::16].copy() for frame in clip.frames()}
    assert sorted(everything) == list(range(frames))
    assert clip.warnings == []
    monkeypatch.setattr(module, "SEEK_FROM", 1.0)
    for first in (60, 151):
        sought = list(clip.frames(first / clip.info.fps, (first + 2) / clip.info.fps))
        assert len(sought) == 2
        for offset, frame in enumerate(sought):
            np.testing.assert_array_equal(frame.pixels[::16, ::16], everything[first + offset])


def test_a_damaged_middle_leaves_a_hole(tmp_path: Path) -> None:
    clip = Clip(damage(write_video(tmp_path / "a.mkv", 60, codec="MJPG", noise=255), 0.4, 0.5))
    frames = list(clip.frames())
    present = {frame.index: number_of(frame.pixels) for frame in frames}
    missing = [index for index in range(60) if index not in present]
    assert 3 <= len(missing) <= 8
    assert missing == list(range(missing[0], missing[-1] + 1))
    damaged = range(missing[0] - 2, missing[0])  # half a picture, which then stands in for a lost one
    assert all(number == index for index, number in present.items() if index not in damaged)
    assert clip.warnings == [f"{len(missing) + 1} pictures of a.mkv are damaged or missing; they are left out."]


@pytest.mark.parametrize(
    ("lost", "expected", "warned"),
    [
        ([5], [3, 4, 4, 6, 7], False),
        ([5, 6], [3, 4, 4, 7, 8], True),
        ([5, 6, 7, 8], [3, 4, 4, 9, 10], True),
    ],
)
def test_one_lost_picture_is_stood_in_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: list[int], expected: list[int], warned: bool
) -> None:
    class Lossy:
        """A capture whose decoder fails on some pictures and goes on, as FFmpeg's does."""

        def __init__(self, capture: Any) -> None:
            self.capture, self.number = capture, -1

        def __getattr__(self, name: str) -> Any:
            return getattr(self.capture, name)

        def grab(self) -> bool:
            self.number += 1
            grabbed = self.capture.grab()
            return self.grab() if grabbed and self.number in lost else grabbed

    clip = Clip(write_video(tmp_path / "a.mp4", 15))
    opened = module._open
    monkeypatch.setattr(module, "_open", lambda path: Lossy(opened(path)))
    frames = [frame for frame in clip.frames() if frame.index >= 3]
    assert numbers(frames)[:5] == expected
    assert [frame.index for frame in frames if 5 < frame.index <= lost[-1]] == []
    assert number_of(frames[-1].pixels) == frames[-1].index == 14
    assert clip.warnings == [f"{len(lost)} pictures of a.mp4 are damaged or missing; they are left out."] * warned


def test_decoding_goes_on_behind_what_stops_the_decoder(tmp_path: Path) -> None:
    clip = Clip(damage(write_video(tmp_path / "a.mp4", 60, noise=255), 0.4, 0.5))
    frames = list(clip.frames())
    assert frames[-1].index == 59 == number_of(frames[-1].pixels)
    assert len(frames) < 58
    assert "damaged or missing" in clip.warnings[0]


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "MJPG"), ("a.webm", "VP80")])
def test_a_clip_cut_short_says_so(tmp_path: Path, name: str, codec: str) -> None:
    path = write_video(tmp_path / name, 60, codec=codec, noise=255)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    clip = Clip(path)
    assert clip.info.frames == 60
    frames = list(clip.frames())
    assert 20 < len(frames) < 40
    assert len(clip.warnings) == 1
    assert f"{name} ends after 1." in clip.warnings[0]
    assert "of its 2.40 s" in clip.warnings[0]


def test_what_is_no_clip_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def message(name: str, content: bytes | None) -> str:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(MediaError) as caught:
            Clip(path)
        assert str(path) in caught.value.message
        assert caught.value.cure.endswith(".")
        return caught.value.message

    whole = write_video(tmp_path / "whole.mp4", 20).read_bytes()
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(1600))
    assert "There is no file" in message("missing.mp4", None)
    assert "empty" in message("empty.mp4", b"")
    assert "text" in message("text.mp4", b"This is no film.\n" * 20)
    assert "text" in message("list.mp4", b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n")
    assert "no video" in message("noise.mp4", bytes(range(256)) * 9)
    assert "no video" in message("half.mp4", whole[: len(whole) // 2])
    assert "sound only" in message("sound.mp4", (tmp_path / "sound.wav").read_bytes())
    assert "There is no file" in message("missing_0001.png", None)
    assert "No file is named like" in message("missing_%04d.png", None)
    assert "damaged" in message("half.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0")
    (tmp_path / "folder").mkdir()
    assert "holds no pictures" in message("folder", None)
    assert capfd.readouterr().err == ""


def test_a_container_without_pictures(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 1, codec="MJPG")
    path.write_bytes(path.read_bytes()[: path.read_bytes().index(b"movi") + 4])
    with pytest.raises(MediaError, match=r"a\.avi holds no"):
        Clip(path)


def test_numbered_pictures(tmp_path: Path) -> None:
    names = [f"shot_{number:04d}.png" for number in range(9, 13)]
    paths = write_pictures(tmp_path / "Bilder ü", names)
    write_pictures(tmp_path / "Bilder ü", ["unrelated_0010.png"])
    (tmp_path / "Bilder ü" / "notes.txt").write_text("hello")
    for path in (*paths, tmp_path / "Bilder ü" / "shot_%04d.png", tmp_path / "Bilder ü" / "shot_%d.png"):
        clip = Clip(path, sequence_fps=10.0)
        assert (clip.info.width, clip.info.height, clip.info.frames) == (WIDTH, HEIGHT, 4)
        assert (clip.info.fps, clip.info.seconds, clip.info.kind) == (10.0, 0.4, "sequence")
        frames = list(clip.frames())
        assert numbers(frames) == [0, 1, 2, 3]
        assert [frame.time for frame in frames] == [0.0, 0.1, 0.2, 0.3]
        assert numbers(list(clip.frames(0.1, 0.3))) == [1, 2]
        assert numbers(list(clip.frames(fps=20.0))) == [0, 0, 1, 1, 2, 2, 3, 3]
        assert numbers(list(clip.frames(fps=5.0))) == [0, 2]
        assert clip.count(fps=5.0) == 2


def test_a_run_ends_at_a_gap(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, ["a1.png", "a2.png", "a4.png", "a5.png", "a6.png"])
    assert Clip(paths[1]).info.frames == 2
    assert Clip(paths[4]).info.frames == 3
    assert Clip(paths[4]).info.fps == 25.0
    assert Clip(tmp_path).info.frames == 5


def test_a_folder_is_in_natural_order(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path / "row", ["f2.png", "f9.PNG", "f10.png", "f100.png"])
    assert numbers(list(Clip(tmp_path / "row").frames())) == [0, 1, 2, 3]
    assert Clip(paths[1]).info.frames == 2  # 9 and 10, of different width


def test_a_picture_alone(tmp_path: Path) -> None:
    (path,) = write_pictures(tmp_path, ["portrait.png"])
    frames = list(Clip(path).frames())
    assert [(frame.time, frame.index) for frame in frames] == [(0.0, 0)]


def test_pictures_of_different_sizes(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, ["a1.png", "a2.png"])
    Image.new("RGB", (10, 10)).save(paths[1])
    frames = Clip(tmp_path).frames()
    assert next(frames).index == 0
    with pytest.raises(MediaError, match=r"a2\.png has 10 x 10 pixels.*160 x 120"):
        next(frames)


def test_unreadable_pictures_are_left_out(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, [f"a{number}.png" for number in range(8)])
    for number in (2, 5, 6):
        paths[number].write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    clip = Clip(tmp_path)
    assert [(frame.index, number_of(frame.pixels)) for frame in clip.frames()] == [
        (0, 0), (1, 1), (2, 1), (3, 3), (4, 4), (5, 4), (7, 7),
    ]  # fmt: skip
    assert len(clip.warnings) == 3
    assert "a2.png" in clip.warnings[0]


def test_memory_does_not_grow(tmp_path: Path) -> None:
    clip = Clip(write_video(tmp_path / "a.mp4", 200))
    tracemalloc.start()
    try:
        assert sum(1 for _ in clip.frames(fps=100.0)) == 800
        assert tracemalloc.get_traced_memory()[1] < 12 * WIDTH * HEIGHT * 3
    finally:
        tracemalloc.stop()


def test_files_are_closed_when_a_reader_stops(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 5)
    frames = Clip(path).frames()
    next(frames)
    frames.close()
    path.rename(tmp_path / "b.mp4")
    assert len(list(Clip(tmp_path / "b.mp4").frames())) == 5
