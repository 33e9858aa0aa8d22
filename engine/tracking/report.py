"""What happened while a clip was tracked, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..devices import versions
from ..media.clip import Clip
from ..progress import Progress
from ..result import Reconstruction
from .options import TrackOptions
from .perform import FrameState
from .take import Take

if TYPE_CHECKING:
    from .job import Followed

FEW = 0.25
"""Share of frames with a face below which the report warns."""


def take_report(
    footage: Clip,
    followed: Followed,
    take: Take,
    frames: Sequence[FrameState | None],
    progress: Progress,
    result: Reconstruction,
    options: TrackOptions,
) -> dict[str, Any]:
    """What happened, for people and for programs."""
    info = footage.info
    errors = np.array([frame.error for frame in frames if frame is not None])
    return {
        "name": result.name,
        "clip": str(info.path),
        "frames": len(take),
        "fps": round(take.fps, 6),
        "start": float(take.times[0]),
        "start_from": options.start_from,
        "size": [info.width, info.height],
        "frames_with_face": int((followed.confidence > 0).sum()),
        "frames_resumed": followed.resumed,
        "gaps": [
            [round(float(take.times[a]), 4), round(float(take.times[b - 1]) + 1 / take.fps, 4)] for a, b in take.gaps
        ],
        "confidence": [round(float(value), 3) for value in take.confidence],
        "reprojection": {"mean": round(float(errors.mean()), 5), "p95": round(float(np.percentile(errors, 95)), 5)},
        "seconds": {title: round(value, 3) for title, value in progress.seconds.items()},
        "versions": versions(),
        "warnings": [*footage.warnings, *_warnings(followed, take)],
    }


def _warnings(followed: Followed, take: Take) -> list[str]:
    """Sentences about what was not seen."""
    found = []
    share = float((followed.confidence > 0).mean())
    if share < FEW:
        found.append(f"Only {share:.0%} of the frames show the face; the rest is filled in between.")
    for first, last in _runs(followed.strangers, 2.5 / take.fps):
        if last - first > 0.5:
            found.append(
                f"From {first:.1f} to {last:.1f} s another person is seen, or the same one beyond recognition; "
                f"to track that part by itself, start at {first:.1f} s and end at {last:.1f} s."
            )
    return found


def _runs(times: NDArray, apart: float) -> list[tuple[float, float]]:
    """First and last of every stretch of times (N,) that are no farther apart than that."""
    if not len(times):
        return []
    parts = np.split(times, np.flatnonzero(np.diff(times) > apart) + 1)
    return [(float(part[0]), float(part[-1])) for part in parts]
