"""Depth mesh by EG3D: from a photo's path to a folder with depth, a textured mesh of the whole head, and its latent.

Chan et al., CVPR 2022, for the volume; Roich et al., ACM TOG 2022, for the photo's way into it; thesis
"eg3d_supervised", section 3.2. The mesh stands in the frame of the head that the engine fits to the same photo: see
`camera.in_register`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..depth.depth_map import Depth
from ..depth.export import export_depth_glb
from ..depth.fitted import fit_options
from ..depth.options import DepthOptions
from ..depth.preview import preview
from ..devices import choose_device, single_threaded_torch, versions
from ..looking import look_at_face
from ..media.write import write_png
from ..models.registry import EG3D
from ..progress import Progress
from ..staging import staged_folder
from .depth import depth_of
from .extras import TUNED, VIEWS, clear, write_latent, write_turntable, write_views
from .grid import Grid, predicted_bytes
from .inversion import Inverted
from .invert_photo import Way, check_room, invert_photo, state_file_of
from .load import load_generator, save_generator
from .memory import available_bytes, check_memory, told_of_memory
from .mesh import head_mesh
from .paint import Painted, labels_around, painted
from .photo import AlignedPhoto, align_photo
from .views import View, views

if TYPE_CHECKING:
    from ..heads.model import HeadModel
    from ..media.photo import Photo
    from .generator import TriplaneGenerator

FILES = ("depth.npz", "latent.npz", "mesh.glb", "preview.png", "report.json")


@dataclass(frozen=True, eq=False)
class Generator:
    """The user's generator. `sha256` is its file's."""

    path: Path
    network: TriplaneGenerator
    sha256: str


@dataclass(frozen=True, eq=False)
class Seen:
    """A photo as the generator wants it, with the head that was fitted to it.

    Attributes:
        vertices: (V,3) metres, the head as it is in the photo. warnings: sentences for the report.
    """

    photo: Photo
    head: HeadModel
    vertices: NDArray[np.float32]
    aligned: AlignedPhoto
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Made:
    """The head out of the generator.

    Attributes:
        inverted: the photo in the generator. painted: the mesh, in the generator's units.
        seen: the views it was painted from, the photo's own first. depth: of that one, in the head's frame.
    """

    inverted: Inverted
    painted: Painted
    seen: list[View]
    depth: Depth


def eg3d_mesh(
    photo: Path, out: Path, options: DepthOptions | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Make the mesh of the person in one photo by EG3D and write the result folder.

    Args:
        photo: picture file.
        out: folder for `FILES`, `tuned.safetensors` and what else was asked for, written whole or not at all.
        options: `eg3d` says how; `faces`, `resolution`, `head_model` and the like are those of the other methods.
    Returns:
        The report.
    Raises:
        EngineError: every expected failure, with a message for the user. Missing files and too little memory are said
            before the photo is looked at.
    """
    options, progress = options or DepthOptions(method="eg3d"), progress or Progress()
    started = perf_counter()
    progress.stage("Starting the engine", 0.0)
    device = choose_device(options.device)
    path, way = EG3D.require(options.model_folder), Way.of(options.eg3d, options.model_folder)
    generator = read_generator(path, device)
    check_fits(generator.network, options, way, device)
    state = state_file_of(out, photo, generator.sha256, options, way)
    with staged_folder(out) as scratch:
        with single_threaded_torch():
            seen = look(photo, options, generator.network.config.image_side, progress)
        target, label = seen.aligned.target(device)
        inverted = invert_photo(
            generator.network, target, label, options.eg3d, way, options.seed, options.model_folder,
            part(progress, 0.2, 0.7), state,
        )  # fmt: skip
        if options.eg3d.keep_best and progress.cancelled():  # to end early with the best: not to cancel the rest
            progress.finish()
            progress = Progress(progress.listener, seconds=progress.seconds)
        made = build(seen, inverted, options, progress)
        write(scratch, seen, generator, made, options, progress)
        progress.finish()
        report = report_of(seen, generator, made, options, way, device)
        report["files"] = sorted([*(item.name for item in scratch.iterdir()), "report.json"])
        report["seconds"] = {title: round(value, 3) for title, value in progress.seconds.items()}
        report["seconds_total"] = round(perf_counter() - started, 3)
        text = json.dumps(report, indent=1, ensure_ascii=False)
        (scratch / "report.json").write_text(text, encoding="utf-8")
        clear(out, scratch)
    if state is not None and inverted.complete:
        state.unlink(missing_ok=True)
    return report


