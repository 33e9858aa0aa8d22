"""Where things are on the head: the texels of its UV square in space, and soft masks of the parts of a face."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...evaluation.skins import makehuman_triangles
from ...heads.model import HeadModel
from ...heads.skin import load_base_skin
from .scene import REGIONS

FADE_ROWS = {"lips": (1.0, 3.5), "lids": (1.0, 3.0)}
"""Rows of vertices from an opening up to which a rim is wholly wet, and from which not at all."""


@dataclass(frozen=True)
class Canvas:
    """The texels of the head at a texture size S; those off the surface hold their nearest neighbour's values.

    Attributes:
        head: whose.
        covered: (S,S) bool, on the surface.
        gutter: (S,S) int64 flat index into the N texels on the surface.
        face: (N,) triangle. weights: (N,3) barycentrics. rest: (N,3) float32 metres on the mean head.
        outer: (N,) bool, skin that is seen from outside.
        makehuman: (N,2) float32 UV in MakeHuman's square.
    """

    head: HeadModel
    covered: NDArray[np.bool_]
    gutter: NDArray[np.int64]
    face: NDArray[np.int64]
    weights: NDArray[np.float32]
    rest: NDArray[np.float32]
    outer: NDArray[np.bool_]
    makehuman: NDArray[np.float32]

    def gather(self, values: NDArray) -> NDArray[np.float32]:
        """(N,) of per-vertex values (V,)."""
        return (values.astype(np.float32)[self.head.faces[self.face]] * self.weights).sum(1)

    def picture(self, flat: NDArray) -> NDArray:
        """(S,S,...) of values (N,...), padded."""
        return flat[self.gutter]

    def material(self, name: str) -> NDArray[np.bool_]:
        """(N,) texels of a material slot."""
        return self.head.face_materials[self.face] == self.head.material_names.index(name)

    def base(self) -> NDArray[np.uint8]:
        """(N,3) sRGB of the bundled base skin."""
        return load_base_skin(len(self.covered)).albedo[self.covered]

    def base_region(self, name: str) -> NDArray[np.float32]:
        """(N,) soft mask of the bundled region map."""
        return load_base_skin(len(self.covered)).regions[name][self.covered]


def make_canvas(head: HeadModel, size: int) -> Canvas:
    """The canvas of a head at a texture size."""
    import cv2
    import torch

    from ...render.rasterize import rasterize_uv

    raster = rasterize_uv(torch.tensor(head.uv), torch.tensor(head.uv_faces), size)
    covered = raster.mask.numpy()
    face, weights = raster.face.numpy()[covered].astype(np.int64), raster.barycentrics.numpy()[covered]
    _, labels = cv2.distanceTransformWithLabels(
        (~covered).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(labels.max() + 1, np.int64)
    of_label[labels[covered]] = np.arange(covered.sum())
    rest = (head.vertices[head.faces[face]] * weights[..., None]).sum(1).astype(np.float32)
    makehuman = (makehuman_triangles(head)[face] * weights[..., None]).sum(1)
    return Canvas(head, covered, of_label[labels], face, weights, rest, _outer(head)[face], makehuman)


def _outer(head: HeadModel) -> NDArray[np.bool_]:
    """(F,) triangles of the largest UV island: the skin that is seen from outside."""
    label = np.arange(len(head.uv))
    corners = head.uv_faces
    while True:
        least = label[corners].min(1)
        new = label.copy()
        np.minimum.at(new, corners.ravel(), np.repeat(least, 3))
        new = new[new]
        if (new == label).all():
            break
        label = new
    island = label[corners[:, 0]]
    return island == np.bincount(island).argmax()


def landmark_points(head: HeadModel) -> NDArray[np.float32]:
    """(478,3) MediaPipe's points on the mean head, metres."""
    return np.asarray(head.embeddings["mediapipe"].positions(head.vertices, head.faces), np.float32)


