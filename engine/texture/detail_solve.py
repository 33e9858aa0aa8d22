"""Heights from what shading leaves unexplained: linear shape from shading on a grid, by conjugate gradients."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .detail_frame import LitFrame


@dataclass(frozen=True)
class SolveOptions:
    """Weights of the solution. Lengths in millimetres, brightness in natural logarithms.

    Attributes:
        depth: height of what is one log unit brighter than its surroundings, where light does not tell ("dark is
            deep": Langer and Zucker 1994, "Shape-from-shading on a cloudy day"; used for faces by Beeler et al. 2010,
            "High-Quality Single-Shot Capture of Facial Geometry", section 5). An artist's default.
        depth_weight: of that prior against shading.
        smoothness: of slopes against zero; its root is the light's steepness below which shading is not believed.
        flatness: of heights against zero.
        iterations, tolerance: of the solver; the residual's norm relative to the start.
    """

    depth: float = 0.8
    depth_weight: float = 0.1
    smoothness: float = 0.02
    flatness: float = 0.01
    iterations: int = 80
    tolerance: float = 1e-3


def solve_height(
    residual: NDArray[np.float32], trust: NDArray[np.float32], lit: LitFrame, options: SolveOptions | None = None
) -> NDArray[np.float32]:
    """The height whose shading explains a residual.

    Minimises over h, on texels,

        sum trust * (towards . slope(h) + residual)^2 + depth_weight * trust * (h - depth * residual)^2
            + smoothness * |slope(h)|^2 + flatness * h^2

    The first term is shape from shading linearised about the mesh (Pentland 1990, "Linear Shape from Shading", for
    small slopes under a known light; here the light's own gradient stands for its direction). It says nothing about
    slopes across the light; there the others decide.

    Args:
        residual: (S,S) log brightness that albedo and light on the smooth mesh do not explain.
        trust: (S,S) 0..1. Untrusted texels go flat within about a millimetre.
    Returns:
        (S,S) millimetres.
    """
    options = options or SolveOptions()
    return _System(residual, trust, lit, options).solve()


class _System:
    """The normal equations on a rectangle: each texel's own factor, and those it has in common with its neighbours.

    The light's term lives on the cells between four texels, so that no height shifts against its shading. On a cell it
    is p (d - a) + q (b - c) of its corners' heights, see `_corners`, with p and q half the sum and half the difference
    of the light's two factors.

    All pictures have a rim of one texel, where heights are 0, so that every texel has eight neighbours.

    Attributes:
        target: (S+2,S+2) right side.
        diagonal: (S+2,S+2) factor of the texel itself, 1 on the rim.
        couplings: (4,S+2,S+2) factor that a texel has in common with the one to the left, above, to the upper left; and
            that its left neighbour has with the one above the texel.
    """

    def __init__(self, residual: NDArray, trust: NDArray, lit: LitFrame, options: SolveOptions) -> None:
        self.options = options
        right, down = (_cells(field) for field in lit.operator())
        p, q = 0.5 * (right + down), 0.5 * (right - down)
        weight = _cells(trust) * (np.minimum.reduce(_corners(trust)) > 0)
        pull = options.depth_weight * trust
        target, diagonal = pull * options.depth * residual, pull + np.float32(options.flatness)
        shown = weight * _cells(residual)
        for part, factor in zip(_corners(target), (p, -q, q, -p), strict=True):
            part += shown * factor
        falling, rising, both = weight * p * p, weight * q * q, weight * p * q
        for part, factor in zip(_corners(diagonal), (falling, rising, rising, falling), strict=True):
            part += factor
        beside = -options.smoothness / (lit.frame.along[:, 1:] * lit.frame.along[:, :-1])
        below = -options.smoothness / np.abs(lit.frame.across[1:] * lit.frame.across[:-1])
        diagonal[:, :-1] -= beside
        diagonal[:, 1:] -= beside
        diagonal[:-1] -= below
        diagonal[1:] -= below
        beside[:-1] -= both
        beside[1:] -= both
        below[:, :-1] += both
        below[:, 1:] += both
        self.target, self.diagonal = np.pad(target, 1), np.pad(diagonal, 1, constant_values=1)
        self.couplings = np.zeros((4, *self.target.shape), np.float32)
        self.couplings[0, 1:-1, 2:-1], self.couplings[1, 2:-1, 1:-1] = beside, below
        self.couplings[2, 2:-1, 2:-1], self.couplings[3, 2:-1, 2:-1] = -falling, -rising

    def solve(self) -> NDArray[np.float32]:
        """Conjugate gradients with a diagonal preconditioner."""
        x = np.zeros_like(self.target)
        rest = self.target.copy()
        direction = rest / self.diagonal
        image, prepared = np.zeros_like(x), np.empty_like(x)
        energy = _dot(rest, direction)
        goal = self.options.tolerance**2 * energy
        for _ in range(self.options.iterations):
            if energy <= goal or energy == 0:
                break
            self.apply(direction, image)
            step = energy / _dot(direction, image)
            cv2.scaleAdd(direction, step, x, x)
            cv2.scaleAdd(image, -step, rest, rest)
            np.divide(rest, self.diagonal, out=prepared)
            previous, energy = energy, _dot(rest, prepared)
            cv2.scaleAdd(direction, energy / previous, prepared, direction)
        return x[1:-1, 1:-1].copy()

    def apply(self, height: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """The left side of the equations for a height, into `out`; both with a rim of 0."""
        inside, before, after = slice(1, -1), slice(None, -2), slice(2, None)
        beside, upright, falling, rising = self.couplings
        mine = out[inside, inside]
        np.multiply(self.diagonal[inside, inside], height[inside, inside], out=mine)
        for factor, neighbour in (
            (beside[inside, inside], height[inside, before]),
            (beside[inside, after], height[inside, after]),
            (upright[inside, inside], height[before, inside]),
            (upright[after, inside], height[after, inside]),
            (falling[inside, inside], height[before, before]),
            (falling[after, after], height[after, after]),
            (rising[inside, after], height[before, after]),
            (rising[after, inside], height[after, before]),
        ):
            cv2.accumulateProduct(factor, neighbour, mine)  # one pass where NumPy takes two


def _corners(picture: NDArray) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Views of the four texels around each cell: upper left, upper right, lower left, lower right."""
    return picture[:-1, :-1], picture[:-1, 1:], picture[1:, :-1], picture[1:, 1:]


def _cells(picture: NDArray) -> NDArray[np.float32]:
    """(S-1,S-1) means of the four texels around each cell."""
    a, b, c, d = _corners(picture)
    return (0.25 * (a + b + c + d)).astype(np.float32)


def _dot(a: NDArray, b: NDArray) -> float:
    return float(np.vdot(a, b))


def box_around(mask: NDArray[np.bool_], margin: int) -> tuple[slice, slice] | None:
    """The rectangle around what is set in (S,S), with a margin; None where nothing is."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return (
        slice(max(int(rows[0]) - margin, 0), int(rows[-1]) + margin + 1),
        slice(max(int(columns[0]) - margin, 0), int(columns[-1]) + margin + 1),
    )