def part(progress: Progress, low: float, high: float) -> Progress:
    """Reports to `progress`, its 0..1 within low..high of that one's."""
    return Progress(lambda title, share: progress.stage(title, low + (high - low) * share), progress.cancelled)


def read_generator(path: Path, device: str) -> Generator:
    """The user's generator on a device.

    Raises:
        ModelFileError: see `load.load_generator`; networks of cats and cars are named.
        DeviceError: the device has no room for it.
    """
    network = load_generator(path)
    with path.open("rb") as file:
        sha256 = file_digest(file, "sha256").hexdigest()
    with told_of_memory("the generator"):
        return Generator(path, network.to(device), sha256)


def check_fits(network: TriplaneGenerator, options: DepthOptions, way: Way, device: str) -> None:
    """Refuse what memory will not hold, before anything is done.

    Raises:
        DeviceError: with a smaller grid or another inversion, if one fits.
    """
    room, hidden = available_bytes(device), network.config.hidden
    check_memory(lambda side: predicted_bytes(side, hidden), options.eg3d.grid, room, "a grid of {} voxels a side")
    check_room(network.config, way, room)


def look(path: Path, options: DepthOptions, side: int, progress: Progress) -> Seen:
    """Read a photo, fit the head as a reconstruction with the same options does, and cut the photo for the generator.

    Args:
        side: of the generator's pictures.
    Raises:
        MediaError: the photo cannot be read. FaceError: no usable face.
    """
    from ..heads.loader import load_head
    from ..media.read import read_photo

    head = load_head(options.head_model, options.model_folder)
    progress.stage("Reading the photo", 0.02)
    photo = read_photo(path)
    progress.stage("Finding the face", 0.04)
    face = look_at_face(head, photo, fit_options(options))
    progress.stage("Fitting the head", 0.1)
    fit = face.fit(progress)
    progress.stage("Cutting the photo", 0.18)
    aligned = align_photo(photo.pixels, fit.camera, *anchors(head, fit.posed), side=side)
    warnings = (*photo.warnings, *face.face.warnings, *face.view.notices, *face.known.notices, *fit.warnings)
    return Seen(photo, head, fit.posed, aligned, tuple(dict.fromkeys(warnings)))


def anchors(head: HeadModel, vertices: NDArray) -> tuple[NDArray, NDArray]:
    """What the alignment takes of a head's vertices (V,3): its 68 points (68,3) and the mean of its face (3,)."""
    solid = vertices.astype(np.float64)
    return head.embeddings["ibug"].positions(solid, head.faces), solid[head.regions["face"]].mean(0)


def build(seen: Seen, inverted: Inverted, options: DepthOptions, progress: Progress) -> Made:
    """From the latent to the painted mesh and its depth.

    Raises:
        EngineError: nothing is as dense as the level. DeviceError: memory ran out. JobCancelled.
    """
    network, how, aligned = inverted.network, options.eg3d, seen.aligned
    grid = Grid(how.grid, network.config.rendering.box)
    with told_of_memory("the mesh"):
        mesh = head_mesh(network, inverted.ws, grid, how.level, options.faces, part(progress, 0.7, 0.8))
    labels = labels_around(aligned.label, network.config.rendering)
    pictures = list(views(network, inverted.ws, labels, progress=part(progress, 0.8, 0.87)))
    progress.stage("Painting the mesh", 0.87)
    made = painted(mesh, pictures)
    side = min(options.resolution, max(network.config.image_side, round(aligned.crop.size)))
    return Made(inverted, made, pictures, depth_of(made, pictures[0], aligned.register, side))


