"""Locks: strips with a few strands each that lie on the shell, lift off at their tips and hang over its edges."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .cover import MAP
from .envelope import Envelope, row_length
from .field import blurred, closed, normals, resized, sampled
from .paint import Painted

KNOTS = 7
"""Cross-sections of a lock."""
BANDS = 4
"""Rows of locks in the atlas."""
SLOT = 20 / 1536
"""Width of a lock in the atlas, as a share of the atlas's."""
PATTERNS, STRANDS = 24, 9
WIDTH = (0.008, 0.016)
"""Of a lock, metres."""
LENGTH = (0.016, 0.085)
"""Of a lock on hair that lies close, and on full hair, metres."""
FULL = 0.03
"""Hair this thick is full, metres."""
LIFT = (0.0012, 0.10)
"""How far tips stand off: metres, and share of the thickness."""
ON_EDGE = 0.4
"""Share of the locks that grow at the edge."""
HANG = (0.008, 0.022)
"""How far those reach past it, metres: of close and of full hair."""


@dataclass(frozen=True)
class Locks:
    """Strips of hair; N locks.

    Attributes:
        full, close: (N,KNOTS,2,3) metres, left and right edge of each cross-section.
        row, column: (N,KNOTS) where on the grid each cross-section is taken from.
        uv: (N,KNOTS,2,2) in the atlas.
    """

    full: NDArray[np.float64]
    close: NDArray[np.float64]
    row: NDArray[np.float64]
    column: NDArray[np.float64]
    uv: NDArray[np.float32]


def slots(width: int) -> tuple[int, int]:
    """Texels across a lock, and how many locks fit into a row of the atlas."""
    wide = max(6, round(SLOT * width))
    return wide, width // wide


def grow_locks(envelope: Envelope, count: int, curl: float, rng: np.random.Generator) -> Locks | None:
    """Place locks: most all over the hair, the rest along its lower edge; None where there is too little hair."""
    row, column, edge = _roots(envelope, count, rng)
    if not len(row):
        return None
    thick = sampled(envelope.thickness, row, column).astype(np.float64)
    fullness = np.clip(thick / FULL, 0, 1)
    share = np.linspace(0, 1, KNOTS)
    length = (LENGTH[0] + fullness * (LENGTH[1] - LENGTH[0])) * rng.uniform(0.6, 1.15, len(row)) * (1 - 0.35 * curl)
    reach = (HANG[0] + fullness * (HANG[1] - HANG[0])) * rng.uniform(0.3, 1.3, len(row))
    rows, columns, beyond = paths(envelope, row, column, np.where(edge, 0.5, 1.0) * length, reach)
    lift = LIFT[0] + LIFT[1] * thick * rng.uniform(0, 1, len(row)) ** 2
    lift *= (0.25 + 0.75 * fullness) * (1 + 1.2 * curl)
    profile = -0.0015 + (lift[:, None] + 0.0015) * share**1.5
    width = rng.uniform(*WIDTH, len(row)) * (0.6 + 0.4 * fullness)
    waves = curl * (0.2 + 0.8 * fullness)
    strips = [
        _strip(points, rows, columns, beyond * amount, profile * amount + 0.0004, width, waves, seed)
        for points, amount in ((envelope.full, 1.0), (envelope.close, 0.35))
        for seed in [np.random.default_rng(len(row))]
    ]
    return Locks(strips[0], strips[1], rows, columns, np.zeros((len(row), KNOTS, 2, 2), np.float32))


