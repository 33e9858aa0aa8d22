"""What a user may choose about a depth mesh, and whether it fits into memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..eg3d.options import Eg3dOptions
from ..errors import DeviceError
from ..options import DeviceName, HeadName, PointsChoice, StartChoice
from .sources import Method

SMALLEST, LARGEST = 128, 4096
"""Pixels of the depth map's longer side."""
BYTES_A_PIXEL, BYTES_A_FACE = 260, 420
"""Peak use measured at 512 and 1024 pixels (scripts/benchmark_depth.py), with room for larger ones."""
BYTES_BEFORE = 1.2e9
"""The engine with its networks loaded."""
DPT_BYTES = 4.5e9
"""DPT-Large's weights and what it keeps of one picture."""


@dataclass(frozen=True)
class DepthOptions:
    """Options of Depth Mesh from Image.

    Attributes:
        method: see `sources`; "auto" takes the best that is there.
        resolution: most pixels of the depth map's longer side; never more than the photo has.
        faces: most faces of the mesh's front.
        close_back: close the mesh behind.
        head_model: the head whose frame the mesh is in.
        device: where torch runs.
        model_folder: where the user's own model files are looked for.
        seed: of the fit.
        face_index: which face, 0 = largest; None = largest, with a warning if several.
        focal_length_px: overrides EXIF and the solved focal length, in pixels of the upright photo.
        fit_texture: refine texture and camera by render and compare (fitMesh).
        points, start: what the head is fitted to, as in `ReconstructOptions`.
        eg3d: of the method "eg3d" alone.
    """

    method: Method = "auto"
    resolution: int = 1024
    faces: int = 200_000
    close_back: bool = False
    head_model: HeadName = "open"
    device: DeviceName = "auto"
    model_folder: Path | None = None
    seed: int = 0
    face_index: int | None = None
    focal_length_px: float | None = None
    fit_texture: bool = False
    points: PointsChoice = "mediapipe"
    start: StartChoice = "points"
    eg3d: Eg3dOptions = field(default_factory=Eg3dOptions)


def bytes_needed(height: int, width: int, faces: int, method: Method) -> float:
    """What a depth mesh of that size is expected to take at its peak, bytes."""
    leaves = min(2 * height * width, faces)
    return BYTES_BEFORE + BYTES_A_PIXEL * height * width + BYTES_A_FACE * leaves + DPT_BYTES * (method == "dpt")


def check_memory(height: int, width: int, options: DepthOptions, available: float | None) -> None:
    """Say before starting that memory will not do.

    Args:
        height, width: of the depth map. available: bytes; None where the system does not tell.
    Raises:
        DeviceError: it will not do; the cure names the largest resolution that will.
    """
    needed = bytes_needed(height, width, options.faces, options.method)
    if available is None or needed <= available:
        return
    side = max(height, width)
    room = available - bytes_needed(0, 0, 0, options.method) - BYTES_A_FACE * min(options.faces, 100_000)
    largest = int(side * (max(room, 0) / (BYTES_A_PIXEL * height * width)) ** 0.5) // 64 * 64
    cure = "Close other programs, and try again."
    if largest >= SMALLEST:
        cure = f"Choose a resolution of {min(largest, side - 1)} pixels or fewer, or close other programs."
    raise DeviceError(
        f"A depth map of {width} x {height} pixels needs about {needed / 1e9:.1f} GB of memory;"
        f" {available / 1e9:.1f} GB are free.",
        cure,
    )


def free_memory() -> float | None:
    """Bytes that programs can still have; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, ValueError, StopIteration, IndexError):
        return None
