"""Reconstruct from several photos of one person: one head, its skin from whichever photo shows each place best.

Photos are gone through twice, one at a time: first to find and fit each face, which leaves points and numbers, then,
with the shape that all agree on, to paint. So memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .devices import choose_device, single_threaded_torch, versions
from .fitting.result import HeadFit
from .fitting.several import average_person, fit_person
from .fitting.solve import camera_of, head_fit
from .hair.shell import HairShell
from .heads.model import HeadModel
from .media.photo import Photo
from .memory import within_memory
from .options import ReconstructOptions
from .photos import Look, Selection, select
from .progress import Progress
from .result import Reconstruction
from .staging import staged_folder
from .texture.build import Canvas, PhotoFacts, finish_texture, make_canvas, take_light_off
from .texture.fuse import Fusion
from .texture.project import Projection

if TYPE_CHECKING:
    from .synthesis.appearance import Appearance

Combine = Literal["mean", "joint"]
SYNTHESIS_SPAN, PAINTING_FROM = (0.46, 0.56), 0.56
"""Of the progress."""
COPY_SIDE = 2048
"""Longer side of the copies of the other photos, pixels: what Blender shows behind the head."""


def reconstruct_several(
    photos: Sequence[Path],
    out: Path,
    options: ReconstructOptions | None = None,
    progress: Progress | None = None,
    combine: Combine = "mean",
) -> Reconstruction:
    """Reconstruct one head from several photos of a person and write the result folder.

    A photo that cannot be used (no face, turned too far, another person, the same again) is left out, and the report
    says why. Its list "photos" has for each photo `file`, `path`, `used`, `main`, `reason`, and where it was used
    `picture`, `yaw`, `pitch`, `K`, `world_to_camera`, `image_size`.

    Args:
        photos: picture files, one at least.
        out: folder for the files of `engine.pipeline.reconstruct`, of the photo that shows the face best from the
            front, and photo-N.jpg, a copy of each other photo that was used. It is written whole or not at all.
        options: `focal_length_px` counts for all photos, `face_index` too; None takes the person most photos show.
        combine: the shape is the mean of the photos' own, or all their points are solved together
            (`engine.fitting.several`).
    Raises:
        EngineError: every expected failure. `FaceError` or `MediaError` where no photo can be used, with all reasons.
    """
    options, progress = options or ReconstructOptions(), progress or Progress()
    progress.stage("Starting the engine", 0.0)
    retries: list[str] = []
    from .pipeline import write

    with staged_folder(out) as scratch, single_threaded_torch():
        result, pixels = within_memory(
            lambda lighter: solve_several(photos, scratch, lighter, progress, combine), options, retries.append
        )
        result.report["warnings"] += retries
        write(result, pixels, scratch, progress)
    return result


def solve_several(
    photos: Sequence[Path], folder: Path, options: ReconstructOptions, progress: Progress, combine: Combine = "mean"
) -> tuple[Reconstruction, np.ndarray]:
    """Everything up to the finished result in memory, and the copies of photos in `folder`.

    Returns:
        The result, and the main photo's upright pixels.
    """
    from .heads.loader import load_head

    started, device = perf_counter(), choose_device(options.device)
    head = load_head(options.head_model, options.model_folder)
    chosen = select(photos, head, options, progress)
    result, pixels = solve_selection(head, chosen, folder, options, progress, combine)
    progress.finish()
    result.report.update(
        device=device,
        seconds={title: round(value, 3) for title, value in progress.seconds.items()},
        seconds_total=round(perf_counter() - started, 3),
    )
    return result, pixels


def solve_selection(
    head: HeadModel,
    chosen: Selection,
    folder: Path,
    options: ReconstructOptions,
    progress: Progress,
    combine: Combine = "mean",
) -> tuple[Reconstruction, np.ndarray]:
    """As `solve_several`, of photos that were looked at already; the report lacks device and seconds."""
    progress.stage("Combining the photos", 0.45)
    fits = combined_fits(head, chosen.looks, combine)
    found = None
    if options.texture != "photo":
        found = _synthesised(head, chosen.looks, fits, options, progress)
        fits = found.fits
    canvas = make_canvas(head, options.texture_size)
    result, photo, entries = _painted(canvas, chosen, fits, folder, options, progress, found)
    result.report["warnings"] += chosen.warnings
    result.report.update(
        photo=str(photo.path),
        photos=[entry for _, entry in sorted([*entries, *chosen.left_out], key=lambda item: item[0])],
        combined=combine,
        versions=versions(),
    )
    return result, photo.pixels


def combined_fits(head: HeadModel, looks: Sequence[Look], combine: Combine = "mean") -> list[HeadFit]:
    """One head in every photo: the same neutral shape, each photo's own camera and expression solved again for it."""
    way = fit_person if combine == "joint" else average_person
    person = way(head, [(look.problem, look.solution) for look in looks])
    return [
        head_fit(
            head,
            look.face,
            camera_of(state, look.width, look.height),
            person.identity,
            person.amounts,
            np.clip(expression, 0.0, 1.0),
        )
        for look, state, expression in zip(looks, person.states, person.expressions, strict=True)
    ]


