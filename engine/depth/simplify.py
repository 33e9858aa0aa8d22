"""Triangles over a grid of heights: all of them, or few where the surface is flat.

Right-triangulated irregular networks (Evans, Kirkpatrick, Townsend, Algorithmica 2001): a square is halved along its
diagonal, and each half again through the middle of its longest side, as long as the surface leaves the flat triangle.
Triangles that share a longest side are halved together, so no cracks open. Which ones are halved depends on errors that
are worked out once, from small to large, a whole level at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
BAND = 128
"""Rows of squares whose triangles are listed together."""
SEARCH = 12
"""Halvings of the interval in which the tolerance for a number of triangles is sought."""


@dataclass(frozen=True)
class Leaves:
    """The smallest triangles: halves of the squares between four neighbouring grid points.

    Their diagonals run from upper left to lower right where row + column is even, else the other way.

    Attributes:
        upper, lower: (H-1,W-1) bool, which halves there are.
    """

    upper: NDArray[np.bool_]
    lower: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """Number of triangles."""
        return int(self.upper.sum()) + int(self.lower.sum())

    def faces(self) -> NDArray[np.int32]:
        """(F,3) into the flattened (H,W) grid, counter-clockwise seen by the camera (rows run down)."""
        rows = self.upper.shape[0]
        bands = [self._band(start, min(start + BAND, rows)) for start in range(0, rows, BAND)]
        return np.concatenate([part for band in bands for part in band])

    def _band(self, start: int, stop: int) -> list[NDArray[np.int32]]:
        """The faces of some rows of squares: all of them at once would need several times the result's memory."""
        columns = self.upper.shape[1]
        stride = columns + 1
        parts = []
        for chosen, corners in ((self.upper, ((0, 1, 3), (0, 2, 1))), (self.lower, ((0, 2, 3), (2, 3, 1)))):
            row, column = np.nonzero(chosen[start:stop])
            row = (row + start).astype(np.int32)
            column = column.astype(np.int32)
            square = (row * stride + column)[:, None] + np.array([0, 1, stride, stride + 1], np.int32)
            even = ((row + column) % 2 == 0)[:, None]
            parts.append(np.where(even, _turned(square, corners[0]), _turned(square, corners[1])))
        return parts


def _turned(square: NDArray, corners: tuple[int, int, int]) -> NDArray:
    """(N,3) three corners of squares (upper left, upper right, lower left, lower right), made counter-clockwise."""
    places = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])[list(corners)]
    one, two = places[1] - places[0], places[2] - places[0]
    order = corners if one[0] * two[1] - one[1] * two[0] < 0 else corners[::-1]
    return square[:, list(order)]


class Hierarchy:
    """The errors of all triangles over a grid, from which meshes of any tolerance follow.

    Args:
        heights: (H,W) in any unit, finite wherever a triangle is.
        leaves: which triangles there are.
    """

    def __init__(self, heights: NDArray, leaves: Leaves) -> None:
        self.width = heights.shape[1]
        self.levels = max(1, int(np.ceil(np.log2(max(max(heights.shape) - 1, 2)))))
        side = 2**self.levels
        self.side = side
        self.upper, self.lower = (_padded(part, side) for part in (leaves.upper, leaves.lower))
        ground = np.zeros((side + 1, side + 1), np.float32)
        ground[: heights.shape[0], : heights.shape[1]] = heights - np.mean(heights, dtype=np.float64)
        self.error, self.covered = _errors(ground, self.upper, self.lower)

    def faces(self, tolerance: float) -> Ints:
        """(F,3) into the flattened (H,W) grid, counter-clockwise seen by the camera.

        Args:
            tolerance: how far the surface may leave a triangle, in the heights' unit; where triangles are missing, all
                are halved down to the smallest.
        """
        stride, side = self.side + 1, self.side
        error, covered = self.error.ravel(), self.covered.ravel()
        corner = np.array([0, side, side * stride, side * stride + side])
        # Hypotenuse first, the right angle last; counter-clockwise with rows running down.
        triangles = np.array([[corner[3], corner[0], corner[2]], [corner[0], corner[3], corner[1]]])
        done = []
        for _ in range(2 * self.levels):
            middle = (triangles[:, 0] + triangles[:, 1]) // 2
            split = error[middle] > tolerance
            done.append(triangles[~split & covered[middle]])
            a, b, c = triangles[split].T
            middle = middle[split]
            triangles = np.concatenate([np.stack([c, a, middle], 1), np.stack([b, c, middle], 1)])
        done.append(triangles[self._exists(triangles)])
        return self._on_grid(np.concatenate(done))

    def within(self, most: int) -> Ints | None:
        """The faces of the least tolerance that are no more than `most`; None where no tolerance gives so few."""
        finite = self.error[np.isfinite(self.error) & (self.error > 0)]
        high = float(finite.max(initial=0.0))
        best = self.faces(high)
        if len(best) > most:
            return None
        low, high = np.log(max(float(finite.min(initial=1.0)), high * 1e-9, 1e-30)), np.log(max(high, 1e-29))
        for _ in range(SEARCH):
            middle = (low + high) / 2
            faces = self.faces(float(np.exp(middle)))
            if len(faces) <= most:
                best, high = faces, middle
            else:
                low = middle
        return best

    def _exists(self, triangles: Ints) -> NDArray[np.bool_]:
        """(N,) which of the smallest triangles there are."""
        rows, columns = np.divmod(triangles, self.side + 1)
        row, column = rows.min(1), columns.min(1)
        above = rows[:, 2] == row
        return np.where(above, self.upper[row, column], self.lower[row, column])

    def _on_grid(self, triangles: Ints) -> Ints:
        rows, columns = np.divmod(triangles, self.side + 1)
        return rows * self.width + columns


