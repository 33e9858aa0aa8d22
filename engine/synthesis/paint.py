"""A head's texture by analysis and synthesis instead of projection: for photos that show little, or shaded skin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..fitting.result import HeadFit
from ..fitting.solve import reprojection_errors
from ..heads.model import HeadModel
from ..media.photo import Photo
from ..options import ReconstructOptions
from ..perception.observation import FaceObservation, Masks
from ..progress import Progress
from ..recognition.load import load_own, load_small
from ..regressors.trained import load_regressor, regress
from ..render.lighting import srgb_to_linear
from ..texture.build import Canvas, finish_texture, judged, make_canvas, take_light_off
from ..texture.complete import match
from ..texture.models.choose import texture_model
from ..texture.models.model import TextureModel
from ..texture.project import Projection, smoothstep
from ..texture.result import TextureResult
from .appearance import Appearance, View, synthesize
from .objective import Weights

DARKER = {"brow": (0.1, 0.3), "beard": (0.12, 0.4)}
"""How much darker than the modelled skin the photo is where hair of brows and beards begins, and is certain."""
REACH = {"brow": 0.04, "beard": 0.012}
"""How wide a region's surroundings belong to it, in sides of the square. Fits put brows up to their height too high."""
GREYER = (0.05, 0.3)
"""How much greyer than the skin: folds of a smile are as dark as a beard, but as red as the skin they are of."""
LOOK_SIZE = 512
"""Texels of the projection that gives the first light: it knows no finer than the whole face."""
SPAN = (0.42, 0.62)
"""Of the progress, while the appearance is fitted."""
UNGUESSED = "The regressor cannot be used, the texture starts from the mean: {}"
FACE_SIDE = 400
"""Pixels that a face has at most when it is compared."""
GAIN = (0.2, 5.0)
"""Bounds of what brings a photo's skin to the modelled one's level."""
PORES = (0.85, 1.18)
"""Bounds of the base skin's fine detail, which models of 512 pixels do not hold."""


@dataclass(frozen=True)
class Painted:
    """A head whose texture was synthesised: the fit that goes with it, the texture, and facts for the report."""

    fit: HeadFit
    texture: TextureResult
    report: dict[str, object]


def paint(
    head: HeadModel,
    fit: HeadFit,
    photo: Photo,
    face: FaceObservation,
    masks: Masks,
    options: ReconstructOptions,
    progress: Progress,
    device: str = "cpu",
    weights: Weights | None = None,
) -> Painted:
    """Fit head and texture to one photo, and make the texture from what was found.

    Args:
        fit: by landmarks.
        options: `texture` names the model ("ganfit" or "linear").
        weights: of the losses; None for the usual.
    Raises:
        ModelFileError: the texture model or a recognition network cannot be used.
    """
    model = texture_model(options.texture, options.model_folder, head)
    view, notices = look(head, fit, photo, face, masks, model)
    found = solve_views(head, [view], model, options, progress, device, weights, SPAN)
    fit = replace(found.fits[0], errors=reprojection_errors(found.fits[0].landmarks_model, face))
    progress.stage("Painting the skin", SPAN[1])
    canvas = make_canvas(head, options.texture_size)
    seen, facts = take_light_off(canvas, fit, photo, face, masks)
    skin = whole_skin(canvas, found.albedo, found.coverage)
    seen = levelled(canvas, seen, skin)
    shown = facial_hair(canvas, seen.color, skin)
    facts = replace(facts, illumination=found.illuminations[0].astype(np.float32))
    texture = finish_texture(canvas, seen, facts, options, progress, skin=skin, shown=shown)
    texture = replace(texture, warnings=(*texture.warnings, *notices, *found.warnings))
    return Painted(fit, texture, found.report)


def look(
    head: HeadModel, fit: HeadFit, photo: Photo, face: FaceObservation, masks: Masks, model: TextureModel
) -> tuple[View, tuple[str, ...]]:
    """A photo for the solver, with light and skin colour as a small projection shows them, and the regressor's guess.

    Returns:
        The view, and sentences for the report.
    """
    canvas = make_canvas(head, LOOK_SIZE)
    seen, facts = take_light_off(canvas, fit, photo, face, masks)
    skin_color, _, _ = judged(canvas, seen)
    view = small_view(head, fit, photo.pixels, masks, facts.illumination, skin_color)
    guess, notices = first_guess(head, photo.pixels, face.landmarks, model)
    return replace(view, guess=guess), notices


def first_guess(
    head: HeadModel, pixels: NDArray[np.uint8], landmarks: NDArray, model: TextureModel
) -> tuple[NDArray[np.float32] | None, tuple[str, ...]]:
    """The texture as the regressor sees it (FastGANFit), a latent; None where it is of another texture model.

    Args:
        pixels: (H,W,3) sRGB, the photo. landmarks: (478,2+) pixels.
    Returns:
        The guess, and a sentence for the report where the regressor cannot be used.
    """
    if head.name != "open":
        return None, ()
    try:
        if load_regressor(texture=model.name).texture != model.name:
            return None, ()
        found = regress(pixels, landmarks, head, model)
    except ModelFileError as error:
        return None, (UNGUESSED.format(error.message),)
    return found.texture, ()


