"""Eyelashes: strips of quads along the lids get strands instead of a solid border.

A second UV map lays every strip out straight, along the lid and from root to tip; a small drawn picture of strands in
that square is the strip's transparency. The left half of the picture holds the upper lid's dense, long lashes, the
right half the lower lid's sparse, short ones.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ...engine.render.lighting import linear_to_srgb
from ...engine.result import Reconstruction
from .access import set_pixels
from .images import pack
from .transaction import Transaction

LASH_SLOT = "lashes"
LASH_UV = "Lashes"
LASH_SHADE, LASH_RANGE = 0.2, (0.002, 0.015)  # of the hair's colour; darkest and lightest linear value
WIDTH, HEIGHT = 1536, 128  # texels: along the lid (both halves), root to tip


@dataclass(frozen=True)
class Strands:
    """A row of lashes, in fractions of its square.

    Attributes:
        count: how many.
        length: shortest and longest reach.
        thickness: at the root, as a fraction of the lid's length.
        lean: how far tips wander sideways.
    """

    count: int
    length: tuple[float, float]
    thickness: float
    lean: float


UPPER = Strands(95, (0.55, 1.0), 0.0045, 0.03)
LOWER = Strands(42, (0.25, 0.6), 0.0036, 0.02)


def build_strands(name: str, hair_color: NDArray, transaction: Transaction, seed: int = 0) -> bpy.types.Image:
    """Draw the picture of strands: lash colour with alpha, packed. One picture for both is what glTF can carry.

    Args:
        hair_color: (3,) linear RGB; lashes are darker than any hair.
    """
    halves = [draw_strands(row, WIDTH // 2, HEIGHT, seed + index) for index, row in enumerate((UPPER, LOWER))]
    pixels = np.empty((HEIGHT, WIDTH, 4), np.float32)
    pixels[..., :3] = linear_to_srgb(np.clip(LASH_SHADE * np.asarray(hair_color), *LASH_RANGE))
    pixels[..., 3] = np.concatenate(halves, axis=1)
    image = transaction.add(bpy.data.images.new(name, WIDTH, HEIGHT, alpha=True))
    set_pixels(image, pixels)
    pack(image)
    return image


def draw_strands(strands: Strands, width: int, height: int, seed: int) -> NDArray[np.float32]:
    """Opacity of tapering, slightly bent strands.

    Returns:
        (height,width) 0..1, roots in row 0.
    """
    random = np.random.default_rng(seed)
    count = strands.count
    root = (np.arange(count) + 0.5 + random.uniform(-0.35, 0.35, count)) / count
    length = random.uniform(*strands.length, count) * np.minimum(1.0, 0.55 + 4.0 * np.minimum(root, 1 - root))
    clump = np.round(root * count / 3.0) * 3.0 / count  # tips of neighbours stick together
    lean = 0.4 * (clump - root) + random.normal(0.0, strands.lean, count) * 0.5
    reach = ((np.arange(height) + 0.5) / height)[:, None]
    x = root + lean * reach**2
    radius = 0.5 * strands.thickness * np.sqrt(np.clip(1.0 - reach / length, 0.0, 1.0))
    texels = (np.arange(width) + 0.5) / width
    opacity = np.zeros((height, width))
    for index in range(count):
        distance = np.abs(texels - x[:, index : index + 1])
        covered = np.clip((radius[:, index : index + 1] - distance) * width + 0.5, 0.0, 1.0)
        opacity = np.maximum(opacity, covered * (radius[:, index : index + 1] > 0))
    return opacity.astype(np.float32)


def add_lash_uv(mesh: bpy.types.Mesh, reconstruction: Reconstruction) -> None:
    """Add the UV map of the strips. Polygons of other parts, and strips that are no plain grid, sit at (0, 0)."""
    slot = reconstruction.material_names.index(LASH_SLOT)
    quads = reconstruction.polygons[(reconstruction.polygon_materials == slot) & (reconstruction.polygons[:, 3] >= 0)]
    places = np.zeros((len(reconstruction.vertices), 2))
    for strip in _components(quads):
        rows = lay_out(strip, reconstruction.vertices, _skin_points(reconstruction))
        for vertex, place in rows.items():
            places[vertex] = place
    used = reconstruction.polygons[reconstruction.polygons >= 0]
    corners = places[used].astype(np.float32)
    mesh.uv_layers.new(name=LASH_UV, do_init=False).data.foreach_set("uv", corners.ravel())


def lay_out(strip: NDArray, vertices: NDArray, skin: NDArray) -> dict[int, tuple[float, float]]:
    """Lay a strip of quads out in the picture of strands.

    Args:
        strip: (N,4) quads of one connected grid.
        vertices: (V,3) engine space.
        skin: (M,3) points of the lids; the long side nearer to them is the root.
    Returns:
        (u, v) of each vertex of the strip; empty if it is no grid with four corners.
    """
    sides = _long_sides(strip)
    if sides is None:
        return {}
    first, second, short = sides
    gap = [np.linalg.norm(vertices[side][:, None] - skin, axis=2).min(1).mean() for side in (first, second)]
    root, tip = (first, second) if gap[0] <= gap[1] else (second, first)
    lower = vertices[tip, 1].mean() < vertices[root, 1].mean()
    neighbours = _neighbours(strip)
    rows, columns = _steps_from(root, neighbours), _steps_from(short, neighbours)
    last_row, last_column = max(rows.values()), max(columns.values())
    inset = 0.5 / WIDTH
    return {
        vertex: (
            0.5 * lower + inset + (0.5 - 2 * inset) * columns[vertex] / last_column,
            rows[vertex] / last_row,
        )
        for vertex in rows
    }


def _long_sides(strip: NDArray) -> tuple[list[int], list[int], list[int]] | None:
    """Both long sides and one short side of a grid, as vertices in order."""
    edges = Counter(tuple(sorted((int(quad[i]), int(quad[i - 1])))) for quad in strip for i in range(4))
    border: dict[int, list[int]] = {}
    for (a, b), count in edges.items():
        if count == 1:
            border.setdefault(a, []).append(b)
            border.setdefault(b, []).append(a)
    uses = Counter(strip.ravel().tolist())
    corners = [vertex for vertex, count in uses.items() if count == 1]
    if len(corners) != 4 or any(len(ends) != 2 for ends in border.values()):
        return None
    loop = [corners[0], border[corners[0]][0]]
    while len(loop) < len(border):
        a, b = border[loop[-1]]
        loop.append(b if a == loop[-2] else a)
    cuts = [index for index, vertex in enumerate(loop) if uses[vertex] == 1]
    if len(cuts) != 4:
        return None
    loop.append(loop[0])
    ends = [*cuts[1:], len(loop) - 1]
    chains = [loop[start : end + 1] for start, end in zip(cuts, ends, strict=True)]
    even, odd = chains[::2], chains[1::2]
    long, short = (even, odd) if len(even[0]) + len(even[1]) >= len(odd[0]) + len(odd[1]) else (odd, even)
    return long[0], long[1], short[0]


def _neighbours(strip: NDArray) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for quad in strip.tolist():
        for i in range(4):
            found.setdefault(quad[i], set()).update((quad[i - 1], quad[(i + 1) % 4]))
    return found


def _steps_from(start: Iterable[int], neighbours: dict[int, set[int]]) -> dict[int, int]:
    """Edges from the nearest of `start` to each vertex."""
    steps = dict.fromkeys(start, 0)
    queue = deque(steps)
    while queue:
        vertex = queue.popleft()
        for other in neighbours[vertex]:
            if other not in steps:
                steps[other] = steps[vertex] + 1
                queue.append(other)
    return steps


def _components(quads: NDArray) -> list[NDArray]:
    neighbours = _neighbours(quads)
    left, strips = set(neighbours), []
    while left:
        reached = set(_steps_from([min(left)], neighbours))
        strips.append(quads[np.isin(quads[:, 0], list(reached))])
        left -= reached
    return strips


def _skin_points(reconstruction: Reconstruction) -> NDArray:
    """Skin of the face: where lashes grow."""
    return reconstruction.vertices[reconstruction.face_region]
