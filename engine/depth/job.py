"""Depth Mesh from Image: from a photo's path to a folder with depth, a textured mesh and a contact sheet.

The mesh stands in the head's frame: the camera and pose are those of the fit that a reconstruction of the same photo
with the same options makes, so both lie in register. The fitted head's own vertices are kept in `depth.npz`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..devices import choose_device, single_threaded_torch, versions
from ..memory import is_out_of_memory
from ..progress import Progress
from ..staging import staged_folder
from .depth_map import Depth
from .export import export_depth_glb, texture_of
from .fitted import Fitted, fit_photos
from .glb import GROUPS
from .groups import shares_of, vertex_groups
from .mesh import DepthMesh, MeshOptions, mesh_of
from .options import DepthOptions, check_memory, free_memory
from .picture import LARGEST, back_picture, front_picture, inner
from .preview import preview
from .sources import Measured, choose_method, measure
from .view import View, resized

if TYPE_CHECKING:
    from ..heads.model import HeadModel
    from ..media.photo import Photo
    from .texture_fit import Shot

FILES = ("depth.npz", "mesh.glb", "preview.png", "report.json")
CUT_OFF = "The photo cuts the head off {}; the mesh ends there."
SIDES = ("on the left", "at the top", "on the right", "at the bottom")
SMALLER = "Memory ran out; tried again at a resolution of {} pixels."
SMALLEST_RETRY = 256


@dataclass(frozen=True)
class DepthResult:
    """A depth mesh in memory.

    Attributes:
        depth: of the part of the photo around the head.
        mesh: in the head's frame. picture: (H,W,3) uint8 its texture, uv: (T,2) in it.
        photo: (H,W,3) uint8, what the depth is of.
        head_vertices: (V,3) metres, the fitted head as it is in the photo. head_faces: (F,3).
        shares: (G,h,w) what the depth's pixels show, see `groups`. groups: (V,) the same of the mesh's vertices.
        report: JSON-ready.
    """

    depth: Depth
    mesh: DepthMesh
    picture: NDArray[np.uint8]
    uv: NDArray[np.float32]
    photo: NDArray[np.uint8]
    head_vertices: NDArray[np.float32]
    head_faces: NDArray[np.int32]
    shares: NDArray[np.float32]
    groups: dict[str, NDArray[np.float32]]
    report: dict[str, Any]


def depth_mesh(
    photo: Path,
    out: Path,
    options: DepthOptions | None = None,
    progress: Progress | None = None,
    more: Sequence[Path] = (),
) -> DepthResult:
    """Make the depth mesh of the person in one photo and write the result folder.

    Args:
        photo: picture file.
        more: further photos of the person, which colour what the first shows at a slant (`sides`). The head is then
            that of a reconstruction of all these photos. One that cannot be used is left out with a warning.
        out: folder for depth.npz, mesh.glb, preview.png and report.json, written whole or not at all.
    Raises:
        EngineError: every expected failure, with a message for the user. Where memory would not do, before starting.
    """
    import json

    from ..media.write import write_png

    options, progress = options or DepthOptions(), progress or Progress()
    progress.stage("Starting the engine", 0.0)
    started = perf_counter()
    with staged_folder(out) as scratch, single_threaded_torch():
        result = _within_memory(photo, more, options, progress)
        progress.stage("Drawing the preview", 0.85)
        sheet = preview(result.depth, result.mesh, result.picture, result.uv, result.photo)
        progress.stage("Writing the result", 0.95)
        write_png(scratch / "preview.png", sheet)
        export_depth_glb(result.mesh, result.picture, result.uv, scratch / "mesh.glb", result.groups)
        result.depth.save(
            scratch / "depth.npz",
            head_vertices=result.head_vertices,
            head_faces=result.head_faces,
            groups=np.round(255 * result.shares).astype(np.uint8),
            group_names=np.array(GROUPS),
        )
        progress.finish()
        seconds = {title: round(value, 3) for title, value in progress.seconds.items()}
        result.report.update(seconds=seconds, seconds_total=round(perf_counter() - started, 3))
        text = json.dumps(result.report, indent=1, ensure_ascii=False)
        (scratch / "report.json").write_text(text, encoding="utf-8")
    return result


def _within_memory(photo: Path, more: Sequence[Path], options: DepthOptions, progress: Progress) -> DepthResult:
    """Solve, and solve again at half the resolution where memory runs out all the same."""
    retries: list[str] = []
    while True:
        try:
            result = solve(photo, options, progress, more)
            result.report["warnings"] += retries
            return result
        except Exception as error:
            if not is_out_of_memory(error) or options.resolution // 2 < SMALLEST_RETRY:
                raise
        options = replace(options, resolution=options.resolution // 2)
        retries.append(SMALLER.format(options.resolution))


def solve(path: Path, options: DepthOptions, progress: Progress, more: Sequence[Path] = ()) -> DepthResult:
    """Everything up to the finished mesh in memory."""
    device = choose_device(options.device)

    from ..heads.loader import load_head
    from ..media.read import read_photo

    head = load_head(options.head_model, options.model_folder)
    progress.stage("Reading the photo", 0.03)
    photo = read_photo(path)
    fitted = fit_photos(photo, more, head, options, progress)
    progress.stage("Measuring depth", 0.55)
    return finish(photo, fitted, options, device, progress)


def finish(photo: Photo, fitted: Fitted, options: DepthOptions, device: str, progress: Progress) -> DepthResult:
    """From what is seen to the mesh."""
    view, frame = fitted.view, fitted.frame
    options = replace(options, method=choose_method(view, options.method, options.model_folder))
    check_memory(*frame.size, options, free_memory())
    measured = measure(view, options.method, options.model_folder, device)
    progress.stage("Making the mesh", 0.65)
    mesh = mesh_of(measured.depth, MeshOptions(faces=options.faces, close_back=options.close_back))
    progress.stage("Painting the mesh", 0.75)
    pixels = photo.pixels[frame.rows, frame.columns]
    if max(pixels.shape[:2]) > LARGEST:
        factor = LARGEST / max(pixels.shape[:2])
        pixels = resized(pixels, (round(pixels.shape[0] * factor), round(pixels.shape[1] * factor))).astype(np.uint8)
    front = front_picture(pixels, measured.depth.mask, view.metres)
    refinement = None
    if options.fit_texture or fitted.others:
        front, refinement = refined(
            mesh, front, pixels, measured.depth, options, device, _side_shots(mesh, fitted, front)
        )
    back = back_picture(front, measured.depth.mask, view.metres) if options.close_back else None
    picture, uv = texture_of(mesh, front, back)
    warnings = [*fitted.warnings, *measured.notices, *_cut_off(view)]
    report = _report(photo, view, measured, mesh, options, device, warnings)
    if refinement is not None:
        report["texture_fit"] = refinement | {"photos": [photo.path.name, *fitted.names]}
    shares = shares_of(view)
    return DepthResult(
        measured.depth, mesh, picture, uv.astype(np.float32), view.pixels, view.vertices, view.head.faces,
        shares, vertex_groups(shares, view.camera, mesh.vertices), report,
    )  # fmt: skip


def _side_shots(mesh: DepthMesh, fitted: Fitted, front: NDArray[np.uint8]) -> list[Shot]:
    if not fitted.others:
        return []
    from .sides import side_shots

    return side_shots(mesh, fitted.view, fitted.others, front)


def refined(
    mesh: DepthMesh,
    front: NDArray[np.uint8],
    pixels: NDArray[np.uint8],
    depth: Depth,
    options: DepthOptions,
    device: str,
    others: Sequence[Shot] = (),
) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """The texture after render and compare with the photo, and with others, and what that did."""
    from .texture_fit import FitOptions, Shot, fit_texture

    count, size = mesh.front, (depth.camera.height, depth.camera.width)
    metres = float(np.median(depth.depth[depth.mask])) / depth.camera.K[0, 0]
    mask = inner(depth.mask, metres) > 0.99  # on the rim the texture carries the inside's colours on
    shot = Shot(resized(pixels, size).astype(np.uint8), depth.camera, mask)
    # What the pixels that are compared cannot show is left as it is: finer texels would be pulled about one by one.
    start = resized(front, size) if size[0] < front.shape[0] else front
    fit = fit_texture(
        mesh.vertices, mesh.faces[:count], mesh.uv, mesh.uv_faces[:count], [shot, *others],
        FitOptions(start=start, seed=options.seed), device,
    )  # fmt: skip
    change = resized(fit.texture.astype(np.float32) - start, (front.shape[0], front.shape[1]))
    texture = np.clip(np.round(front + change), 0, 255).astype(np.uint8)
    told: dict[str, Any] = {"l1_before": round(fit.losses[0], 5), "l1_after": round(fit.losses[-1], 5)}
    if others:
        told["pixels"] = [int(each.mask.sum()) for each in (shot, *others)]
    return texture, told


def _cut_off(view: View) -> list[str]:
    """A sentence where the photo ends inside the head."""
    head: HeadModel = view.head
    inside = head.regions.get("scalp", head.regions["face"]) | head.regions["face"]
    low, high = (end(view.camera.project(view.vertices[inside])) for end in (_low, _high))
    height, width = view.shape
    past = (low[0] < 0, low[1] < 0, high[0] > width, high[1] > height)
    sides = [side for side, is_past in zip(SIDES, past, strict=True) if is_past]
    return [CUT_OFF.format(" and ".join(sides))] if sides else []


def _low(points: NDArray) -> NDArray:
    return points.min(0)


def _high(points: NDArray) -> NDArray:
    return points.max(0)


def _report(
    photo: Photo,
    view: View,
    measured: Measured,
    mesh: DepthMesh,
    options: DepthOptions,
    device: str,
    warnings: list[str],
) -> dict[str, Any]:
    camera, confidence = measured.depth.camera, measured.depth.confidence[measured.depth.mask]
    return {
        "photo": str(photo.path),
        "method": measured.method,
        "warnings": warnings,
        "files": list(FILES),
        "image_size": [photo.width, photo.height],
        "part": [int(view.origin[0]), int(view.origin[1]), round(camera.width / view.factor),
                 round(camera.height / view.factor)],
        "depth_size": [camera.width, camera.height],
        "K": camera.K.tolist(),
        "world_to_camera": camera.world_to_camera.tolist(),
        "millimetres_per_pixel": round(1e3 * view.metres, 3),
        "depth_range": [round(float(end(measured.depth.depth[measured.depth.mask])), 4) for end in (np.min, np.max)],
        "confidence": round(float(confidence.mean()), 3),
        "faces": len(mesh.faces),
        "vertices": len(mesh.vertices),
        "closed": options.close_back,
        "head_model": view.head.name,
        "seed": options.seed,
        "device": device,
        "versions": versions(),
        "provenance": view.head.provenance,
    }  # fmt: skip
