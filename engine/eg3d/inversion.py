"""Photos taken back into the generator: first the latent, then the generator itself around it.

Roich et al., "Pivotal Tuning for Latent-based Editing of Real Images" (PTI), ACM TOG 2022: section 3.1 finds the pivot
(the projection of Karras et al. 2020, appendix D), section 3.2 tunes the generator, section 3.3 keeps the rest of the
latent space as it was. Numbers are theirs where the field beside them does not say otherwise.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ..errors import EngineError, JobCancelled, ModelFileError
from ..models.unpickle_torch import load_torch_checked
from ..progress import Progress
from .descent import Descent
from .generator import TriplaneGenerator
from .memory import told_of_memory
from .options import LOOKING, TUNING
from .perceptual import Perceptual, substitute
from .pivot import Pivot, PivotOptions
from .tuning import Tuning, TuningOptions

Stage = Literal["latent", "tuning"]
SAVE_EVERY = 50
"""Steps after which the state is written, where a file is given."""
VERSION = 1


@dataclass(frozen=True)
class InversionOptions:
    """How a photo is inverted.

    Attributes:
        pivot, tuning: of the two stages; no steps leave a stage out. seed: of everything random.
        keep_best: cancelling gives the best so far instead of `JobCancelled`.
    """

    pivot: PivotOptions = field(default_factory=PivotOptions)
    tuning: TuningOptions = field(default_factory=TuningOptions)
    seed: int = 0
    keep_best: bool = False


@dataclass(frozen=True, eq=False)
class Inverted:
    """A photo in the generator.

    Attributes:
        ws: (1,layers,w) the pivot. network: the generator, tuned to the photo where that stage ran.
        latent_losses, tuning_losses: of every step, see the stages.
        complete: False where it was cancelled and the best so far kept.
        warnings: for the report.
        perceptual: what the likeness was judged by.
    """

    ws: Tensor
    network: TriplaneGenerator
    latent_losses: tuple[float, ...]
    tuning_losses: tuple[float, ...]
    complete: bool
    warnings: tuple[str, ...]
    perceptual: str


def invert(
    network: TriplaneGenerator, target: Tensor, label: Tensor, options: InversionOptions | None = None,
    start: Tensor | None = None, perceptual: Perceptual | None = None, progress: Progress | None = None,
    state_file: Path | None = None,
) -> Inverted:  # fmt: skip
    """Invert a photo. The network that is given stays as it is.

    Args:
        target: (1,3,S,S) the aligned crop (`camera.published_crop`), -1..1, of the generator's size.
        label: (1,25) its camera. start: (1,layers,w) to begin with, a regressor's; None for the mean latent.
        perceptual: None for the bundled substitute.
        state_file: is written while it runs, and gone on from if it is there and of the same job.
    Raises:
        ValueError: shapes do not fit. JobCancelled: unless the options keep the best.
        ModelFileError: the state file is another job's or damaged. EngineError: it ends in no numbers.
        DeviceError: memory ran out; the state file, if there is one, is that of the last `SAVE_EVERY` steps.
    """
    options = options or InversionOptions()
    progress = progress or Progress()
    side = network.config.image_side
    if target.shape != (1, 3, side, side) or label.shape != (1, 25):
        raise ValueError(
            f"target {tuple(target.shape)} and label {tuple(label.shape)} are not of one picture of {side}"
        )
    job = _Job(network, target, label, options, start, perceptual or substitute().to(target.device), state_file)
    try:
        with told_of_memory("the inversion"):
            job.run(progress)
    except JobCancelled:
        job.save()
        if not options.keep_best:
            raise
        return job.result(False)
    progress.finish()
    return job.result(True)


class _Job:
    """One inversion: two stages, and what is written between."""

    def __init__(
        self, network: TriplaneGenerator, target: Tensor, label: Tensor, options: InversionOptions,
        start: Tensor | None, perceptual: Perceptual, state_file: Path | None,
    ) -> None:  # fmt: skip
        self.options, self.perceptual, self.state_file = options, perceptual, state_file
        self.name = _name(network, target, label, options, start, perceptual)
        self.original = network
        self.pivot = Pivot(_copied(network), target, label, options.pivot, options.seed, perceptual, start)
        self.tuning: Tuning | None = None
        self._tuned = lambda ws: Tuning(
            network, _copied(network), target, label, ws, options.tuning, options.seed, perceptual
        )
        if state_file is not None and state_file.exists():
            self._resume(state_file)

    def run(self, progress: Progress) -> None:
        whole = max(1, self.options.pivot.steps + self.options.tuning.steps)
        self._descend(LOOKING, self.pivot, self.pivot.descent, 0, whole, progress)
        if self.options.tuning.steps == 0:
            return
        if self.tuning is None:
            self.tuning = self._tuned(self.pivot.best())
        self._descend(TUNING, self.tuning, self.tuning.descent, self.options.pivot.steps, whole, progress)

    def _descend(
        self, title: str, stage: Pivot | Tuning, descent: Descent, before: int, whole: int, progress: Progress
    ) -> None:
        progress.stage(title, before / whole)
        while descent.step < stage.steps:
            progress.stage(title, (before + descent.step) / whole)
            stage.advance()
            if stage.enough():
                break
            if descent.step % SAVE_EVERY == 0:
                self.save()
        self.save()

    def result(self, complete: bool) -> Inverted:
        warnings = []
        failures = self.pivot.descent.failures + (self.tuning.descent.failures if self.tuning else 0)
        if failures:
            warnings.append(f"{failures} steps of the inversion ended in no numbers and were taken back.")
        if not complete:
            warnings.append("The inversion was stopped early; this is the best it had found.")
        tuned = self.tuning is not None and bool(self.tuning.descent.losses)
        return Inverted(
            self.pivot.best(), self.tuning.best() if tuned and self.tuning else self.original,
            tuple(self.pivot.descent.losses), tuple(self.tuning.descent.losses) if self.tuning else (),
            complete, tuple(warnings), self.perceptual.name,
        )  # fmt: skip

    def save(self) -> None:
        """Write the state, whole or not at all."""
        if self.state_file is None:
            return
        state: dict[str, Any] = {"version": VERSION, "job": self.name, "pivot": self.pivot.descent.packed()}
        if self.tuning is not None:
            state["tuning"] = self.tuning.descent.packed()
        beside = self.state_file.with_name(self.state_file.name + ".part")
        try:
            torch.save(state, beside)
            beside.replace(self.state_file)
        except (OSError, RuntimeError) as error:
            raise EngineError(
                f"The state of the inversion cannot be written to {self.state_file} ({error}).",
                "Choose another folder.",
            ) from error

    def _resume(self, path: Path) -> None:
        cure = "Delete it to start anew."
        state = load_torch_checked(path)
        if not isinstance(state, Mapping) or state.get("version") != VERSION or state.get("job") != self.name:
            raise ModelFileError(f"The file {path} is the state of another inversion.", cure)
        try:
            self.pivot.descent.unpack(state["pivot"])
            if "tuning" in state:
                self.tuning = self._tuned(self.pivot.best())
                self.tuning.descent.unpack(state["tuning"])
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise ModelFileError(f"The state of the inversion {path} is damaged ({error}).", cure) from error


def _copied(network: TriplaneGenerator) -> TriplaneGenerator:
    return copy.deepcopy(network).eval().requires_grad_(False)


def _name(
    network: TriplaneGenerator, target: Tensor, label: Tensor, options: InversionOptions, start: Tensor | None,
    perceptual: Perceptual,
) -> str:  # fmt: skip
    """What tells one job from another: everything that its result depends on, but not when it is cancelled."""
    digest = hashlib.sha256()
    said = {name: value for name, value in asdict(options).items() if name != "keep_best"}
    digest.update(repr((sorted(said.items()), network.config, perceptual.name)).encode())
    for tensor in (target, label, *(() if start is None else (start,)), *network.state_dict().values()):
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
