"""Textures of other layouts in the head's UV: where each texel of the head lies in the source, and how surely.

Two ways. With the other template's mesh: it is laid over the mean head, and each texel of the head takes the nearest
place of that mesh whose normal agrees. With nothing but landmarks in the other layout's square: a thin-plate spline
from the head's UV (Bookstein, "Principal Warps", IEEE PAMI 11(6), 1989, section II), trusted near the landmarks alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as nnf

from ...heads.model import HeadModel
from ...render.geometry import vertex_normals
from ...render.rasterize import rasterize_uv
from .landmark_names import head_uv
from .uv_mesh import SourceMesh, checked_places, components, nearest_places, onto_head, sidecar

Floats = NDArray[np.float64]
FULL_DISTANCE, NO_DISTANCE = 0.010, 0.025
"""Metres between the laid-over meshes up to which a place counts fully, and from which not at all."""
FULL_AGREEMENT, NO_AGREEMENT = 0.8, 0.4
"""The same for the cosine of the normals."""
MARGIN = 0.3
"""How far from the landmarks' hull a warp of landmarks is trusted, in shares of the root of the hull's area."""
FINEST = 256
"""Side of the square at which a mesh is searched."""
SEAM = 0.1
"""Neighbouring texels further apart than this in the source (whose side is 2) have a seam between them."""
TILE = 16
"""Texels along the side of a tile that is searched together."""
FEATHER = 0.01
"""Blur of the coverage, shares of the square."""
FFHQ_UV = {
    "right_eye_outer": (0.3363, 0.6287), "right_eye_inner": (0.4323, 0.6218), "right_eye_bottom": (0.3819, 0.6172),
    "left_eye_outer": (0.6637, 0.6287), "left_eye_inner": (0.5677, 0.6218), "left_eye_bottom": (0.6181, 0.6172),
    "right_eye_top": (0.3815, 0.6350), "left_eye_top": (0.6185, 0.6350), "between_eyes": (0.5, 0.6330),
    "nose_ridge": (0.5, 0.5982), "nose_tip": (0.5, 0.5207), "nose_base": (0.5, 0.4910),
    "right_nostril": (0.4327, 0.4968), "left_nostril": (0.5673, 0.4968),
    "right_mouth_corner": (0.4092, 0.4224), "left_mouth_corner": (0.5908, 0.4224),
    "upper_lip": (0.5, 0.4515), "lower_lip": (0.5, 0.3880), "chin": (0.5, 0.3359), "chin_tip": (0.5, 0.3120),
    "right_brow_inner": (0.4516, 0.6999), "left_brow_inner": (0.5484, 0.6999),
    "right_brow_top": (0.3694, 0.7086), "left_brow_top": (0.6306, 0.7086),
    "glabella": (0.5, 0.6975), "forehead": (0.5, 0.7535),
    "right_cheek": (0.3405, 0.5241), "left_cheek": (0.6595, 0.5241),
}  # fmt: skip
"""Places in the layout of FFHQ-UV (HiFi3D++), u and v from the lower left: MediaPipe's points on nine pictures of the
FLAME mesh with that layout that FFHQ-UV publishes (FLAME_w_HIFI3D_UV.obj), both sides averaged."""
FFHQ_UV_RIGHT = (
    (0.2549, 0.2822, 0.2933, 0.1384), (0.1885, 0.7861, 0.1784, 0.7212), (0.1533, 0.4717, 0.1948, 0.3815),
    (0.2021, 0.6260, 0.2149, 0.5780), (0.2822, 0.4189, 0.3001, 0.3654), (0.3779, 0.8545, 0.3473, 0.8718),
    (0.3818, 0.2744, 0.4150, 0.1613), (0.1494, 0.3467, 0.1938, 0.2197), (0.2822, 0.7275, 0.2597, 0.7120),
    (0.2666, 0.8643, 0.2259, 0.8250), (0.1201, 0.7002, 0.1352, 0.6249), (0.4951, 0.9287, 0.4903, 0.9498),
)  # fmt: skip
"""Places beyond the face's features on the right half: u, v in the open head's square and in FFHQ-UV's, from
`from_mesh` with the same mesh."""
FFHQ_UV_PAIRS = (*FFHQ_UV_RIGHT, *((1 - a, b, 1 - c, d) for a, b, c, d in FFHQ_UV_RIGHT))


@dataclass(frozen=True)
class UvTransfer:
    """How a texture of another layout comes into the head's square of side S.

    Attributes:
        grid: (S,S,2) x and y in the source, -1..1, as `grid_sample` has it with corners not aligned.
        coverage: (S,S) 0..1 how surely the source says something.
    """

    grid: Tensor
    coverage: Tensor

    @property
    def size(self) -> int:
        """S."""
        return len(self.coverage)

    def apply(self, textures: Tensor) -> Tensor:
        """Textures (B,C,H,W), row 0 at v = 1, in the head's square: (B,C,S,S). Differentiable.

        Bilinear; a source finer than the head's texels is averaged to about their size first.
        """
        factor = self._reduction(textures.shape[-1])
        if factor > 1:
            textures = nnf.avg_pool2d(textures, factor)
        grid = self.grid.to(textures.dtype).expand(len(textures), -1, -1, -1)
        return nnf.grid_sample(textures, grid, mode="bilinear", padding_mode="border", align_corners=False)

    def to(self, device: str | torch.device) -> UvTransfer:
        """The transfer on a device."""
        return UvTransfer(self.grid.to(device), self.coverage.to(device))

    @cached_property
    def _pace(self) -> float:
        """Share of the source's side along a texel of the head."""
        steps = (self.grid[:, 1:] - self.grid[:, :-1]).norm(dim=-1)[self.coverage[:, 1:] > 0.5]
        return float(steps.median()) / 2 if len(steps) else 0.0

    def _reduction(self, side: int) -> int:
        """Texels of the source along a texel of the head, rounded down: 1, 2, 4 ..., dividing the side."""
        factor = 1
        while 2 * factor <= self._pace * side * (1 + 1e-4) and side % (2 * factor) == 0:
            factor *= 2
        return factor


