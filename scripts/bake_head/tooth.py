"""The crown of one tooth as a small mesh, from the measures of dental anatomy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .parts import cap_polygons

AROUND = 10
"""Points of each ring; an even number, so that a tooth is its own mirror image."""
BOXINESS = 2.6
"""Exponent of the rings' superellipse: 2 is an oval, more is squarer."""


@dataclass(frozen=True)
class Crown:
    """Measures of one crown in millimetres (Nelson, Wheeler's Dental Anatomy, tables of each tooth).

    Attributes:
        width: along the arch.
        height: from the edge to the gum.
        thickness: from lip or cheek to tongue.
        lift: how far its edge stays short of the arch's front edge.
        point: how far the tip stands above its corners.
        cusps: bumps of the chewing face; 0 for a front tooth.
    """

    width: float
    height: float
    thickness: float
    lift: float
    point: float
    cusps: int = 0


UPPER = (
    Crown(8.5, 10.5, 7.0, 0.0, 0.35), Crown(6.5, 9.0, 6.0, 0.7, 0.5), Crown(7.5, 10.0, 8.0, 0.0, 2.0),
    Crown(7.0, 8.5, 9.0, 0.7, 0.6, 2), Crown(7.0, 8.5, 9.0, 1.1, 0.5, 2), Crown(10.0, 7.5, 11.0, 1.4, 0.4, 4),
    Crown(9.0, 7.0, 11.0, 1.4, 0.4, 4),
)  # fmt: skip
LOWER = (
    Crown(5.0, 9.0, 6.0, 0.0, 0.15), Crown(5.5, 9.5, 6.5, 0.1, 0.25), Crown(7.0, 10.5, 7.5, -0.3, 1.8),
    Crown(7.0, 8.5, 7.5, 0.3, 0.8, 2), Crown(7.0, 8.0, 8.0, 0.4, 0.5, 2), Crown(11.0, 7.5, 10.5, 0.4, 0.4, 4),
    Crown(10.5, 7.0, 10.0, 0.4, 0.4, 4),
)  # fmt: skip
"""From the middle to the back."""

LEVELS = (0.0, 0.14, 0.4, 0.75, 1.12)
"""Rings from the edge (0) past the gum (1), in crown heights."""
FRONT_WIDTH = (0.86, 0.96, 1.0, 0.9, 0.74)
FRONT_FACE, FRONT_BACK = (0.62, 0.74, 0.9, 1.0, 0.9), (0.34, 0.16, -0.2, -0.72, -0.8)
BACK_WIDTH = (0.78, 0.93, 1.0, 0.95, 0.82)
BACK_FACE, BACK_BACK = (0.66, 0.88, 1.0, 1.0, 0.88), (-0.66, -0.88, -1.0, -0.95, -0.82)
"""Half-width and the two faces of each ring, in halves of the width and the thickness."""
FOSSA_SIZE, FOSSA_DEPTH = 0.5, 0.9
"""Inner ring of a chewing face: share of the outer one, and depth in millimetres."""
DISC = (0.16, 0.3, 0.52, 0.78, 1.0)
"""UV radius of each ring."""


@dataclass(frozen=True)
class Shape:
    """A tooth that stands with its edge at the origin, millimetres.

    Attributes:
        points: (V,3): along the arch, out of the mouth, from the edge into the jaw.
        polygons: (P,4) seen from outside, triangles end with -1.
        uv: (V,2) in the plane, one for each point.
        tone: (V,2): level from the edge (0) to the gum (1), and nearness to the neighbours 0..1.
    """

    points: NDArray[np.float64]
    polygons: NDArray[np.int32]
    uv: NDArray[np.float64]
    tone: NDArray[np.float64]


def build_crown(crown: Crown) -> Shape:
    """The mesh of one crown. It is symmetric about its long axis."""
    turn = 2 * np.pi * (np.arange(AROUND) + 0.5) / AROUND
    cosine, sine = np.cos(turn), np.sin(turn)
    across = np.sign(cosine) * np.abs(cosine) ** (2 / BOXINESS)
    across /= across.max()
    outward = np.sign(sine) * np.abs(sine) ** (2 / BOXINESS)
    outward /= outward.max()
    back = crown.cusps > 0
    widths, faces, backs = (BACK_WIDTH, BACK_FACE, BACK_BACK) if back else (FRONT_WIDTH, FRONT_FACE, FRONT_BACK)
    rings = []
    for level, width, face, behind in zip(LEVELS, widths, faces, backs, strict=True):
        depth = level * crown.height + (1 - level) ** 4 * _edge(crown, across, outward)
        out = (face + behind) / 2 + (face - behind) / 2 * outward
        rings.append(np.stack([width * crown.width / 2 * across, out * crown.thickness / 2, depth], axis=1))
    discs = [radius * np.stack([cosine * crown.width, sine * crown.thickness], axis=1) for radius in DISC]
    levels = list(LEVELS)
    if back:
        inner = rings[0] * [FOSSA_SIZE, FOSSA_SIZE, 0] + [0, 0, FOSSA_DEPTH]
        rings.insert(0, inner)
        discs.insert(0, discs[0] * FOSSA_SIZE)
        levels.insert(0, 0.1)
    centre = rings[0].mean(axis=0) + ([0, 0, 0.2] if back else [0, 0, 0])
    near = np.tile(np.abs(across) ** 3, len(rings))
    return Shape(
        points=np.concatenate([[centre], *rings]),
        polygons=cap_polygons(len(rings), AROUND),
        uv=np.concatenate([[[0, 0]], *discs]),
        tone=np.stack([np.concatenate([[levels[0]], np.repeat(levels, AROUND)]), np.append(0, near)], axis=1),
    )


def _edge(crown: Crown, across: NDArray, outward: NDArray) -> NDArray[np.float64]:
    """(A,) how far each point of the topmost ring stays short of the tip."""
    if crown.cusps == 0:
        return crown.point * np.abs(across) ** 1.5
    if crown.cusps == 2:
        return crown.point * (0.3 + np.abs(across) + np.where(outward < 0, 0.8, 0))
    return crown.point * (1.5 - 2.2 * np.abs(across * outward))
