"""Reading footage: video files, GIFs and numbered pictures as upright sRGB frames at even times, in constant memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from math import ceil, isfinite
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import MediaError
from .numbered import READABLE, numbered_pictures
from .read import _looks_like_text, read_photo

VIDEOS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".gif")  # what file dialogs offer; others are tried, too
AGAIN = "Copy or download it again, or convert it to MP4."
SEQUENCE_FPS = 25.0
SLACK = 0.49  # of a tick: containers round their time stamps (Matroska: to milliseconds)
NOTHING = 1e-6  # seconds or frames: what rounding makes
PLAUSIBLE_FPS = (0.1, 480.0)  # containers without a rate say 0, 1000 or 90000
SEEK_FROM, SEEK_BACK = 10.0, 1.0  # seconds: nearer starts are decoded up to; farther ones are approached from before
EARLY = 0.95  # a clip that ends before this share of its stated length is cut short


@dataclass(frozen=True)
class ClipInfo:
    """What is known of a clip before it is decoded.

    Attributes:
        path: the file, or the folder, picture or pattern that was asked for.
        width, height: upright, pixels.
        fps: average pictures a second.
        frames: pictures, as the container says; 0 where it does not say.
        seconds: length, frames / fps; 0 where unknown.
        kind: a file with moving pictures, or still pictures in a row.
    """

    path: Path
    width: int
    height: int
    fps: float
    frames: int
    seconds: float
    kind: Literal["video", "sequence"]


@dataclass(frozen=True)
class Frame:
    """One picture of a clip.

    Attributes:
        time: seconds from the clip's beginning.
        pixels: (H,W,3) uint8 sRGB, upright. Frames that repeat a picture share it: do not write into it.
        index: of the tick, from 0; ticks that have no picture are left out.
    """

    time: float
    pixels: NDArray[np.uint8]
    index: int


class Clip:
    """Footage that can be read as often as wanted; nothing is open between readings.

    Attributes:
        info: size, rate, length.
        warnings: sentences for the report; they grow while frames are read.
    """

    def __init__(self, path: Path, sequence_fps: float = SEQUENCE_FPS) -> None:
        """Look at a clip.

        Args:
            path: a video file or GIF, a folder of pictures, one picture of a numbered row (name_0001.png: all
                consecutive numbers around it are meant), or a printf pattern (name_%04d.png).
            sequence_fps: rate of pictures in a row, which have none of their own.

        Raises:
            MediaError: missing, empty, unreadable, without pictures, or sound only.
            ValueError: the rate is not positive.
        """
        if not sequence_fps > 0:
            raise ValueError(f"sequence_fps must be positive, not {sequence_fps}.")
        path = Path(path)
        self.warnings: list[str] = []
        self._pictures = numbered_pictures(path)
        if self._pictures:
            first = read_photo(self._pictures[0])
            number = len(self._pictures)
            size = first.width, first.height
            self.info = ClipInfo(path, *size, sequence_fps, number, number / sequence_fps, "sequence")
        else:
            self.info = _probe_video(path)

    def count(self, start: float = 0.0, end: float | None = None, fps: float | None = None) -> int:
        """How many frames `frames` will give at most; 0 where the clip's length is unknown and `end` is not given."""
        stop = self.info.seconds if end is None else min(end, self.info.seconds or end)
        return max(0, ceil((stop - start) * (fps or self.info.fps) - NOTHING))

    def frames(self, start: float = 0.0, end: float | None = None, fps: float | None = None) -> Iterator[Frame]:
        """The pictures shown at start, start + 1 / fps, start + 2 / fps ... up to `end`, itself left out.

        Each is the last one whose time stamp is not later than that time, give or take half a tick. A lost picture is
        stood in for by the one before it; where more are lost in a row, the ticks are left out: indices jump.

        Args:
            start, end: seconds from the beginning; `end` None reads all.
            fps: the clip's own average when None.

        Raises:
            MediaError: while reading: no picture can be decoded, or pictures in a row differ in size.
            ValueError: a negative start, an end before it, or a rate that is not positive.
        """
        rate = self.info.fps if fps is None else float(fps)
        if start < 0 or (end is not None and end < start) or not rate > 0:
            raise ValueError(f"No such stretch of a clip: {start} to {end} seconds at {rate} frames a second.")
        ticks = _ticks(start, end, rate)
        return self._from_pictures(ticks, rate) if self._pictures else self._from_video(start, ticks, rate)

    def _from_video(self, start: float, ticks: Iterator[tuple[int, float]], rate: float) -> Iterator[Frame]:
        tick = 1.0 / self.info.fps
        slack = SLACK * min(tick, 1.0 / rate)
        shown: NDArray[np.uint8] | None = None
        with _Video(self.info) as video:
            video.approach(start)
            current, following = video.next(), video.next()
            if current is None:
                raise MediaError(f"No picture of {self.info.path} can be decoded.", AGAIN)
            for index, time in ticks:
                while following is not None and following.time <= time + slack:
                    current, following, shown = following, video.next(), None
                if following is None and time > current.time + tick - slack:
                    break
                lost = following is not None and following.after_hole and time > current.time + 1.5 * tick
                if current.time > time + slack or lost:
                    continue
                shown = _to_rgb(current.pixels) if shown is None else shown
                yield Frame(time, shown, index)
            self._judge(video, at_end=following is None)

    def _judge(self, video: _Video, at_end: bool) -> None:
        """Write down what was wrong with a video that has been read."""
        info = self.info
        reached = video.last + 1.0 / info.fps
        if video.lost:
            self._warn(f"{video.lost} pictures of {info.path.name} are damaged or missing; they are left out.")
        short = video.sought or video.read < EARLY * info.frames  # a last picture that stays is no cut
        if at_end and short and reached < EARLY * info.seconds:
            self._warn(f"{info.path.name} ends after {reached:.2f} s of its {info.seconds:.2f} s: it is cut short.")

    def _from_pictures(self, ticks: Iterator[tuple[int, float]], rate: float) -> Iterator[Frame]:
        own, last, shown = self.info.fps, -2, None
        slack = SLACK * min(1.0, own / rate)
        for index, time in ticks:
            wanted = int(time * own + slack)
            if wanted >= len(self._pictures):
                return
            if wanted != last:
                pixels = self._picture(self._pictures[wanted])
                if pixels is None and wanted != last + 1:
                    continue
                last, shown = (last, shown) if pixels is None else (wanted, pixels)
            if shown is not None:
                yield Frame(time, shown, index)

    def _picture(self, path: Path) -> NDArray[np.uint8] | None:
        """One of the row, None if it cannot be read."""
        try:
            photo = read_photo(path)
        except MediaError as error:
            self._warn(f"A picture is left out: {error.message}")
            return None
        if (photo.width, photo.height) != (self.info.width, self.info.height):
            raise MediaError(
                f"{path} has {photo.width} x {photo.height} pixels, the first picture of its row"
                f" {self.info.width} x {self.info.height}.",
                "Keep pictures of one size together in a folder of their own.",
            )
        return photo.pixels

    def _warn(self, sentence: str) -> None:
        if sentence not in self.warnings:
            self.warnings.append(sentence)


