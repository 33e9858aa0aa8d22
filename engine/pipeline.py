"""Reconstruct from Image: the main job, from a photo's path to a folder with a finished head."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .devices import choose_device, single_threaded_torch, versions
from .memory import within_memory
from .options import ReconstructOptions
from .progress import Progress
from .result import OwnKeys, Reconstruction
from .staging import staged_folder

if TYPE_CHECKING:
    from .fitting.result import HeadFit
    from .hair.shell import HairShell
    from .heads.model import HeadModel
    from .media.photo import Photo
    from .perception.observation import FaceObservation, Masks
    from .perception.parts import PartsObservation
    from .texture.detail import DetailMaps
    from .texture.materials import MaterialMaps
    from .texture.result import TextureResult

LARGEST_RELIEF, USUAL_RELIEF = 2048, 1024
"""Texels: photos hold no finer relief, and most not even the second."""
LARGE_FACE = 900
"""Pixels that a face spans from which the first is worth its seconds."""
DEPTH_SURE = 0.7
"""Least confidence of the parts network with which its depth shapes the hair."""


def reconstruct(
    photo: Path, out: Path, options: ReconstructOptions | None = None, progress: Progress | None = None
) -> Reconstruction:
    """Reconstruct the head in one photo and write the result folder.

    Args:
        photo: picture file.
        out: folder for head.npz, albedo.png, confidence.png, hair.png (where there is hair), normal.png, height.png,
            roughness.png, specular.png, photo_view.png, preview.png, head.glb, report.json and photo.jpg (the photo as
            the engine saw it, upright). It is written whole or, when anything fails, not at all.
    Raises:
        EngineError: every expected failure, with a message for the user. Where memory runs out, the job is
            first tried again with a smaller texture, then on the CPU, with a warning in the report.
    """
    options = options or ReconstructOptions()
    progress = progress or Progress()
    progress.stage("Starting the engine", 0.0)
    retries: list[str] = []
    with staged_folder(out) as scratch, single_threaded_torch():
        result, pixels = within_memory(lambda lighter: solve(photo, lighter, progress), options, retries.append)
        result.report["warnings"] += retries
        write(result, pixels, scratch, progress)
    return result


def solve(path: Path, options: ReconstructOptions, progress: Progress) -> tuple[Reconstruction, np.ndarray]:
    """Everything up to the finished result in memory. Returns it and the upright photo's pixels."""
    started = perf_counter()
    device = choose_device(options.device)

    from .heads.loader import load_head
    from .media.read import read_photo
    from .perception.landmarks import find_face

    head = load_head(options.head_model, options.model_folder)
    progress.stage("Reading the photo", 0.05)
    photo = read_photo(path)
    progress.stage("Finding the face", 0.08)
    face = find_face(photo, options.face_index, options.model_folder)
    result = solve_face(path.stem, head, photo, face, options, progress)
    progress.finish()
    result.report.update(
        photo=str(path),
        device=device,
        versions=versions(),
        seconds={title: round(value, 3) for title, value in progress.seconds.items()},
        seconds_total=round(perf_counter() - started, 3),
    )
    return result, photo.pixels