def _synthesised(
    head: HeadModel, looks: Sequence[Look], fits: Sequence[HeadFit], options: ReconstructOptions, progress: Progress
) -> Appearance:
    """All photos explained by one modelled skin."""
    from .fitting.solve import reprojection_errors
    from .perception.masks import make_masks
    from .synthesis.paint import look as look_again
    from .synthesis.paint import solve_views
    from .texture.models.choose import texture_model

    model = texture_model(options.texture, options.model_folder, head)
    views, notices = [], dict[str, None]()
    for look, fit in zip(looks, fits, strict=True):
        progress.check()
        photo = look.read()
        view, said = look_again(head, fit, photo, look.face, make_masks(photo, look.face, look.view.parts), model)
        views.append(view)
        notices |= dict.fromkeys(said)  # each once, in order
    found = solve_views(head, views, model, options, progress, choose_device(options.device), span=SYNTHESIS_SPAN)
    judged = [
        replace(fit, errors=reprojection_errors(fit.landmarks_model, look.face))
        for look, fit in zip(looks, found.fits, strict=True)
    ]
    return replace(found, fits=judged, warnings=(*notices, *found.warnings))


def _painted(
    canvas: Canvas,
    chosen: Selection,
    fits: Sequence[HeadFit],
    folder: Path,
    options: ReconstructOptions,
    progress: Progress,
    found: Appearance | None,
) -> tuple[Reconstruction, Photo, list[tuple[int, dict[str, Any]]]]:
    """The finished head, the main photo, and the report's entry of each photo with its place among those given."""
    from .pipeline import add_detail, assemble, render_photo_view

    looks, head = chosen.looks, canvas.head
    fusion = Fusion(canvas, bald=options.hair == "bald")
    order = sorted(range(len(looks)), key=lambda index: index != chosen.main)
    sharpest = max(look.sharpness for look in looks)
    entries, main, hair = [], None, None
    for step, index in enumerate(order):
        look, fit = looks[index], fits[index]
        progress.stage(
            f"Painting the skin, photo {step + 1} of {len(looks)}",
            PAINTING_FROM + (0.7 - PAINTING_FROM) * step / len(looks),
        )
        photo = look.read()
        seen, facts, grown = _one_photo(canvas, look, fit, photo, options, with_hair=main is None)
        fusion.add(seen, quality=look.sharpness / max(sharpest, 1e-9))
        picture = "photo.jpg"
        if main is None:
            main, hair = (photo, look, fit, facts), grown
        else:
            picture = f"photo-{look.number + 1}.jpg"
            _write_copy(folder / picture, photo.pixels)
        entries.append((look.number, _entry(look, fit, picture, fusion, index == chosen.main)))
        del photo, seen  # one photo at a time
    assert main is not None
    photo, look, fit, facts = main
    progress.stage("Completing the skin", 0.7)
    if found is None:
        texture = finish_texture(canvas, fusion.result(), facts, options, progress)
    else:
        from .synthesis.paint import facial_hair, levelled, whole_skin

        skin = whole_skin(canvas, found.albedo, found.coverage)
        facts = replace(facts, illumination=found.illuminations[chosen.main].astype(np.float32))
        fused = levelled(canvas, fusion.result(), skin)
        texture = finish_texture(canvas, fused, facts, options, progress, skin, facial_hair(canvas, fused.color, skin))
        texture = replace(texture, warnings=(*texture.warnings, *found.warnings))
    progress.stage("Finding wrinkles and pores", 0.74)
    texture, detail, materials = add_detail(head, fit, None, texture, options, photo.pixels)
    progress.stage("Rendering the photo's view", 0.76)
    view = render_photo_view(head, fit, hair, texture, choose_device(options.device))
    result = assemble(look.path.stem, head, photo, look.face, fit, hair, texture, view, options)
    result = replace(result, detail=detail, materials=materials)
    result.report["points"] = "mediapipe" if look.view.points is None else options.points
    if found is not None:
        result.report["synthesis"] = found.report
    return result, photo, entries


def _one_photo(
    canvas: Canvas, look: Look, fit: HeadFit, photo: Photo, options: ReconstructOptions, with_hair: bool
) -> tuple[Projection, PhotoFacts, HairShell | None]:
    """What a photo shows of the skin, and the hair if it is asked for."""
    from .perception.masks import make_masks
    from .pipeline import grow_hair

    masks = make_masks(photo, look.face, look.view.parts)
    seen, facts = take_light_off(canvas, fit, photo, look.face, masks)
    hair = None
    if with_hair and options.hair == "as-seen":
        hair = grow_hair(canvas.head, fit, photo, masks, look.view.parts, facts.illumination, options)
    return seen, facts, hair


def _entry(look: Look, fit: HeadFit, picture: str, fusion: Fusion, main: bool) -> dict[str, Any]:
    """A photo in the report."""
    camera = fit.camera
    return {
        "file": look.path.name,
        "path": str(look.path),
        "used": True,
        "main": main,
        "reason": "",
        "picture": picture,
        "yaw": round(look.yaw, 1),
        "pitch": round(look.pitch, 1),
        "sharpness": round(look.sharpness, 4),
        "gain": [round(float(value), 3) for value in fusion.gains[-1]],
        "moved_mm": round(fusion.moved[-1], 2),
        "errors": {key: round(float(value), 5) for key, value in fit.errors.items()},
        "warnings": list(look.warnings),
        "K": camera.K.tolist(),
        "world_to_camera": camera.world_to_camera.tolist(),
        "image_size": [camera.width, camera.height],
    }


def _write_copy(path: Path, pixels: np.ndarray) -> None:
    """An upright copy that Blender can show, small enough to pack."""
    import cv2

    from .media.write import write_jpeg

    scale = COPY_SIDE / max(pixels.shape[:2])
    if scale < 1:
        size = round(pixels.shape[1] * scale), round(pixels.shape[0] * scale)
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    write_jpeg(path, pixels)
