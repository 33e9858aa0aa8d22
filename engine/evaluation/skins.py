"""Textures for synthetic people: MakeHuman's CC0 skins brought into the head's UV, with painted brows, eyes and lips.

Real variety matters more than beauty here: the pictures are for measuring detectors and solvers.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..heads.model import HeadModel
from ..heads.skin import load_base_skin
from ..render.lighting import linear_to_srgb, srgb_to_linear

MAKEHUMAN_UV = Path(__file__).parent / "data" / "makehuman_uv.npz"
STEPS = 65535
"""Fixed-point steps of the stored UV."""
IRIS_RADIUS = 0.0059
"""Metres; nearly the same in all adults."""
IRIS_COLOURS = ((0.05, 0.025, 0.012), (0.10, 0.05, 0.022), (0.12, 0.10, 0.05), (0.09, 0.13, 0.14), (0.06, 0.10, 0.16))
"""Linear RGB: dark brown, brown, hazel, grey, blue."""
PLAIN_PARTS = ("teeth", "tongue", "lashes")
"""Slots that keep the base skin's colours: enamel and gums, for example, share one."""
SCLERA = (0.62, 0.58, 0.55)


@dataclass(frozen=True)
class SkinCanvas:
    """The texels of the head in its UV square, for painting. N texels lie on the surface.

    Attributes:
        mask: (S,S) bool.
        rest: (N,3) float32, their places on the mean head, metres.
        material: (N,) material slot.
        makehuman: (N,2) float32 UV in MakeHuman's square; zero off the skin.
        lips: (N,) float32 0..1.
        gutter: (S,S) flat index of the nearest texel on the surface.
    """

    mask: NDArray[np.bool_]
    rest: NDArray[np.float32]
    material: NDArray[np.int32]
    makehuman: NDArray[np.float32]
    lips: NDArray[np.float32]
    gutter: NDArray[np.int64]

    def picture(self, linear: NDArray) -> NDArray[np.uint8]:
        """(N,3) linear colours as a (S,S,3) uint8 sRGB texture, islands padded."""
        colours = np.round(linear_to_srgb(np.clip(linear, 0, 1).astype(np.float32)) * 255).astype(np.uint8)
        return colours[self.gutter]


def find_skins() -> list[Path]:
    """MakeHuman's skins beside the clone (or in LIKENESS_SHARED), sorted by name; empty where there are none."""
    shared = Path(os.environ.get("LIKENESS_SHARED", Path(__file__).parents[3] / "shared"))
    return sorted((shared / "data" / "makehuman_cc0" / "skins_512").glob("*.png"))


def polygon_checksum(polygons: NDArray[np.int32]) -> int:
    """CRC-32 of the skin's polygons."""
    return zlib.crc32(np.ascontiguousarray(polygons, "<i4").tobytes())


@lru_cache(maxsize=2)
def _corners() -> tuple[NDArray[np.float32], int]:
    with np.load(MAKEHUMAN_UV, allow_pickle=False) as stored:
        return stored["corners"].astype(np.float32) / STEPS, int(stored["polygons"])


def makehuman_triangles(head: HeadModel) -> NDArray[np.float32]:
    """(F,3,2) MakeHuman UV of the head's triangles; zero off the skin.

    Raises:
        ModelFileError: the stored layout belongs to another mesh.
    """
    corners, checksum = _corners()
    skin = head.polygons[: len(corners)]
    if polygon_checksum(skin) != checksum:
        raise ModelFileError(
            f"{MAKEHUMAN_UV.name} does not belong to this head mesh.", "Run `python -m scripts.bake_head.makehuman_uv`."
        )
    split = np.stack([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]], 1).reshape(-1, 3, 2)
    real = np.stack([np.ones(len(skin), bool), skin[:, 3] >= 0], 1).reshape(-1)
    triangles = np.zeros((len(head.faces), 3, 2), np.float32)
    triangles[: real.sum()] = split[real]
    return triangles


