"""The default rasteriser: a z-buffer in plain torch operations. Needs no compiler; runs on CPU, CUDA and MPS.

Each triangle is cut into pixel rows, each row into the pixels whose centres it covers, so every candidate is a hit and
neighbours that share an edge neither overlap nor leave gaps (both compute the edge's crossing from the same numbers,
spans are half-open). Inverse depth is linear on the screen, so a row needs one multiply-add per pixel; the nearest face
is resolved by one `scatter_reduce(amax)` on a key of (inverse depth, face).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .rasterize import Cull, Raster, Size

ROWS_AT_ONCE = 1 << 20
PIXELS_AT_ONCE = 1 << 19
RESOLVE_AT_ONCE = 1 << 15


@dataclass(frozen=True)
class _Triangles:
    """Kept triangles: corners sorted from top to bottom, their inverse-depth plane and pixel rows."""

    tag: Tensor  # (N,) int64, index of the triangle in the flattened input
    corners: Tensor  # (N,3,3), sorted by y
    slope_x: Tensor  # (N,) inverse depth per pixel to the right
    slope_y: Tensor  # (N,) and downwards
    first_row: Tensor  # (N,) int64
    rows: Tensor  # (N,) int64, number of pixel rows
    offset: Tensor  # (N,) int64, where its picture starts in the flattened buffer

    def part(self, start: int, stop: int) -> _Triangles:
        return _Triangles(*(getattr(self, name)[start:stop] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class _Spans:
    """Runs of covered pixels in one row each."""

    pixel: Tensor  # (R,) int64, first pixel in the flattened buffer
    length: Tensor  # (R,) int64
    inverse_depth: Tensor  # (R,) at the first pixel
    step: Tensor  # (R,) per pixel
    tag: Tensor  # (R,) int64

    def part(self, start: int, stop: int) -> _Spans:
        return _Spans(*(getattr(self, name)[start:stop] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class CutOut:
    """Which candidates for a pixel count.

    Attributes:
        nearest: (pixels,) inverse depth of what is drawn already; what lies behind it is left out.
        opaque: of candidates' faces (M,) and pixels (M,), both int64, which are there: (M,) bool.
    """

    nearest: Tensor
    opaque: Callable[[Tensor, Tensor], Tensor]


@torch.no_grad()
def rasterize_zbuffer(triangles: Tensor, size: Size, cull: Cull = "none", cut: CutOut | None = None) -> Raster:
    """See `engine.render.rasterize.Rasterizer`. Given `cut`, faces have holes (single pictures only)."""
    height, width = size
    batch, faces = triangles.shape[:-3], triangles.shape[-3]
    flat = triangles.detach().reshape(-1, 3, 3).float()
    pixels = batch.numel() * height * width
    buffer = _new_buffer(pixels, flat.device)
    kept = _prepare(flat, faces, size, cull)
    for start, stop in _chunks(kept.rows, ROWS_AT_ONCE):
        spans = _cut_rows(kept.part(start, stop), width)
        for first, last in _chunks(spans.length, PIXELS_AT_ONCE):
            buffer.add(*_candidates(spans.part(first, last), cut))
    winner = buffer.winner()
    barycentrics, depth = _resolve(flat, winner, size)
    face = torch.where(winner >= 0, winner % max(faces, 1), winner).int()
    shape = (*batch, height, width)
    return Raster(face.reshape(shape), barycentrics.reshape(*shape, 3), depth.reshape(shape))


def _resolve(triangles: Tensor, winner: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    """Barycentrics (pixels,3) and depth (pixels,) of the winning triangles; in blocks that fit the CPU's cache."""
    height, width = size
    barycentrics = torch.zeros((len(winner), 3), device=winner.device)
    depth = torch.full((len(winner),), torch.inf, device=winner.device)
    planes = _weight_planes(triangles)
    block = RESOLVE_AT_ONCE if winner.device.type == "cpu" else PIXELS_AT_ONCE
    for seen in (winner >= 0).nonzero().squeeze(-1).split(block):
        plane = planes[winner[seen]]
        row = torch.div(seen, width, rounding_mode="floor")
        x = (seen - row * width) + 0.5 - plane[:, 0]
        y = (row % height) + 0.5 - plane[:, 1]
        weights = (plane[:, 2:5] + plane[:, 5:8] * x[:, None] + plane[:, 8:11] * y[:, None]).clamp_min_(0)
        nearness = (weights[:, 0] + weights[:, 1] + weights[:, 2]).clamp_min_(1e-30)
        barycentrics[seen] = weights / nearness[:, None]
        depth[seen] = nearness.reciprocal()
    return barycentrics, depth


def _weight_planes(triangles: Tensor) -> Tensor:
    """(N,11): first corner x, y; then barycentric over depth of the three corners there, its slope in x and in y.

    Barycentric over depth is linear on the screen, and the three sum to the inverse depth (perspective correction).
    """
    first = triangles[:, 0]
    edge_1, edge_2 = triangles[:, 1] - first, triangles[:, 2] - first
    area = edge_1[:, 0] * edge_2[:, 1] - edge_1[:, 1] * edge_2[:, 0]
    slope_x = torch.stack([edge_1[:, 1] - edge_2[:, 1], edge_2[:, 1], -edge_1[:, 1]], -1) / area[:, None]
    slope_y = torch.stack([edge_2[:, 0] - edge_1[:, 0], -edge_2[:, 0], edge_1[:, 0]], -1) / area[:, None]
    inverse = triangles[..., 2].reciprocal()
    at_first = torch.cat([inverse[:, :1], torch.zeros_like(inverse[:, 1:])], -1)
    return torch.cat([first[:, :2], at_first, slope_x * inverse, slope_y * inverse], -1)


