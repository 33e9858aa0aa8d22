"""A volume's mesh with a texture: pictures of the head from around it, side by side, each triangle in one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..depth.mesh import DepthMesh
from .camera import Register, orbit_label
from .config import Rendering
from .mesh import VolumeMesh
from .views import View, facing, seen_from, vertex_normals

ANGLES = ((-60.0, 0.0), (60.0, 0.0), (0.0, 45.0), (0.0, -30.0), (180.0, 0.0))
"""Yaw and pitch, degrees, of the pictures beside the photo's own view."""
COLUMNS = 3
PREFERRED = 1.5
"""Weight of the photo's own view, the sharpest after tuning."""
ROUNDS = 4
"""Of smoothing between neighbours, so that the parts of a picture are large and seams few."""
ENOUGH = 0.25
"""Of the best view's weight: as much a triangle has in the view that its neighbours choose, or it chooses its own."""
UNSEEN = 1e-3
"""Weight by which hidden triangles choose the view they face."""


@dataclass(frozen=True, eq=False)
class Painted:
    """A surface in the generator's units with its picture.

    Attributes:
        vertices: (V,3). faces: (F,3). normals: (V,3).
        uv: (T,2) in the picture, origin lower left. uv_faces: (F,3).
        picture: (H,W,3) uint8 sRGB.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int64]
    normals: NDArray[np.float32]
    uv: NDArray[np.float32]
    uv_faces: NDArray[np.int64]
    picture: NDArray[np.uint8]

    def placed(self, register: Register) -> DepthMesh:
        """The same in the space of a head, metres; the picture stays here."""
        turn = register.matrix[:3, :3] / register.scale
        return DepthMesh(
            vertices=register.points(self.vertices).astype(np.float32),
            faces=self.faces.astype(np.int32),
            uv=self.uv,
            uv_faces=self.uv_faces.astype(np.int32),
            normals=(self.normals @ turn.T).astype(np.float32),
            front=len(self.faces),
        )


def labels_around(label: NDArray, how: Rendering) -> list[NDArray]:
    """The photo's label and those of `ANGLES`, all (25,)."""
    return [np.asarray(label, np.float32), *(orbit_label(yaw, pitch, how) for yaw, pitch in ANGLES)]


def painted(mesh: VolumeMesh, seen: Sequence[View]) -> Painted:
    """Give each triangle the view that sees it best, the first one preferred.

    Args:
        mesh: in the generator's units. seen: K views, pictures of one size.
    """
    normals = vertex_normals(mesh.vertices, mesh.faces)
    weights, places = zip(*(seen_from(view, mesh.vertices, normals) for view in seen), strict=True)
    score = np.stack(weights, 1)
    score[:, 0] *= PREFERRED
    toward = np.stack([facing(view, mesh.vertices, normals) for view in seen], 1)
    inside = np.stack([((place > 0) & (place < 1)).all(1) for place in places], 1)
    score += UNSEEN * (1 + toward) * inside
    chosen = _coherent(score, mesh.faces)
    pairs = mesh.faces * len(seen) + chosen[:, None]
    unique, corner = np.unique(pairs.ravel(), return_inverse=True)
    vertex, number = np.divmod(unique, len(seen))
    uv, picture = _tiles(seen, np.stack(places, 1)[vertex, number], number)
    return Painted(mesh.vertices, mesh.faces, normals.astype(np.float32), uv, corner.reshape(-1, 3), picture)


def _coherent(score: NDArray, faces: NDArray) -> NDArray[np.int64]:
    """(F,) the view of each triangle, of the vertices' weights (V,K)."""
    own = score[faces].min(1)
    smooth, count = score, np.maximum(np.bincount(faces.ravel(), minlength=len(score)), 1)
    for _ in range(ROUNDS):
        middle = smooth[faces].mean(1)
        smooth = np.stack(
            [sum(np.bincount(faces[:, k], part, len(score)) for k in range(3)) / count for part in middle.T], 1
        )
    chosen, best = smooth[faces].mean(1).argmax(1), own.argmax(1)
    rows = np.arange(len(faces))
    return np.where(own[rows, chosen] >= ENOUGH * own[rows, best], chosen, best)


def _tiles(seen: Sequence[View], place: NDArray, number: NDArray) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Texture coordinates (T,2) of places (T,2) of 0..1 in pictures of these numbers (T,), and all pictures in one."""
    side = seen[0].image.shape[0]
    columns = min(COLUMNS, len(seen))
    rows = -(-len(seen) // columns)
    picture = np.zeros((rows * side, columns * side, 3), np.uint8)
    for index, view in enumerate(seen):
        row, column = divmod(index, columns)
        picture[row * side : (row + 1) * side, column * side : (column + 1) * side] = view.image
    row, column = np.divmod(number, columns)
    inner = np.clip(place, 0.5 / side, 1 - 0.5 / side)  # nothing of the neighbouring picture
    uv = np.stack([(column + inner[:, 0]) / columns, 1 - (row + inner[:, 1]) / rows], 1)
    return uv.astype(np.float32), picture
