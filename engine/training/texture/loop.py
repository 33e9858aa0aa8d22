"""The loop that trains the texture generator: log, checkpoints, pictures of what it makes.

A run that was stopped and goes on gives, on the CPU, bit for bit what it would have given without the stop.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import EngineError, OutputError
from ...media.write import write_picture
from ..perception import checkpoints
from ..perception.average import Average
from ..perception.log import RunLog
from ..perception.loop import Outcome, asked_to_end
from .recipe import TextureRecipe, remember
from .trainer import Trainer

SAMPLES = (4, 6)
"""Rows and columns of a sheet of samples."""


def train_textures(
    recipe: TextureRecipe,
    textures: NDArray[np.uint8],
    out: Path,
    resume: bool = False,
    device: str = "cpu",
    data: Path | None = None,
) -> Outcome:
    """Train, or go on, until all steps are taken, time is up, or the process is asked to end (SIGTERM or SIGINT).

    Args:
        textures: (N,side,side,3) uint8 sRGB windows.
        out: the run's folder: `checkpoints/`, `recipe.json`, `log.jsonl`, `tensorboard/`, `samples/`.
        resume: go on from the newest checkpoint, if there is one.
        device: torch's name of it.
        data: folder that the textures came from, for the record; None for those drawn from MakeHuman's skins.
    Raises:
        OutputError: the folder cannot be written, or holds a run and `resume` is off.
        ModelFileError: the checkpoint is damaged or of another network.
        EngineError: training diverged.
    """
    found = checkpoints.find(out)
    if found and not resume:
        raise OutputError(f"The folder {out} already holds a training run.", "Resume it, or choose another folder.")
    remember(recipe, out, data)
    trainer = Trainer(textures, recipe.size, recipe.learning, device)
    average = Average(trainer.network, recipe.run.average)
    step = _restore(trainer, average, found[-1]) if found else 0
    log = RunLog(out, step)
    try:
        return _go(recipe, trainer, average, log, out, step)
    finally:
        log.close()


def _restore(trainer: Trainer, average: Average, folder: Path) -> int:
    """Take over a checkpoint. Returns the steps taken."""
    checkpoint = checkpoints.load(folder)
    try:
        trainer.pair.load_state_dict(checkpoint.model)
        average.load(checkpoint.average)
        trainer.load(checkpoint.optimizer)
    except (RuntimeError, KeyError, ValueError) as error:
        raise checkpoints.other_network(folder, error) from error
    return checkpoint.step


def _go(recipe: TextureRecipe, trainer: Trainer, average: Average, log: RunLog, out: Path, step: int) -> Outcome:
    """All remaining steps."""
    run, start = recipe.run, time.monotonic()
    log.write(step, "start", {"config": asdict(recipe), "device": trainer.device})
    sums: dict[str, list[float]] = {}
    means: dict[str, float] = {}
    since = time.monotonic(), step
    with asked_to_end() as asked:
        while step < run.steps and not asked.is_set() and not _over(start, run.max_seconds):
            for name, value in trainer.step(step).items():
                sums.setdefault(name, []).append(float(value))
            step += 1
            average.update(step)
            if step % run.log_every == 0 or step == run.steps:
                means = {name: sum(values) / len(values) for name, values in sums.items()}
                speed = (step - since[1]) / max(1e-9, time.monotonic() - since[0])
                log.write(step, "training", {**means, "steps_per_second": speed})
                sums, since = {}, (time.monotonic(), step)
                _check(means, step)
            if step % run.sample_every == 0 or step == run.steps:
                _sheet(trainer, average, out / "samples" / f"{step:08d}.jpg")
            if step % run.save_every == 0:
                _save(recipe, trainer, average, out, step)
    checkpoint = _save(recipe, trainer, average, out, step)
    finished = step >= run.steps
    log.write(step, "end", {"finished": finished, "seconds": round(time.monotonic() - start, 1)})
    return Outcome(step, finished, checkpoint, means)


def _over(start: float, max_seconds: float | None) -> bool:
    return max_seconds is not None and time.monotonic() - start >= max_seconds


def _check(means: dict[str, float], step: int) -> None:
    if not all(np.isfinite(value) for value in means.values()):
        raise EngineError(
            f"Training diverged: figures up to step {step} are no numbers.",
            "Resume from the last checkpoint with lower rates.",
        )


@torch.no_grad()
def _sheet(trainer: Trainer, average: Average, path: Path) -> None:
    """A picture of what the averaged generator makes of latents that are always the same."""
    rows, columns = SAMPLES
    draw = torch.Generator().manual_seed(trainer.learning.seed)
    z = torch.randn(rows * columns, trainer.network.generator.z_dim, generator=draw).to(trainer.device)
    with average.inside():
        made = trainer.network(z).clamp(0, 1)
    pictures = made.unflatten(0, SAMPLES).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1).cpu().numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, np.round(pictures * 255).astype(np.uint8))


def _save(recipe: TextureRecipe, trainer: Trainer, average: Average, out: Path, step: int) -> Path:
    state = checkpoints.Checkpoint(
        step=step,
        model=trainer.pair.state_dict(),
        average=average.state,
        optimizer=trainer.state(),
        random={},
        config=asdict(recipe),
    )
    return checkpoints.save(out, state, recipe.run.keep)