def _roots(
    envelope: Envelope, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Grid places (N,) of the roots, and which (N,) belong to the edge."""
    cover = blurred(envelope.cover, (1.0, 1.0))
    rows, columns = envelope.full.shape[:2]
    across = np.linalg.norm(closed(envelope.full, 1)[:, 2:] - envelope.full, axis=-1)
    along = np.concatenate([row_length(envelope.full), row_length(envelope.full)[-1:]])
    area = resized((across * along)[..., None], MAP)
    # Where the photo is taken as it is, locks would cross its own strands: there are fewer of them.
    chance = area * (cover > 0.75) * (1 - 0.65 * envelope.trust)
    chance[: MAP[0] // 16] = 0
    ahead = np.roll(cover, -3, 0)
    ahead[-3:] = 0
    falls = (cover > 0.5) & (ahead < 0.5)
    thick = resized(envelope.thickness, MAP)
    falls &= (envelope.trust < 0.5) & (thick > 0.004)
    border = area * falls
    found = []
    for weights, number in ((chance, round((1 - ON_EDGE) * count)), (border, round(ON_EDGE * count))):
        total = weights.sum()
        number = min(number, int(np.count_nonzero(weights)))
        found.append(rng.choice(weights.size, number, p=(weights / total).ravel()) if number else np.zeros(0, np.int64))
    chosen = np.concatenate(found)
    edge = np.arange(len(chosen)) >= len(found[0])
    y, x = np.divmod(chosen, MAP[1])
    jitter = rng.uniform(0, 1, (2, len(chosen)))
    return (y + jitter[0]) / MAP[0] * (rows - 1), (x + jitter[1]) / MAP[1] * columns, edge


def paths(
    envelope: Envelope, row: NDArray, column: NDArray, length: NDArray, reach: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Grid rows and columns (N,KNOTS) of locks that run down along the hair, and how far (metres) beyond its edge.

    Where the photo shows the edge, the shell ends as it does there, and no lock hangs over it.
    """
    step = row_length(envelope.full)
    step = np.maximum(np.concatenate([step, step[-1:]]), 0.0015)
    rows, beyond = np.empty((len(row), KNOTS)), np.zeros((len(row), KNOTS))
    rows[:, 0] = row
    last = envelope.full.shape[0] - 1
    for knot in range(1, KNOTS):
        pace = length / (KNOTS - 1)
        ahead = rows[:, knot - 1] + pace / sampled(step, rows[:, knot - 1], column)
        y, x = ahead / last * MAP[0] - 0.5, column / envelope.full.shape[1] * MAP[1] - 0.5
        on_hair = (sampled(envelope.cover, y, x) > 0.5) & (ahead < last)
        rows[:, knot] = np.where(on_hair & (beyond[:, knot - 1] == 0), ahead, rows[:, knot - 1])
        unseen = 1 - np.clip(sampled(envelope.trust, y, x), 0, 1)
        left = beyond[:, knot - 1] + pace
        beyond[:, knot] = np.where(on_hair & (beyond[:, knot - 1] == 0), 0, np.minimum(left, reach * unseen))
    return rows, np.repeat(column[:, None], KNOTS, 1), beyond


def _strip(
    points: NDArray,
    rows: NDArray,
    columns: NDArray,
    beyond: NDArray,
    lift: NDArray,
    width: NDArray,
    curl: NDArray,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """(N,KNOTS,2,3) both edges of every cross-section."""
    normal = sampled(normals(blurred(points, (1.0, 1.0))), rows, columns)
    down = np.gradient(points, axis=0)
    along = sampled(down, rows, columns)
    along = along / np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-9)
    fall = along + (beyond / 0.02)[..., None] * np.array([0.0, -0.5, 0.0])
    fall /= np.linalg.norm(fall, axis=-1, keepdims=True)
    across = np.cross(normal, along)
    across /= np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-9)
    share = np.linspace(0, 1, KNOTS)
    phase, turns = rng.uniform(0, 2 * np.pi, (len(rows), 1)), rng.uniform(1.0, 2.2, (len(rows), 1))
    wave = (0.0012 + 0.0055 * curl)[:, None] * share
    drift = rng.normal(0, 0.004, (len(rows), 1)) * share**2
    sideways = drift + wave * np.sin(2 * np.pi * turns * share + phase)
    outwards = lift + 0.7 * curl[:, None] * wave * (1 + np.cos(2 * np.pi * turns * share + phase))
    middle = sampled(points, rows, columns) + fall * beyond[..., None]
    middle = middle + normal * outwards[..., None] + across * sideways[..., None]
    half = 0.5 * width[:, None] * (1 - 0.35 * share)
    return np.stack([middle - across * half[..., None], middle + across * half[..., None]], 2)