def both_sides(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """(2n,3): points (n,3) and their mirror images."""
    return np.concatenate([points, points * np.array([-1, 1, 1], np.float32)])


def near_points(rest: NDArray[np.float32], points: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    """(N,) bell of the distance to the nearest of points (n,3)."""
    nearest = np.full(len(rest), np.inf, np.float32)
    for point in points:
        nearest = np.minimum(nearest, ((rest - point) ** 2).sum(1))
    return np.exp(-nearest / (2 * radius**2))


def near_line(
    rest: NDArray[np.float32], points: NDArray[np.float32], radius: float, step: float = 0.001
) -> NDArray[np.float32]:
    """(N,) bell of the distance to a polyline (n,3) and to its mirror image."""
    pieces = []
    for start, end in pairwise(points):
        count = max(2, int(np.linalg.norm(end - start) / step))
        pieces.append(start + (end - start) * np.linspace(0, 1, count)[:, None])
    return near_points(rest, both_sides(np.concatenate(pieces).astype(np.float32)), radius)


def lattice_noise(rest: NDArray[np.float32], cell: float, seed: int) -> NDArray[np.float32]:
    """(N,) smooth noise in space, mean 0, deviation 1: seams of the UV do not show in it.

    Args:
        cell: metres between its random values.
    """
    at = rest / cell + 1000
    low = np.floor(at).astype(np.int64)
    share = (at - low).astype(np.float32)
    share = share * share * (3 - 2 * share)
    total = np.zeros(len(rest), np.float32)
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, share, 1 - share), 1)
        total += weight * (_hash(low + corner, seed) - 0.5)
    return (total - total.mean()) / total.std()


def _hash(cells: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
    """(N,) pseudo-random 0..1 of lattice cells (N,3)."""
    mixed = (cells * np.array([73856093, 19349663, 83492791])).sum(1) + seed * 2654435761
    mixed = (mixed ^ (mixed >> 15)) * 2246822519 & 0xFFFFFFFF
    mixed = (mixed ^ (mixed >> 13)) * 3266489917 & 0xFFFFFFFF
    return ((mixed ^ (mixed >> 16)) & 0xFFFFFF).astype(np.float32) / 0xFFFFFF


def spots(rest: NDArray[np.float32], cell: float, seed: int) -> NDArray[np.float32]:
    """(N,) 0..1 round spots of different strengths and sizes, about one in a cube of side `cell` metres."""
    at = rest / cell + 1000
    low = np.floor(at).astype(np.int64)
    total = np.zeros(len(rest), np.float32)
    for corner in np.ndindex(3, 3, 3):
        cube = low + corner - 1
        centre = cube + np.stack([_hash(cube, seed + k) for k in range(3)], 1)
        distance = ((at - centre) ** 2).sum(1).astype(np.float32)
        radius = 0.12 + 0.2 * _hash(cube, seed + 3)
        total = np.maximum(total, _hash(cube, seed + 4) * np.exp(-distance / (2 * radius**2)))
    return total


def rim_shares(canvas: Canvas) -> dict[str, NDArray[np.float32]]:
    """By opening ("lips", "lids"): (N,) how wet the skin is, 1 at the opening itself."""
    head = canvas.head
    triangles = head.faces[_outer(head)]
    edges = np.concatenate([triangles[:, [i, (i + 1) % 3]] for i in range(3)])
    unique, count = np.unique(np.sort(edges, 1), axis=0, return_counts=True)
    rim = np.unique(unique[count == 1])
    rim = rim[head.vertices[rim, 1] > head.vertices[head.regions["face"], 1].min()]  # not the collar
    lip_top = head.vertices[head.regions["lips"], 1].max()
    mouth = head.vertices[rim, 1] < lip_top + 0.01
    shares = {}
    for name, start in (("lips", rim[mouth]), ("lids", rim[~mouth])):
        rows = np.full(len(head.vertices), 9.0)
        rows[start] = 0
        for _ in range(6):
            for near, far in ((0, 1), (1, 0)):
                np.minimum.at(rows, edges[:, far], rows[edges[:, near]] + 1)
        first, last = FADE_ROWS[name]
        shares[name] = canvas.gather(np.clip((last - rows) / (last - first), 0, 1)) * canvas.outer
    return shares


def class_map(canvas: Canvas, lips: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(N,) label of each texel, see `REGIONS`, without brows, hair and clothes.

    Args:
        lips: (N,) soft mask.
    """
    head, label = canvas.head, {name: number for number, name in enumerate(REGIONS)}
    result = np.full(len(canvas.rest), label["skin"], np.uint8)
    result[canvas.gather(head.regions["neck"]) > 0.5] = label["neck"]
    result[canvas.gather(head.regions["ears"]) > 0.5] = label["ear"]
    result[lips > 0.5] = label["lip"]
    lining = canvas.material("skin") & ~canvas.outer
    above = canvas.rest[:, 1] > head.vertices[head.regions["lips"], 1].max() + 0.01
    result[lining & above] = label["eye"]
    result[(lining & ~above) | canvas.material("teeth") | canvas.material("tongue")] = label["inner_mouth"]
    result[canvas.material("eye.L") | canvas.material("eye.R") | canvas.material("lashes")] = label["eye"]
    return result
