"""The focal length a camera wrote into its file, in pixels."""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot
from typing import Any

FOCAL_LENGTH, FOCAL_LENGTH_35MM = 0x920A, 0xA405
PIXEL_WIDTH, PIXEL_HEIGHT = 0xA002, 0xA003
FOCAL_PLANE_RESOLUTION, FOCAL_PLANE_UNIT = 0xA20E, 0xA210
MILLIMETRES = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # Exif 2.3, FocalPlaneResolutionUnit
FILM_DIAGONAL = hypot(36.0, 24.0)  # CIPA DCG-001 defines the 35 mm equivalent by the diagonal
PLAUSIBLE = (0.3, 20.0)  # times the longer side: fisheye to long telephoto
CROPPED = "The picture was cropped since it was taken, so its focal length in EXIF is not used."


def _number(exif: Mapping[int, Any], tag: int) -> float:
    """A positive finite value of a tag, or 0."""
    try:
        value = float(exif.get(tag, 0))
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
    return value if 0.0 < value < 1e9 else 0.0


def _elongation(width: float, height: float) -> float:
    return max(width, height) / min(width, height)


def focal_length_pixels(exif: Mapping[int, Any], width: int, height: int) -> tuple[float | None, tuple[str, ...]]:
    """Focal length in pixels of a picture of this size, as stored (before EXIF rotation).

    Args:
        exif: the Exif sub-directory, tag number to value.
        width, height: of the stored picture, pixels.

    Returns:
        The focal length, or None when EXIF has none that can be trusted, and warnings.
    """
    taken_width, taken_height = _number(exif, PIXEL_WIDTH), _number(exif, PIXEL_HEIGHT)
    # Elongation, not width over height: some programs rotate the pixels and leave these two tags as they were.
    taken = _elongation(taken_width, taken_height) if taken_width and taken_height else _elongation(width, height)
    if not 0.98 < taken / _elongation(width, height) < 1.02:
        return None, (CROPPED,) if _number(exif, FOCAL_LENGTH) else ()
    equivalent = _number(exif, FOCAL_LENGTH_35MM)
    per_unit, unit = _number(exif, FOCAL_PLANE_RESOLUTION), MILLIMETRES.get(int(_number(exif, FOCAL_PLANE_UNIT) or 2))
    focal = 0.0
    if equivalent:
        focal = equivalent / FILM_DIAGONAL * hypot(width, height)
    elif per_unit and unit and taken_width:
        focal = _number(exif, FOCAL_LENGTH) * per_unit / unit * max(width, height) / max(taken_width, taken_height)
    if PLAUSIBLE[0] < focal / max(width, height) < PLAUSIBLE[1]:
        return focal, ()
    return None, ()