def _padded(part: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    whole = np.zeros((side, side), bool)
    whole[: part.shape[0], : part.shape[1]] = part
    return whole


def _errors(
    ground: NDArray[np.float32], upper: NDArray[np.bool_], lower: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """For the middle of each longest side, (n+1,n+1): the error of the triangles on both sides of it and of all inside
    them, infinite where only some of those exist; and whether they do."""
    side = len(upper)
    shape = ground.shape
    error, least, most = np.zeros(shape, np.float32), np.zeros(shape, bool), np.zeros(shape, bool)
    # Level 1: middles of sides of length 2 (row + column odd) see the four halves that touch them.
    pad_true = [np.pad(part, 1, constant_values=True) for part in (upper, lower)]
    pad_false = [np.pad(part, 1) for part in (upper, lower)]
    least[:] = pad_true[1][:-1, :-1] & pad_true[1][:-1, 1:] & pad_true[0][1:, :-1] & pad_true[0][1:, 1:]
    most[:] = pad_false[1][:-1, :-1] | pad_false[1][:-1, 1:] | pad_false[0][1:, :-1] | pad_false[0][1:, 1:]
    step = 2
    while step <= side:
        _level_on_sides(ground, error, least, most, step)
        _level_in_squares(ground, error, least, most, step)
        step *= 2
    return error, most


def _level_on_sides(ground: NDArray, error: NDArray, least: NDArray, most: NDArray, step: int) -> None:
    """Middles of the sides, of length `step`, of squares."""
    half, quarter = step // 2, step // 4
    for arrays in ((ground, error, least, most), (ground.T, error.T, least.T, most.T)):
        h, e, low, high = arrays
        at = (slice(None, None, step), slice(half, None, step))
        found = np.abs(h[at] - 0.5 * (h[::step, :-1:step] + h[::step, step::step]))
        if step > 2:
            inner = (slice(quarter, None, half), slice(quarter, None, half))
            found = np.maximum(found, _around_sides(e[inner], 0.0, np.maximum))
            low[at] = _around_sides(low[inner], True, np.logical_and)
            high[at] = _around_sides(high[inner], False, np.logical_or)
        e[at] = _judged(found, low[at], high[at])


def _around_sides(inner: NDArray, neutral: float | bool, merge: np.ufunc) -> NDArray:
    """Of the squares' middles (2m,2m), those that touch each horizontal side (m+1,m), merged."""
    padded = np.pad(inner, ((1, 1), (0, 0)), constant_values=neutral)
    above, below = padded[0::2], padded[1::2]
    return merge(merge(above[:, 0::2], above[:, 1::2]), merge(below[:, 0::2], below[:, 1::2]))


def _level_in_squares(ground: NDArray, error: NDArray, least: NDArray, most: NDArray, step: int) -> None:
    """Middles of the squares of side `step`, on their diagonals."""
    half = step // 2
    at = (slice(half, None, step), slice(half, None, step))
    corners = ground[::step, ::step]
    falling = 0.5 * (corners[:-1, :-1] + corners[1:, 1:])
    rising = 0.5 * (corners[:-1, 1:] + corners[1:, :-1])
    rows, columns = np.indices(falling.shape, sparse=True)
    found = np.abs(ground[at] - np.where((rows + columns) % 2 == 0, falling, rising))
    sides = [
        (slice(None, -1, step), slice(half, None, step)), (slice(step, None, step), slice(half, None, step)),
        (slice(half, None, step), slice(None, -1, step)), (slice(half, None, step), slice(step, None, step)),
    ]  # fmt: skip
    for one in sides:
        np.maximum(found, error[one], out=found)
    least[at] = np.logical_and.reduce([least[one] for one in sides])
    most[at] = np.logical_or.reduce([most[one] for one in sides])
    error[at] = _judged(found, least[at], most[at])


def _judged(found: NDArray, least: NDArray, most: NDArray) -> NDArray:
    """Infinite where triangles are there only in part, 0 where there are none."""
    return np.where(least, found, np.where(most, np.inf, 0.0))
