"""Small clips whose pictures say their number in eight black and white squares."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image

from engine.media.clip import quiet_cv2

WIDTH, HEIGHT, SQUARE = 160, 120, 19


def numbered(number: int, noise: int = 0) -> np.ndarray:
    """(120,160,3) uint8: squares on grey, lowest bit at the left, the upper left corner red, noise at the bottom."""
    picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    if noise:
        picture[80:] = np.random.default_rng(number).integers(0, noise, picture[80:].shape)
    for bit in range(8):
        picture[30:70, 4 + bit * SQUARE : bit * SQUARE + SQUARE] = 230 if number >> bit & 1 else 20
    picture[:20, :40] = (220, 30, 30)
    return picture


def number_of(pixels: np.ndarray) -> int:
    """What `numbered` drew."""
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    assert pixels.dtype == np.uint8
    assert pixels[5:15, 5:30, 0].mean() > 150 > 100 > pixels[5:15, 5:30, 2].mean()  # red, not blue; upright
    values = [pixels[36:64, 8 + bit * SQUARE : 15 + bit * SQUARE].mean() for bit in range(8)]
    return sum(1 << bit for bit, value in enumerate(values) if value > 125)


def write_video(path: Path, frames: int, fps: float = 25.0, codec: str = "mp4v", noise: int = 0) -> Path:
    with quiet_cv2() as cv2:
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), fps, (WIDTH, HEIGHT))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(np.ascontiguousarray(numbered(number, noise)[..., ::-1]))
    writer.release()
    return path


def write_gif(path: Path, milliseconds: list[int]) -> Path:
    pictures = [Image.fromarray(numbered(number)) for number in range(len(milliseconds))]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0)
    return path


def turn(source: Path, path: Path, degrees: int) -> Path:
    """The same MP4 with a rotation in its track header (ISO 14496-12, 8.3.2), as phones write it."""
    one = 1 << 16
    matrices = {
        90: (0, one, 0, -one, 0, 0, HEIGHT * one, 0),
        180: (-one, 0, 0, 0, -one, 0, WIDTH * one, HEIGHT * one),
        270: (0, -one, 0, one, 0, 0, 0, WIDTH * one),
    }
    data = bytearray(source.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", *matrices[degrees], 1 << 30)
    path.write_bytes(data)
    return path


def damage(path: Path, first: float, last: float) -> Path:
    """Zero a stretch of a file, given in shares of its length."""
    data = bytearray(path.read_bytes())
    first, last = int(first * len(data)), int(last * len(data))
    data[first:last] = bytes(last - first)
    path.write_bytes(data)
    return path
