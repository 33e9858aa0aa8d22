"""Pixels of further photos for what the first one shows at a slant: shots for `texture_fit`, of the same head."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ..camera import Camera
from ..render.rasterize import rasterize_mesh
from .fill import sampled
from .glb import GROUPS
from .groups import shares_of
from .mesh import DepthMesh
from .picture import inner
from .texture_fit import Shot
from .view import View

SLANT = 0.45
"""Cosine to the first photo's line of sight below which others have a say."""
BETTER = 0.15
"""By how much their own must be larger."""
SQUARE = 0.6
"""Cosine to both from which skin is compared for the photos' different light."""
LEAST_COMPARED = 200
"""Pixels without which colours are left as they are."""
GAINS = (0.5, 2.0)
TAKEN = ("skin", "hair")
"""Groups whose pixels are taken: eyes and mouths have another expression in another photo; clothes are changed."""
SURE = 0.8
"""Share of its group that a pixel has at least."""
ALIKE = 60.0
"""Of 255, by which colours differ at most: more is a collar, a shadow, or another hairline."""
BROAD = 0.005
"""Metres: what is taken is nowhere narrower than twice this. Beside a nose nothing lies quite where it should."""


def side_shots(mesh: DepthMesh, first: View, others: Sequence[View], front: NDArray[np.uint8]) -> list[Shot]:
    """The part of each further photo that shows the mesh better than the first does.

    A pixel counts where both photos say the same of what is there (skin or hair), the surface is slanted to the
    first camera and faces this one more. Colours are brought to the first photo's by one gain a channel.

    Args:
        mesh: of the first photo. front: (H,W,3) sRGB, its texture.
        others: the same head, in the same frame.
    """
    faces = mesh.faces[: mesh.front]
    corners = mesh.vertices[faces].astype(np.float64)
    middle = corners.mean(1)
    label = shares_of(first).argmax(0)
    row, column = _cells(first.camera.project(middle), label.shape)
    kind = label[row, column]
    at = mesh.uv[mesh.uv_faces[: mesh.front]].mean(1) * [1, -1] + [0, 1]
    places = at * [front.shape[1], front.shape[0]]
    colour = np.stack([sampled(front[..., channel], places) for channel in range(3)], 1)
    there = _facing(corners, first)
    shots = [_shot(mesh, view, faces, kind, colour, there, _facing(corners, view)) for view in others]
    return [shot for shot in shots if shot.mask.any()]


def _shot(
    mesh: DepthMesh, view: View, faces: NDArray, kind: NDArray, colour: NDArray, there: NDArray, here: NDArray
) -> Shot:
    raster = rasterize_mesh(torch.tensor(mesh.vertices), torch.tensor(faces), view.camera)
    seen = raster.face.numpy()
    face = np.maximum(seen, 0)
    taken = np.isin(kind, [GROUPS.index(name) for name in TAKEN])[face]
    shares = shares_of(view)
    inside = inner(view.mask, view.metres) * shares.max(0) > SURE
    same = inside & (seen >= 0) & taken & (shares.argmax(0) == kind[face])
    compared = same & (there[face] > SQUARE) & (here[face] > SQUARE) & (kind[face] == GROUPS.index("skin"))
    gain = np.ones(3)
    if compared.sum() >= LEAST_COMPARED:
        ratio = colour[face[compared]] / np.maximum(view.pixels[compared], 1)
        gain = np.clip(np.median(ratio, axis=0), *GAINS)
    pixels = np.clip(np.round(view.pixels * gain), 0, 255).astype(np.uint8)
    alike = np.abs(pixels - colour[face]).mean(-1) < ALIKE
    mask = same & alike & (there[face] < SLANT) & (here[face] > there[face] + BETTER)
    return _cut(Shot(pixels, view.camera, _broad(mask, BROAD / view.metres)))


def _broad(mask: NDArray[np.bool_], pixels: float) -> NDArray[np.bool_]:
    import cv2

    side = 2 * max(1, round(pixels)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    return mask & (cv2.morphologyEx(closed, cv2.MORPH_OPEN, disc) > 0)


def _cut(shot: Shot) -> Shot:
    """The part of a shot that counts: what is drawn for nothing takes as long."""
    rows, columns = (np.flatnonzero(shot.mask.any(axis)) for axis in (1, 0))
    if not len(rows):
        return shot
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    K = shot.camera.K.copy()
    K[:2, 2] -= columns[0], rows[0]
    mask = shot.mask[box]
    return Shot(shot.pixels[box], Camera(K, shot.camera.world_to_camera, mask.shape[1], mask.shape[0]), mask)


def _facing(corners: NDArray, view: View) -> NDArray[np.float64]:
    """(F,) cosines between the faces' fronts and a camera's lines of sight."""
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    towards = view.camera.position - corners.mean(1)
    length = np.linalg.norm(normals, axis=1) * np.linalg.norm(towards, axis=1)
    return (normals * towards).sum(1) / np.maximum(length, 1e-12)


def _cells(pixels: NDArray, shape: tuple[int, ...]) -> tuple[NDArray, NDArray]:
    """Row and column (N,) of pixels (N,2), held inside the picture."""
    column, row = np.clip(pixels.astype(int), 0, [shape[1] - 1, shape[0] - 1]).T
    return row, column
