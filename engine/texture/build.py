"""The texture stage: photo, fit and masks in, a complete UV albedo out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..fitting.result import HeadFit
from ..heads.model import HeadModel
from ..heads.skin import BaseSkin
from ..media.photo import Photo
from ..options import ReconstructOptions
from ..perception.observation import FaceObservation, Masks
from ..progress import Progress
from ..render.lighting import linear_to_bytes, srgb_to_linear
from .base_skin import base_skin
from .complete import Layer, blend, match, mirrored, soften
from .delight import delight
from .eyes import iris_color
from .hair import ROOT_SHADE, grow_hair, no_hair
from .heap import keep_heap
from .judge import believable
from .project import BLOCK, Projection, mix, project_photo, view_cosine, weighted
from .result import TextureResult
from .surface import UvSurface, uv_surface, vertex_normals


@dataclass(frozen=True)
class Canvas:
    """What is painted on, the same for every photo of a person.

    Attributes:
        on_skin: (N,) bool texels of skin that photos may paint. face_texels: (N,) bool, those of the face.
        base_color: (N,3) linear RGB of the base skin.
    """

    head: HeadModel
    surface: UvSurface
    base: BaseSkin
    on_skin: NDArray[np.bool_]
    face_texels: NDArray[np.bool_]
    base_color: NDArray[np.float32]

    @property
    def relative(self) -> NDArray[np.float32]:
        """(N,3) expected variation of albedo, about 1 on the face."""
        mean = _mean_color(self.base_color, self.face_texels.astype(np.float32))
        return _by_channel(np.divide, self.base_color, mean)


@dataclass(frozen=True)
class PhotoFacts:
    """What a photo tells beside the skin's texels.

    Attributes:
        illumination: (9,3), see `TextureResult`.
        iris: (3,) linear RGB, None where it is not seen.
        glasses: the person wears some.
    """

    illumination: NDArray[np.float32]
    iris: NDArray[np.float32] | None = None
    glasses: bool = False


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
    canvas = make_canvas(head, options.texture_size)
    progress.check()
    seen, facts = take_light_off(canvas, fit, photo, face, masks)
    progress.check()
    return finish_texture(canvas, seen, facts, options, progress)


def make_canvas(head: HeadModel, size: int) -> Canvas:
    """An unpainted head."""
    keep_heap()
    surface, base = uv_surface(head, size), base_skin(head, size)
    on_skin = _material(head, surface, "skin") & ~_inner_mouth(head, surface)
    face_texels = on_skin & (surface.smooth(head.regions["face"][:, None], head.faces)[:, 0] > 0.5)
    return Canvas(head, surface, base, on_skin, face_texels, srgb_to_linear(surface.flat(base.albedo)))


def take_light_off(
    canvas: Canvas, fit: HeadFit, photo: Photo, face: FaceObservation, masks: Masks
) -> tuple[Projection, PhotoFacts]:
    """Carry a photo onto the texels, and divide its light out of their colour."""
    head, surface = canvas.head, canvas.surface
    seen = project_photo(head, fit.posed, fit.camera, photo.pixels, masks, surface)
    trusted_face = seen.seen * seen.bare * canvas.face_texels
    normals = vertex_normals(fit.posed, head.faces)
    facing = view_cosine(fit.posed, normals, fit.camera)
    lit = delight(seen.color, canvas.relative, trusted_face, normals, facing, seen.hair, surface, head)
    seen = replace(seen, color=lit.color)  # the lit photo is not needed any more, nor kept in memory
    return seen, PhotoFacts(lit.illumination, iris_color(photo.pixels, face, masks), masks.glasses)


def judged(canvas: Canvas, seen: Projection) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The person's mean skin colour (3,), and the scores of `believable`, (N,) each."""
    relative = canvas.relative
    trusted_face = seen.seen * seen.bare * canvas.face_texels
    skin_color = _mean_color(seen.color / np.maximum(relative, 0.05), trusted_face)
    beard = canvas.surface.flat(canvas.base.regions["beard"])
    relative = _by_channel(np.multiply, relative, skin_color)
    scores = believable(canvas.head, canvas.surface, seen, seen.color, relative, seen.skin * canvas.on_skin, beard)
    return skin_color, *scores


