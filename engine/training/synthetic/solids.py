"""Simple bodies that props are built of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .propmesh import Mesh, grid_faces


def ellipsoid(middle: NDArray, radii: NDArray, around: int = 16) -> Mesh:
    """A closed ellipsoid with axes along the world's, without values."""
    rows = max(3, around // 2)
    down = np.linspace(0, np.pi, rows + 1)[1:-1]
    turn = np.arange(around) * 2 * np.pi / around
    ring = np.stack([
        np.sin(down)[:, None] * np.cos(turn), np.cos(down)[:, None] + 0 * turn, np.sin(down)[:, None] * -np.sin(turn)
    ], axis=-1).reshape(-1, 3)  # fmt: skip
    points = np.concatenate([ring, [[0, 1, 0], [0, -1, 0]]])
    faces = grid_faces(rows - 1, around, wrap_columns=True)
    faces = faces[:, ::-1]
    number, last = np.arange(around), (rows - 2) * around
    top = np.stack([np.full(around, len(ring)), number, np.roll(number, -1)], 1)
    bottom = np.stack([np.full(around, len(ring) + 1), np.roll(number, -1) + last, number + last], 1)
    places = np.asarray(middle + points * radii, np.float64)
    return Mesh(places, np.concatenate([faces, top, bottom]), np.zeros((len(points), 0)))