def _ticks(start: float, end: float | None, rate: float) -> Iterator[tuple[int, float]]:
    for index in count():
        time = start + index / rate
        if end is not None and time > end - NOTHING:
            return
        yield index, time


def _to_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), dtype=np.uint8)


# Video files ---------------------------------------------------------------------------------------------------------


@contextmanager
def quiet_cv2() -> Iterator[Any]:
    """OpenCV with its mouth shut: it reports what cannot be opened on standard error, and so does its FFmpeg."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET; OpenCV reads it at its first clip
    import cv2

    level = cv2.setLogLevel(0)
    try:
        yield cv2
    finally:
        cv2.setLogLevel(level)


@dataclass(frozen=True)
class _Decoded:
    """A picture as it lies in the file: time stamp, (H,W,3) BGR, and whether some before it are lost."""

    time: float
    pixels: NDArray[np.uint8]
    after_hole: bool


class _Video:
    """The pictures of a video file, one after the other.

    Attributes:
        last: time stamp of the latest picture, seconds; negative before the first.
        read: pictures decoded so far.
        lost: pictures known to be lost, single ones not counted: phones drop some.
        sought: whether it was entered somewhere in the middle.
    """

    def __init__(self, info: ClipInfo) -> None:
        self.info = info
        self.last, self.read, self.lost, self.sought = -1.0, 0, 0, False
        self._capture = _open(info.path)
        self._waiting = False  # a picture is grabbed and not yet fetched
        self._drift, self._even = 0.0, True

    def __enter__(self) -> _Video:
        return self

    def __exit__(self, *_: object) -> None:
        self._capture.release()

    def approach(self, time: float) -> None:
        """Go near a time, before it. Time stamps are the file's own, so a seek is right if it lands before."""
        if time >= SEEK_FROM:
            self.sought = self._seek(time - SEEK_BACK) and self._stamp() <= time
            if not self.sought:
                self._reopen()

    def next(self) -> _Decoded | None:
        """The next picture that can be decoded, None at the end."""
        while True:
            leapt = False
            if not (self._waiting or self._grab() or self._grab()):  # a second try gets over some damaged pictures
                leapt = self._leap()
                if not leapt:
                    return None
            time = self._stamp()
            good, pixels = self._capture.retrieve()
            self._waiting = False
            if good:
                break
        hole = self.last >= 0 and self._hole(time, leapt)
        # Files with none or wrong time stamps are taken as even.
        self.last = time if time > self.last else self.last + 1.0 / self.info.fps
        self.read += 1
        return _Decoded(self.last, pixels, hole)

    def _hole(self, time: float, leapt: bool) -> bool:
        """Whether pictures are lost between the last one and this: a jump in a clip that was evenly spaced so far.

        A container does not say where a picture should have been; in a clip of uneven spacing a long wait is meant.
        """
        steps = (time - self.last) * self.info.fps
        whole = max(1, round(steps))
        self._drift += steps - whole
        off = abs(steps - whole) > 0.1 + 0.001 * self.info.fps or abs(self._drift) > 0.5
        self._even = (self._even and not off) or leapt
        if not self._even or whole == 1:
            return False
        self.lost += whole - 1 if whole > 2 else 0
        return True

    def _leap(self) -> bool:
        """Over a stretch that cannot be decoded, if the file goes on behind it."""
        step, tick = 1, 1.0 / self.info.fps
        while self.last + (step + 1) * tick < self.info.seconds:
            self._reopen()
            if self._seek(self.last + step * tick) and self._stamp() > self.last:
                return True
            step *= 2
        self._waiting = False
        return False

    def _seek(self, time: float) -> bool:
        """Grab the picture at a time or one before it; on a fresh capture."""
        with quiet_cv2() as cv2:
            self._capture.set(cv2.CAP_PROP_POS_MSEC, 1000.0 * time)
        self._waiting = self._grab()
        return self._waiting

    def _reopen(self) -> None:
        self._capture.release()
        self._capture, self._waiting = _open(self.info.path), False

    def _grab(self) -> bool:
        with quiet_cv2():
            return bool(self._capture.grab())

    def _stamp(self) -> float:
        """Of the picture grabbed last, seconds. (Asked before the first grab or after the last, OpenCV says 0.)"""
        import cv2

        stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
        return stamp if isfinite(stamp) else -1.0