def finish_texture(
    canvas: Canvas,
    seen: Projection,
    facts: PhotoFacts,
    options: ReconstructOptions,
    progress: Progress,
    skin: NDArray[np.float32] | None = None,
    shown: NDArray[np.float32] | None = None,
) -> TextureResult:
    """Complete what photos do not show.

    Args:
        seen: what they do, without light.
        skin: (N,3) linear skin to use instead of the photos' and the base skin's.
        shown: (N,) 0..1, where the photos lie over it; with `skin` only.
    """
    head, surface, base, on_skin = canvas.head, canvas.surface, canvas.base, canvas.on_skin
    base_color = canvas.base_color
    skin_color, like_skin, plain = judged(canvas, seen)
    progress.check()
    trusted_skin = seen.seen * seen.bare * on_skin * like_skin
    color = _complete_skin(head, surface, base_color, seen.color, trusted_skin, plain) if skin is None else skin.copy()
    progress.check()
    grown = no_hair(surface)
    if options.hair == "as-seen":
        grown = grow_hair(head, surface, base, seen, seen.color, on_skin, options.seed)
    # Beside hair that is not painted, its strands and shadow in the skin are not painted either.
    skin_shown = seen.bare + grown.allowed * (seen.skin - seen.bare)
    over = seen.seen * np.minimum(skin_shown * like_skin + seen.hair * grown.allowed, 1) * on_skin
    # The lids' rims are borders of what is seen, but no place to fade: their lashes' line is the eye's outline.
    behind_lids = surface.smooth(head.regions["eye_sockets"][:, None], head.faces)[:, 0] > 0.5
    direct = Layer(seen.color, soften(over, surface, 0.006, open_to=behind_lids))
    if shown is not None:  # soft already, and narrower than borders are
        direct = replace(direct, weight=direct.weight * np.maximum(shown, seen.hair * grown.allowed))
    haired = np.take(color, grown.texels, axis=0)
    mix(haired, grown.color, grown.cover)
    color[grown.texels] = haired
    mix(color, direct.color, direct.weight)
    color[grown.texels] = weighted(np.take(color, grown.texels, axis=0), 1 - ROOT_SHADE * grown.cover)
    other = np.nonzero(~on_skin)[0]
    color[other] = np.take(base_color, other, axis=0)
    color = _with_iris(color, base, surface, facts.iris)
    albedo = surface.padded(surface.picture(linear_to_bytes(color)))
    confidence = surface.picture(np.round(255 * direct.weight)).astype(np.uint8)
    return TextureResult(
        albedo,
        confidence,
        facts.illumination,
        skin_color,
        skin_color if grown.mean is None else grown.mean,
        warnings=_warnings(direct if skin is None else None, canvas.face_texels, facts.glasses),
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


def _by_channel(operation: np.ufunc, colors: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """An operation on colours (N,3) and one colour (3,): many of it in a row, for an axis of three is slow."""
    out = np.empty(colors.shape, np.float32)
    row = np.broadcast_to(other, (BLOCK, 3)).copy()
    for start in range(0, len(colors), BLOCK):
        part = colors[start : start + BLOCK]
        operation(part, row[: len(part)], out=out[start : start + BLOCK])
    return out


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


def _warnings(direct: Layer | None, face_texels: NDArray[np.bool_], glasses: bool) -> tuple[str, ...]:
    found = []
    share = 1.0 if direct is None else float(direct.weight[face_texels].mean())
    if share < 0.25:
        found.append(f"Only {share:.0%} of the face is seen well in this photo; the rest of its skin is completed.")
    if glasses:
        found.append("The person wears glasses: their frames are painted over, and the eyes may be less exact.")
    return tuple(found)
