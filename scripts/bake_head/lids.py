"""Keeps lids and eyeballs apart in every expression unit, and shuts the eyes in a blink.

The figure's blink swings the upper lid in one go: far below the lower lid on the side of the temple, short of it beside
the nose, and so tilted that the wet rim of the lid faces forward. Here the blink's end is set column by column
around the eye; the skin between lid and brow follows less and less. Other units pull cheeks and lids straight up, into
the ball; they are bent around it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator
from scipy.spatial.distance import cdist

from .lashes import strip_grid
from .regions import SOCKETS
from .source import HeadSource

MARGIN = 2
"""Row of vertices around the eye where the lid's rim leaves the eyeball; before it lies the rim, after it the lid."""
FADE = (1.0, 1.0, 1.0, 1.0, 0.94, 0.84, 0.7, 0.54, 0.38, 0.24, 0.12, 0.04)
"""How much of the correction each row takes."""
LIFT = 0.9
"""How far the lower lid rises in a blink, millimetres."""
OVERLAP = 2.8
"""How far the upper lid slides over the lower one, millimetres: eyes open by 9 with a deviation of 1.3 between people,
and the unit is one for all of them."""
CLEARANCE, CLEARANCE_IN_CORNER = 1.1, 0.15
"""How far in front of the lower lid the upper one comes to lie, millimetres."""
BALL_CLEARANCE = 0.85
"""Least distance of the closing lid from the eyeball, millimetres; the cornea takes 0.5 of it."""
SPREAD = 0.8
"""Lashes go with the lid's margin within so many millimetres of their roots."""
RIM_SLOPE = 0.12
"""Least rise of the shut upper lid's rim towards the eyeball: from the front it cannot be seen."""
LASHES = {"lower": "helper-l-eyelashes-1", "upper": "helper-l-eyelashes-2"}
FOLD, FOLDED = 70.0, 0.5
"""In a blink the lower lashes are folded down by so many degrees and drawn in to this share, under the upper lid."""
NEAR = 4.0
"""Skin that is further than this from the eyeball, millimetres, may come closer in an expression, but not closer than
this; the rest keeps its distance."""
SPARE = 0.35
"""What a unit that draws skin towards the eyeball adds to that distance, in the units' proportion: people differ."""


