"""Two rows of teeth with gums, set along the arches of the figure's own plain slabs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.spatial import ConvexHull

from .parts import Part, follow_affine
from .source import HeadSource
from .tooth import LOWER, UPPER, Crown, build_crown

SCALE = 1.05
"""The figure's arches are a little wider than people's, and so are its teeth."""
SPACING = 0.985
"""Neighbours overlap by the rest, so that no gap opens between them."""
SLOPE = 0.11
"""How steeply the chewing plane rises towards the back."""
EDGE = {"upper": -3.6, "lower": -0.9}
"""Height of the front teeth's edges above the middle between both slabs, millimetres: the upper overlap the lower."""
FORWARD = {"upper": 0.4, "lower": 0.2}
"""How far the teeth's faces lie before the slab's outline, millimetres: the figure's are far behind its lips."""
STATIONS = (0.0, 0.2, 0.5, 0.8)
"""Places along each tooth where the gum has a section."""
PAPILLA = 0.36
"""How far the gum reaches down between teeth, in crown heights."""
GUM_ROWS = ((8.5, 0.2), (4.0, 0.9), (0.0, 0.25))
"""Rows of each side of the gum: millimetres from its margin into the jaw, and outwards from the tooth's neck."""
TUCK = {"upper": (0.0, 0.0), "lower": (4.5, 1.8)}
"""How far the gum's two outer rows are drawn in, millimetres: cheeks sink in where the lips form a funnel."""
GUM_TONE = 2.0
"""First tone of the gum's vertices; a tooth's runs from 0 at its edge to 1 at the gum."""
UV_SCALE = 1.0


@dataclass(frozen=True)
class _Arch:
    """One row, in millimetres.

    Attributes:
        place: arc length from the middle (positive to the left) to x and z on the teeth's outer faces.
        edge: height of the front edges.
        up: 1 where roots point up, -1 for the lower row.
        front: z of the foremost point.
    """

    place: CubicSpline
    edge: float
    up: int
    front: float

    def frame(self, along: float) -> tuple[NDArray, NDArray, NDArray]:
        """Origin on the outer face at edge height, direction along the arch to the left, direction out of the mouth."""
        x, z = self.place(along)
        tangent = self.place(along, 1)
        tangent = tangent / np.linalg.norm(tangent)
        height = self.edge + SLOPE * (self.front - z)
        return np.array([x, height, z]), np.array([tangent[0], 0, tangent[1]]), np.array([-tangent[1], 0, tangent[0]])


def teeth_part(source: HeadSource, mean: NDArray[np.float64], unit: float, row: str) -> Part:
    """One row of fourteen teeth with its gum.

    Args:
        source: the figure.
        mean: (N,3) the mean figure.
        unit: millimetres per unit of `mean`.
        row: "upper" or "lower".
    """
    slabs = {name: source.vertex_groups[f"helper-{name}-teeth"] for name in EDGE}
    slab = slabs[row]
    middle = {name: mean[members[np.abs(mean[members, 0]) < 1e-6], 1] for name, members in slabs.items()}
    bite = (middle["upper"].min() + middle["lower"].max()) / 2 * unit
    arch = _arch(mean[slab] * unit, row, bite + EDGE[row])
    crowns = UPPER if row == "upper" else LOWER
    blocks = [*_teeth(arch, crowns), _gum(arch, crowns, TUCK[row])]
    points, polygons, uv, tone = [], [], [], []
    count = 0
    for block_points, block_polygons, block_uv, block_tone in blocks:
        points.append(block_points)
        polygons.append(np.where(block_polygons < 0, -1, block_polygons + count))
        uv.append(block_uv)
        tone.append(block_tone)
        count += len(block_points)
    vertices = np.concatenate(points) / unit
    corners = _turned(np.concatenate(polygons).astype(np.int32))
    return Part(
        name=f"teeth.{row}",
        material="teeth",
        vertices=vertices,
        polygons=corners,
        uv=np.concatenate(uv),
        uv_polygons=corners.copy(),
        follow=follow_affine(vertices, slab, mean),
        bone="head" if row == "upper" else "jaw",
        uv_scale=UV_SCALE,
        tone=np.concatenate(tone),
    )


def _arch(slab: NDArray[np.float64], row: str, edge: float) -> _Arch:
    """The outline of the slab, seen from above, as a curve."""
    outline = slab[:, [0, 2]]
    hull = outline[ConvexHull(outline).vertices]
    left = hull[(hull[:, 0] > 1e-6) & (hull[:, 1] > outline[:, 1].min() + 1.0)]
    left = left[np.argsort(-left[:, 1])]
    front = np.array([[0.0, hull[:, 1].max()]])
    path = np.concatenate([left[::-1] * [-1, 1], front, left])
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    along = np.concatenate([[0], np.cumsum(steps)])
    along -= along[len(left)]
    path[:, 1] += FORWARD[row]
    return _Arch(CubicSpline(along, path), edge, 1 if row == "upper" else -1, float(front[0, 1]))


