"""Densities on a regular grid, slab by slab, in a fraction of the time that asking for every point takes.

On a grid each plane has only as many different values as it has places (N x N), and the decoder's first layer, being
linear, may be applied to these instead of to the N x N x N sums. What is left for a voxel is a sum, a softplus and a
scalar product over the hidden units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as nnf

from .decoder import Decoder
from .memory import available_bytes, check_memory
from .planes import Planes

SIDE = 512
"""Voxels along the published grid."""
BORDER = 30 / 256
"""Of the side: what the published script takes off on each side."""
EMPTY = -1000.0
"""Density that it writes there."""
TOGETHER = 1 << 20
"""Hidden units held at once: 4 MB, about the processor's cache."""
SAFE = 40.0
"""Hidden sums whose parts stay within this can be taken as products of exponentials in float32."""
SLAB_AXIS = 1
"""Slabs are cut across y: two of the published planes then stay the same for all of them."""
ORDER = (1, 2, 0)
"""Axes of the grid's arrays, in an even permutation of x, y, z, so that left and right are kept."""


@dataclass(frozen=True)
class Grid:
    """A cube of voxels around the origin; the outermost lie on the faces of the cube.

    Attributes:
        side: N, voxels along it. size: of the cube, the generator's units. border: voxels on each side that are empty.
    """

    side: int = SIDE
    size: float = 1.0
    border: int | None = None

    @property
    def margin(self) -> int:
        """Voxels on each side that are empty: the published 30 of 256, where nothing else is asked for."""
        return int(BORDER * self.side) if self.border is None else self.border

    @property
    def step(self) -> float:
        """Between neighbouring voxels."""
        return self.size / (self.side - 1)

    def points(self, voxels: NDArray) -> NDArray[np.float64]:
        """(V,3) x, y, z of places (V,3) in the grid's arrays (see `ORDER`)."""
        placed = np.empty((len(voxels), 3))
        placed[:, list(ORDER)] = np.asarray(voxels, np.float64) * self.step - self.size / 2
        return placed

    def coordinates(self, like: Tensor) -> Tensor:
        """(N - 2 margins,) of the voxels inside the border, along any axis."""
        whole = torch.linspace(-self.size / 2, self.size / 2, self.side, dtype=like.dtype, device=like.device)
        return whole[self.margin : self.side - self.margin]


def predicted_bytes(side: int, hidden: int, whole: bool = False, border: int | None = None) -> int:
    """About how much memory a grid takes, before it is started.

    Args:
        side: voxels along it. hidden: units of the decoder. whole: the densities of all voxels are kept, too.
    """
    inner = side - 2 * Grid(side, border=border).margin
    tables = 3 * 4 * hidden * inner**2  # one while it is summed up, one for the result, one of a plane
    buffers = 4 * 4 * max(TOGETHER, inner * hidden)
    return tables + buffers + 12 * side**2 + (4 * side**3 if whole else 0)


@torch.no_grad()
def slabs(planes: Planes, decoder: Decoder, grid: Grid) -> Iterator[Tensor]:
    """Raw densities of the grid, one slab (N,N) after the other along y, with rows along z and columns along x."""
    margin, side = grid.margin, grid.side
    empty = torch.full((side, side), EMPTY, dtype=planes.table.dtype, device=planes.table.device)
    inner = grid.coordinates(planes.table)
    for number in range(side):
        if number < margin or number >= side - margin:
            yield empty
            continue
        if number == margin:
            parts = _Parts.of(planes, decoder, inner)
        whole = empty.clone()
        whole[margin : side - margin, margin : side - margin] = parts.slab(number - margin)
        yield whole


def density_grid(
    planes: Planes, decoder: Decoder, grid: Grid, check: Callable[[], None] = lambda: None, limit: int | None = None
) -> NDArray[np.float32]:
    """(N,N,N) raw densities, axes x, y, z.

    Args:
        check: called for every slab; may raise to stop. limit: bytes of memory; None for what is free.
    Raises:
        DeviceError: it would not fit.
    """
    hidden = decoder.layer(0)[0].shape[0]
    room = available_bytes() if limit is None else limit
    check_memory(lambda n: predicted_bytes(n, hidden, True, grid.border), grid.side, room, "a grid of {} voxels a side")
    volume = np.empty((grid.side,) * 3, np.float32)
    for number, slab in enumerate(slabs(planes, decoder, grid)):
        check()
        volume[:, number] = slab.cpu().numpy().T
    return volume


@dataclass(frozen=True, eq=False)
class _Parts:
    """What the hidden sums of all slabs are made of.

    Attributes:
        still: (M,M,H) z, x: of the planes that do not know y, and the bias. moving: (M,M,H) y, x of those that run
            along x, or None; `standing` (M,M,H) y, z of those along z, or None.
        outer, last: (H,) and () of the decoder's density.
        products: all are exponentials, to be multiplied rather than added.
    """

    still: Tensor
    moving: Tensor | None
    standing: Tensor | None
    outer: Tensor
    last: Tensor
    products: bool

    @classmethod
    def of(cls, planes: Planes, decoder: Decoder, inner: Tensor) -> _Parts:
        (first, offset), (second, last) = decoder.layer(0), decoder.layer(1)
        tables: dict[tuple[int, int], Tensor] = {}
        for number, (across, down) in enumerate(planes.axes):
            taken = planes.sampled(number, inner, inner) @ (first.T / len(planes.axes))
            # Rows y or z; columns x, or z for a plane of y and z.
            turned = (down, across) in ((0, 1), (0, 2), (2, 1))
            key = (across, down) if turned else (down, across)
            taken = taken.transpose(0, 1) if turned else taken
            tables[key] = tables[key] + taken if key in tables else taken
        count = (len(inner), len(inner), len(offset))
        still = tables.get((2, 0), torch.zeros(count, dtype=inner.dtype, device=inner.device)) + offset
        others = [tables.get((1, 0)), tables.get((1, 2))]
        there = [still, *(table for table in others if table is not None)]
        products = all(float(table.abs().max()) < SAFE for table in there) and len(there) < 3
        if products:
            still = still.exp()
            others = [None if table is None else table.exp() for table in others]
        return cls(still.contiguous(), others[0], others[1], second[0], last[0], products)

    def slab(self, number: int) -> Tensor:
        """(M,M) z, x densities of slab y."""
        rows = max(1, TOGETHER // self.still[0].numel())
        found = []
        for start in range(0, len(self.still), rows):
            hidden = self.still[start : start + rows]
            for part in self._at(number, start, rows):
                hidden = hidden * part if self.products else hidden + part
            hidden = hidden.log1p_() if self.products else nnf.softplus(hidden)
            found.append(hidden @ self.outer)
        return torch.cat(found) + self.last

    def _at(self, number: int, start: int, rows: int) -> Iterator[Tensor]:
        """The parts of slab `number` that change with it, as they are added to rows of `still`."""
        if self.moving is not None:
            yield self.moving[number][None]
        if self.standing is not None:
            yield self.standing[number, start : start + rows, None]
