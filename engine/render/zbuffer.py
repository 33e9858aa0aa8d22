"""The default rasteriser: a z-buffer in plain torch operations. Needs no compiler; runs on CPU, CUDA and MPS.

Each triangle is cut into pixel rows, each row into the pixels whose centres it covers, so every candidate is a hit and
neighbours that share an edge neither overlap nor leave gaps (both compute the edge's crossing from the same numbers,
spans are half-open). Inverse depth is linear on the screen, so a row needs one multiply-add per pixel; the nearest face
is resolved by one `scatter_reduce(amax)` on a key of (inverse depth, face).

On the CPU, what is cut stands in the order of its size. The first rows of all triangles are then cut in one go, then
the second rows of all that have two, and so on: what is still to be cut is the beginning of every array, and nothing
needs to be gathered. Few large ones are left over; they are cut, as all are on other devices, by repeating each as
often as it has parts. The order never matters for the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from .rasterize import Cull, Raster, Size

PARTS_AT_ONCE = 1 << 19
"""Rows or pixels, which bounds the memory."""
RESOLVE_AT_ONCE = 1 << 14
FEW = 192
"""Things from which on cutting them one part at a time pays on the CPU."""
LARGEST = 255
"""Parts of one thing that are told apart when things are ordered by size; what has more counts as the largest."""


class _Columns:
    """Dataclasses whose fields are tensors of equal length."""

    def part(self, chosen: slice | Tensor) -> Self:
        """The same of some entries."""
        names = self.__dataclass_fields__  # type: ignore[attr-defined]
        if isinstance(chosen, Tensor):
            return type(self)(*(getattr(self, name).index_select(-1, chosen) for name in names))
        return type(self)(*(getattr(self, name)[..., chosen] for name in names))


@dataclass(frozen=True)
class _Triangles(_Columns):
    """Kept triangles: corners from top to bottom, their edges and inverse-depth plane, their pixel rows."""

    tag: Tensor  # (N,) int32, index of the triangle in the flattened input
    top: Tensor  # (2,N) x, y of the corners
    middle: Tensor  # (2,N)
    lean: Tensor  # (3,N) pixels to the right per pixel down: of the long edge, the upper and the lower short one
    plane: Tensor  # (3,N) inverse depth at the top corner, its slope to the right and its slope downwards
    limits: Tensor  # (2,N) least and greatest inverse depth
    first_row: Tensor  # (N,) whole numbers
    rows: Tensor  # (N,) whole numbers, how many pixel rows
    offset: Tensor  # (N,) int64, where its picture starts in the flattened buffer


@dataclass(frozen=True)
class _Spans(_Columns):
    """Runs of covered pixels in one row each."""

    pixel: Tensor  # (R,) int64, first pixel in the flattened buffer
    length: Tensor  # (R,) whole numbers
    inverse_depth: Tensor  # (R,) at the first pixel
    step: Tensor  # (R,) per pixel
    tag: Tensor  # (R,) int32


@dataclass(frozen=True)
class CutOut:
    """Which candidates for a pixel count.

    Attributes:
        nearest: (pixels,) inverse depth of what is drawn already; what lies behind it is left out.
        opaque: of candidates' faces (M,) int32 and pixels (M,) int64, which are there: (M,) bool.
    """

    nearest: Tensor
    opaque: Callable[[Tensor, Tensor], Tensor]


@torch.no_grad()
def rasterize_zbuffer(triangles: Tensor, size: Size, cull: Cull = "none", cut: CutOut | None = None) -> Raster:
    """See `engine.render.rasterize.Rasterizer`. Given `cut`, faces have holes (single pictures only)."""
    height, width = size
    batch, faces = triangles.shape[:-3], triangles.shape[-3]
    flat = triangles.detach().reshape(-1, 9).float().T.contiguous()
    buffer = _new_buffer(batch.numel() * height * width, flat.device)
    for spans in _spans(_prepare(flat, faces, size, cull), width):
        for chosen, position in _steps(spans.length):
            buffer.add(*_candidates(spans.part(chosen), position, cut))
    winner = buffer.winner()
    barycentrics, depth = _resolve(flat, winner, size)
    face = winner
    if batch.numel() > 1:
        first = torch.arange(batch.numel(), dtype=torch.int32, device=flat.device)[:, None] * faces
        face = winner.view(len(first), -1)
        face = torch.where(face >= 0, face - first, face)
    shape = (*batch, height, width)
    return Raster(face.reshape(shape), barycentrics.reshape(*shape, 3), depth.reshape(shape))


def _resolve(triangles: Tensor, winner: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    """Barycentrics (pixels,3) and depth (pixels,) of the winning triangles (pixels,), of corners (9,N).

    All pixels of a few rows at a time, background too: number after number in memory, in blocks that fit the CPU's
    cache, that is quicker than picking those that see something.
    """
    height, width = size
    barycentrics = torch.zeros((len(winner), 3), device=winner.device)
    depth = torch.full((len(winner),), torch.inf, device=winner.device)
    planes = pad(_weight_planes(triangles), (1, 0))
    lines = len(winner) // max(width, 1)
    at_once = max(1, (RESOLVE_AT_ONCE if winner.device.type == "cpu" else PARTS_AT_ONCE) // max(width, 1))
    x = torch.arange(width, device=winner.device) + 0.5
    y = (torch.arange(lines, device=winner.device) % max(height, 1) + 0.5)[:, None]
    for line in range(0, lines, at_once):
        part = slice(line * width, (line + at_once) * width)
        found = winner[part]
        if not bool((found >= 0).any()):
            continue
        plane = planes.index_select(1, found + 1).view(len(planes), -1, width)
        right, down = x - plane[0], y[line : line + at_once] - plane[1]
        weights = plane[5:8].mul_(right).add_(plane[2:5]).add_(plane[8:11].mul_(down)).clamp_min_(0)
        nearness = (weights[0] + weights[1] + weights[2]).clamp_min_(1e-30)
        barycentrics[part].view(-1, width, 3).copy_(weights.div_(nearness).movedim(0, -1))
        depth[part] = nearness.reciprocal().view(-1).masked_fill_(found < 0, torch.inf)
    return barycentrics, depth


def _weight_planes(triangles: Tensor) -> Tensor:
    """(11,N) of corners (9,N): first corner x, y; barycentric over depth of the three there, its slopes in x and in y.

    Barycentric over depth is linear on the screen, and the three sum to the inverse depth (perspective correction).
    """
    x0, y0, z0, x1, y1, z1, x2, y2, z2 = triangles
    right_1, down_1, right_2, down_2 = x1 - x0, y1 - y0, x2 - x0, y2 - y0
    area = right_1 * down_2 - down_1 * right_2
    inverse = torch.stack([z0, z1, z2]).reciprocal()
    slope_x = torch.stack([down_1 - down_2, down_2, -down_1]) / area * inverse
    slope_y = torch.stack([right_2 - right_1, -right_2, right_1]) / area * inverse
    none = torch.zeros_like(x0)
    return torch.cat([torch.stack([x0, y0, inverse[0], none, none]), slope_x, slope_y])


def _prepare(triangles: Tensor, faces: int, size: Size, cull: Cull) -> _Triangles:
    """Leave out what of (9,N) cannot be seen; sort corners; set up edges and the inverse-depth plane."""
    height, width = size
    x, y, z = (triangles[axis::3].unbind() for axis in range(3))
    doubled_area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    first_row = (_least(y) - 0.5).ceil_().clamp_(0, height)
    rows = (_greatest(y) - 0.5).ceil_().clamp_(0, height) - first_row
    keep = (_least(z) > 0) & (_greatest(x) > 0) & (_least(x) < width) & torch.isfinite(triangles).all(0)
    # Screen y points down: a front face, counter-clockwise seen from outside, has negative area here.
    keep &= (doubled_area < 0) if cull == "back" else (doubled_area != 0)
    tag = _largest_first(torch.where(keep, rows, 0))
    first_row, rows = first_row.index_select(0, tag), rows.index_select(0, tag)
    top, middle, bottom = _downwards(triangles.index_select(1, tag))
    edge_1, edge_2 = middle - top, bottom - top
    inverse = torch.stack([top[2], middle[2], bottom[2]]).reciprocal()
    rise_1, rise_2 = inverse[1] - inverse[0], inverse[2] - inverse[0]
    area = edge_1[0] * edge_2[1] - edge_1[1] * edge_2[0]
    return _Triangles(
        tag.int(),
        top[:2],
        middle[:2],
        torch.stack([_lean(top, bottom), _lean(top, middle), _lean(middle, bottom)]),
        torch.stack(
            [
                inverse[0],
                (rise_1 * edge_2[1] - rise_2 * edge_1[1]) / area,
                (rise_2 * edge_1[0] - rise_1 * edge_2[0]) / area,
            ]
        ),
        torch.stack([_least(inverse.unbind()), _greatest(inverse.unbind())]),
        first_row,
        rows,
        torch.div(tag, max(faces, 1), rounding_mode="floor") * (height * width),
    )


def _least(values: Sequence[Tensor]) -> Tensor:
    return torch.minimum(torch.minimum(values[0], values[1]), values[2])


def _greatest(values: Sequence[Tensor]) -> Tensor:
    return torch.maximum(torch.maximum(values[0], values[1]), values[2])


def _downwards(corners: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The three corners, (3,N) each, of triangles (9,N) from top to bottom; at equal height in the order given."""
    first, second, third = corners.split(3)
    first, second = _upper_first(first, second)
    second, third = _upper_first(second, third)
    return *_upper_first(first, second), third


