"""An aligned photo to a latent: by the regressor, by an inversion from there or from the mean, resumable."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..depth.options import DepthOptions
from ..errors import DeviceError, JobCancelled, OutputError
from ..models.registry import LPIPS, VGG16
from ..progress import Progress
from .config import Configuration
from .files import find_regressor, perceptual_of, regressor_of
from .generator import TriplaneGenerator
from .inversion import InversionOptions, Inverted, invert
from .options import AUTO, COLD_STEPS, WARM_STEPS, Eg3dOptions
from .pivot import PivotOptions
from .tuning import TuningOptions

BY_REGRESSOR = "the regressor's guess, not compared with the photo"
MAPS = 18
"""Of the finished picture's size, that one step of the latent keeps for its gradients in the super-resolution."""
TUNED = 2.2
"""Memory of a step that tunes the generator over that of one for the latent: it draws twice, and its weights have
gradients, averages and a best."""
BASE = 0.4e9
"""Python, torch and a full generator."""


@dataclass(frozen=True)
class Way:
    """How a photo is to be inverted.

    Attributes:
        steps, tuning_steps: that are to be taken. regressor: its file, if there is one.
    """

    steps: int
    tuning_steps: int
    regressor: Path | None

    @classmethod
    def of(cls, options: Eg3dOptions, model_folder: Path | None) -> Way:
        """What the options come to with the files that are there.

        Raises:
            ModelFileError: a regressor is needed and missing.
        """
        regressor = find_regressor(model_folder, options.inversion == "regress")
        if options.inversion == "regress":
            return cls(0, 0, regressor)
        usual = COLD_STEPS if regressor is None else WARM_STEPS
        steps = usual if options.steps is None else options.steps
        return cls(steps, options.tuning_steps if options.inversion == "tune" else 0, regressor)

    @property
    def whole(self) -> int:
        """All steps."""
        return self.steps + self.tuning_steps


def predicted_bytes(config: Configuration, tuning: bool) -> int:
    """About how much memory an inversion takes at its peak.

    Measured for the full generator (`scripts/benchmark_eg3d.py`), by size for others.
    """
    how = config.rendering
    points = config.raw_side**2 * (how.coarse + how.fine)
    rendering = 4 * points * (5 * config.features + 2 * config.hidden + 40)
    finishing = 4 * MAPS * config.image_side**2 * config.sr_channels[1]
    return int(BASE + (rendering + finishing) * (TUNED if tuning else 1))


def check_room(config: Configuration, way: Way, limit: int | None) -> None:
    """Refuse an inversion that does not fit, before it is started.

    Args:
        limit: bytes of memory there are; None where that is not known.
    Raises:
        DeviceError: it does not fit; the cure names a way that does.
    """
    if limit is None or way.whole == 0 or (needed := predicted_bytes(config, way.tuning_steps > 0)) <= limit:
        return
    lighter = ["optimise"] if way.tuning_steps and predicted_bytes(config, False) <= limit else []
    lighter += ["regress"] if way.regressor is not None else []
    choose = f"Choose the inversion “{lighter[0]}”, or close" if lighter else "Close"
    raise DeviceError(
        f"The inversion needs about {needed / 1e9:.1f} GB of memory, and there are {limit / 1e9:.1f} GB.",
        f"{choose} other programs.",
    )


def invert_photo(
    network: TriplaneGenerator, target: Tensor, label: Tensor, options: Eg3dOptions, way: Way, seed: int,
    model_folder: Path | None = None, progress: Progress | None = None, state_file: Path | None = None,
) -> Inverted:  # fmt: skip
    """A photo in the generator. The network that is given stays as it is.

    Args:
        target: (1,3,S,S) the aligned crop, -1..1. label: (1,25) its camera.
        state_file: see `inversion.invert`.
    Raises:
        ModelFileError: a file is damaged, or another network's; or the state file another job's.
        EngineError, DeviceError, JobCancelled: see `inversion.invert`.
    """
    progress = progress or Progress()
    progress.stage("Preparing the inversion", 0.0)
    start = None
    if way.regressor is not None:
        regressor = regressor_of(way.regressor, network).to(target.device)
        with torch.no_grad():
            start = regressor(target)
    if start is not None and way.whole == 0:
        return Inverted(start, network, (), (), True, (), BY_REGRESSOR)
    how = InversionOptions(
        PivotOptions(steps=way.steps), TuningOptions(steps=way.tuning_steps), seed, options.keep_best
    )
    perceptual = perceptual_of(model_folder).to(target.device)
    found = invert(network, target, label, how, start, perceptual, progress, state_file)
    if not (found.complete or found.latent_losses):
        raise JobCancelled  # before the first step: there is no best
    return found


def state_file_of(out: Path, photo: Path, generator: str, options: DepthOptions, way: Way) -> Path | None:
    """Where the state of an inversion is written and looked for; None where it is not, or there is no photo to be read.

    Args:
        out: the result's folder. photo: what is in it names the file, not its path. generator: its file's SHA-256.
    Raises:
        OutputError: the file that is to be written cannot lie where it should.
    """
    resume = options.eg3d.resume
    if not resume or way.whole == 0 or not photo.is_file():
        return None
    place = out.parent if resume == AUTO else Path(resume)
    if resume != AUTO and not place.is_dir():
        if not place.parent.is_dir():
            raise OutputError(
                f"There is no folder {place.parent} for the inversion's state.", "Make it, or name another."
            )
        return place
    helpers = (way.regressor, VGG16.find(options.model_folder), LPIPS.find(options.model_folder))
    what = (generator, way, options.seed, options.head_model, options.points, options.start, options.face_index,
            options.focal_length_px, [_stamp(path) for path in helpers])  # fmt: skip
    try:
        with photo.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
    except OSError:  # whoever reads the photo will say so
        return None
    digest.update(repr(what).encode())
    return place / f"{digest.hexdigest()[:24]}.eg3d.pt"


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """Size and time of a file: with another network an inversion is another."""
    return None if path is None else ((found := path.stat()).st_size, found.st_mtime_ns)