@dataclass(frozen=True)
class HeadTexels:
    """The N texels of the outer skin of a head's square of side S.

    Attributes:
        mask: (S,S) bool. places, normals: (N,3) on the mean head, metres and unit.
    """

    mask: Tensor
    places: Tensor
    normals: Tensor


def outer_texels(head: HeadModel, size: int) -> HeadTexels:
    """The texels of the skin that is seen from outside: the largest UV island."""
    island = components(head.uv_faces, len(head.uv))[head.uv_faces[:, 0]]
    outer = torch.tensor(island == np.bincount(island).argmax())
    raster = rasterize_uv(torch.tensor(head.uv), torch.tensor(head.uv_faces), size)
    mask = raster.mask & outer[raster.face.clamp_min(0).long()]
    vertices, faces = torch.tensor(head.vertices), torch.tensor(head.faces).long()
    corners, weights = faces[raster.face[mask].long()], raster.barycentrics[mask][..., None]
    normals = (vertex_normals(vertices, faces)[corners] * weights).sum(1)
    return HeadTexels(mask, (vertices[corners] * weights).sum(1), nnf.normalize(normals, dim=-1))


def own_layout(head: HeadModel, size: int) -> UvTransfer:
    """For textures that are in the head's UV already: nothing moves, and the outer skin is covered."""
    centres = (torch.arange(size) + 0.5) / size * 2 - 1
    grid = torch.stack([centres.expand(size, size), centres[:, None].expand(size, size)], -1)
    return UvTransfer(grid, _feathered(outer_texels(head, size).mask.float()))


def from_mesh(source: SourceMesh, head: HeadModel, size: int) -> UvTransfer:
    """The transfer from a template of another layout, see `SourceMesh`. Some seconds.

    Args:
        source: with at least five landmarks.
        head: the open head.
        size: S; beyond `FINEST` the places are interpolated.
    """
    if size > FINEST:
        return _enlarged(from_mesh(source, head, FINEST), outer_texels(head, size).mask)
    part = source.largest_part()
    texels = outer_texels(head, size)
    laid = torch.tensor(onto_head(part, head), dtype=torch.float32)
    faces = torch.tensor(part.faces)
    order = _tile_order(texels.mask)
    back = order.argsort()
    found = nearest_places(texels.places[order], texels.normals[order], laid, faces).at(back)
    uv = torch.tensor(part.uv, dtype=torch.float32)[torch.tensor(part.uv_faces)[found.face]]
    near = _ramp(found.distance, NO_DISTANCE, FULL_DISTANCE)
    along = _ramp(found.agreement, NO_AGREEMENT, FULL_AGREEMENT)
    return _transfer(texels.mask, (uv * found.weights[..., None]).sum(1), near * along)


def _enlarged(transfer: UvTransfer, mask: Tensor) -> UvTransfer:
    """A transfer at the size of a mask of the outer skin, without what lies across the source's seams."""
    grid = transfer.grid
    jump = torch.zeros_like(transfer.coverage)
    jump[:, 1:] = (grid[:, 1:] - grid[:, :-1]).norm(dim=-1)
    jump[1:] = torch.maximum(jump[1:], (grid[1:] - grid[:-1]).norm(dim=-1))
    torn = nnf.max_pool2d((jump > SEAM).float()[None], 3, 1, 1)
    both = torch.cat([grid.permute(2, 0, 1), transfer.coverage[None] * (1 - torn)])[None]
    x, y, cover = nnf.interpolate(both, mask.shape, mode="bilinear", align_corners=False)[0]
    return UvTransfer(torch.stack([x, y], -1), cover * mask)


