"""Footage that lies on disk as numbered pictures."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import MediaError

PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".avif", ".heic", ".heif", ".exr")
PATTERN = re.compile(r"%0?(\d*)d")
NUMBERED = re.compile(r"(.*?)(\d+)")
READABLE = "Use an MP4, MOV, MKV, WebM or GIF file, or a folder of numbered pictures."


def numbered_pictures(path: Path) -> list[Path]:
    """The pictures meant by a folder, one of them or a pattern, in order; none if the path means a video file.

    Raises:
        MediaError: the folder or the pattern has none, or the picture is missing.
    """
    if path.is_dir():
        found = [item for item in path.iterdir() if item.suffix.lower() in PICTURES and not item.name.startswith(".")]
        if not found:
            raise MediaError(f"The folder {path} holds no pictures.", READABLE)
        return sorted(found, key=lambda item: _natural(item.name))
    exists = path.is_file()
    pattern = None if exists else PATTERN.search(path.name)
    if pattern:
        number = f"\\d{{{int(pattern[1])},}}" if pattern[1] else "\\d+"
        before, after = path.name[: pattern.start()], path.name[pattern.end() :]
        matches = re.compile(f"{re.escape(before)}({number}){re.escape(after)}", re.IGNORECASE)
        numbers = {int(match[1]): item for item in _siblings(path) if (match := matches.fullmatch(item.name))}
        if not numbers:
            raise MediaError(f"No file is named like {path}.", "Check the folder and the pattern.")
        return _run(numbers, min(numbers))
    if path.suffix.lower() not in PICTURES:
        return []
    if not exists:
        raise MediaError(f"There is no file {path}.", "Check the path, or choose the picture again.")
    return _around(path)


def _around(path: Path) -> list[Path]:
    """The run of consecutive numbers that a picture is part of."""
    match = NUMBERED.fullmatch(path.stem)
    if match is None:
        return [path]
    prefix, digits = match.groups()
    numbers: dict[int, Path] = {}
    for item in _siblings(path):
        other = NUMBERED.fullmatch(item.stem)
        if other is None or other[1] != prefix or item.suffix.lower() != path.suffix.lower():
            continue
        same = len(other[2]) == len(digits)
        longer = other[2][0] != "0" and not (digits[0] == "0" and len(other[2]) < len(digits))
        if same or (longer and int(other[2]) not in numbers):
            numbers[int(other[2])] = item
    return _run(numbers | {int(digits): path}, int(digits))


def _run(numbers: dict[int, Path], inside: int) -> list[Path]:
    first, last = inside, inside
    while first - 1 in numbers:
        first -= 1
    while last + 1 in numbers:
        last += 1
    return [numbers[number] for number in range(first, last + 1)]


def _siblings(path: Path) -> list[Path]:
    try:
        return sorted(path.parent.iterdir())
    except OSError as error:
        raise MediaError(f"The folder {path.parent} cannot be read ({error}).", "Check the path.") from error


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts shot2 before shot10."""
    return [(int(part), "") if part.isdigit() else (-1, part.lower()) for part in re.split(r"(\d+)", name) if part]
