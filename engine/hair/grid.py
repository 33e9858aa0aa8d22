"""The scalp unrolled: lines that run from the crown's whorl outwards and down, like hair that is combed flat.

A column is one such line, a row a distance from the whorl. Where a node lies on the mesh is worked out once on the
mean head; on a person's head it is the same place of the same triangle.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..heads.model import HeadModel
from .field import blurred

COLUMNS, ROWS = 112, 44
WHORL = np.array([0.0, 0.80, -0.60])
"""Direction of the crown's whorl seen from the middle of the scalp."""
REACH = np.radians(140.0)
"""From the whorl to the last row: over the forehead to the brows, down to sideburns and nape."""
SWIRL, SWIRL_FADES = 0.12, 5.0
"""Turns that the lines make around the whorl, and how quickly (per half turn down) they straighten."""
MAP_SIDE = 768
BRIDGES = (9.0, 3.0, 1.5)
"""How far holes are bridged, nodes; from the widest to the narrowest, which is taken where it suffices."""


@dataclass(frozen=True)
class ScalpGrid:
    """Nodes of the unrolled scalp, the same for every person.

    Attributes:
        anchors: (R,C,3) int32 vertices, weights: (R,C,3) float32 of each node's place on the head.
        sound: (R,C) bool, False over holes of the skin (ears, eyes), where a node only has its nearest place.
        down: (R,) radians from the whorl. around: (R,C) radians; 0 is the face's side of the whorl, pi/2 its left.
    """

    anchors: NDArray[np.int32]
    weights: NDArray[np.float32]
    sound: NDArray[np.bool_]
    down: NDArray[np.float64]
    around: NDArray[np.float64]

    def carry(self, per_vertex: NDArray) -> NDArray[np.float64]:
        """Values of the head's vertices (V,C) at the nodes, (R,C,C)."""
        return np.einsum("rck,rckx->rcx", self.weights, per_vertex[self.anchors].astype(np.float64))

    def skull(self, vertices: NDArray) -> NDArray[np.float64]:
        """(R,C,3) the nodes on a head (V,3); holes of the skin are bridged smoothly."""
        points = self.carry(vertices)
        known = np.concatenate([points, np.ones((*points.shape[:2], 1))], -1) * self.sound[..., None]
        filled = np.zeros_like(points)
        for reach in BRIDGES:
            spread = blurred(known, (reach, reach)).astype(np.float64)
            enough = spread[..., 3:] > 0.05
            filled = np.where(enough, spread[..., :3] / np.maximum(spread[..., 3:], 1e-6), filled)
        return np.where(self.sound[..., None], points, filled)


def scalp_centre(vertices: NDArray, head: HeadModel) -> NDArray[np.float64]:
    """(3,) the middle of the scalp's box, from which directions are seen."""
    scalp = vertices[head.regions["scalp"]].astype(np.float64)
    return (scalp.min(0) + scalp.max(0)) / 2


@lru_cache(maxsize=2)
def scalp_grid(head: HeadModel) -> ScalpGrid:
    """The grid of a head model; kept warm between jobs."""
    down = np.linspace(0.0, REACH, ROWS)
    turns = np.arange(COLUMNS) / COLUMNS
    around = 2 * np.pi * (turns[None] + SWIRL * np.exp(-SWIRL_FADES * down / np.pi)[:, None])
    outer = head.regions["skin"] & ~head.regions["ears"] & ~head.regions["eye_sockets"] & ~head.regions["inner_mouth"]
    faces = head.faces[outer[head.faces].all(1)]
    flat = _unrolled(head.vertices - scalp_centre(head.vertices, head))
    places = np.stack([down[:, None] * np.cos(around), down[:, None] * np.sin(around)], -1).reshape(-1, 2)
    triangle, weights, sound = _locate(flat, faces, places)
    shape = (ROWS, COLUMNS, 3)
    anchors = faces[triangle].reshape(shape).astype(np.int32)
    return ScalpGrid(anchors, weights.reshape(shape), sound.reshape(ROWS, COLUMNS), down, around)


def _unrolled(offsets: NDArray) -> NDArray[np.float64]:
    """(V,2) the directions of offsets (V,3) as a disc around the whorl: distance from its middle is the angle."""
    axis = WHORL / np.linalg.norm(WHORL)
    forward = np.cross([1.0, 0.0, 0.0], axis)
    along = offsets @ axis / np.maximum(np.linalg.norm(offsets, axis=1), 1e-9)
    angle = np.arccos(np.clip(along, -1, 1))
    turn = np.arctan2(offsets[:, 0], offsets @ forward)
    return np.stack([angle * np.cos(turn), angle * np.sin(turn)], 1)


def _locate(
    flat: NDArray, faces: NDArray, places: NDArray
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]:
    """The triangle (N,) under each place (N,2) of the disc, or the nearest one, barycentrics (N,3) there, and whether
    (N,) it does lie under it."""
    import cv2
    import torch

    from ..render.rasterize import rasterize_uv

    uv = torch.tensor(0.5 + flat / (2.1 * np.pi), dtype=torch.float32)
    whole = np.ptp(flat[faces], axis=1).max(1) < 0.6  # what wraps around the disc's rim is left out
    faces_kept = np.nonzero(whole)[0]
    seen = rasterize_uv(uv, torch.tensor(faces[faces_kept]), MAP_SIDE).face.numpy()
    apart, label = cv2.distanceTransformWithLabels(
        (seen < 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros(label.max() + 1, np.int64)
    nearest[label[seen >= 0]] = seen[seen >= 0]
    x, y = (0.5 + places[:, 0] / (2.1 * np.pi)) * MAP_SIDE, (0.5 - places[:, 1] / (2.1 * np.pi)) * MAP_SIDE
    at = y.astype(int), x.astype(int)
    triangle = faces_kept[nearest[label[at]]]
    a, b, c = (flat[faces[triangle, corner]] for corner in range(3))
    area = _cross(b - a, c - a)
    weights = np.stack([_cross(b - places, c - places), _cross(c - places, a - places)], 1) / area[:, None]
    weights = np.clip(np.concatenate([weights, 1 - weights.sum(1, keepdims=True)], 1), 0, None)
    return triangle, (weights / weights.sum(1, keepdims=True)).astype(np.float32), apart[at] < 2


def _cross(a: NDArray, b: NDArray) -> NDArray:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
