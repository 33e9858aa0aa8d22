"""From a photo, or several of one person, to what depth is worked out from: the head, fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import FaceError, MediaError
from ..options import ReconstructOptions
from ..progress import Progress
from .options import DepthOptions, check_memory, free_memory
from .view import Frame, View, frame_around, make_view

if TYPE_CHECKING:
    from ..fitting.result import HeadFit
    from ..heads.model import HeadModel
    from ..media.photo import Photo
    from ..perception.observation import FaceObservation
    from ..photos import Look

LEFT_OUT = "{} is left out: {}"
ANOTHER = "It seems to show another person than {}."


@dataclass(frozen=True)
class Fitted:
    """A photo with its head, ready for depth.

    Attributes:
        view: what depth is worked out from. frame: where that is in the photo.
        warnings: sentences for the report.
        others: further photos of the person, the same head in them. names: of their files.
    """

    view: View
    frame: Frame
    warnings: tuple[str, ...]
    others: tuple[View, ...] = ()
    names: tuple[str, ...] = ()


def fit_photo(photo: Photo, head: HeadModel, options: DepthOptions, progress: Progress) -> Fitted:
    """Find the face, and fit the head as a reconstruction with the same options does.

    Raises:
        FaceError: there is no face that can be used. DeviceError: memory will not do.
    """
    from ..looking import look_at_face
    from ..perception.landmarks import find_face

    progress.stage("Finding the face", 0.06)
    face = find_face(photo, options.face_index, options.model_folder)
    frame = _checked_frame(photo, face, options)
    look = look_at_face(head, photo, fit_options(options), face)
    progress.stage("Separating hair and skin", 0.15)
    masks = look.masks
    progress.stage("Fitting the head", 0.25)
    fit = look.fit(progress)
    warnings = (*photo.warnings, *face.warnings, *look.view.notices, *look.known.notices, *fit.warnings)
    view = make_view(photo, masks, look.view.parts, head, fit, frame)
    return Fitted(view, frame, tuple(dict.fromkeys(warnings)))


def fit_photos(
    photo: Photo, more: Sequence[Path], head: HeadModel, options: DepthOptions, progress: Progress
) -> Fitted:
    """One head in all photos, as a reconstruction of the same photos finds it (`engine.several`, "mean").

    Args:
        more: further photos; one that cannot be used, or shows another person, is left out with a warning.
    Raises:
        As `fit_photo`, about the first photo.
    """
    from ..photos import look_at
    from ..several import combined_fits

    if not more:
        return fit_photo(photo, head, options, progress)
    progress.stage("Finding the face", 0.06)
    first = look_at(0, photo.path, head, fit_options(options), progress)
    frame = _checked_frame(photo, first.face, options)
    others, warnings = _others(first, more, head, options, progress)
    if not others:
        fitted = fit_photo(photo, head, options, progress)
        return replace(fitted, warnings=(*fitted.warnings, *warnings))
    progress.stage("Combining the photos", 0.5)
    fits = combined_fits(head, [first, *others])
    views = [_view(first, photo, head, fits[0], frame)]
    kept = []
    for look, fit in zip(others, fits[1:], strict=True):
        progress.check()
        further = look.read()
        try:
            at = frame_around(further, look.face, options.resolution)
            views.append(_view(look, further, head, fit, at))
            kept.append(look.path.name)
        except FaceError as error:
            warnings.append(LEFT_OUT.format(look.path.name, error))
    said = (*first.warnings, *fits[0].warnings, *warnings)
    return Fitted(views[0], frame, tuple(dict.fromkeys(said)), tuple(views[1:]), tuple(kept))


def fit_options(options: DepthOptions) -> ReconstructOptions:
    """Those with which a reconstruction fits the same head."""
    return ReconstructOptions(
        device=options.device,
        head_model=options.head_model,
        face_index=options.face_index,
        focal_length_px=options.focal_length_px,
        model_folder=options.model_folder,
        seed=options.seed,
        points=options.points,
        start=options.start,
    )


def _others(
    first: Look, more: Sequence[Path], head: HeadModel, options: DepthOptions, progress: Progress
) -> tuple[list[Look], list[str]]:
    """The further photos that can be used, and why others cannot."""
    from ..photos import look_at
    from ..recognition.load import load_small

    fitting = replace(fit_options(options), face_index=None)
    looks: list[Look] = []
    warnings: list[str] = []
    person = first.embedding
    for number, path in enumerate(more, 1):
        progress.stage(f"Looking at photo {number + 1} of {len(more) + 1}", 0.06 + 0.44 * number / (len(more) + 1))
        try:
            look = look_at(number, path, head, fitting, progress)
        except (MediaError, FaceError) as error:
            warnings.append(LEFT_OUT.format(path.name, error))
            continue
        own = look.embedding
        if person is not None and own is not None and np.linalg.norm(own - person) >= load_small().different:
            warnings.append(LEFT_OUT.format(path.name, ANOTHER.format(first.path.name)))
            continue
        looks.append(look)
    return looks, warnings


def _checked_frame(photo: Photo, face: FaceObservation, options: DepthOptions) -> Frame:
    frame = frame_around(photo, face, options.resolution)
    check_memory(*frame.size, options, free_memory())
    return frame


def _view(look: Look, photo: Photo, head: HeadModel, fit: HeadFit, frame: Frame) -> View:
    from ..perception.masks import make_masks

    parts = look.view.parts
    return make_view(photo, make_masks(photo, look.face, parts), parts, head, fit, frame)
