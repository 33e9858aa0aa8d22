"""The tongue at rest: within the lower teeth, its back level with their edges, so that an open mouth has room over it.

The figure's own tongue arches well above the lower teeth and touches the incisors.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .parts import Part, pick
from .source import HeadSource
from .uv import surface_area

SHORTENING = 0.93
"""Of its length, so that the tip stays behind the incisors."""
NARROWING = ((0.0, 0.9), (0.55, 0.9), (0.8, 0.84), (1.0, 0.84))
DROP = ((0.0, 9.0), (0.1, 14.0), (0.25, 14.5), (0.4, 11.5), (0.55, 8.5), (0.75, 6.2), (0.9, 5.2), (1.0, 5.0))
"""Width that is kept, and how far it is lowered in millimetres, by the place between root (0) and tip (1)."""
UV_SCALE = 0.8
"""Relative to the figure's own tongue, so that the layout does not depend on the reshaping."""
REACH = "tongueOut"
REACHING = 0.6
"""Share of the tip's way in `tongueOut` from which a vertex is wholly back on the figure's own path, over the teeth."""
DROOP, DROOP_START = 7.0, 0.72
"""How far the tip hangs down outside of the mouth, millimetres, and where on the tongue that begins."""


def tongue_part(source: HeadSource, mean: NDArray[np.float64], unit: float) -> Part:
    """The tongue.

    Args:
        source: the figure.
        mean: (N,3) the mean figure.
        unit: millimetres per unit of `mean`.
    """
    polygons, uv, uv_polygons, follow = pick(*source.mesh.group("helper-tongue"), source.mesh.uv, len(mean))
    figure = follow @ mean
    vertices = figure.copy()
    along = place_along(vertices)
    root = vertices[:, 2].min()
    vertices[:, 0] *= np.interp(along, *np.transpose(NARROWING))
    vertices[:, 1] -= np.interp(along, *np.transpose(DROP)) / unit
    vertices[:, 2] = root + SHORTENING * (vertices[:, 2] - root)
    scale = UV_SCALE * np.sqrt(surface_area(figure, polygons) / surface_area(vertices, polygons))
    return Part("tongue", "tongue", vertices, polygons, uv, uv_polygons, follow, "jaw", uv_scale=float(scale))


def place_along(vertices: NDArray[np.float64]) -> NDArray[np.float64]:
    """(V,) 0 at the root, 1 at the tip."""
    return (vertices[:, 2] - vertices[:, 2].min()) / np.ptp(vertices[:, 2])


def with_reach(part: Part, mean: NDArray[np.float64], unit: float, out: NDArray[np.float64]) -> Part:
    """The tongue with a `tongueOut` that starts from where it rests and hangs a little over the lower lip.

    Args:
        part: from `tongue_part`.
        mean: (N,3) the mean figure.
        unit: millimetres per unit of `mean`.
        out: (N,3) the figure's own unit.
    """
    path = part.follow @ out
    way = np.linalg.norm(path, axis=1)
    back = np.clip(way / (REACHING * way.max()), 0, 1)[:, None]
    hang = np.clip((place_along(part.vertices) - DROOP_START) / (1 - DROOP_START), 0, 1) ** 1.5
    moved = path + back * (part.follow @ mean - part.vertices)
    moved[:, 1] -= DROOP / unit * hang
    return replace(part, rigid_units={REACH: moved})
