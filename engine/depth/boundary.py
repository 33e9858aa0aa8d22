"""The border of an open mesh: made smooth, and closed by a back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .fill import membrane, push_pull, sampled

SHRINK, SWELL = 0.5, -0.53
"""Taubin 1995: what the first step of a round smooths away, the second gives back where it was no roughness."""
UNFOLD = 5
"""Rounds of taking back moves that turn faces over."""
BACK_SIDE = 192
"""Pixels of the longer side of the grid on which the back is shaped."""
BACK_LOAD = 2.0
"""How round the back is: 4 is a ball behind a disc, 2 a cylinder behind a strip; see `fill.membrane`."""
DEEPEST = 0.11
"""Metres: the back bulges no further behind the border."""
THINNEST = 0.002
"""Metres between front and back, at the border too."""


def border_edges(faces: NDArray) -> NDArray[np.int64]:
    """(E,2) the edges that belong to one face only, as that face runs through them."""
    edges = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).astype(np.int64)
    count = int(faces.max()) + 1
    key = edges.min(1) * count + edges.max(1)
    _, first, times = np.unique(key, return_index=True, return_counts=True)
    return edges[np.sort(first[times == 1])]


def smooth_border(
    pixels: NDArray, z: NDArray, faces: NDArray, rounds: int, most: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Border vertices moved to a smooth line: across the picture by `most` pixels each way at the utmost.

    Args:
        pixels: (V,2). z: (V,) depth.
    """
    edges = border_edges(faces)
    if not len(edges) or rounds < 1:
        return pixels.astype(np.float64), z
    vertices, local = np.unique(edges, return_inverse=True)
    one, two = local.reshape(-1, 2).T
    start = np.column_stack([pixels[vertices], z[vertices]]).astype(np.float64)
    degree = np.bincount(np.concatenate([one, two]), minlength=len(vertices))[:, None]
    simple = degree[:, 0] == 2  # others are where two borders touch
    places = start.copy()
    for factor in (SHRINK, SWELL) * rounds:
        total = np.stack([
            np.bincount(one, places[two, k], len(vertices)) + np.bincount(two, places[one, k], len(vertices))
            for k in range(3)
        ], 1)  # fmt: skip
        moved = places + factor * (total / degree - places)
        moved[:, :2] = np.clip(moved[:, :2], start[:, :2] - most, start[:, :2] + most)
        places = np.where(simple[:, None], moved, places)
    flat, z = pixels.astype(np.float64), z.astype(np.float64).copy()
    flat[vertices], z[vertices] = places[:, :2], places[:, 2]
    return _unfolded(pixels.astype(np.float64), flat, faces), z


def _unfolded(before: NDArray, after: NDArray, faces: NDArray) -> NDArray[np.float64]:
    """(V,2) the moved places, with the corners of faces that were turned over moved less."""
    after = after.copy()
    for _ in range(UNFOLD):
        corners = after[faces]
        one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        turned = faces[one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0] >= 0].ravel()  # rows run down
        if not len(turned):
            break
        turned = np.unique(turned)
        after[turned] = 0.5 * (before[turned] + after[turned])
    return after


def back_sheet(
    faces: NDArray, places: NDArray, z: NDArray, covered: NDArray[np.bool_], metres: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """A second sheet behind the first, joined to it by a narrow wall along the border.

    It hangs between the border's depths and bulges backwards as the outline is wide. (Sheets that shared the border's
    vertices would meet four at a time along edges between two of these.)

    Args:
        faces: (F,3). z: (V,) depth.
        places: (V,2) where the vertices are in the picture `covered`, (H,W), which says where there are faces.
        metres: a pixel of that picture is across.
    Returns:
        faces: (2F+2E,3) the front's; the back's, into a second copy of the V vertices; the wall's.
        z: (V,) depth of the copy.
    """
    count = len(z)
    edges = border_edges(faces)
    border = np.zeros(count, bool)
    border[edges.ravel()] = True
    one, two = edges.T
    wall = np.concatenate([np.stack([two, one, one + count], 1), np.stack([two, one + count, two + count], 1)])
    return np.concatenate([faces, faces[:, ::-1] + count, wall]), _behind(places, z, border, covered, metres)


def _behind(
    places: NDArray, z: NDArray, border: NDArray[np.bool_], covered: NDArray[np.bool_], metres: float
) -> NDArray[np.float64]:
    """(V,) depth of the back at each vertex, shaped on a small grid."""
    import cv2

    factor = min(1.0, BACK_SIDE / max(covered.shape))
    width, height = (max(2, round(side * factor)) for side in covered.shape[::-1])
    share = cv2.resize(covered.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    places = places * [width / covered.shape[1], height / covered.shape[0]]
    cell = np.clip(places.astype(int), 0, [width - 1, height - 1])
    flat = cell[:, 1] * width + cell[:, 0]
    known = np.bincount(flat[border], minlength=width * height).astype(np.float32)
    total = np.bincount(flat[border], z[border], width * height)
    known, rim = known.reshape(height, width), (total / np.maximum(known, 1)).reshape(height, width)
    inside = (share > 0.5) & (known == 0)
    nothing = np.zeros(inside.shape, np.float32)
    sheet = membrane(inside, nothing, nothing, 0.0, push_pull(rim, known))
    bulge = np.sqrt(np.maximum(membrane(inside, nothing, nothing, BACK_LOAD), 0)) * (metres / factor)
    bulge = DEEPEST * np.tanh(bulge / DEEPEST)
    return np.maximum(sampled(sheet + bulge, places), z + THINNEST)


def vertex_normals(vertices: NDArray, faces: NDArray) -> NDArray[np.float32]:
    """(V,3) unit, means of the faces' by area; (0,0,1) for vertices without any."""
    corners = vertices.astype(np.float64)[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.stack(
        [sum(np.bincount(faces[:, k], across[:, axis], len(vertices)) for k in range(3)) for axis in range(3)], 1
    )
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 0, total / np.maximum(length, 1e-30), (0.0, 0.0, 1.0)).astype(np.float32)
