"""A take on the frames of a scene: its seconds at the scene's rate."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
from numpy.typing import NDArray

from ...engine.tracking.take import ROTATIONS, Take
from ...engine.tracking.turns import between, to_axis_angle, to_matrix

SAME = 0.05  # frames that a take may drift from the scene's over its length and still count as of the same rate


def scene_rate(scene: bpy.types.Scene) -> float:
    """Frames a second of a scene."""
    return scene.render.fps / scene.render.fps_base


def is_same_rate(take: Take, rate: float) -> bool:
    """Whether each of the take's frames falls on one of the scene's."""
    return abs(rate / take.fps - 1.0) * len(take) < SAME


def on_scene_frames(take: Take, rate: float) -> Take:
    """The take with one frame for each whole frame at `rate`, from its first; itself if it has that rate already."""
    if is_same_rate(take, rate) or len(take) == 0:
        return take
    count = int((len(take) - 1) * rate / take.fps + 1e-6) + 1
    return resampled(take, take.times[0] + np.arange(count) / rate, rate)


def resampled(take: Take, times: NDArray[np.float64], fps: float) -> Take:
    """The take at other times: weights, places and confidence between the nearest two frames, turns by slerp.

    Args:
        times: (N,) seconds; before the take's beginning and after its end it holds still.
        fps: what the times are apart.
    """
    place = np.clip((times - take.times[0]) * take.fps, 0, len(take) - 1)
    low = np.floor(place).astype(int)
    high, part = np.minimum(low + 1, len(take) - 1), place - low

    def linear(name: str) -> NDArray[np.float32]:
        values = getattr(take, name)
        weight = part.reshape(-1, *[1] * (values.ndim - 1)).astype(np.float32)
        return values[low] + (values[high] - values[low]) * weight

    def turned(name: str) -> NDArray[np.float32]:
        matrices = to_matrix(getattr(take, name))
        return to_axis_angle(between(matrices[low], matrices[high], part)).astype(np.float32)

    places = ("expression", "head_translation", "confidence", "landmarks_2d")
    head = between(take.head_rotation[low], take.head_rotation[high], part).astype(np.float32)
    return replace(
        take,
        times=np.asarray(times, np.float64),
        fps=fps,
        head_rotation=head,
        **{name: linear(name) for name in places},
        **{name: turned(name) for name in ROTATIONS},
    )


def gap_frames(take: Take, rate: float) -> list[tuple[int, int]]:
    """First and one past the last scene frame of every stretch without a face, from the take's first as 0."""
    ratio = 1.0 if is_same_rate(take, rate) else rate / take.fps
    frames = [(round(first * ratio), round(end * ratio)) for first, end in take.gaps]
    return [(first, max(end, first + 1)) for first, end in frames]
