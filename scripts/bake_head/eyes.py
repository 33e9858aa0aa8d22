"""Eyeballs: rings about the pupil, with a little corneal bulge, unrolled into a disc that is mostly iris."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import rig
from .parts import Part, cap_polygons, follow_affine
from .source import HeadSource

SEGMENTS = 24
IRIS_RADIUS = 5.9
"""Of an adult's visible iris, millimetres; it varies by about 0.25 between people (Caroline and Andre 2002)."""
BULGE = 0.5
"""How far the cornea stands out of the ball, millimetres. Real ones do by 2.5; the lids of the figure leave no room."""
IRIS_RINGS = (0.2, 0.38, 0.58, 0.78, 0.92, 1.0)
"""Rings within the iris, in iris radii."""
WHITE_RINGS = (26.0, 33.0, 42.0, 54.0, 68.0, 84.0, 104.0, 126.0)
"""Rings outside the iris, degrees from the pupil. The back, which nobody sees, stays open."""
IRIS_DISC = 0.5
"""Iris radius as a share of the UV disc's radius."""
SEEN_ANGLE, SEEN_DISC = 68.0, 0.92
"""The white up to this angle takes the disc up to this radius; the rest is squeezed into the rim."""
UV_SCALE = 2.6


def eye_part(source: HeadSource, mean: NDArray[np.float64], unit: float, name: str) -> Part:
    """One eyeball at the place and size of the figure's.

    Args:
        source: the figure.
        mean: (N,3) the mean figure.
        unit: millimetres per unit of `mean`.
        name: "eye.L" or "eye.R".
    """
    helper = source.vertex_groups["helper-l-eye" if name == "eye.L" else "helper-r-eye"]
    centre = (rig.joint_follow(source) @ mean)[rig.JOINT_NAMES.index(name)]
    radius = float(np.linalg.norm(mean[helper] - centre, axis=1).mean())
    directions, uv, polygons = eyeball(IRIS_RADIUS / unit / radius, BULGE / unit / radius)
    if name == "eye.R":
        directions, uv, polygons = directions * [-1, 1, 1], uv * [-1, 1], _turned(polygons)
    points = centre + radius * directions
    return Part(
        name=name,
        material=name,
        vertices=points,
        polygons=polygons,
        uv=uv,
        uv_polygons=polygons.copy(),
        follow=follow_affine(points, helper, mean),
        bone=name,
        uv_scale=UV_SCALE,
        keeps_shape=True,
    )


def eyeball(iris: float, bulge: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]]:
    """A unit ball that looks along +Z.

    Args:
        iris: radius of the iris, in ball radii.
        bulge: height of the cornea above the ball, in ball radii.
    Returns:
        (V,3) points, the pupil's pole first; (V,2) UV in the unit disc; (P,4) polygons, the pole's are triangles.
    """
    limbus = np.arcsin(iris)
    angles = np.concatenate([np.arcsin(iris * np.array(IRIS_RINGS)), np.radians(WHITE_RINGS)])
    turn = 2 * np.pi * (np.arange(SEGMENTS) + 0.5) / SEGMENTS
    around = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    height = 1 + bulge * np.clip(1 - (np.sin(angles) / iris) ** 2, 0, None) ** 2 * (angles <= limbus)
    sideways = (height * np.sin(angles))[:, None, None] * around
    forward = np.broadcast_to((height * np.cos(angles))[:, None, None], (*sideways.shape[:2], 1))
    points = np.concatenate([sideways, forward], axis=2).reshape(-1, 3)
    radii = np.interp(angles, [0, limbus, np.radians(SEEN_ANGLE), angles[-1]], [0, IRIS_DISC, SEEN_DISC, 1])
    uv = (radii[:, None, None] * around).reshape(-1, 2)
    return (
        np.concatenate([[[0, 0, 1 + bulge]], points]),
        np.concatenate([[[0, 0]], uv]),
        cap_polygons(len(angles), SEGMENTS),
    )


def _turned(polygons: NDArray[np.int32]) -> NDArray[np.int32]:
    """The same polygons seen from the other side; each keeps its first corner."""
    quads = polygons[:, [0, 3, 2, 1]]
    return np.where(polygons[:, 3:] < 0, polygons[:, [0, 2, 1, 3]], quads)