def _tile_order(mask: Tensor) -> Tensor:
    """(N,) order of a mask's texels by tiles of the square, so that neighbours follow each other."""
    row, column = mask.nonzero(as_tuple=True)
    return ((row // TILE) * len(mask) + column // TILE).argsort(stable=True)


def from_landmarks(
    landmarks: Mapping[str, Sequence[float] | Floats],
    head: HeadModel,
    size: int,
    pairs: Sequence[tuple[float, float, float, float]] = (),
) -> UvTransfer:
    """The transfer from a layout of which only some places are known.

    Args:
        landmarks: (u, v) by the names of `landmark_names.MEDIAPIPE`, origin lower left, five or more.
        head: the open head.
        size: S.
        pairs: more places, u and v in the head's square and in the source's.
    """
    import cv2

    names = list(landmarks)
    more = np.array(pairs, np.float64).reshape(-1, 4)
    own = np.concatenate([head_uv(head, names), more[:, :2]])
    known = np.concatenate([np.array([landmarks[name] for name in names], np.float64), more[:, 2:]])
    mask = outer_texels(head, size).mask
    row, column = mask.nonzero(as_tuple=True)
    texels = np.stack([(column.numpy() + 0.5) / size, 1 - (row.numpy() + 0.5) / size], 1)
    uv = thin_plate(own, known, texels)
    hull = cv2.convexHull((own * [size, -size] + [0, size]).astype(np.float32))
    away = np.ones((size, size), np.uint8)
    cv2.fillConvexPoly(away, np.round(hull).astype(np.int32), 0)
    reach = MARGIN * float(np.sqrt(cv2.contourArea(hull)))
    distance = torch.tensor(cv2.distanceTransform(away, cv2.DIST_L2, 5))[mask]
    return _transfer(mask, torch.tensor(uv, dtype=torch.float32), _ramp(distance, reach, 0.3 * reach))


def read_landmarks(path: Path) -> dict[str, Floats]:
    """(2,) places by name from a sidecar {"uv": {"nose_tip": [u, v], ...}}, origin lower left.

    Raises:
        ModelFileError: it cannot be read, an entry is wrong, or there are fewer than five.
    """
    return checked_places(sidecar(path).get("uv"), 2, path)


def thin_plate(points: Floats, values: Floats, at: Floats) -> Floats:
    """A thin-plate spline through values (N,C) at points (N,2), evaluated at (M,2): (M,C).

    Bookstein 1989, section II: U(r) = r² log r² and an affine part; least squares where the points do not fix it.
    """
    count = len(points)
    affine = np.concatenate([np.ones((count, 1)), points], 1)
    system = np.block([[_bending(points, points), affine], [affine.T, np.zeros((3, 3))]])
    solved = np.linalg.lstsq(system, np.concatenate([values, np.zeros((3, values.shape[1]))]), rcond=None)[0]
    blocks = (at[start : start + 16384] for start in range(0, len(at), 16384))
    parts = [_bending(part, points) @ solved[:count] + solved[count] + part @ solved[count + 1 :] for part in blocks]
    return np.concatenate(parts) if parts else np.zeros((0, values.shape[1]))


def _bending(points: Floats, centres: Floats) -> Floats:
    square = ((points[:, None] - centres) ** 2).sum(-1)
    return square * np.log(np.maximum(square, 1e-30))


def _ramp(values: Tensor, none: float, full: float) -> Tensor:
    """0 at `none`, 1 at `full`, smooth between."""
    share = ((values - none) / (full - none)).clamp(0, 1)
    return share * share * (3 - 2 * share)


def _transfer(mask: Tensor, uv: Tensor, coverage: Tensor) -> UvTransfer:
    """From (N,2) source UV and (N,) coverage on the texels of a mask; the rest takes the nearest texel's."""
    import cv2

    inside = ((uv >= 0) & (uv <= 1)).all(1)
    _, labels = cv2.distanceTransformWithLabels(
        (~mask).numpy().astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(labels.max() + 1, np.int64)
    of_label[labels[mask.numpy()]] = np.arange(int(mask.sum()))
    grid = torch.stack([uv[:, 0] * 2 - 1, 1 - uv[:, 1] * 2], 1).clamp(-1, 1)[torch.tensor(of_label[labels])]
    cover = torch.zeros(mask.shape)
    cover[mask] = coverage * inside
    return UvTransfer(grid, _feathered(cover))


def _feathered(cover: Tensor) -> Tensor:
    """Coverage with soft borders that reach inwards only: where there is none, there stays none."""
    import cv2

    blurred = cv2.GaussianBlur(cover.numpy(), (0, 0), FEATHER * len(cover))
    return torch.minimum(cover, ((torch.tensor(blurred) - 0.5) * 2).clamp(0, 1))