def _edges_along(crowns: tuple[Crown, ...]) -> NDArray[np.float64]:
    """(8,) arc length of the borders between the teeth of one side, from the middle."""
    return np.concatenate([[0], np.cumsum([crown.width * SCALE * SPACING for crown in crowns])])


def _teeth(arch: _Arch, crowns: tuple[Crown, ...]) -> list[tuple[NDArray, NDArray, NDArray, NDArray]]:
    """Points, polygons, UV and tone of each tooth, left and right in turn."""
    borders = _edges_along(crowns)
    blocks = []
    for number, crown in enumerate(crowns):
        shape = build_crown(crown)
        origin, along, out = arch.frame((borders[number] + borders[number + 1]) / 2)
        local = shape.points * SCALE
        local[:, 1] -= crown.thickness * SCALE / 2
        points = origin + local[:, :1] * along + local[:, 1:2] * out
        points[:, 1] += arch.up * (local[:, 2] + crown.lift)
        polygons = shape.polygons if arch.up < 0 else _turned(shape.polygons)
        uv = shape.uv * SCALE * ([1, 1] if arch.up < 0 else [-1, 1])
        blocks.append((points, polygons, uv, shape.tone))
        blocks.append((points * [-1, 1, 1], _turned(polygons), uv * [-1, 1], shape.tone))
    return blocks


def _gum(
    arch: _Arch, crowns: tuple[Crown, ...], tuck: tuple[float, float]
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Points, polygons, UV and tone of a sheet over the necks of the teeth: outer side, ridge, inner side."""
    borders = _edges_along(crowns)
    half = [(number, share) for number in range(len(crowns)) for share in STATIONS] + [(len(crowns) - 1, 1.0)]
    sections = [_section(arch, crowns, borders, number, share) for number, share in half]
    left = np.stack(sections)
    points = np.concatenate([left[:0:-1] * [-1, 1, 1], left])
    stations, rows = points.shape[:2]
    index = np.arange(stations * rows).reshape(stations, rows)
    quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], axis=-1).reshape(-1, 4)
    quads = quads if arch.up < 0 else quads[:, [0, 3, 2, 1]]
    steps = np.linalg.norm(np.diff(points, axis=0), axis=2).mean(axis=1)
    down = np.linalg.norm(np.diff(points, axis=1), axis=2).mean(axis=0)
    across, along = np.meshgrid(np.append(0, np.cumsum(down)), np.append(0, np.cumsum(steps)))
    uv = np.stack([along, across if arch.up > 0 else -across], axis=-1)
    depth = np.array([*(row[0] for row in GUM_ROWS), 0.0, GUM_ROWS[2][0], GUM_ROWS[0][0]])
    tone = np.stack(
        [np.full(points.shape[:2], GUM_TONE), np.broadcast_to(depth / GUM_ROWS[0][0], points.shape[:2])], -1
    )
    points[:, :2] -= np.array(tuck)[:, None] * _outwards(points)[:, None]  # the UV stays that of the plain sheet
    return points.reshape(-1, 3), quads.astype(np.int32), uv.reshape(-1, 2), tone.reshape(-1, 2)


def _outwards(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(S,3) level directions from the inner to the outer edge of each of S sections (S,R,3)."""
    across = (points[:, 0] - points[:, -1]) * [1, 0, 1]
    return across / np.linalg.norm(across, axis=1, keepdims=True)


def _section(
    arch: _Arch, crowns: tuple[Crown, ...], borders: NDArray, number: int, share: float
) -> NDArray[np.float64]:
    """(6,3) the gum across the jaw at a place of the arch, from the lip's side to the tongue's."""
    crown = crowns[number]
    along = borders[number] + share * (borders[number + 1] - borders[number])
    beside = crowns[max(number - 1, 0)] if share == 0.0 else crown
    thickness = (crown.thickness + beside.thickness) / 2 * SCALE
    origin, _, out = arch.frame(along)
    hollow = 1 - abs(2 * share - 1) ** 3
    height = ((crown.height + crown.lift) + (beside.height + beside.lift)) / 2 * SCALE
    margin = height - PAPILLA * (1 - hollow) * crown.height
    between = 0.55 * (1 - hollow)
    rows = []
    for inwards, outwards in GUM_ROWS:
        rows.append((margin + inwards if inwards == 0 else height + inwards, outwards - between))
    ridge = [(margin + 0.8, -thickness / 2)]
    inner = [(depth, -thickness - outwards) for depth, outwards in (rows[2], rows[0])]
    places = np.array([*rows, *ridge, *inner], np.float64)
    points = origin + places[:, 1:] * out
    points[:, 1] += arch.up * places[:, 0]
    return points


def _turned(polygons: NDArray[np.int32]) -> NDArray[np.int32]:
    """The same polygons seen from the other side."""
    return np.where(polygons[:, 3:] < 0, polygons[:, [0, 2, 1, 3]], polygons[:, [0, 3, 2, 1]])
