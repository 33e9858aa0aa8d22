"""Blinks that close and lips that meet: read off the outlines of eyes and mouth, and put into the take.

A fit to points follows a closing lid only so far: the landmarks of a closed eye lie beside the lid's edge. How far an
eye is open against how far it usually is says it better, and a quick fall and rise is a blink. Likewise lips that touch
in the picture touch in the take, whatever else the mouth does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LIDS = (((386, 385, 387), (374, 380, 373), (263, 362)), ((159, 158, 160), (145, 153, 144), (33, 133)))
"""Points of the upper lid, the lower lid, and the corners, of the person's left and right eye."""
LIPS = ((13, 82, 312, 81, 311), (14, 87, 317, 178, 402), (78, 308))
"""Inner points of the upper lip, those below them, and the corners."""
AROUND = 0.8
"""Seconds to either side in which an eye's usual openness is looked for."""
QUICK = 0.3
"""Seconds to either side of a blink's lowest frame within which the eye is open again."""
BLINK, OTHER, WINK_OPEN = 0.68, 0.85, 0.9
"""Openness over the usual: both eyes' mean falls below in a blink; each eye's at least below; an eye that stays above
does not take part."""
SHUT = 0.4
"""An eye this little open is shut, however long."""
REOPENED = 0.5
"""How much of the fall an eye must have come from, and must make good again."""
TOUCHING = 0.025
"""Distance of the inner lips over the mouth's width at which they touch; parted lips have 0.05 and more."""
PARTED = 0.06
"""At this they are surely apart; between, contact is a matter of degree."""


@dataclass(frozen=True)
class Blink:
    """One closing of the eyes.

    Attributes:
        first, peak, last: frames, the last one included.
        left, right: whether the eye takes part.
    """

    first: int
    peak: int
    last: int
    left: bool
    right: bool


def eye_openness(landmarks: NDArray) -> Array:
    """(T,2) distance of the lids over that of the corners, the person's left and right eye; NaN where nothing was seen.

    Args:
        landmarks: (T,478,3) pixels and relative depth.
    """
    return np.column_stack([_opening(landmarks, *eye) for eye in LIDS])


def lip_opening(landmarks: NDArray) -> Array:
    """(T,) distance of the inner lips over the mouth's width; landmarks (T,478,3)."""
    return _opening(landmarks, *LIPS)


def _opening(landmarks: NDArray, upper: tuple[int, ...], lower: tuple[int, ...], corners: tuple[int, ...]) -> Array:
    points = np.asarray(landmarks, np.float64)
    across = np.linalg.norm(points[:, corners[0]] - points[:, corners[1]], axis=1)
    apart = np.linalg.norm(points[:, list(upper), :2] - points[:, list(lower), :2], axis=2).mean(axis=1)
    return apart / np.maximum(across, 1e-6)


