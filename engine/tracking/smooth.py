"""Smoothing of channels over time: without delay over a whole take, or as they come.

Over a take: the curve x that minimises sum w (y - x)² + s sum (second difference of x)² (Whittaker 1923; Eilers, "A
perfect smoother", 2003). It has no phase, so nothing lags; where w is 0 it bridges gaps; reweighting against outliers
(Tukey's biweight) keeps single wrong frames from bending it. As frames come: the One Euro filter (Casiez, Roussel and
Vogel 2012, algorithm 1).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
OUTLIER = 4.685
"""Tukey's constant: residuals beyond this many deviations say nothing."""
USUAL = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
BRIDGE = 1e-8
"""Weight of a frame without evidence; not quite 0, so that a take without any has a solution."""


def strength(cutoff: NDArray | float, fps: float) -> Array:
    """The factor s with which half of a wave of some frequency is left.

    Args:
        cutoff: (C,) Hz; half the frame rate and more smooths nothing.
        fps: frames a second.
    """
    wave = np.clip(np.asarray(cutoff, np.float64) / fps, 1e-4, 0.5)
    s = (2.0 * np.sin(np.pi * wave)) ** -4.0
    return np.where(np.asarray(cutoff) >= 0.5 * fps, 0.0, s)


def smooth(
    values: NDArray, weights: NDArray, cutoff: NDArray | float, fps: float, robust: NDArray | bool = False
) -> Array:
    """The smooth curve through channels.

    Args:
        values: (T,C); what is not finite says nothing.
        weights: (T,) or (T,C), 0 where there is no evidence.
        cutoff: (C,) or one for all, Hz, at which half of a wave is left.
        fps: frames a second.
        robust: (C,) or one for all: distrust outliers. Not for channels with fast events of their own, like blinks.
    """
    y = np.asarray(values, np.float64)
    w = np.broadcast_to(np.asarray(weights, np.float64).reshape(len(y), -1), y.shape)
    w = np.where(np.isfinite(y), w, 0.0)
    y = np.where(np.isfinite(y), y, 0.0)
    s = np.broadcast_to(strength(cutoff, fps), y.shape[1:])
    found = _solve(y, w, s)
    distrusting = np.broadcast_to(np.asarray(robust), y.shape[1:])
    if distrusting.any():
        for _ in range(3):
            found = np.where(distrusting, _solve(y, w * _trust(y - found, w), s), found)
    return found


def _trust(residual: Array, weights: Array) -> Array:
    """(T,C) Tukey's weights, the scale of each channel being its median absolute residual."""
    known = np.where(weights > BRIDGE, np.abs(residual), np.nan)
    scale = USUAL * np.nanmedian(np.where(np.isfinite(known).any(0), known, 0.0), axis=0) + 1e-9
    return np.maximum(0.0, 1.0 - (residual / (OUTLIER * scale)) ** 2) ** 2


def _solve(y: Array, weights: Array, s: Array) -> Array:
    """(T,C) solutions of (W + s D'D) x = W y, D the second difference; five diagonals, all channels at once."""
    count = len(y)
    if count < 3:
        return y.copy()
    w = np.maximum(weights, BRIDGE)
    main = np.full(count, 6.0)
    main[[0, -1]], main[[1, -2]] = 1.0, 5.0
    if count == 3:
        main[1] = 4.0
    first = np.full(count - 1, -4.0)
    first[[0, -1]] = -2.0
    diagonal, lower = w + s * main[:, None], s * first[:, None]
    far = s
    pivot, low = np.zeros_like(y), np.zeros_like(y)  # L D L' with unit L: low[t] = L[t+1,t], far / pivot[t] = L[t+2,t]
    right = w * y
    for t in range(count):
        d = diagonal[t].copy()
        r = right[t].copy()
        if t >= 1:
            d -= low[t - 1] ** 2 * pivot[t - 1]
            r -= low[t - 1] * right[t - 1]
        if t >= 2:
            d -= far**2 / pivot[t - 2]
            r -= far / pivot[t - 2] * right[t - 2]
        pivot[t], right[t] = d, r
        if t + 1 < count:
            across = lower[t] - (far * low[t - 1] if t >= 1 else 0.0)
            low[t] = across / d
    found = right / pivot
    for t in range(count - 2, -1, -1):
        found[t] -= low[t] * found[t + 1]
        if t + 2 < count:
            found[t] -= far / pivot[t] * found[t + 2]
    return found


@dataclass
class OneEuro:
    """The One Euro filter over C channels: slow movement is smoothed, fast movement is let through.

    Attributes:
        least: Hz, the cutoff of what stands still.
        speed: Hz a unit and second, by which movement raises it.
        derivative: Hz, the cutoff of the speed itself.
    """

    least: float = 1.5
    speed: float = 0.5
    derivative: float = 1.0
    _value: Array | None = field(default=None, repr=False)
    _slope: Array | None = field(default=None, repr=False)
    _time: float = field(default=0.0, repr=False)

    def __call__(self, time: float, values: NDArray) -> Array:
        """The filtered values (C,) at a time, seconds; later than the last."""
        raw = np.asarray(values, np.float64)
        if self._value is None or self._slope is None:
            self._value, self._slope, self._time = raw.copy(), np.zeros_like(raw), time
            return self._value
        step = max(time - self._time, 1e-6)
        slope = (raw - self._value) / step
        self._slope = self._slope + _share(self.derivative, step) * (slope - self._slope)
        cutoff = self.least + self.speed * np.abs(self._slope)
        self._value = self._value + _share(cutoff, step) * (raw - self._value)
        self._time = time
        return self._value


def _share(cutoff: NDArray | float, step: float) -> Array:
    """How much of the new value an exponential filter takes over."""
    return np.asarray(1.0 / (1.0 + 1.0 / (2.0 * np.pi * np.asarray(cutoff) * step)))