def _prepare(triangles: Tensor, faces: int, size: Size, cull: Cull) -> _Triangles:
    """Leave out what cannot be seen; sort corners; set up the inverse-depth plane."""
    height, width = size
    x, y, z = triangles.unbind(-1)
    doubled_area = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])
    first_row = (y.amin(1) - 0.5).ceil().clamp(0, height)
    last_row = (y.amax(1) - 0.5).ceil().clamp(0, height)
    keep = (z > 0).all(1) & (last_row > first_row) & (x.amax(1) > 0) & (x.amin(1) < width)
    keep &= torch.isfinite(triangles).all(2).all(1)
    # Screen y points down: a front face, counter-clockwise seen from outside, has negative area here.
    keep &= (doubled_area < 0) if cull == "back" else (doubled_area != 0)
    tag = keep.nonzero().squeeze(-1)
    corners = triangles[tag]
    corners = corners.gather(1, corners[..., 1].argsort(stable=True, dim=1)[..., None].expand(-1, -1, 3))
    edge_1, edge_2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    inverse = corners[..., 2].reciprocal()
    rise_1, rise_2 = inverse[:, 1] - inverse[:, 0], inverse[:, 2] - inverse[:, 0]
    area = edge_1[:, 0] * edge_2[:, 1] - edge_1[:, 1] * edge_2[:, 0]
    return _Triangles(
        tag,
        corners,
        (rise_1 * edge_2[:, 1] - rise_2 * edge_1[:, 1]) / area,
        (rise_2 * edge_1[:, 0] - rise_1 * edge_2[:, 0]) / area,
        first_row[tag].long(),
        (last_row - first_row)[tag].long(),
        torch.div(tag, max(faces, 1), rounding_mode="floor") * (height * width),
    )


def _cut_rows(triangles: _Triangles, width: int) -> _Spans:
    """Cut triangles into spans of covered pixels."""
    owner, row = _expand(triangles.rows)
    row = row + triangles.first_row[owner]
    centre = row + 0.5
    corners = triangles.corners[owner]
    top, middle, bottom = corners.unbind(1)
    upper = centre < middle[:, 1]
    short_from = torch.where(upper[:, None], top, middle)
    short_to = torch.where(upper[:, None], middle, bottom)
    crossing_1, crossing_2 = _cross(top, bottom, centre), _cross(short_from, short_to, centre)
    first = (torch.minimum(crossing_1, crossing_2) - 0.5).ceil().clamp(0, width)
    last = (torch.maximum(crossing_1, crossing_2) - 0.5).ceil().clamp(0, width)
    inverse = corners[..., 2].reciprocal()
    nearest, farthest = inverse.amax(1), inverse.amin(1)
    plane = inverse[:, 0] + triangles.slope_y[owner] * (centre - top[:, 1])
    slope = triangles.slope_x[owner]
    # Slivers have huge slopes: hold both ends of the span within the triangle's own depths.
    begin = torch.clamp(plane + slope * (first + 0.5 - top[:, 0]), farthest, nearest)
    end = torch.clamp(plane + slope * (last - 0.5 - top[:, 0]), farthest, nearest)
    step = (end - begin) / (last - first - 1).clamp_min(1)
    spans = _Spans(
        triangles.offset[owner] + row * width + first.long(), (last - first).long(), begin, step, triangles.tag[owner]
    )
    filled = spans.length > 0
    return _Spans(*(getattr(spans, name)[filled] for name in spans.__dataclass_fields__))


def _candidates(spans: _Spans, cut: CutOut | None) -> tuple[Tensor, Tensor, Tensor]:
    """Pixel, inverse depth and face (M,) of everything the spans cover, without what is cut out."""
    owner, position = _expand(spans.length)
    inverse = spans.inverse_depth[owner] + spans.step[owner] * position
    pixel = spans.pixel[owner] + position
    if cut is None:
        return pixel, inverse, spans.tag[owner]
    near = (inverse > cut.nearest[pixel]).nonzero().squeeze(-1)
    pixel, inverse, tag = pixel[near], inverse[near], spans.tag[owner[near]]
    kept = cut.opaque(tag, pixel).nonzero().squeeze(-1)
    return pixel[kept], inverse[kept], tag[kept]


def _cross(start: Tensor, end: Tensor, y: Tensor) -> Tensor:
    """x at which the edge from `start` (upper) to `end` (lower) crosses height y."""
    return start[:, 0] + (y - start[:, 1]) * ((end[:, 0] - start[:, 0]) / (end[:, 1] - start[:, 1]))


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
        keys = (inverse.view(torch.int32).long() << 32) | (0x7FFFFFFF - tag)
        self.keys.scatter_reduce_(0, pixel, keys, "amax")

    def winner(self) -> Tensor:
        """(pixels,) int64, -1 where nothing was drawn."""
        return torch.where(self.keys > 0, 0x7FFFFFFF - (self.keys & 0xFFFFFFFF), -1)


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
        self.tags.scatter_reduce_(0, pixel[nearest], tag[nearest].int(), "amin")

    def winner(self) -> Tensor:
        return torch.where(self.inverse > 0, self.tags.long(), -1)


def _new_buffer(pixels: int, device: torch.device) -> _PackedBuffer | _TwoPassBuffer:
    return _TwoPassBuffer(pixels, device) if device.type == "mps" else _PackedBuffer(pixels, device)