def solve_face(
    name: str,
    head: HeadModel,
    photo: Photo,
    face: FaceObservation,
    options: ReconstructOptions,
    progress: Progress,
    fit: HeadFit | None = None,
) -> Reconstruction:
    """Everything from a face that was found in a photo to the finished result in memory.

    Args:
        name: of the result.
        fit: the head as it is known already, from other photos of the person; None fits it to this one.
    """
    device = choose_device(options.device)

    from .looking import look_at_face
    from .texture.build import make_texture

    look = look_at_face(head, photo, options, face)
    view, notices = look.view, look.view.notices
    progress.stage("Separating hair and skin", 0.15)
    masks = look.masks
    if fit is None:
        progress.stage("Fitting the head", 0.25)
        fit = look.fit(progress)
        notices = (*notices, *look.known.notices)
    face = replace(face, warnings=(*face.warnings, *notices))
    progress.stage("Painting the skin", 0.4)
    facts: dict[str, Any] = {}
    if options.texture == "photo":
        texture = make_texture(head, fit, photo, face, masks, options, progress)
    else:
        from .synthesis.paint import paint

        painted = paint(head, fit, photo, face, masks, options, progress, device)
        fit, texture, facts = painted.fit, painted.texture, {"synthesis": painted.report}
    progress.stage("Finding wrinkles and pores", 0.66)
    texture, detail, materials = add_detail(head, fit, masks, texture, options, photo.pixels)
    hair = None
    if options.hair == "as-seen":
        progress.stage("Growing the hair", 0.7)
        hair = grow_hair(head, fit, photo, masks, view.parts, texture.illumination, options)
    progress.stage("Rendering the photo's view", 0.75)
    photo_view = render_photo_view(head, fit, hair, texture, device)
    result = assemble(name, head, photo, face, fit, hair, texture, photo_view, options)
    result = replace(result, detail=detail, materials=materials)
    result.report["points"] = "mediapipe" if view.points is None else options.points
    result.report.update(facts)
    return result


def add_detail(
    head: HeadModel,
    fit: HeadFit,
    masks: Masks | None,
    texture: TextureResult,
    options: ReconstructOptions,
    pixels: NDArray[np.uint8],
) -> tuple[TextureResult, DetailMaps, MaterialMaps]:
    """Relief and gloss of the skin, and the texture without the shading that the relief makes.

    Args:
        masks: of the photo; None where the texture is of several.
        pixels: (H,W,3) of the photo that the fit is of.
    """
    from .texture.detail import detail_maps, without_detail_shading
    from .texture.materials import material_maps

    span = np.ptp(fit.camera.project(fit.posed[head.regions["face"]]), axis=0).max()
    size = min(options.texture_size, LARGEST_RELIEF if span > LARGE_FACE else USUAL_RELIEF)
    if options.detail == "deca":
        from .texture.deca_relief import deca_maps

        maps = deca_maps(head, fit, pixels, size, options)
    else:
        maps = detail_maps(head, fit, masks, texture, size, options.seed)
    texture = replace(texture, albedo=without_detail_shading(texture.albedo, maps))
    return texture, maps, material_maps(head, size, maps)


def grow_hair(
    head: HeadModel,
    fit: HeadFit,
    photo: Photo,
    masks: Masks,
    parts: PartsObservation | None,
    illumination: NDArray[np.float32],
    options: ReconstructOptions,
) -> HairShell | None:
    """The hair over the neutral head, or None where the photo shows none."""
    from .hair.build import make_hair
    from .hair.envelope import DepthMap

    sure = parts is not None and parts.confidence > DEPTH_SURE
    depth = DepthMap.of(parts, photo.height, photo.width) if parts is not None and sure else None
    hair = make_hair(
        head, fit.posed, fit.camera, photo.pixels, masks.hair, illumination,
        texture_size=options.texture_size, depth=depth, seed=options.seed,
    )  # fmt: skip
    return hair and hair.moved(fit.neutral - fit.posed)


def render_photo_view(
    head: HeadModel, fit: HeadFit, hair: HairShell | None, texture: TextureResult, device: str
) -> np.ndarray:
    """(H,W,4) the textured head under the solved light, through the photo's camera."""
    from .render.hair import hair_look
    from .render.look import gloss, lash_opacity
    from .render.shade import render_head

    return render_head(
        fit.posed,
        head.faces,
        head.uv,
        head.uv_faces,
        texture.albedo,
        fit.camera,
        texture.illumination,
        gloss=gloss(head),
        opacity=lash_opacity(head),
        hair=hair and hair_look(hair.moved(fit.posed - fit.neutral), device),
        device=device,
    )