def _open(path: Path) -> Any:
    """OpenCV's capture.

    Raises:
        MediaError: missing, empty, or nothing FFmpeg finds a video stream in.
    """
    head = _head(path)
    with quiet_cv2() as cv2:
        # The absolute path, as "a:b.mp4" would be taken for a protocol called a.
        capture = cv2.VideoCapture(os.path.abspath(path), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise _unreadable(path, head)
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # this OpenCV leaves phone videos lying unless told
        return capture


def _head(path: Path) -> bytes:
    """The file's beginning, or a `MediaError` that says why there is none."""
    try:
        with open(path, "rb") as file:
            head = file.read(64)
    except FileNotFoundError as error:
        raise MediaError(f"There is no file {path}.", "Check the path, or choose the clip again.") from error
    except PermissionError as error:
        raise MediaError(f"{path} may not be read.", "Give yourself read permission, or copy it elsewhere.") from error
    except (OSError, ValueError) as error:
        raise MediaError(f"{path} cannot be opened ({error}).", "Check the path, or copy it elsewhere.") from error
    if not head:
        raise MediaError(f"{path} is empty (zero bytes).", "Copy or download it again.")
    if _is_text(head):  # also keeps FFmpeg from playlists, which name further files
        raise MediaError(f"{path} is not a clip: it holds text.", READABLE)
    return head


def _is_text(head: bytes) -> bool:
    return _looks_like_text(head) and all(byte >= 32 or byte in b"\t\n\r" for byte in head)


def _unreadable(path: Path, head: bytes) -> MediaError:
    sound = head[:4] in (b"fLaC", b"OggS") or head[:3] == b"ID3" or head[4:11] == b"ftypM4A" or head[8:12] == b"WAVE"
    if sound:
        return MediaError(f"{path} holds sound only, no pictures.", READABLE)
    return MediaError(f"{path} holds no video that can be read, or is damaged or incomplete.", f"{READABLE} {AGAIN}")


def _probe_video(path: Path) -> ClipInfo:
    capture = _open(path)
    try:
        with quiet_cv2() as cv2:
            fps, frames = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
            good, pixels = capture.read()
            if not good:
                raise MediaError(f"{path} holds no picture that can be decoded.", AGAIN)
            if not PLAUSIBLE_FPS[0] <= fps <= PLAUSIBLE_FPS[1]:
                fps, frames = _measured_fps(capture, cv2), 0
    finally:
        capture.release()
    frames = int(frames) if 0 < frames < 1e8 else 0
    return ClipInfo(path, pixels.shape[1], pixels.shape[0], float(fps), frames, frames / fps, "video")


def _measured_fps(capture: Any, cv2: Any) -> float:
    """From the first time stamps, for containers that do not say."""
    first = capture.get(cv2.CAP_PROP_POS_MSEC)
    last, steps = first, 0
    while steps < 60 and capture.grab():
        last, steps = capture.get(cv2.CAP_PROP_POS_MSEC), steps + 1
    return 1000.0 * steps / (last - first) if last > first else SEQUENCE_FPS
