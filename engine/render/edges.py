"""Soft silhouettes: what the inside of a face cannot say, where the face ends.

The picture of a rasteriser changes by whole pixels when a contour moves, so it has no gradient there. As in nvdiffrast
(Laine et al., "Modular Primitives for High-Performance Differentiable Rendering", 2020, section 3.4), two neighbouring
pixels with a silhouette edge between their centres are blended by where the edge crosses: if the nearer surface ends
at the fraction a of the way to the other pixel, it covers a - 1/2 of that one, or lacks 1/2 - a of its own. The blend
depends on the edge's ends, and so the contour, occluding ones within the head too, gets exact gradients. Soft edges
all over (SoftRas, PyTorch3D's blur) would need many faces per pixel and would blur what a photo shows sharp.

One thing differs. nvdiffrast looks for the edge among those of the nearest face at either pixel, and so misses edges of
faces that fall between the pixel centres. Near its contour a head's triangles are turned away and thinner than a
pixel, so at 224 pixels most of the contour would be missed. Here the silhouette edges, a few hundred to a few thousand,
are walked over the pixel grid themselves; what lies behind something else is sorted out by depth.

Where two surfaces pass through each other there is no edge, and no gradient.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class EdgeList:
    """The edges of a mesh.

    Attributes:
        ends: (E,2) int64 vertices. An edge of more than two faces stands once for each two that follow each other.
        faces: (E,2) int64; the second is -1 at the rim of an open surface.
        opposite: (E,2) int64 the vertex of either face that is not on the edge; -1 where there is no face.
    """

    ends: Tensor
    faces: Tensor
    opposite: Tensor


@dataclass(frozen=True)
class _Crossings:
    """Silhouette edges between the centres of neighbouring pixels.

    Attributes:
        ends: (K,2) int64 vertices of the edge.
        across: (K,) int64, 0 where the neighbours lie side by side, 1 where one is above the other.
        along: (K,) the coordinate of both pixel centres on the other axis, pixels.
        start: (K,) coordinate of the first centre across, pixels; the second is one further.
        inside, outside: (K,) int64 flat pixels; the surface that ends is on the side of `inside`.
        rising: (K,) bool, True where the inside is the first of the two.
    """

    ends: Tensor
    across: Tensor
    along: Tensor
    start: Tensor
    inside: Tensor
    outside: Tensor
    rising: Tensor

    def part(self, chosen: Tensor) -> _Crossings:
        return _Crossings(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def list_edges(faces: Tensor) -> EdgeList:
    """The edges of triangles (F,3)."""
    corners = faces.long()
    count = len(corners)
    ends = torch.cat([corners[:, [1, 2]], corners[:, [2, 0]], corners[:, [0, 1]]]).sort(1).values
    owner = torch.arange(count, device=faces.device).repeat(3)
    opposite = corners.T.reshape(-1)
    key = ends[:, 0] * (int(corners.max()) + 1 if count else 1) + ends[:, 1]
    order = key.argsort(stable=True)
    key = key[order]
    follows = torch.zeros(len(key), dtype=torch.bool, device=key.device)  # the next one is the same edge
    follows[:-1] = key[1:] == key[:-1]
    lone = ~follows
    lone[1:] &= ~follows[:-1]
    first = (follows | lone).nonzero().squeeze(-1)
    second = (first + 1).clamp_max(max(len(key) - 1, 0))
    paired = follows[first]
    absent = torch.full_like(first, -1)

    def both(values: Tensor) -> Tensor:
        return torch.stack([values[order[first]], torch.where(paired, values[order[second]], absent)], 1)

    return EdgeList(ends[order[first]], both(owner), both(opposite))


def blend_edges(picture: Tensor, screen: Tensor, faces: Tensor, edges: EdgeList, depth: Tensor) -> Tensor:
    """A picture with its silhouettes blended; differentiable in `picture` and `screen`.

    Args:
        picture: (H,W,C), one sample per pixel.
        screen: (V,3) vertices: x, y in pixels, camera depth.
        faces: (F,3).
        edges: of these faces.
        depth: (H,W) of what the picture shows, infinite where that is the background.
    Returns:
        (H,W,C).
    """
    found = _crossings(screen.detach(), faces, edges, depth)
    if not len(found.ends):
        return picture
    flat = picture.reshape(-1, picture.shape[-1])
    ends = screen.index_select(0, found.ends.reshape(-1)).reshape(-1, 2, 3)
    across, along = (
        ends[..., :2].gather(2, axis[:, None, None].expand(-1, 2, 1)).squeeze(-1)
        for axis in (found.across, 1 - found.across)
    )
    t = (found.along - along[:, 0]) / (along[:, 1] - along[:, 0])
    reach = (across[:, 0] + t * (across[:, 1] - across[:, 0]) - found.start).clamp(0, 1)
    beyond = torch.where(found.rising, reach, 1 - reach) - 0.5  # of half a pixel, what the inside has too much
    target = torch.where(beyond > 0, found.outside, found.inside)
    source = torch.where(beyond > 0, found.inside, found.outside)
    weight = beyond.abs()
    # A pixel among several edges (a tip, a hair) must not lose more than all of itself.
    total = flat.new_zeros(len(flat)).index_add(0, target, weight)
    weight = weight / total.index_select(0, target).clamp_min(1)
    before, after = flat.index_select(0, torch.cat([target, source])).chunk(2)
    change = (after - before) * weight[:, None]
    return flat.index_add(0, target, change).reshape(picture.shape)


@torch.no_grad()
def _crossings(screen: Tensor, faces: Tensor, edges: EdgeList, depth: Tensor) -> _Crossings:
    """Where visible silhouettes cross between pixel centres; at most one between two pixels, the outermost."""
    chosen, side = _silhouettes(screen, faces, edges)
    ends = edges.ends[chosen]
    corner = side[chosen]
    start, stop = screen[ends[:, 0]], screen[ends[:, 1]]
    steep = (stop[:, 1] - start[:, 1]).abs() > (stop[:, 0] - start[:, 0]).abs()
    parts = [
        _walk(ends[way], screen[ends[way]], screen[corner[way]], depth, axis)
        for axis, way in ((0, steep.nonzero().squeeze(-1)), (1, (~steep).nonzero().squeeze(-1)))
    ]
    return _Crossings(*(torch.cat([getattr(part, name) for part in parts]) for name in _Crossings.__dataclass_fields__))


def _silhouettes(screen: Tensor, faces: Tensor, edges: EdgeList) -> tuple[Tensor, Tensor]:
    """Indices (S,) of edges where the seen surface ends, and for every edge (E,) a vertex on the side where it is."""
    corners = screen[faces.long()]
    one, two = corners[:, 1, :2] - corners[:, 0, :2], corners[:, 2, :2] - corners[:, 0, :2]
    front = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0] < 0  # counter-clockwise seen, y down
    first, second = front[edges.faces[:, 0]], front[edges.faces[:, 1].clamp_min(0)]
    rim = edges.faces[:, 1] < 0
    there = (screen[:, 2] > 0) & torch.isfinite(screen).all(1)
    there = there[edges.ends].all(1) & (screen[edges.ends[:, 0], :2] != screen[edges.ends[:, 1], :2]).any(1)
    corner = torch.where(first | rim, edges.opposite[:, 0], edges.opposite[:, 1])
    return (there & (rim | (first != second))).nonzero().squeeze(-1), corner


def _walk(vertices: Tensor, ends: Tensor, corner: Tensor, depth: Tensor, axis: int) -> _Crossings:
    """Crossings of edges with rows (axis 0) or columns (axis 1) of pixel centres.

    Args:
        vertices: (S,2) of the edges. ends: (S,2,3) their place. corner: (S,3) a point on the surface's side.
        depth: (H,W).
        axis: 0 where the edges are steeper than 45 degrees.
    """
    height, width = depth.shape
    lines, places = (height, width) if axis == 0 else (width, height)
    across, along = ends[..., axis], ends[..., 1 - axis]
    first = (along.amin(1) - 0.5).ceil().clamp(0, lines)
    count = ((along.amax(1) - 0.5).ceil().clamp(0, lines) - first).long()
    owner = torch.repeat_interleave(torch.arange(len(count), device=count.device), count)
    line = torch.arange(len(owner), device=count.device) - (count.cumsum(0) - count)[owner] + first.long()[owner]
    slope = (across[:, 1] - across[:, 0]) / (along[:, 1] - along[:, 0])
    t = (line + 0.5 - along[owner, 0]) / (along[owner, 1] - along[owner, 0])
    where = across[owner, 0] + t * (across[owner, 1] - across[owner, 0])
    place = (where - 0.5).floor()
    low = corner[:, axis] - across[:, 0] < slope * (corner[:, 1 - axis] - along[:, 0])  # the surface is on the low side
    nearness = ends[owner, 0, 2].reciprocal() * (1 - t) + ends[owner, 1, 2].reciprocal() * t
    within = ((place >= 0) & (place + 1 < places)).nonzero().squeeze(-1)
    owner, line, place, nearness = owner[within], line[within], place[within].long(), nearness[within]
    step = 1 if axis == 0 else width
    before = line * width + place if axis == 0 else place * width + line
    rising = low[owner]
    inside = torch.where(rising, before, before + step)
    outside = torch.where(rising, before + step, before)
    found = _Crossings(vertices[owner], torch.full_like(line, axis), line + 0.5, place + 0.5, inside, outside, rising)
    reach = (where[within] - found.start) * torch.where(rising, 1, -1)
    return found.part(_visible(found, before, reach, nearness, depth))


def _visible(found: _Crossings, before: Tensor, reach: Tensor, nearness: Tensor, depth: Tensor) -> Tensor:
    """Indices of crossings that part what the two pixels show, one per pair, from the first pixel, `before`.

    The inside must be nearer than the outside, and the edge nearer than what the outside shows. Of several such edges
    between the same pixels it is the outermost, by `reach`, beyond which the outside begins.
    """
    shown = depth.reshape(-1).to(nearness.dtype).reciprocal()
    seen = (shown[found.inside] > shown[found.outside]) & (nearness > shown[found.outside])
    index = seen.nonzero().squeeze(-1)
    index = index[reach[index].argsort(descending=True, stable=True)]
    index = index[before[index].argsort(stable=True)]
    pair = before[index]
    fresh = torch.ones(len(pair), dtype=torch.bool, device=pair.device)
    fresh[1:] = pair[1:] != pair[:-1]
    return index[fresh]