def _upper_first(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    swap = one[1] > other[1]
    return torch.where(swap, other, one), torch.where(swap, one, other)


def _lean(start: Tensor, end: Tensor) -> Tensor:
    """How far the edge from `start` (upper) to `end` (lower) goes to the right on its way down, per pixel."""
    return (end[0] - start[0]) / (end[1] - start[1])


def _spans(triangles: _Triangles, width: int) -> Iterator[_Spans]:
    """The spans of triangles, of some rows at a time, longest first."""
    waiting: list[_Spans] = []
    count = 0
    for chosen, position in _steps(triangles.rows):
        waiting.append(_cut_rows(triangles.part(chosen), position, width))
        count += len(waiting[-1].length)
        if count > PARTS_AT_ONCE:
            yield _joined(waiting)
            waiting, count = [], 0
    if waiting:
        yield _joined(waiting)


def _joined(spans: list[_Spans]) -> _Spans:
    """One after the other, then longest first, without those that cover nothing."""
    whole = _Spans(*(torch.cat([getattr(part, name) for part in spans]) for name in _Spans.__dataclass_fields__))
    return whole.part(_largest_first(whole.length))


def _cut_rows(triangles: _Triangles, position: int | Tensor, width: int) -> _Spans:
    """The spans of covered pixels, empty ones too, in one row of each triangle: the first is at position 0."""
    row = triangles.first_row + position
    centre = row + 0.5
    (left, top), (middle_x, middle_y) = triangles.top, triangles.middle
    long, upper, lower = triangles.lean
    below = centre - top
    crossing_1 = left + below * long
    crossing_2 = torch.where(centre < middle_y, left + below * upper, middle_x + (centre - middle_y) * lower)
    first = (torch.minimum(crossing_1, crossing_2) - 0.5).ceil_().clamp_(0, width)
    last = (torch.maximum(crossing_1, crossing_2) - 0.5).ceil_().clamp_(0, width)
    plane = triangles.plane[0] + triangles.plane[2] * below
    slope = triangles.plane[1]
    # Slivers have huge slopes: hold both ends of the span within the triangle's own depths.
    begin = torch.clamp(plane + slope * (first + 0.5 - left), *triangles.limits)
    end = torch.clamp(plane + slope * (last - 0.5 - left), *triangles.limits)
    length = last - first
    step = (end - begin) / (length - 1).clamp_min_(1)
    pixel = triangles.offset + row.long() * width + first.long()
    return _Spans(pixel, length, begin, step, triangles.tag)


def _candidates(spans: _Spans, position: int | Tensor, cut: CutOut | None) -> tuple[Tensor, Tensor, Tensor]:
    """Pixel, inverse depth and face (M,) at one position of each span, without what is cut out."""
    pixel, inverse, tag = spans.pixel + position, spans.inverse_depth + spans.step * position, spans.tag
    if cut is None:
        return pixel, inverse, tag
    near = (inverse > cut.nearest.index_select(0, pixel)).nonzero().squeeze(-1)
    pixel, inverse, tag = (values.index_select(0, near) for values in (pixel, inverse, tag))
    kept = cut.opaque(tag, pixel).nonzero().squeeze(-1)
    return pixel.index_select(0, kept), inverse.index_select(0, kept), tag.index_select(0, kept)


def _largest_first(sizes: Tensor) -> Tensor:
    """An order (M,) in which sizes (N,), whole numbers, fall up to `LARGEST`; without those of 0.

    On other devices than the CPU the order is as before.
    """
    if sizes.device.type != "cpu":
        return sizes.nonzero().squeeze(-1)
    falling = (LARGEST - sizes.clamp(0, LARGEST)).to(torch.uint8).numpy()
    return torch.from_numpy(np.argsort(falling, kind="stable")[: np.count_nonzero(falling < LARGEST)])


def _steps(counts: Tensor) -> Iterator[tuple[slice | Tensor, int | Tensor]]:
    """All parts of things that have `counts` (N,) of them, whole numbers: the things, and which part of each.

    On the CPU, counts must fall up to `LARGEST`: the first part of all is followed by the second of those that have
    one, as long as they are many. The rest, and all on other devices, comes things repeated.
    """
    done = 0
    if counts.device.type == "cpu":
        sizes = np.bincount(counts.clamp_max(LARGEST).to(torch.uint8).numpy(), minlength=LARGEST + 1)
        having = sizes[::-1].cumsum()[-2::-1]  # more than 0 parts, more than 1, ...
        while done < LARGEST and having[done] >= FEW:
            yield slice(0, int(having[done])), done
            done += 1
        counts = counts[: int(having[min(done, LARGEST - 1)])]
    rest = counts.long() - done
    for start, stop in _chunks(rest, PARTS_AT_ONCE):
        owner, position = _expand(rest[start:stop])
        yield owner + start, position + done


def _expand(counts: Tensor) -> tuple[Tensor, Tensor]:
    """For counts (N,): owner (M,) repeated and position (M,) within the owner, M = sum of counts."""
    owner = torch.repeat_interleave(counts)
    starts = counts.cumsum(0) - counts
    return owner, torch.arange(len(owner), device=counts.device) - starts[owner]


def _chunks(counts: Tensor, limit: int) -> Iterator[tuple[int, int]]:
    """Consecutive ranges whose counts sum to at most about `limit` (one item may exceed it alone)."""
    total = counts.cumsum(0)
    if not len(total):
        return
    if int(total[-1]) <= limit:
        yield 0, len(total)
        return
    bounds = torch.arange(limit, int(total[-1]) + limit, limit, device=total.device)
    stops = torch.searchsorted(total, bounds, right=True).clamp_max(len(total)).tolist()
    start = 0
    for stop in [*stops, len(total)]:
        stop = max(stop, start + 1)
        if start < len(total):
            yield start, min(stop, len(total))
        start = min(stop, len(total))


class _PackedBuffer:
    """(inverse depth, face) packed in one int64 per pixel; the order of arrival never matters."""

    def __init__(self, pixels: int, device: torch.device) -> None:
        self.keys = torch.zeros(pixels, dtype=torch.int64, device=device)

    def add(self, pixel: Tensor, inverse: Tensor, tag: Tensor) -> None:
        # Bits of positive floats sort like the floats. At equal depth the lower face wins.
        keys = torch.stack([0x7FFFFFFF - tag, inverse.view(torch.int32)], -1).view(torch.int64)[:, 0]
        self.keys.scatter_reduce_(0, pixel, keys, "amax")

    def winner(self) -> Tensor:
        """(pixels,) int32, -1 where nothing was drawn."""
        low, high = self.keys.view(torch.int32).view(-1, 2).unbind(-1)
        return torch.where(high > 0, 0x7FFFFFFF - low, -1)


class _TwoPassBuffer:
    """The same for devices without 64-bit scatter (MPS): depth first, then the lowest face at that depth."""

    def __init__(self, pixels: int, device: torch.device) -> None:
        self.inverse = torch.zeros(pixels, device=device)
        self.tags = torch.full((pixels,), 0x7FFFFFFF, dtype=torch.int32, device=device)

    def add(self, pixel: Tensor, inverse: Tensor, tag: Tensor) -> None:
        before = self.inverse
        self.inverse = before.scatter_reduce(0, pixel, inverse, "amax")
        self.tags[self.inverse > before] = 0x7FFFFFFF
        nearest = inverse == self.inverse[pixel]
        self.tags.scatter_reduce_(0, pixel[nearest], tag[nearest], "amin")

    def winner(self) -> Tensor:
        return torch.where(self.inverse > 0, self.tags, -1)


def _new_buffer(pixels: int, device: torch.device) -> _PackedBuffer | _TwoPassBuffer:
    return _TwoPassBuffer(pixels, device) if device.type == "mps" else _PackedBuffer(pixels, device)