def small_view(
    head: HeadModel,
    fit: HeadFit,
    pixels: NDArray[np.uint8],
    masks: Masks,
    illumination: NDArray[np.float32],
    skin_color: NDArray[np.float32],
) -> View:
    """A photo for the solver, no larger than it looks at: so many photos need little memory."""
    seen = fit.camera.project(fit.posed[head.regions["face"]])
    scale = min(1.0, FACE_SIDE / max(float(np.ptp(seen, axis=0).max()), 1.0))
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))

    def small(layer: NDArray) -> NDArray:
        return np.ascontiguousarray(cv2.resize(layer, size, interpolation=cv2.INTER_AREA)) if scale < 1 else layer

    layers = {name: small(getattr(masks, name)) for name in ("person", "skin", "hair", "eyes", "inner_mouth")}
    frames = None if masks.frames is None else small(masks.frames)
    reduced = replace(masks, frames=frames, **layers)
    return View(small(pixels), reduced, fit, illumination, skin_color, scale)


def solve_views(
    head: HeadModel,
    views: Sequence[View],
    model: TextureModel,
    options: ReconstructOptions,
    progress: Progress,
    device: str,
    weights: Weights | None = None,
    span: tuple[float, float] = (0.0, 1.0),
) -> Appearance:
    """Fit a texture model to photos of a person, judged by the user's recognition network if there is one."""
    recogniser = load_own(options.model_folder) or load_small()
    return synthesize(head, views, model, recogniser, options, progress, device, weights, span=span)


def whole_skin(canvas: Canvas, albedo: NDArray[np.float32], coverage: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,3) linear skin of all texels: the model's, finely detailed, and the base skin in its colour around it.

    Args:
        albedo: (S,S,3) sRGB 0..1. coverage: (S,S) 0..1.
    """
    surface, size = canvas.surface, canvas.surface.size
    how = cv2.INTER_AREA if size < len(albedo) else cv2.INTER_CUBIC
    large = np.clip(cv2.resize(albedo.astype(np.float32), (size, size), interpolation=how), 0, 1)
    cover = np.clip(cv2.resize(coverage.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR), 0, 1)
    weight = surface.flat(cover) * canvas.on_skin
    modelled = srgb_to_linear(surface.flat(large)) * _pores(canvas, len(albedo))
    around = match(canvas.base_color, modelled, weight, surface, canvas.head)
    return around + weight[:, None] * (modelled - around)


def levelled(canvas: Canvas, seen: Projection, skin: NDArray[np.float32]) -> Projection:
    """What photos show, as bright and of the colour of the modelled skin (N,3): the two took their light off apart."""
    trusted = seen.seen * seen.bare * canvas.face_texels
    total = max(float(trusted.sum()), 1e-9)
    gain = (trusted @ skin / total) / np.maximum(trusted @ seen.color / total, 1e-3)
    return replace(seen, color=seen.color * np.clip(gain, *GAIN).astype(np.float32))


def _pores(canvas: Canvas, model_size: int) -> NDArray[np.float32] | np.float32:
    """(N,1) what the base skin shows beyond the model's resolution, as a factor."""
    surface = canvas.surface
    blur = surface.size / model_size
    if blur <= 1:
        return np.float32(1)
    grey = surface.padded(surface.picture(canvas.base_color.mean(axis=1)))
    fine = grey / np.maximum(cv2.GaussianBlur(grey, (0, 0), blur), 1e-3)
    return np.clip(surface.flat(fine), *PORES)[:, None]


def facial_hair(canvas: Canvas, photo: NDArray[np.float32], skin: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) 0..1 where the photo's brows and beard are kept: darker than the modelled skin there, beards also greyer.

    Args:
        photo: (N,3) linear, light divided out. skin: (N,3).
    """
    surface = canvas.surface
    darker = 1 - photo.mean(1) / np.maximum(skin.mean(1), 1e-3)
    greyer = 1 - _redness(photo) / np.maximum(_redness(skin), 1e-3)
    brows, beard = (_around(canvas, name) * smoothstep(darker, *DARKER[name]) for name in DARKER)
    kept = np.maximum(brows, beard * smoothstep(greyer, *GREYER))
    return surface.flat(cv2.GaussianBlur(surface.picture(kept), (0, 0), max(0.5, surface.size / 1024)))


def _redness(color: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N,) 0 for grey, 1 for what has no blue."""
    return (color[:, 0] - color[:, 2]) / np.maximum(color[:, 0] + color[:, 2], 1e-3)


def _around(canvas: Canvas, region: str) -> NDArray[np.float32]:
    """(N,) a region of the base skin and a little around it: nobody's brows lie exactly there."""
    surface = canvas.surface
    reach = max(1, round(REACH[region] * surface.size))
    grown = cv2.dilate(canvas.base.regions[region], np.ones((reach, reach), np.uint8))
    return surface.flat(cv2.GaussianBlur(grown, (0, 0), 0.2 * reach))
