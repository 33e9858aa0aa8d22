"""The texture stage: photo, fit and masks in, a complete UV albedo out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..fitting.result import HeadFit
from ..heads.model import HeadModel
from ..heads.skin import BaseSkin, load_base_skin
from ..media.photo import Photo
from ..options import ReconstructOptions
from ..perception.observation import FaceObservation, Masks
from ..progress import Progress
from ..render.lighting import srgb_to_linear
from .complete import MANY_HAIRS, Layer, blend, hair_cover, match, mirrored, soften, spread, strands
from .delight import delight
from .eyes import iris_color
from .project import Projection, project_photo, smoothstep, to_srgb
from .result import TextureResult
from .surface import UvSurface, uv_surface, vertex_normals


def make_texture(
    head: HeadModel,
    fit: HeadFit,
    hair: NDArray[np.float32],
    photo: Photo,
    face: FaceObservation,
    masks: Masks,
    options: ReconstructOptions,
    progress: Progress,
) -> TextureResult:
    """Paint the head from the photo.

    Args:
        hair: (V,3) displacement of the scalp to the hair's outline, so that hair lands where it is seen.

    Returns:
        Albedo and confidence at `options.texture_size`, with the solved light.
    """
    surface = uv_surface(head, options.texture_size)
    base = load_base_skin(options.texture_size)
    progress.check()
    posed = fit.posed + hair
    seen = project_photo(head, posed, fit.camera, photo.pixels, masks, surface)
    on_skin = _material(head, surface, "skin") & ~_inner_mouth(head, surface)
    base_color = srgb_to_linear(base.albedo)[surface.mask]
    face_texels = on_skin & (surface.smooth(head.regions["face"][:, None], head.faces)[:, 0] > 0.5)
    trusted_skin = seen.seen * seen.skin * (1 - seen.hair) * on_skin
    mean_base = base_color[face_texels].mean(0)
    normals = vertex_normals(posed, head.faces)
    lit = delight(seen.color, base_color / mean_base, trusted_skin * face_texels, normals, surface, head)
    progress.check()
    direct = Layer(lit.color, soften(seen.seen * np.maximum(seen.skin, seen.hair) * on_skin, surface, 0.006))
    skin = Layer(lit.color, trusted_skin)
    under = match(base_color, lit.color, trusted_skin, surface, head)
    under, hair_color = _with_hair(head, surface, base, seen, lit.color, under, on_skin, options.seed)
    progress.check()
    twin = mirrored(Layer(lit.color, soften(trusted_skin, surface, 0.01)), surface)
    twin = Layer(match(twin.color, lit.color, np.minimum(twin.weight, trusted_skin), surface, head), twin.weight)
    color = np.where(on_skin[:, None], blend(direct, twin, under), base_color)
    color = _with_iris(color, base, surface, iris_color(photo.pixels, face, masks))
    albedo = surface.padded(surface.picture(to_srgb(color)).astype(np.uint8))
    confidence = surface.picture(np.round(255 * direct.weight)).astype(np.uint8)
    skin_color = np.average(lit.color, axis=0, weights=np.maximum(skin.weight * face_texels, 1e-9))
    return TextureResult(
        albedo,
        confidence,
        lit.illumination,
        skin_color.astype(np.float32),
        hair_color,
        warnings=_warnings(direct, face_texels),
    )


def _material(head: HeadModel, surface: UvSurface, name: str) -> NDArray[np.bool_]:
    """(N,) texels of one material slot."""
    return head.face_materials[surface.faces] == head.material_names.index(name)


def _inner_mouth(head: HeadModel, surface: UvSurface) -> NDArray[np.bool_]:
    """(N,) texels of the mouth's lining, which no photo may paint."""
    region = head.regions["inner_mouth"].astype(np.float32)
    return surface.smooth(region[:, None], head.faces)[:, 0] > 0.5


def _with_hair(
    head: HeadModel,
    surface: UvSurface,
    base: BaseSkin,
    seen: Projection,
    color: NDArray[np.float32],
    under: NDArray[np.float32],
    on_skin: NDArray[np.bool_],
    seed: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Base skin with the person's hair colour combed over the scalp, unless the seen scalp is bare.

    Returns:
        (N,3) the base, and (3,) the mean linear hair colour (the skin's for a bald person).
    """
    scalp = base.regions["scalp"][surface.mask].astype(np.float32)
    hair = seen.seen * seen.hair * on_skin
    share = float((hair * scalp).sum() / max(float((seen.seen * scalp).sum()), 1e-6))
    hairiness = float(smoothstep(np.array(share), 0.5 * MANY_HAIRS, 1.5 * MANY_HAIRS))
    if hairiness == 0.0 or hair.sum() < 1.0:
        return under, np.average(under, axis=0, weights=scalp + 1e-9).astype(np.float32)
    cover = hair_cover(head, surface, seen, on_skin, hairiness)[:, None]
    haired = np.nonzero((cover[:, 0] > 0) & on_skin)[0]
    combed = spread(color, hair, surface, head)[haired] * strands(head, surface, haired, seed)[:, None]
    mixed = under.copy()
    mixed[haired] += cover[haired] * (combed - under[haired])
    return mixed, np.average(color, axis=0, weights=hair).astype(np.float32)


def _with_iris(
    color: NDArray[np.float32], base: BaseSkin, surface: UvSurface, iris: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """The base irises recoloured to the photo's."""
    if iris is None:
        return color
    where = base.regions["iris"][surface.mask].astype(np.float32)
    mean = np.average(color, axis=0, weights=where + 1e-12)
    gain = np.clip(iris / np.maximum(mean, 1e-3), 0.25, 4.0)
    return color * (1 + where[:, None] * (gain - 1))


def _warnings(direct: Layer, face_texels: NDArray[np.bool_]) -> tuple[str, ...]:
    share = float(direct.weight[face_texels].mean())
    if share < 0.25:
        return (f"Only {share:.0%} of the face is seen well in this photo; the rest of its skin is completed.",)
    return ()
