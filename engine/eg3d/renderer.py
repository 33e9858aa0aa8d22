"""Pictures of the planes by volume rendering in two passes (EG3D, section 3.2; Mildenhall et al. 2020, section 5.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as nnf

from .config import Rendering
from .decoder import Decoder
from .planes import Planes

CHUNK = 1 << 17
"""Points decoded at once where no gradients are wanted: about 80 MB, and it stays near the processor's cache."""
EVEN = 0.01
"""Added to every coarse weight, so that the second pass looks a little everywhere."""
EPSILON = 1e-5


@dataclass(frozen=True, eq=False)
class Draws:
    """Random numbers of both passes, 0..1.

    Attributes:
        jitter: (B,M,coarse) where in its interval a coarse sample lies.
        importance: (B,M,fine) which part of the coarse weights a fine sample belongs to.
    """

    jitter: Tensor
    importance: Tensor

    @classmethod
    def random(cls, batch: int, rays: int, how: Rendering, generator: torch.Generator | None = None) -> Draws:
        """Drawn on the CPU in the published order, jitter first; None takes torch's own generator."""
        jitter = torch.rand((batch, rays, how.coarse, 1), generator=generator)[..., 0]
        fine = torch.rand((batch * rays, how.fine), generator=generator)
        return cls(jitter, fine.view(batch, rays, how.fine))

    @classmethod
    def even(cls, batch: int, rays: int, how: Rendering) -> Draws:
        """Nothing random: coarse samples in the middle of their intervals, fine ones evenly."""
        spread = torch.linspace(0, 1, how.fine).expand(batch, rays, -1)
        return cls(torch.full((batch, rays, how.coarse), 0.5), spread)


@dataclass(frozen=True, eq=False)
class Rendered:
    """Rays that were looked along.

    Attributes:
        features: (M,C) -1..1, the first three RGB. depth: (M,) along the ray. weight: (M,) share that met something.
    """

    features: Tensor
    depth: Tensor
    weight: Tensor


def rays(label: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Where rays start (B,3), and their unit directions (B,side*side,3), row after row.

    Args:
        label: (B,25) camera-to-world (OpenCV axes), row by row, then intrinsics of a picture of size 1.
    """
    pose, intrinsics = label[:, :16].view(-1, 4, 4), label[:, 16:25].view(-1, 3, 3)
    steps = (torch.arange(side, device=label.device, dtype=label.dtype) + 0.5) / side
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    places = torch.stack([columns, rows, torch.ones_like(rows)], -1).view(1, -1, 3)
    directions = places @ torch.linalg.inv(intrinsics).mT @ pose[:, :3, :3].mT
    return pose[:, :3, 3], nnf.normalize(directions, dim=-1)


def composite(densities: Tensor, depths: Tensor) -> Tensor:
    """(M,S-1) shares of light that reach the camera from between neighbouring samples.

    Args:
        densities: (M,S) raw. depths: (M,S), increasing.
    """
    between = nnf.softplus((densities[:, 1:] + densities[:, :-1]) / 2 - 1)
    alpha = 1 - torch.exp(-between * (depths[:, 1:] - depths[:, :-1]))
    passed = torch.cumprod(torch.cat([torch.ones_like(alpha[:, :1]), 1 - alpha + 1e-10], 1), 1)
    return alpha * passed[:, :-1]


@torch.no_grad()
def important(depths: Tensor, weights: Tensor, draws: Tensor) -> Tensor:
    """(M,F) depths drawn from the coarse weights (M,S-1) at depths (M,S) by inverse transform; draws (M,F) 0..1."""
    smooth = nnf.avg_pool1d(nnf.max_pool1d(weights[:, None], 2, 1, 1), 2, 1)[:, 0] + EVEN
    middles = (depths[:, :-1] + depths[:, 1:]) / 2
    share = smooth[:, 1:-1] + EPSILON
    share = share / share.sum(1, keepdim=True)
    steps = torch.cat([torch.zeros_like(share[:, :1]), share.cumsum(1)], 1)
    above = torch.searchsorted(steps, draws.contiguous(), right=True)
    low, high = (above - 1).clamp_min(0), above.clamp_max(share.shape[1])
    start, end = steps.gather(1, low), steps.gather(1, high)
    wide = end - start
    wide = torch.where(wide < EPSILON, torch.ones_like(wide), wide)
    first, last = middles.gather(1, low), middles.gather(1, high)
    return first + (draws - start) / wide * (last - first)


def look(
    planes: Planes,
    decoder: Decoder,
    origin: Tensor,
    directions: Tensor,
    draws: Draws,
    how: Rendering,
    chunk: int = CHUNK,
) -> Rendered:
    """Look along rays of one head: from `origin` (3,) along unit `directions` (M,3); the draws are (M,...) here.

    Args:
        chunk: points decoded at once, at least; several rays' points always are. It bounds the memory.
    """
    together = max(1, chunk // (how.coarse + how.fine))
    parts = [
        _look(planes, decoder, origin, directions[part], Draws(draws.jitter[part], draws.importance[part]), how)
        for part in _slices(len(directions), together)
    ]
    features, depth, weight, nearest, furthest = (
        torch.cat([part[k] for part in parts]) if k < 3 else torch.stack([part[k] for part in parts]) for k in range(5)
    )
    # The published bounds are those of all samples of the picture; they matter to rays that meet nothing.
    depth = depth.nan_to_num(float("inf")).clamp(nearest.min(), furthest.max())
    return Rendered(features * 2 - 1, depth, weight)


def _slices(count: int, together: int) -> Iterator[slice]:
    return (slice(start, min(start + together, count)) for start in range(0, count, together))


def _look(
    planes: Planes, decoder: Decoder, origin: Tensor, directions: Tensor, draws: Draws, how: Rendering
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Features, depths (NaN where nothing is met), weights, and the nearest and the furthest sample."""
    step = (how.far - how.near) / (how.coarse - 1)
    coarse = torch.linspace(how.near, how.far, how.coarse, device=directions.device, dtype=directions.dtype)
    coarse = coarse + draws.jitter * step
    density, colour = _along(planes, decoder, origin, directions, coarse)
    fine = important(coarse, composite(density, coarse), draws.importance)
    more, colours = _along(planes, decoder, origin, directions, fine)
    depths, order = torch.cat([coarse, fine], 1).sort(1)
    density = torch.cat([density, more], 1).gather(1, order)
    weights = composite(density, depths)
    # A sample's colour counts half in the intervals on both sides: no need to bring the colours themselves in order.
    halves = (nnf.pad(weights, (1, 0)) + nnf.pad(weights, (0, 1))) / 2
    own = torch.zeros_like(halves).scatter(1, order, halves)
    features = _summed(own[:, : how.coarse], colour) + _summed(own[:, how.coarse :], colours)
    total = weights.sum(1)
    if how.white:
        features = features + (1 - total)[:, None]
    depth = (weights * (depths[:, 1:] + depths[:, :-1])).sum(1) / 2 / total
    return features, depth, total, depths.min(), depths.max()


def _summed(weights: Tensor, colours: Tensor) -> Tensor:
    return (weights[:, None] @ colours)[:, 0]


def _along(
    planes: Planes, decoder: Decoder, origin: Tensor, directions: Tensor, depths: Tensor
) -> tuple[Tensor, Tensor]:
    """Raw densities (M,S) and colours (M,S,C) at depths (M,S)."""
    points = origin + depths[..., None] * directions[:, None]
    density, colour = decoder.query(planes, points.reshape(-1, 3))
    return density.view(depths.shape), colour.view(*depths.shape, -1)
