"""The command `depth`: `python -m engine depth PHOTO... --out DIR`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..arguments import add_engine_arguments, add_fit_arguments
from ..eg3d.cli import add_eg3d_arguments, chosen_eg3d_options
from .options import LARGEST, SMALLEST, DepthOptions
from .sources import METHODS


def add_depth_arguments(job: argparse.ArgumentParser) -> None:
    """The arguments of a depth mesh."""
    job.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    job.add_argument(
        "-o", "--out", required=True, type=Path, metavar="DIR", help="one photo: its folder; several: one each"
    )
    job.add_argument(
        "--method",
        choices=METHODS,
        default="auto",
        help="the bundled network, DPT-Large from the model folder, no network, the fitted head alone, or a whole head "
        "by EG3D from the model folder",
    )
    job.add_argument(
        "--resolution", type=resolution, default=1024, metavar="PIXELS", help="of the depth's longer side, 128 to 4096"
    )
    job.add_argument("--faces", type=face_budget, default=200_000, metavar="N", help="most faces of the mesh's front")
    job.add_argument("--close-back", action="store_true", help="close the mesh behind")
    job.add_argument("--fit-texture", action="store_true", help="refine the texture by rendering and comparing; slow")
    job.add_argument(
        "--more-photos",
        nargs="+",
        type=Path,
        default=[],
        metavar="PHOTO",
        help="of the same person: their pixels colour what PHOTO shows badly, with --fit-texture",
    )
    add_fit_arguments(job)
    add_engine_arguments(job)
    add_eg3d_arguments(job)


def resolution(text: str) -> int:
    """A side between `SMALLEST` and `LARGEST` pixels."""
    side = int(text)
    if not SMALLEST <= side <= LARGEST:
        raise argparse.ArgumentTypeError(f"the resolution must be {SMALLEST} to {LARGEST} pixels")
    return side


def face_budget(text: str) -> int:
    """At least a hundred faces."""
    count = int(text)
    if count < 100:
        raise argparse.ArgumentTypeError("a mesh needs at least 100 faces")
    return count


def chosen_depth_options(arguments: argparse.Namespace) -> DepthOptions:
    """The parsed arguments as the engine's options."""
    return DepthOptions(
        method=arguments.method,
        resolution=arguments.resolution,
        faces=arguments.faces,
        close_back=arguments.close_back,
        head_model=arguments.head_model,
        device=arguments.device,
        model_folder=arguments.model_folder,
        seed=arguments.seed,
        face_index=arguments.face,
        focal_length_px=arguments.focal_length,
        fit_texture=arguments.fit_texture,
        points=arguments.points,
        start=arguments.start_from,
        eg3d=chosen_eg3d_options(arguments),
    )
