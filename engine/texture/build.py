"""The texture stage: photo, fit and masks in, a complete UV albedo out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..fitting.result import HeadFit
from ..heads.model import HeadModel
from ..heads.skin import BaseSkin, load_base_skin
from ..media.photo import Photo
from ..options import ReconstructOptions
from ..perception.observation import FaceObservation, Masks
from ..progress import Progress
from ..render.lighting import linear_to_bytes, srgb_to_linear
from .complete import Layer, blend, match, mirrored, soften
from .delight import delight
from .eyes import iris_color
from .hair import ROOT_SHADE, grow_hair, no_hair
from .judge import believable
from .project import project_photo, view_cosine
from .result import TextureResult
from .surface import UvSurface, uv_surface, vertex_normals


def make_texture(
    head: HeadModel,
    fit: HeadFit,
    photo: Photo,
    face: FaceObservation,
    masks: Masks,
    options: ReconstructOptions,
    progress: Progress,
) -> TextureResult:
    """Paint the head from the photo.

    Returns:
        Albedo and confidence at `options.texture_size`, with the solved light.
    """
    surface = uv_surface(head, options.texture_size)
    base = load_base_skin(options.texture_size)
    progress.check()
    posed = fit.posed
    seen = project_photo(head, posed, fit.camera, photo.pixels, masks, surface)
    on_skin = _material(head, surface, "skin") & ~_inner_mouth(head, surface)
    base_color = srgb_to_linear(surface.flat(base.albedo))
    face_texels = on_skin & (surface.smooth(head.regions["face"][:, None], head.faces)[:, 0] > 0.5)
    trusted_skin = seen.seen * seen.bare * on_skin
    relative = base_color / _mean_color(base_color, face_texels.astype(np.float32))
    normals = vertex_normals(posed, head.faces)
    facing = view_cosine(posed, normals, fit.camera)
    lit = delight(seen.color, relative, trusted_skin * face_texels, normals, facing, seen.hair, surface, head)
    seen = replace(seen, color=lit.color)  # the lit photo is not needed any more, nor kept in memory
    progress.check()
    skin_color = _mean_color(lit.color / np.maximum(relative, 0.05), trusted_skin * face_texels)
    beard = surface.flat(base.regions["beard"])
    like_skin, plain = believable(head, surface, seen, lit.color, relative * skin_color, seen.skin * on_skin, beard)
    del relative
    trusted_skin = trusted_skin * like_skin
    progress.check()
    color = _complete_skin(head, surface, base_color, lit.color, trusted_skin, plain)
    progress.check()
    grown = no_hair(surface)
    if options.hair == "as-seen":
        grown = grow_hair(head, surface, base, seen, lit.color, on_skin, options.seed)
    # Beside hair that is not painted, its strands and shadow in the skin are not painted either.
    skin_shown = seen.bare + grown.allowed * (seen.skin - seen.bare)
    shown = seen.seen * np.minimum(skin_shown * like_skin + seen.hair * grown.allowed, 1) * on_skin
    # The lids' rims are borders of what is seen, but no place to fade: their lashes' line is the eye's outline.
    behind_lids = surface.smooth(head.regions["eye_sockets"][:, None], head.faces)[:, 0] > 0.5
    direct = Layer(lit.color, soften(shown, surface, 0.006, open_to=behind_lids))
    color[grown.texels] += grown.cover[:, None] * (grown.color - color[grown.texels])
    color += direct.weight[:, None] * (direct.color - color)
    color[grown.texels] *= 1 - ROOT_SHADE * grown.cover[:, None]
    other = np.nonzero(~on_skin)[0]
    color[other] = base_color[other]
    color = _with_iris(color, base, surface, iris_color(photo.pixels, face, masks))
    albedo = surface.padded(surface.picture(linear_to_bytes(color)))
    confidence = surface.picture(np.round(255 * direct.weight)).astype(np.uint8)
    return TextureResult(
        albedo,
        confidence,
        lit.illumination,
        skin_color,
        skin_color if grown.mean is None else grown.mean,
        warnings=_warnings(direct, face_texels, masks.glasses),
    )


def _complete_skin(
    head: HeadModel,
    surface: UvSurface,
    base_color: NDArray[np.float32],
    color: NDArray[np.float32],
    trusted: NDArray[np.float32],
    plain: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(N,3) skin without hair: the photo's where it is trusted (N,), the other side's mirrored, the base skin's.

    Args:
        plain: (N,) how far the photo's skin may colour the base skin.
    """
    skin = Layer(color, soften(trusted, surface, 0.006))
    under = match(base_color, color, trusted * plain, surface, head)
    twin = mirrored(Layer(color, soften(trusted, surface, 0.01)), surface)
    twin = Layer(match(twin.color, color, np.minimum(twin.weight, trusted), surface, head), twin.weight)
    return blend(skin, twin, under)


def _mean_color(color: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3,) weighted mean of the texels (N,3)."""
    return (weights @ color / max(float(weights.sum()), 1e-9)).astype(np.float32)


def _material(head: HeadModel, surface: UvSurface, name: str) -> NDArray[np.bool_]:
    """(N,) texels of one material slot."""
    return head.face_materials[surface.faces] == head.material_names.index(name)


def _inner_mouth(head: HeadModel, surface: UvSurface) -> NDArray[np.bool_]:
    """(N,) texels of the mouth's lining, which no photo may paint."""
    region = head.regions["inner_mouth"].astype(np.float32)
    return surface.smooth(region[:, None], head.faces)[:, 0] > 0.5


def _with_iris(
    color: NDArray[np.float32], base: BaseSkin, surface: UvSurface, iris: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """The base irises recoloured to the photo's."""
    if iris is None:
        return color
    where = surface.flat(base.regions["iris"])
    part = np.nonzero(where)[0]
    mean = np.average(color[part], axis=0, weights=where[part] + 1e-12)
    gain = np.clip(iris / np.maximum(mean, 1e-3), 0.25, 4.0)
    color[part] *= 1 + where[part, None] * (gain - 1)
    return color


def _warnings(direct: Layer, face_texels: NDArray[np.bool_], glasses: bool) -> tuple[str, ...]:
    found = []
    share = float(direct.weight[face_texels].mean())
    if share < 0.25:
        found.append(f"Only {share:.0%} of the face is seen well in this photo; the rest of its skin is completed.")
    if glasses:
        found.append("The person wears glasses: their frames are painted over, and the eyes may be less exact.")
    return tuple(found)
