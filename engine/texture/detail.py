"""Fine relief of the skin, wrinkles and pores, as a height and a normal map: plausible detail, not a measurement.

What a photo shows of wrinkles is brightness, and brightness has other causes too. What is left of the photo at a fine
scale after albedo and light are divided out is read as relief where it looks like it: without change of hue, in lines,
away from hair, features and the borders of shadows (`detail_evidence`). Under light from one side its height follows
from the shading (`detail_solve`), under even light what is darker is taken to lie deeper. One photo cannot tell a line
drawn on the skin from a wrinkle, nor the depth of a wrinkle from the steepness of the light.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..fitting.result import HeadFit
from ..heads.model import HeadModel
from ..perception.observation import Masks
from ..render.lighting import linear_to_bytes, srgb_to_linear
from .base_skin import base_skin
from .detail_evidence import HALF, EvidenceOptions, channel_mean, relief_residual, smooth_within
from .detail_frame import LitFrame, differences, frame_of, lit_frame, normal_picture
from .detail_pores import pore_height
from .detail_solve import box_around, solve_height
from .project import sample, smoothstep
from .result import TextureResult
from .surface import UvSurface, uv_surface

SOLVED = 1024
"""Side of the square on which heights are solved at most, texels."""
LIMIT = 0.6
"""Greatest height and depth, millimetres."""
DRIFT = 9.0
"""Wavelength of heights of which half is kept, millimetres."""
CLEAR = {"brow": 2.5, "lips": 2.0, "nostril": 3.5, "scalp": 3.0, "iris": 1.0, "sclera": 1.0}
"""How far around regions of the base skin nothing is read as relief, millimetres."""
RIM = (2.0, 4.0)
"""Distances from the openings of eyes and mouth between which trust grows, millimetres: lashes and lip lines."""
SURE = (0.35, 0.8)
"""Confidence of the texture between which it is trusted."""
BEARD = (0.15, 0.45)
"""By how much darker than the face the beard's area is, in logs, from stubble to a beard."""
TAKEN_OUT = 0.7
"""Share of the explained shading that leaves the albedo."""


@dataclass(frozen=True)
class DetailMaps:
    """Fine relief in the head model's UV square, row 0 on top, as `TextureResult.albedo`.

    Attributes:
        height: (S,S) float16 metres above the mesh, within 0.0006 of it.
        normal: (S,S,3) uint8 tangent-space normals, OpenGL (+Y up), of that height.
        weight: (S,S) uint8, 255 where the relief is the photo's, 0 where only pores are made up.
        explained: (S,S) float16, natural log of the shading that the photo's relief gives under the photo's light.
    """

    height: NDArray[np.float16]
    normal: NDArray[np.uint8]
    weight: NDArray[np.uint8]
    explained: NDArray[np.float16]


def detail_maps(
    head: HeadModel, fit: HeadFit, masks: Masks | None, texture: TextureResult, size: int, seed: int = 0
) -> DetailMaps:
    """The fine relief that a photo shows.

    The texture is the photo with its light divided out, so the photo itself is not needed again.

    Args:
        fit: whose posed head the photo shows.
        masks: of the photo; None where the texture is made from several, then only its confidence is believed.
        texture: what `make_texture` made, any size.
        size: side of the maps, texels.
        seed: of the pores.
    """
    small = uv_surface(head, min(size, SOLVED))
    lit = lit_frame(head, fit.posed, texture.illumination, small)
    texel = face_texel(head, small, lit)
    color = srgb_to_linear(_resized(texture.albedo, small.size))
    trust = _trusted(head, fit, masks, texture, small, color, texel)
    height, explained = photo_relief(color, trust, lit, texel)
    surface = small if small.size == size else uv_surface(head, size)
    full = _enlarged(height, size) + pore_height(head, surface, texel * small.size / size, seed)
    full = surface.padded(full * surface.mask)
    frame = lit.frame if small.size == size else frame_of(head, fit.posed, surface)
    return DetailMaps(
        height=(full / 1000).astype(np.float16),
        normal=surface.padded(normal_picture(full, frame)),
        weight=np.round(255 * np.clip(_enlarged(trust, size), 0, 1)).astype(np.uint8),
        explained=_enlarged(explained, size).astype(np.float16),
    )