def relative_openness(openness: NDArray, fps: float) -> Array:
    """(T,2) openness over what it is most of the time around each frame: gaze and squints move that slowly."""
    count, reach = len(openness), max(2, round(AROUND * fps))
    usual = np.empty_like(openness, np.float64)
    padded = np.pad(np.asarray(openness, np.float64), ((reach, reach), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
    whole = np.nanpercentile(openness, 60, axis=0) if np.isfinite(openness).any() else np.ones(2)
    with np.errstate(all="ignore"):
        for start in range(0, count, 512):
            part = windows[start : start + 512]
            empty = ~np.isfinite(part).any(axis=2)
            filled = np.where(empty[..., None], whole[:, None], part)
            usual[start : start + 512] = np.nanpercentile(filled, 65, axis=2)
    usual = np.maximum(usual, 0.6 * whole)  # eyes shut for long are not open because they usually are shut
    return np.asarray(openness, np.float64) / np.maximum(usual, 1e-6)


def find_blinks(openness: NDArray, fps: float) -> list[Blink]:
    """Blinks and winks, in order.

    Args:
        openness: (T,2) see `eye_openness`.
    """
    ratio = np.where(np.isfinite(openness), relative_openness(openness, fps), 1.0)
    together, reach = ratio.mean(axis=1), max(1, round(QUICK * fps))
    found: list[Blink] = []
    for signal, both in ((together, True), (ratio[:, 0], False), (ratio[:, 1], False)):
        for peak in _dips(signal, reach, BLINK if both else SHUT + 0.1):
            taken = any(blink.first <= peak <= blink.last for blink in found)
            low = ratio[max(0, peak - 1) : peak + 2].min(axis=0)
            sides = low < (OTHER if both else WINK_OPEN)
            if taken or not sides.any():
                continue
            first, last = _extent(signal, peak, reach)
            found.append(Blink(first, peak, last, bool(sides[0]), bool(sides[1])))
    return sorted(found, key=lambda blink: blink.peak)


def _dips(signal: Array, reach: int, below: float) -> list[int]:
    """Frames at which a signal has its quick minima below a level, or at the middle of a long stretch below `SHUT`."""
    dips = []
    for t in np.flatnonzero(signal < below).tolist():
        beside = max(1, reach // 4)
        near = signal[max(0, t - beside) : t + beside + 1]
        if signal[t] > near.min() or (dips and signal[dips[-1] : t + 1].max() < signal[t] + REOPENED * (1 - signal[t])):
            continue  # no minimum, or the eye did not open since the last
        before, after = signal[max(0, t - reach) : t + 1].max(), signal[t : t + reach + 1].max()
        rise = REOPENED * (1.0 - signal[t])
        at_edge = t < reach or t >= len(signal) - reach
        if (min(before, after) - signal[t] > rise) or signal[t] < SHUT or (at_edge and max(before, after) > 0.9):
            dips.append(t)
    return dips


def _extent(signal: Array, peak: int, reach: int) -> tuple[int, int]:
    """First and last frame around a dip that are nearer to shut than a tenth of the way from open."""
    level = signal[peak] + 0.85 * (1.0 - signal[peak])
    first = last = peak
    while first > 0 and signal[first - 1] < level and (peak - first < reach or signal[first - 1] < SHUT):
        first -= 1
    while last < len(signal) - 1 and signal[last + 1] < level and (last - peak < reach or signal[last + 1] < SHUT):
        last += 1
    return first, last


def closing(openness: NDArray, blinks: list[Blink], fps: float) -> Array:
    """(T,2) 0..1 how far each eye is shut by blinks: 1 at their lowest frame, with the shape that was seen."""
    ratio = np.where(np.isfinite(openness), relative_openness(openness, fps), 1.0)
    shut = np.zeros_like(ratio)
    for blink in blinks:
        span = slice(blink.first, blink.last + 1)
        for side, takes_part in enumerate((blink.left, blink.right)):
            if takes_part:
                low = ratio[span, side].min()
                if blink.last - blink.first > 2 * QUICK * fps:
                    low = max(low, SHUT)
                curve = np.clip((1.0 - ratio[span, side]) / max(1.0 - low, 1e-6), 0.0, 1.0)
                curve[blink.peak - blink.first] = 1.0
                shut[span, side] = np.maximum(shut[span, side], curve)
    return shut


def touching(opening: NDArray) -> Array:
    """(T,) 0..1 how surely the lips touch; 0 where nothing was seen."""
    sure = (PARTED - np.asarray(opening, np.float64)) / (PARTED - TOUCHING)
    return np.nan_to_num(np.clip(sure, 0.0, 1.0))


def close_eyes(expression: NDArray, names: tuple[str, ...], shut: NDArray) -> Array:
    """(T,E) weights with blinks put in: lids close wholly, and what works against them steps back.

    Args:
        expression: (T,E). shut: (T,2) see `closing`.
    """
    result = np.array(expression, np.float64)
    for side, label in enumerate(("Left", "Right")):
        amount = shut[:, side]
        if f"eyeBlink{label}" in names:
            blink = names.index(f"eyeBlink{label}")
            result[:, blink] = np.maximum(result[:, blink], amount)
        for unit in (f"eyeWide{label}", f"eyeSquint{label}"):
            if unit in names:
                result[:, names.index(unit)] *= 1.0 - amount
    return result


def close_lips(expression: NDArray, names: tuple[str, ...], heights: NDArray, rest: float, contact: NDArray) -> Array:
    """(T,E) weights with lips that meet where they were seen to.

    What parts them is taken back, then `mouthClose` does the rest.

    Args:
        expression: (T,E). heights: (E,) metres by which each unit parts the lips (negative: brings them together).
        rest: metres between them in the neutral face that still count as contact, measured like `heights`.
        contact: (T,) 0..1 see `touching`.
    """
    result = np.array(expression, np.float64)
    parted = np.maximum(result @ heights - rest, 0.0) * contact
    for stem in ("mouthLowerDown", "mouthUpperUp", "mouthFunnel"):
        for index in (n for n, name in enumerate(names) if name.startswith(stem) and heights[n] > 0):
            back = np.minimum(result[:, index], parted / heights[index])
            result[:, index] -= back
            parted = parted - back * heights[index]
    if "mouthClose" in names and heights[names.index("mouthClose")] < 0:
        index = names.index("mouthClose")
        more = np.minimum(parted / -heights[index], 1.0 - result[:, index])
        result[:, index] += more
        parted = parted + more * heights[index]
    if "jawOpen" in names and heights[names.index("jawOpen")] > 0:
        index = names.index("jawOpen")
        result[:, index] -= np.minimum(result[:, index], parted / heights[index])
    return result