def write(
    folder: Path, seen: Seen, generator: Generator, made: Made, options: DepthOptions, progress: Progress
) -> None:
    """Write everything but the report.

    Raises:
        OutputError: something cannot be written. DeviceError, JobCancelled: while the turntable is drawn.
    """
    inverted, how = made.inverted, options.eg3d
    mesh = made.painted.placed(seen.aligned.register)
    progress.stage("Drawing the preview", 0.89)
    photo = seen.aligned.cut(seen.photo.pixels, made.depth.camera.width)
    write_png(folder / "preview.png", preview(made.depth, mesh, made.painted.picture, mesh.uv, photo))
    if how.turntable:
        film = part(progress, 0.91, 0.98)
        write_turntable(folder, inverted.network, inverted.ws, how.turntable, film)
    progress.stage("Writing the result", 0.98)
    export_depth_glb(mesh, made.painted.picture, mesh.uv, folder / "mesh.glb")
    made.depth.save(folder / "depth.npz", head_vertices=seen.vertices, head_faces=seen.head.faces)
    write_latent(folder / "latent.npz", inverted, seen.aligned.label, generator.sha256, options.seed)
    if inverted.network is not generator.network:
        save_generator(inverted.network, folder / TUNED)
    if how.views:
        write_views(folder / VIEWS, made.seen)


def report_of(
    seen: Seen, generator: Generator, made: Made, options: DepthOptions, way: Way, device: str
) -> dict[str, Any]:
    """What was made, of what, and how well it went; JSON-ready."""
    inverted, how, crop, depth = made.inverted, options.eg3d, seen.aligned.crop, made.depth
    known = depth.depth[depth.mask]
    return {
        "photo": str(seen.photo.path),
        "method": "eg3d",
        "warnings": [*seen.warnings, *inverted.warnings],
        "image_size": [seen.photo.width, seen.photo.height],
        "part": [round(crop.left, 2), round(crop.top, 2), round(crop.size, 2), round(crop.size, 2)],
        "depth_size": [depth.camera.width, depth.camera.height],
        "K": depth.camera.K.tolist(),
        "world_to_camera": depth.camera.world_to_camera.tolist(),
        "label": [float(number) for number in seen.aligned.label],
        "register": seen.aligned.register.matrix.tolist(),
        "millimetres_a_unit": round(1e3 * seen.aligned.register.scale, 3),
        "depth_range": [round(float(end(known)), 4) for end in (np.min, np.max)] if len(known) else [],
        "confidence": round(float(depth.confidence[depth.mask].mean()), 3) if len(known) else 0.0,
        "generator": {"file": generator.path.name, "sha256": generator.sha256},
        "inversion": {
            "way": how.inversion,
            "start": way.regressor.name if way.regressor else "mean latent",
            "steps": len(inverted.latent_losses),
            "tuning_steps": len(inverted.tuning_losses),
            "losses": [round(value, 6) for value in _ends(inverted.latent_losses)],
            "tuning_losses": [round(value, 6) for value in _ends(inverted.tuning_losses)],
            "perceptual": inverted.perceptual,
            "complete": inverted.complete,
        },
        "grid": how.grid,
        "level": how.level,
        "faces": len(made.painted.faces),
        "vertices": len(made.painted.vertices),
        "head_model": seen.head.name,
        "seed": options.seed,
        "device": device,
        "versions": versions(),
        "provenance": {**seen.head.provenance, "EG3D": f"{EG3D.source}, {EG3D.licence}"},
    }


def _ends(losses: tuple[float, ...]) -> list[float]:
    """The first loss and the least."""
    return [losses[0], min(losses)] if losses else []