def lay_out(locks: Locks, shape: tuple[int, int], top: int, height: int) -> Locks:
    """The same locks with their places in the atlas: rows of slots below `top`, `height` texels a row."""
    wide, per_band = slots(shape[1])
    index = np.arange(len(locks.row))
    left = (index % per_band) * wide
    start = top + (index // per_band) * height
    u = (left[:, None] + np.array([0.5, wide - 0.5])) / shape[1]
    v = 1 - (start[:, None] + np.linspace(0.5, height - 0.5, KNOTS)) / shape[0]
    uv = np.stack(np.broadcast_arrays(u[:, None, :], v[:, :, None]), -1)
    return Locks(locks.full, locks.close, locks.row, locks.column, uv.astype(np.float32))


def paint_locks(
    locks: Locks,
    painted: Painted,
    grid: tuple[int, int],
    width: int,
    height: int,
    contrast: float,
    curl: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """(BANDS*height,width,4) linear RGBA: each lock in the colours of the hair it lies on, cut out to strands.

    Args:
        grid: rows and columns of the nodes.
        height: texels of a lock.
    """
    wide, per_band = slots(width)
    shell_height, shell_width = painted.color.shape[:2]
    t = (np.arange(height) + 0.5) / height * (KNOTS - 1)
    knot = np.minimum(t.astype(int), KNOTS - 2)
    row = locks.row[:, knot] + (t - knot) * (locks.row[:, knot + 1] - locks.row[:, knot])
    y = row / (grid[0] - 1) * shell_height - 0.5
    x = locks.column[:, :1] / grid[1] * shell_width + (np.arange(wide) - wide / 2)
    y = np.broadcast_to(y[:, :, None], (len(y), height, wide)).reshape(-1, wide).astype(np.float32)
    x = np.mod(np.broadcast_to(x[:, None, :], (len(x), height, wide)), shell_width - 1).reshape(-1, wide)
    color = cv2.remap(painted.color, x.astype(np.float32), y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    color = color.reshape(-1, height, wide, 3)
    shade = np.exp(rng.normal(0.0, 0.35 * contrast, (len(color), 1, 1, 1)))
    rise = (0.8 + 0.28 * np.linspace(0, 1, height))[None, :, None, None]
    patterns = strand_patterns(wide, height, curl, rng)
    opacity = patterns[rng.integers(0, len(patterns), len(color))]
    cards = np.concatenate([color * shade * rise, opacity[..., None]], -1).astype(np.float32)
    atlas = np.zeros((BANDS * per_band, height, wide, 4), np.float32)
    atlas[: len(cards)] = cards[: len(atlas)]
    rows = atlas.reshape(BANDS, per_band, height, wide, 4).transpose(0, 2, 1, 3, 4)
    result = np.zeros((BANDS * height, width, 4), np.float32)
    result[:, : per_band * wide] = rows.reshape(BANDS * height, per_band * wide, 4)
    return result


def strand_patterns(wide: int, height: int, curl: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """(PATTERNS,height,wide) opacity of locks: strands from a broad root, gathering and ending at their own lengths."""
    t = ((np.arange(height) + 0.5) / height)[None, None, :]
    root = rng.uniform(0.12, 0.88, (PATTERNS, STRANDS, 1))
    gather = root + (0.5 + rng.normal(0, 0.16, root.shape) - root) * t**1.5
    phase = rng.uniform(0, 2 * np.pi, (PATTERNS, 1, 1)) + rng.normal(0, 0.6, root.shape)
    wave = (0.03 + 0.07 * curl) * np.sin(t * (5 + 14 * curl) + phase)
    middle = np.clip(gather + wave * np.minimum(4 * t, 1), 0.06, 0.94)
    length = rng.uniform(0.55, 1.0, root.shape)
    radius = rng.uniform(0.035, 0.085, root.shape) * np.sqrt(np.clip(1 - t / length, 0, 1)) * np.minimum(0.4 + 3 * t, 1)
    texel = (np.arange(wide) + 0.5) / wide
    inside = (radius[..., None] - np.abs(texel - middle[..., None])) * wide + 0.5
    inside = np.where(radius[..., None] > 0, np.clip(inside, 0, 1), 0)
    return inside.max(1).astype(np.float32)