@lru_cache(maxsize=2)
def canvas(head: HeadModel, size: int) -> SkinCanvas:
    """The head's canvas at a texture size; kept for the next call."""
    import cv2
    import torch

    from ..render.rasterize import rasterize_uv

    raster = rasterize_uv(torch.tensor(head.uv), torch.tensor(head.uv_faces), size)
    mask = raster.mask.numpy()
    face, weights = raster.face.numpy()[mask], raster.barycentrics.numpy()[mask][..., None]
    lips = head.regions["lips"].astype(np.float32)[:, None]
    _, labels = cv2.distanceTransformWithLabels(
        (~mask).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(labels.max() + 1, np.int64)
    of_label[labels[mask]] = np.arange(mask.sum())
    return SkinCanvas(
        mask,
        (head.vertices[head.faces[face]] * weights).sum(1),
        head.face_materials[face],
        (makehuman_triangles(head)[face] * weights).sum(1),
        (lips[head.faces[face]] * weights).sum(1)[:, 0],
        of_label[labels],
    )


@lru_cache(maxsize=24)
def _skin_pixels(path: Path) -> NDArray[np.uint8]:
    import cv2

    data = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if data is None:
        raise ModelFileError(f"{path} is not a picture.", "Fetch MakeHuman's skins again.")
    return np.asarray(data[..., ::-1], np.uint8)


def skin_albedo(place: SkinCanvas, path: Path | None) -> NDArray[np.float32]:
    """(N,3) linear albedo of a MakeHuman skin; of the bundled base skin without one."""
    import cv2

    if path is None:
        return srgb_to_linear(load_base_skin(len(place.mask)).albedo[place.mask])
    pixels = _skin_pixels(path)
    height, width = pixels.shape[:2]
    x = place.makehuman[:, 0] * width - 0.5
    y = (1 - place.makehuman[:, 1]) * height - 0.5
    rows = -(-len(x) // 4096)
    grid = np.zeros((2, rows * 4096), np.float32)
    grid[0, : len(x)], grid[1, : len(x)] = x, y
    grid = grid.reshape(2, rows, 4096)
    found = cv2.remap(pixels, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return srgb_to_linear(np.asarray(found, np.uint8).reshape(-1, 3)[: len(x)])


def paint_face(
    head: HeadModel, place: SkinCanvas, albedo: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Give an albedo (N,3) a tint, lips, brows, eyes, teeth and clothes drawn at random."""
    tint = np.exp(rng.normal(0, 0.12) + rng.normal(0, 0.04, 3))
    albedo = albedo * tint.astype(np.float32)
    skin = albedo[::97].mean(0)
    lip = skin * np.array([1.0, 0.62, 0.66]) * rng.uniform(0.6, 1.0)
    _mix(albedo, place.lips * np.float32(rng.uniform(0.25, 0.8)), lip)
    hair = np.minimum(np.array([0.030, 0.018, 0.011]) * np.exp(rng.normal(0, 0.8)), 0.4 * skin)
    _mix(albedo, brow_cover(head, place, rng), hair)
    _paint_eyes(head, place, albedo, rng)
    base = load_base_skin(len(place.mask)).albedo[place.mask]
    parts = np.isin(place.material, [head.material_names.index(name) for name in PLAIN_PARTS])
    albedo[parts] = srgb_to_linear(base[parts])
    collar = head.vertices[head.regions["face"], 1].min() - rng.uniform(0.06, 0.11)
    clothes = place.rest[:, 1] < collar + 0.25 * np.abs(place.rest[:, 0])
    albedo[clothes] = rng.uniform(0.01, 0.6, 3)
    return albedo


def _mix(albedo: NDArray[np.float32], share: NDArray[np.float32], colour: NDArray) -> None:
    """Lay a colour (3,) over the texels (N,3) where the share (N,) is above zero."""
    at = np.flatnonzero(share)
    albedo[at] += (colour.astype(np.float32) - albedo[at]) * share[at, None]


def brow_cover(head: HeadModel, place: SkinCanvas, rng: np.random.Generator) -> NDArray[np.float32]:
    """(N,) 0..1 cover of two arched brows, each tapering outwards, with a hair-like edge."""
    cover = np.zeros(len(place.rest), np.float32)
    start, length, lift = rng.normal(-0.019, 0.0015), rng.normal(0.047, 0.003), rng.normal(0.0185, 0.0015)
    arch, half, dense = rng.uniform(0.003, 0.007), rng.uniform(0.0022, 0.0046), rng.uniform(0.55, 0.95)
    seed = rng.integers(1 << 31)
    on_skin = place.material == head.material_names.index("skin")
    for name, sign in (("eye.L", 1.0), ("eye.R", -1.0)):
        eye = head.joints[head.joint_names.index(name)]
        x, y, z = (place.rest - eye).T
        near = np.flatnonzero(on_skin & (np.abs(x) < 0.05) & (np.abs(y) < 0.04) & (z > 0) & (z < 0.06))
        along = (sign * (place.rest[near, 0] - eye[0]) - start) / length
        middle = lift + arch * np.sin(np.pi * np.clip(along, 0, 1) ** 1.3) - 0.003 * np.clip(along - 0.6, 0, 1)
        across = (place.rest[near, 1] - eye[1] - middle) / (half * (1 - 0.65 * np.clip(along, 0, 1)))
        grain = np.random.default_rng(seed).uniform(0.55, 1.2, len(near))
        inside = np.clip(2.2 * (1 - np.abs(across)), 0, 1) * np.clip(12 * np.minimum(along, 1 - along) + 0.4, 0, 1)
        inside[(along < 0) | (along > 1)] = 0
        cover[near] = np.maximum(cover[near], np.clip(inside * grain * dense, 0, 1))
    return cover


def _paint_eyes(head: HeadModel, place: SkinCanvas, albedo: NDArray[np.float32], rng: np.random.Generator) -> None:
    iris = np.array(IRIS_COLOURS[rng.integers(len(IRIS_COLOURS))]) * rng.uniform(0.7, 1.3)
    pupil, white = rng.uniform(0.3, 0.5), np.array(SCLERA) * rng.uniform(0.75, 1.05)
    for name in ("eye.L", "eye.R"):
        eye = head.joints[head.joint_names.index(name)]
        ball = np.flatnonzero(place.material == head.material_names.index(name))
        offset = place.rest[ball] - eye
        radius = np.hypot(offset[:, 0], offset[:, 1]) / IRIS_RADIUS
        angle = np.arctan2(offset[:, 1], offset[:, 0])
        rays = 1 + 0.25 * np.sin(23 * angle) * np.sin(9 * angle + 1)
        rim = np.clip((1.02 - radius) * 6, 0, 1)[:, None]
        ring = iris * (rays * (1.15 - 0.5 * radius**3))[:, None]
        colour = white * (1 - rim) + ring * rim
        colour[radius < pupil] = 0.004
        colour[offset[:, 2] < 0] = white
        albedo[ball] = colour