def assemble(
    name: str,
    head: HeadModel,
    photo: Photo,
    face: FaceObservation,
    fit: HeadFit,
    hair: HairShell | None,
    texture: TextureResult,
    photo_view: np.ndarray,
    options: ReconstructOptions,
) -> Reconstruction:
    """Gather the stages' results into the one dataclass that leaves the engine."""
    report: dict[str, Any] = {
        "warnings": [*photo.warnings, *face.warnings, *fit.warnings, *texture.warnings],
        "errors": {key: round(float(value), 5) for key, value in fit.errors.items()},
        "detector": face.detector,
        "face_score": round(face.score, 4),
        "head_model": head.name,
        "texture": options.texture,
        "texture_size": options.texture_size,
        "quality": options.quality,
        "seed": options.seed,
        "provenance": head.provenance,
    }
    if parameters := own_parameters(head, fit):
        report["parameters"] = parameters
    return Reconstruction(
        name=name,
        vertices=fit.neutral.astype(np.float32),
        posed_vertices=fit.posed.astype(np.float32),
        faces=head.faces,
        polygons=head.polygons,
        uv=head.uv,
        uv_faces=head.uv_faces,
        uv_polygons=head.uv_polygons,
        polygon_materials=head.polygon_materials,
        material_names=head.material_names,
        face_region=head.regions["face"],
        expression=fit.expression.astype(np.float32),
        expression_names=head.expression_names,
        expression_basis=head.expression_basis.astype(np.float16),
        identity=fit.identity.astype(np.float32),
        identity_basis=head.identity_basis[: options.identity_keys].astype(np.float16),
        joints=fit.joints.astype(np.float32),
        joint_names=head.joint_names,
        joint_parents=head.joint_parents,
        skin_weights=head.skin_weights,
        landmarks_2d=face.landmarks[:, :2],
        landmarks_model_2d=fit.landmarks_model.astype(np.float32),
        illumination=texture.illumination,
        skin_color=texture.skin_color,
        hair_color=texture.hair_color,
        camera=fit.camera,
        albedo=texture.albedo,
        confidence=texture.confidence,
        hair=hair,
        photo_view=photo_view,
        own=own_keys(head, options.identity_keys),
        report=report,
    )


def own_keys(head: HeadModel, identity_keys: int) -> OwnKeys | None:
    """A research model's own parameters as displacements, where it has others than ARKit's units."""
    model = head.published
    if model is None or not model.expression_names[0].startswith("expression"):
        return None
    none = np.zeros((0, *head.vertices.shape), np.float16)
    correctives = none if model.pose_correctives is None else model.pose_correctives.astype(np.float16)
    shapes = model.identity_basis[:identity_keys].astype(np.float16)
    return OwnKeys(shapes, model.expression_basis.astype(np.float16), correctives)


def own_parameters(head: HeadModel, fit: HeadFit) -> dict[str, list[float]]:
    """The head in a research model's own numbers; without the refinement, which the model does not have."""
    from .heads.retarget import retarget_of

    model = head.published
    if model is None or "jaw" not in model.joint_names:
        return {}
    acted = retarget_of(model).to_model(fit.expression[None])
    numbers = {"shape": fit.identity, "expression": acted.expression[0], "jaw_pose": acted.jaw[0]}
    numbers |= {"left_eye_pose": acted.left_eye[0], "right_eye_pose": acted.right_eye[0]}
    return {name: [round(float(value), 5) for value in values] for name, values in numbers.items()}


def write(result: Reconstruction, photo_pixels: np.ndarray, folder: Path, progress: Progress) -> None:
    """Write every file of the result folder. The preview is drawn meanwhile: encoding keeps one core busy only."""
    from .media.write import write_png
    from .preview import preview

    with ThreadPoolExecutor(1) as pool:
        files = pool.submit(_write_files, result, photo_pixels, folder)
        progress.stage("Drawing the preview", 0.88)
        write_png(folder / "preview.png", preview(result, photo_pixels))
        progress.stage("Writing the result", 0.95)
        files.result()
    progress.finish()


def _write_files(result: Reconstruction, photo_pixels: np.ndarray, folder: Path) -> None:
    """Everything but the preview."""
    from .export import export_glb
    from .media.write import write_jpeg

    result.save(folder)
    write_jpeg(folder / "photo.jpg", photo_pixels)  # upright: Blender ignores EXIF rotation and cannot read HEIC
    export_glb(result, folder / "head.glb", result.detail and result.detail.normal)
