"""What lies beside an EG3D mesh: the latent, novel views with their depth, a turntable."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import OutputError
from ..media.write import whole_file, write_png
from ..media.write_clip import ClipWriter
from ..progress import Progress
from .camera import parts_of
from .generator import TriplaneGenerator
from .inversion import Inverted
from .views import View, turntable, views

TUNED, FILM, PICTURES, VIEWS = "tuned.safetensors", "turntable.mp4", "turntable", "views"
OPTIONAL = (TUNED, FILM, PICTURES, VIEWS)
"""What a result may have, and an earlier one in the same folder may have left."""
RATE = 24.0
"""Frames a second of a turntable."""


def write_latent(path: Path, inverted: Inverted, label: NDArray, generator: str, seed: int) -> None:
    """Write `latent.npz`: `w` (layers,w) and `label` (25,) draw the photo again with the generator of that SHA-256,
    or where the generator was tuned with `tuned.safetensors`.

    Raises:
        OutputError: it cannot be written.
    """
    with whole_file(path) as file:
        np.savez_compressed(
            file,
            w=inverted.ws[0].detach().cpu().numpy().astype(np.float32),
            label=np.asarray(label, np.float32),
            generator_sha256=np.array(generator),
            seed=np.array(seed, np.int64),
            latent_losses=np.array(inverted.latent_losses, np.float64),
            tuning_losses=np.array(inverted.tuning_losses, np.float64),
            complete=np.array(inverted.complete),
            perceptual=np.array(inverted.perceptual),
        )


def angles_of(label: NDArray) -> tuple[float, float]:
    """Yaw and pitch, degrees, of where a label's camera stands around the generator's origin."""
    x, y, z = parts_of(label)[0][:3, 3]
    return math.degrees(math.atan2(x, z)), math.degrees(math.atan2(y, math.hypot(x, z)))


def write_views(folder: Path, seen: list[View]) -> None:
    """Write each view as `0_yaw+00_pitch+00.png` with its depth, 16 bits, the nearest of all views white.

    Raises:
        OutputError: it cannot be written.
    """
    from PIL import Image

    _make(folder)
    near = min(float(view.depth.min()) for view in seen)
    far = max(float(view.depth.max()) for view in seen)
    for number, view in enumerate(seen):
        yaw, pitch = angles_of(view.label)
        name = f"{number}_yaw{yaw:+03.0f}_pitch{pitch:+03.0f}"
        write_png(folder / f"{name}.png", view.image)
        with whole_file(folder / f"{name}_depth.png") as file:
            Image.fromarray(view.depth_picture(near, max(far, near + 1e-6))).save(file, "PNG")


def write_turntable(
    folder: Path, network: TriplaneGenerator, ws: torch.Tensor, frames: int, progress: Progress
) -> None:
    """Write a swing around the head as `turntable.mp4`, or where no MP4 can be written as numbered pictures.

    Raises:
        OutputError: neither can be written. DeviceError: memory ran out. JobCancelled.
    """
    side = network.config.image_side
    pictures = (view.image for view in views(network, ws, turntable(network, frames), progress=progress))
    try:
        writer = ClipWriter(folder / FILM, side, side, RATE)
    except OutputError:
        _make(folder / PICTURES)
        for number, picture in enumerate(pictures):
            write_png(folder / PICTURES / f"{number:04d}.png", picture)
        return
    with writer:
        for picture in pictures:
            writer.add(picture)


def clear(out: Path, scratch: Path) -> None:
    """Take away what an earlier result left in `out` and this one replaces or has not."""
    for name in OPTIONAL:
        old = out / name
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old, ignore_errors=True)
        elif not (scratch / name).exists():
            old.unlink(missing_ok=True)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot write {folder}: {error.strerror or error}.", "Choose another folder.") from error
