"""Writing clips so that a reader never sees half of one."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError
from .clip import quiet_cv2

CODECS = ("avc1", "mp4v")  # H.264 plays everywhere, but most builds of OpenCV cannot write it
SPACE = "Choose a folder you can write to, with free space."


class ClipWriter:
    """An MP4 that is there, whole, when the `with` block ends well, and not at all when it does not.

    A temporary file in the same folder is renamed into place. An odd width or height is made even, as the codecs want
    it, by repeating the last column or row.
    """

    def __init__(self, path: Path, width: int, height: int, fps: float) -> None:
        """Begin a clip.

        Args:
            path: where to; its folder must exist. An earlier file there is replaced at the end.
            width, height: of the pictures, pixels.
            fps: pictures a second; thousandths of one are kept.

        Raises:
            ValueError: a size or rate that is not positive.
            OutputError: the folder is missing or read-only, or OpenCV can write no MP4 of this size here.
        """
        if width < 1 or height < 1 or not fps > 0:
            raise ValueError(f"No clip can have {width} x {height} pixels at {fps} frames a second.")
        self.path = Path(path)
        self.width, self.height, self.fps = width, height, fps
        self.frames = 0
        self._temporary = self.path.with_name(f".{self.path.stem}.{os.getpid()}.part.mp4")
        try:
            self._temporary.write_bytes(b"")
            self._writer = self._open()
        except OSError as error:
            raise OutputError(f"Cannot write {self.path}: {error.strerror or error}.", SPACE) from error
        except BaseException:
            self._discard()
            raise

    def __enter__(self) -> ClipWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.cancel()

    def add(self, pixels: NDArray[np.uint8]) -> None:
        """Append a picture, (height,width,3) uint8 sRGB.

        Raises:
            ValueError: it is none, or of another size.
        """
        if pixels.dtype != np.uint8 or pixels.shape != (self.height, self.width, 3):
            wanted = f"({self.height},{self.width},3) uint8"
            raise ValueError(f"This clip is made of {wanted} pictures, not {pixels.shape} {pixels.dtype}.")
        even = np.pad(pixels, ((0, self.height % 2), (0, self.width % 2), (0, 0)), mode="edge")
        self._writer.write(np.ascontiguousarray(even[..., ::-1]))
        self.frames += 1

    def close(self) -> None:
        """Finish the file and put it in place.

        Raises:
            OutputError: no picture was added, the disk is full, or the folder is gone.
        """
        self._writer.release()
        try:
            if not self.frames:
                raise OutputError(f"{self.path} was given no picture.", "Choose a longer stretch.")
            written = _frames_in(self._temporary)  # OpenCV does not say when a write fails
            if written < self.frames:
                raise OutputError(f"Only {written} of {self.frames} pictures of {self.path} could be written.", SPACE)
            os.replace(self._temporary, self.path)
        except OSError as error:
            raise OutputError(f"Cannot write {self.path}: {error.strerror or error}.", SPACE) from error
        finally:
            self._discard()

    def cancel(self) -> None:
        """Leave nothing behind; an earlier file stays."""
        self._writer.release()
        self._discard()

    def _open(self) -> Any:
        size = self.width + self.width % 2, self.height + self.height % 2
        for codec in usable_codecs():
            writer = _writer(self._temporary, codec, self.fps, size)
            if writer.isOpened():
                return writer
        raise OutputError(
            f"Cannot write {self.path}: OpenCV has no MP4 encoder for {size[0]} x {size[1]} pixels here.",
            "Save numbered pictures instead.",
        )

    def _discard(self) -> None:
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)


@lru_cache(maxsize=1)
def usable_codecs() -> tuple[str, ...]:
    """Those of `CODECS` whose clips can be read again, found out by writing some: some builds only promise."""
    usable = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for codec in CODECS:
            path = Path(folder) / f"{codec}.mp4"
            writer = _writer(path, codec, 25.0, (64, 64))
            for grey in (50, 150, 250):
                writer.write(np.full((64, 64, 3), grey, np.uint8))
            writer.release()
            if _frames_in(path) == 3:
                usable.append(codec)
    return tuple(usable)


def _writer(path: Path, codec: str, fps: float, size: tuple[int, int]) -> Any:
    with quiet_cv2() as cv2:
        return cv2.VideoWriter(os.path.abspath(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), fps, size)


def _frames_in(path: Path) -> int:
    """How many pictures a clip's container lists; 0 for none or no clip."""
    with quiet_cv2() as cv2:
        capture = cv2.VideoCapture(os.path.abspath(path), cv2.CAP_FFMPEG)
        frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        capture.release()
    return max(frames, 0)