class Lids:
    """The lids of the left eye on the mean figure; what they do is mirrored for the right one.

    Args:
        source: the figure.
        mean: (N,3) the mean figure.
        unit: millimetres per unit of `mean`.
    """

    def __init__(self, source: HeadSource, mean: NDArray[np.float64], unit: float) -> None:
        self._unit = unit
        self._centre = mean[source.vertex_groups["joint-l-eye"]].mean(axis=0)
        self._radius = float(np.linalg.norm(mean[source.vertex_groups["helper-l-eye"]] - self._centre, axis=1).mean())
        self._radius *= unit
        self._grid = lid_grid(source)
        places = (mean - self._centre) * unit
        self._rest = places[self._grid]
        margin = self._rest[:, MARGIN]
        inner, outer = margin[margin[:, 0].argmin()], margin[margin[:, 0].argmax()]
        chord = np.interp(margin[:, 0], [inner[0], outer[0]], [inner[1], outer[1]])
        self._upper = margin[:, 1] > chord + 1e-9
        """(C,) columns of the upper lid; the corners count as lower."""
        self._strips = {lid: strip_grid(source.mesh.group(name)[0], mean) for lid, name in LASHES.items()}
        self._roots = {
            lid: _nearest(places[strip[:, 0]], margin[self._columns(lid)]) for lid, strip in self._strips.items()
        }
        self._around = self._skin_around(source, places)
        self._places = places

    def _columns(self, lid: str) -> NDArray[np.bool_]:
        return self._upper if lid == "upper" else ~self._upper

    def _skin_around(self, source: HeadSource, places: NDArray[np.float64]) -> NDArray[np.int64]:
        """Outer skin in front of the eyeball, without the rims."""
        body = source.vertex_groups["body"]
        distance = np.linalg.norm(places[body], axis=1)
        near = body[(distance < self._radius + 3 * NEAR) & (places[body, 2] > 0)]
        socket = np.unique(source.mesh.group("body")[0][_socket(source)])
        return np.setdiff1d(near, np.concatenate([socket, self._grid[:, :MARGIN].ravel()]))

    def clear(self, displacement: NDArray[np.float64]) -> NDArray[np.float64]:
        """The unit (N,3), its skin around the left eye kept off the eyeball."""
        result = displacement.copy()
        start = self._places[self._around]
        end = start + displacement[self._around] * self._unit
        before, after = (np.linalg.norm(points, axis=1) for points in (start, end))
        needed = np.minimum(before, self._radius + NEAR)
        short = np.clip(needed - after, 0, None)
        short += np.minimum(SPARE * short, SPARE)
        result[self._around] += short[:, None] * end / after[:, None] / self._unit
        fixed = (result - displacement)[self._grid[:, MARGIN]]
        result[self._grid[:, :MARGIN]] += fixed[:, None]
        for lid, strip in self._strips.items():
            result[strip] += (self._roots[lid] @ fixed[self._columns(lid)])[:, None]
        return result

    def shut(self, blink: NDArray[np.float64]) -> NDArray[np.float64]:
        """The left eye's blink unit (N,3), made to close the mean figure's eye."""
        moved = self._rest + blink[self._grid] * self._unit
        ends = self._ends(moved)
        result = blink.copy()
        result[self._grid] = (ends - self._rest) / self._unit
        strip = self._strips["upper"]
        shift = self._roots["upper"] @ (ends - moved)[self._upper, MARGIN] / self._unit
        result[strip] += shift[:, None]
        strip = self._strips["lower"]
        shift = self._roots["lower"] @ (ends - self._rest)[~self._upper, MARGIN]
        offset = self._places[strip] - self._places[strip[:, :1]]
        result[strip] = (shift[:, None] + FOLDED * offset @ _pitch(FOLD).T - offset) / self._unit
        return result

    def _bow(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """0 in the corners of the eye, 1 over most of its width."""
        margin = self._rest[:, MARGIN, 0]
        return np.sin(np.pi * np.clip((x - margin.min()) / np.ptp(margin), 0, 1)) ** 0.9

    def _ends(self, moved: NDArray[np.float64]) -> NDArray[np.float64]:
        """(C,R,3) places in the full blink, millimetres from the eye's centre.

        Args:
            moved: (C,R,3) where the figure's blink puts them.
        """
        ends = moved.copy()
        fade = np.array(FADE)[:, None]
        upper, lower = self._upper, ~self._upper
        lift = LIFT * self._bow(self._rest[lower, MARGIN, 0])[:, None] / self._radius * fade[:, 0]
        y, z = self._rest[lower][..., 1], self._rest[lower][..., 2]
        ends[lower] = self._rest[lower]
        ends[lower, :, 1] = y * np.cos(lift) + z * np.sin(lift)
        ends[lower, :, 2] = z * np.cos(lift) - y * np.sin(lift)
        target = self._margin_end(moved[upper, MARGIN], ends[lower])
        ends[upper] = moved[upper] + (target - moved[upper, MARGIN])[:, None] * fade
        ends[upper, MARGIN + 1 :] = self._off_the_ball(ends[upper, MARGIN + 1 :])
        rim = self._rest[upper, :MARGIN] - self._rest[upper, MARGIN][:, None]
        rim[..., 1] = np.maximum(rim[..., 1], -RIM_SLOPE * rim[..., 2])
        ends[upper, :MARGIN] = target[:, None] + rim
        return ends

    def _margin_end(self, moved: NDArray[np.float64], lower: NDArray[np.float64]) -> NDArray[np.float64]:
        """(U,3) places of the upper lid's margin in the full blink.

        Args:
            moved: (U,3) where the figure's blink puts it.
            lower: (L,R,3) the lower lid in the full blink.
        """
        x = moved[:, 0]
        bow = self._bow(x)
        line = lower[np.argsort(lower[:, MARGIN, 0]), MARGIN]
        y = np.interp(x, line[:, 0], line[:, 1]) - OVERLAP * bow
        surface = lower[:, 1:].reshape(-1, 3)
        z = LinearNDInterpolator(surface[:, :2], surface[:, 2])(x, y)
        nearest = NearestNDInterpolator(surface[:, :2], surface[:, 2])(x, y)
        z = np.where(np.isfinite(z), z, nearest) + CLEARANCE_IN_CORNER + (CLEARANCE - CLEARANCE_IN_CORNER) * bow
        return self._off_the_ball(np.stack([x, y, z], axis=1))

    def _off_the_ball(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (...,3) moved forward until they clear the eyeball."""
        room = (self._radius + BALL_CLEARANCE) ** 2 - points[..., 0] ** 2 - points[..., 1] ** 2
        result = points.copy()
        result[..., 2] = np.maximum(points[..., 2], np.sqrt(np.clip(room, 0, None)))
        return result


def lid_grid(source: HeadSource) -> NDArray[np.int64]:
    """(C,R) vertices of the left lids: columns around the eye, rows from the rim's inner edge outwards.

    Raises:
        ValueError: the mesh is not a regular grid there.
    """
    polygons, _ = source.mesh.group("body")
    socket = _socket(source)
    rim = np.intersect1d(polygons[socket], polygons[~socket])
    rim = rim[source.mesh.vertices[rim, 0] > 0]
    around = polygons[~socket]
    edges = np.concatenate([around[:, [i, (i + 1) % 4]] for i in range(4)])
    edges = np.concatenate([edges, edges[:, ::-1]])
    rows, seen = [rim], np.zeros(len(source.mesh.vertices), bool)
    seen[rim] = True
    while len(rows) < len(FADE):
        place = np.full(len(seen), -1)
        place[rows[-1]] = np.arange(len(rim))
        ahead = edges[(place[edges[:, 0]] >= 0) & ~seen[edges[:, 1]]]
        row = np.full(len(rim), -1)
        row[place[ahead[:, 0]]] = ahead[:, 1]
        if (row < 0).any() or len(np.unique(row)) != len(row):
            raise ValueError("The eyelids are not a regular grid.")
        rows.append(row)
        seen[row] = True
    return np.array(rows, np.int64).T


def _socket(source: HeadSource) -> NDArray[np.bool_]:
    """(P,) polygons of the body that line the eye sockets."""
    polygons, uv_polygons = source.mesh.group("body")
    u, v = np.moveaxis(source.mesh.uv[uv_polygons], -1, 0)
    (left, right), (low, high) = SOCKETS
    inside = ((u > left) & (u < right) & (v > low) & (v < high)).all(axis=1)
    return inside & (source.mesh.vertices[polygons[:, 0], 1] > 6)  # other parts' islands lie there as well


def _nearest(points: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """(P,O) weights of the nearest of other points (O,3) at points (P,3), millimetres; rows sum to 1."""
    apart = cdist(points, others)
    weight = np.exp(-0.5 * ((apart - apart.min(axis=1, keepdims=True)) / SPREAD) ** 2)
    return weight / weight.sum(axis=1, keepdims=True)


def _pitch(degrees: float) -> NDArray[np.float64]:
    """(3,3) rotation that turns what points forward downwards."""
    angle = np.radians(degrees)
    return np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
