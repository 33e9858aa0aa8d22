"""Fewer keyframes for the same curve, within a stated error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-6  # Blender reckons in single precision


def kept_frames(values: NDArray, error: float) -> NDArray[np.intp]:
    """Which of a curve's samples must stay for straight lines between them to be right.

    After Douglas and Peucker (1973): where the line between two kept samples is wrong by more than `error`, the sample
    where it is most wrong stays as well. A round looks at all stretches that are not yet right together.

    Args:
        values: (T,) samples, one a frame.
        error: largest difference allowed at any frame, in units of the curve; 0 keeps all.
    Returns:
        Ascending indices; a curve that does not move keeps only its first.
    """
    count = len(values)
    if error <= 0 or count < 2:
        return np.arange(count)
    values = np.asarray(values, np.float32).astype(np.float64)  # as Blender stores them
    if np.ptp(values) == 0:
        return np.array([0])
    error = max(error - ROUNDING, 0.0)
    kept = np.zeros(count, bool)
    kept[[0, -1]] = True
    starts, ends = np.array([0]), np.array([count - 1])
    while len(starts):
        lengths = ends - starts
        first = np.cumsum(lengths) - lengths
        stretch = np.repeat(np.arange(len(starts)), lengths)
        frames = np.arange(len(stretch)) - first[stretch] + starts[stretch]
        slope = (values[ends] - values[starts]) / lengths
        off = np.abs(values[starts][stretch] + slope[stretch] * (frames - starts[stretch]) - values[frames])
        worst = np.maximum.reduceat(off, first)
        places = np.flatnonzero(off == worst[stretch])
        middle = frames[places[np.unique(stretch[places], return_index=True)[1]]]
        wrong = worst > error
        starts, middle, ends = starts[wrong], middle[wrong], ends[wrong]
        kept[middle] = True
        starts, ends = np.concatenate([starts, middle]), np.concatenate([middle, ends])
        several = ends - starts > 1
        starts, ends = starts[several], ends[several]
    return np.flatnonzero(kept)
