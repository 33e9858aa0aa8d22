"""Heights from what shading leaves unexplained: linear shape from shading on a grid, by conjugate gradients."""

from __future__ import annotations

from dataclasses import dataclass

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
    """The normal equations on a rectangle, applied without a matrix. The light's term lives on the cells between four
    texels, so that no height shifts against its shading."""

    def __init__(self, residual: NDArray, trust: NDArray, lit: LitFrame, options: SolveOptions) -> None:
        self.options = options
        self.right, self.down = (_cells(field) for field in lit.operator())
        weight = _cells(trust) * (np.minimum.reduce(_corners(trust)) > 0)
        self.right_weighted, self.down_weighted = weight * self.right, weight * self.down
        self.stiff_right = options.smoothness / (lit.frame.along[:, 1:] * lit.frame.along[:, :-1])
        self.stiff_down = options.smoothness / np.abs(lit.frame.across[1:] * lit.frame.across[:-1])
        self.pull = options.depth_weight * trust
        self.target = self.pull * options.depth * residual
        shown = weight * _cells(residual)
        self._scatter(self.target, -shown * self.right, -shown * self.down)
        self.pull = self.pull + options.flatness
        self.diagonal = self._diagonal(weight)

    def solve(self) -> NDArray[np.float32]:
        """Conjugate gradients with a diagonal preconditioner."""
        x = np.zeros_like(self.target)
        rest = self.target.copy()
        direction = rest / self.diagonal
        energy = _dot(rest, direction)
        goal = self.options.tolerance**2 * energy
        for _ in range(self.options.iterations):
            if energy <= goal or energy == 0:
                break
            image = self._apply(direction)
            step = np.float32(energy / _dot(direction, image))
            x += step * direction
            rest -= step * image
            prepared = rest / self.diagonal
            previous, energy = energy, _dot(rest, prepared)
            direction *= np.float32(energy / previous)
            direction += prepared
        return x

    def _apply(self, height: NDArray) -> NDArray:
        out = self.pull * height
        rise = self.stiff_right * np.diff(height, axis=1)
        out[:, 1:] += rise
        out[:, :-1] -= rise
        rise = self.stiff_down * np.diff(height, axis=0)
        out[1:] += rise
        out[:-1] -= rise
        shading = self._shading(height)
        self._scatter(out, shading * self.right_weighted, shading * self.down_weighted)
        return out

    def _shading(self, height: NDArray) -> NDArray:
        """(S-1,S-1) minus the change of log shading on the cells."""
        a, b, c, d = _corners(height)
        across, along = d - a, b - c
        return 0.5 * (self.right * (across + along) + self.down * (across - along))

    def _scatter(self, out: NDArray, right: NDArray, down: NDArray) -> None:
        """Add the transposed cell differences to the texels, in place."""
        both, either = 0.5 * (right + down), 0.5 * (right - down)
        a, b, c, d = _corners(out)
        a -= both
        d += both
        b += either
        c -= either

    def _diagonal(self, weight: NDArray) -> NDArray:
        out = self.pull.copy()
        for part, stiff in ((np.s_[:, 1:], self.stiff_right), (np.s_[:, :-1], self.stiff_right)):
            out[part] += stiff
        out[1:] += self.stiff_down
        out[:-1] += self.stiff_down
        both, either = weight * (0.5 * (self.right + self.down)) ** 2, weight * (0.5 * (self.right - self.down)) ** 2
        for corner, share in zip(_corners(out), (both, either, either, both), strict=True):
            corner += share
        return out


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