def photo_relief(
    color: NDArray[np.float32], trust: NDArray[np.float32], lit: LitFrame, texel: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The relief that a skin's picture shows, without pores.

    Args:
        color: (S,S,3) linear RGB, the light on the smooth mesh divided out.
        trust: (S,S) 0..1, where it is bare skin that was seen.
        texel: millimetres that a texel covers, about.
    Returns:
        (S,S) height in millimetres, and (S,S) the log shading that it explains.
    """
    height, explained = np.zeros_like(trust), np.zeros_like(trust)
    box = box_around(trust > 0, round(EvidenceOptions().coarsest / texel))
    if box is None:
        return height, explained
    seen, lit = trust[box], lit.cut(box)
    residual = relief_residual(color[box], seen, texel)
    found = solve_height(residual, seen, lit)
    # Shading fixes slopes along the light only: what drifts between them is broader than what was shown.
    found -= smooth_within(found, seen, HALF * DRIFT / texel)
    height[box] = _limited(found * smoothstep(seen, 0.0, 0.5))
    explained[box] = _explained(height[box], residual, lit)
    return height, explained


def without_detail_shading(albedo: NDArray[np.uint8], maps: DetailMaps, share: float = TAKEN_OUT) -> NDArray[np.uint8]:
    """An albedo without the wrinkles' shading, which the normal map gives back under any light.

    Only shading that both the photo shows and the height explains under the photo's light is taken out, and of that a
    share. The darkness of cavities stays: normal maps do not cast it.

    Args:
        albedo: (S,S,3) uint8 sRGB, any size.
    Returns:
        The same with that shading divided out.
    """
    explained = _enlarged(maps.explained.astype(np.float32), len(albedo))
    rows = np.flatnonzero(np.abs(explained).max(1) > 1e-3)
    if not len(rows):
        return albedo.copy()
    part = slice(rows[0], rows[-1] + 1)
    out = albedo.copy()
    out[part] = linear_to_bytes(srgb_to_linear(albedo[part]) * np.exp(-share * explained[part])[..., None])
    return out


def face_texel(head: HeadModel, surface: UvSurface, lit: LitFrame) -> float:
    """Millimetres that a texel of the face covers: the median."""
    face = surface.smooth(head.regions["face"][:, None].astype(np.float32), head.faces)[:, 0] > 0.5
    area = np.abs(surface.flat(lit.frame.along * lit.frame.across))[face]
    return float(np.sqrt(np.median(area)))


def _trusted(
    head: HeadModel,
    fit: HeadFit,
    masks: Masks | None,
    texture: TextureResult,
    surface: UvSurface,
    color: NDArray[np.float32],
    texel: float,
) -> NDArray[np.float32]:
    """(S,S) 0..1 bare skin that the photo shows."""
    trust = smoothstep(_resized(texture.confidence, surface.size) / np.float32(255), *SURE)
    inner, ears = (head.regions[name].astype(np.float32) for name in ("inner_mouth", "ears"))
    fields = surface.smooth(np.stack([inner, ears], 1), head.faces)
    skin = (head.face_materials[surface.faces] == head.material_names.index("skin")) & (fields[:, 0] < 0.5)
    skin_picture = surface.picture(skin.astype(np.uint8))
    trust *= smoothstep(cv2.distanceTransform(skin_picture, cv2.DIST_L2, 3) * texel, *RIM)
    trust *= surface.picture(1 - smoothstep(fields[:, 1], 0.0, 0.3))
    regions = base_skin(head, surface.size).regions
    for name, reach in CLEAR.items():
        trust *= _away_from(regions[name], reach / texel)
    trust *= 1 - regions["beard"] * _bearded(head, surface, color, trust, regions["beard"])
    if masks is not None:
        trust *= _bare(head, fit, masks, surface)
    # What remains must be as wide as a wrinkle; the border then fades instead of cutting.
    return cv2.GaussianBlur(trust, (0, 0), 1.0 / texel) * (trust > 0)


def _bare(head: HeadModel, fit: HeadFit, masks: Masks, surface: UvSurface) -> NDArray[np.float32]:
    """(S,S) skin without hair in front of it, at a quarter of the resolution."""
    coarse = surface.coarse or surface
    points = fit.camera.project(coarse.gather(fit.posed, head.faces)).astype(np.float32)
    bare = sample(masks.skin * (1 - masks.hair), points)
    picture = cv2.erode(coarse.padded(coarse.picture(bare)), np.ones((3, 3), np.uint8))
    return cv2.resize(picture, (surface.size, surface.size), interpolation=cv2.INTER_LINEAR)


def _away_from(region: NDArray[np.float32], reach: float) -> NDArray[np.float32]:
    """(S,S) 0 on a region, 1 from `reach` texels away."""
    distance = cv2.distanceTransform((region < 0.3).astype(np.uint8), cv2.DIST_L2, 3)
    return smoothstep(distance, 0.3 * reach, reach)


def _bearded(head: HeadModel, surface: UvSurface, color: NDArray[np.float32], trust: NDArray, beard: NDArray) -> float:
    """0 for a shaven face to 1 for a beard: hairs in lines would pass for wrinkles."""
    base = srgb_to_linear(base_skin(head, surface.size).albedo)
    ratio = np.log((channel_mean(color) + 0.01) / (channel_mean(base) + 0.01))
    seen = (trust > 0.5) & surface.mask
    face = surface.picture(surface.smooth(head.regions["face"][:, None].astype(np.float32), head.faces)[:, 0]) > 0.5
    grown, bare = ratio[seen & (beard > 0.5)], ratio[seen & face & (beard < 0.1)]
    if not len(grown) or not len(bare):
        return 0.0
    return float(smoothstep(np.array(np.median(bare) - np.median(grown)), *BEARD))


def _explained(height: NDArray, residual: NDArray, lit: LitFrame) -> NDArray[np.float32]:
    """(S,S) log shading of a height (millimetres), where the residual shows it too, and no more than it shows."""
    right, down = differences(height)
    a, b = lit.operator()
    shading = -(a * right + b * down)
    same = np.sign(shading) == np.sign(residual)
    return same * np.sign(shading) * np.minimum(np.abs(shading), np.abs(residual))


def _limited(height: NDArray) -> NDArray[np.float32]:
    return (LIMIT * np.tanh(height / LIMIT)).astype(np.float32)


def _resized(picture: NDArray, size: int) -> NDArray:
    """A square picture at another size."""
    if len(picture) == size:
        return picture
    how = cv2.INTER_AREA if size < len(picture) else cv2.INTER_LINEAR
    return cv2.resize(picture, (size, size), interpolation=how)


def _enlarged(picture: NDArray, size: int) -> NDArray[np.float32]:
    """(size,size) a smooth field at another size; cubic, so that its slopes have no steps."""
    picture = np.asarray(picture, np.float32)
    if len(picture) == size:
        return picture
    how = cv2.INTER_AREA if size < len(picture) else cv2.INTER_CUBIC
    return cv2.resize(picture, (size, size), interpolation=how)
