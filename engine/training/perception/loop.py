"""The loop that trains any of the perception networks.

AdamW, a learning rate that warms up and falls along a cosine, clipped gradients, bfloat16 on CUDA, a running average of
the weights, checkpoints. A run that was stopped and goes on gives, on the CPU, bit for bit what it would have given
without the stop; what a step learns from depends on nothing but its number.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from ...errors import EngineError, OutputError
from . import checkpoints
from .average import Average
from .log import RunLog

MOST_FAILURES = 20  # steps in a row whose gradients are no numbers: the run has diverged
Batch = TypeVar("Batch")


class Task(Protocol[Batch]):
    """What a network is trained for.

    Attributes:
        model: the network, on the device it is trained on. Its first weights are the task's matter: seed them.
    """

    model: nn.Module

    def batch(self, step: int) -> Batch:
        """What to learn from in a step; depends on `step` alone (seed a generator with it), so that a run can go on.

        With `TrainingConfig.workers` it is called from threads: leave torch's global generator alone.
        """
        ...

    def loss(self, batch: Batch) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """The loss to make small, a scalar, and figures to log (detached). Under autocast on CUDA."""
        ...

    def validate(self) -> Mapping[str, float]:
        """Figures on pictures never learnt from. The model holds the averaged weights, in evaluation mode."""
        ...


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes:
        steps: in all.
        learning_rate: at its highest.
        warm_up: steps until it is reached, from 0.
        final: the learning rate at the end, as a part of the highest.
        weight_decay: of weights with two axes and more; biases and normalisation are left alone.
        betas: of AdamW.
        clip: longest gradient.
        average: decay of the running average of the weights.
        seed: of torch's global generator (dropout and the like).
        half: bfloat16 where it is fast, on CUDA only.
        workers: threads that make batches ahead; 0 makes them in between.
        log_every, validate_every, save_every: steps.
        keep: checkpoints kept.
        max_seconds: stop then, with a checkpoint; None for no limit.
    """

    steps: int
    learning_rate: float = 1e-3
    warm_up: int = 500
    final: float = 0.01
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 1.0
    average: float = 0.999
    seed: int = 0
    half: bool = True
    workers: int = 0
    log_every: int = 50
    validate_every: int = 2000
    save_every: int = 1000
    keep: int = 2
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        counts = (self.steps, self.log_every, self.validate_every, self.save_every, self.keep)
        if min(counts) < 1 or self.warm_up < 0 or self.workers < 0:
            raise ValueError("steps, log_every, validate_every, save_every and keep are at least 1.")

    def rate(self, step: int) -> float:
        """The learning rate of a step, 0 .. steps - 1."""
        if step < self.warm_up:
            return self.learning_rate * (step + 1) / (self.warm_up + 1)
        along = min(1.0, (step - self.warm_up) / max(1, self.steps - self.warm_up))
        return self.learning_rate * (self.final + (1.0 - self.final) * 0.5 * (1.0 + math.cos(math.pi * along)))


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        step: steps taken in all. finished: whether that is all of them.
        checkpoint: the last one's folder.
        figures: of the last validation, empty when there was none.
    """

    step: int
    finished: bool
    checkpoint: Path
    figures: dict[str, float]


def train(task: Task[Batch], config: TrainingConfig, out: Path, resume: bool = False) -> Outcome:
    """Train, or go on, until all steps are taken, time is up, or the process is asked to end (SIGTERM or SIGINT).

    Args:
        task: what to learn. Afterwards its model holds the last step's weights; the average is in the checkpoint.
        out: the run's folder: `checkpoints/`, `log.jsonl`, `tensorboard/`.
        resume: go on from the newest checkpoint, if there is one.
    Raises:
        OutputError: the folder cannot be written, or holds a run and `resume` is off.
        ModelFileError: the checkpoint is damaged or of another network.
        EngineError: training diverged.
    """
    found = checkpoints.find(out)
    if found and not resume:
        raise OutputError(f"The folder {out} already holds a training run.", "Resume it, or choose another folder.")
    run = _Run(task, config, out)
    step = run.restore(found[-1]) if found else 0
    run.log = RunLog(out, step)
    try:
        return run.go(step)
    finally:
        run.log.close()


class _Run(Generic[Batch]):
    """One call of `train`."""

    log: RunLog

    def __init__(self, task: Task, config: TrainingConfig, out: Path) -> None:
        torch.manual_seed(config.seed)
        self.task, self.config, self.out = task, config, out
        self.device = next(task.model.parameters()).device.type
        self.average = Average(task.model, config.average)
        self.optimizer = _optimizer(task.model, config)
        self.sums: dict[str, Tensor | float] = {}
        self.count = 0  # of steps in `sums`
        self.failures = 0  # in a row

    def restore(self, folder: Path) -> int:
        """Take over a checkpoint. Returns the steps taken."""
        checkpoint = checkpoints.load(folder)
        try:
            self.task.model.load_state_dict(checkpoint.model)
            self.average.load(checkpoint.average)
            self.optimizer.load_state_dict(checkpoint.optimizer)
        except (RuntimeError, KeyError, ValueError) as error:
            raise checkpoints.other_network(folder, error) from error
        checkpoints.set_random_state(checkpoint.random)
        return checkpoint.step

    def go(self, step: int) -> Outcome:
        """All remaining steps."""
        config, start = self.config, time.monotonic()
        self.log.write(step, "start", {"config": asdict(config), "device": self.device})
        self.task.model.train()
        figures: dict[str, float] = {}
        with asked_to_end() as asked, _batches(self.task, config, step) as batches:
            since = time.monotonic(), step
            while step < config.steps and not asked.is_set() and not _over(start, config.max_seconds):
                self._step(step, next(batches))
                step += 1
                if step % config.log_every == 0 or step == config.steps:
                    self._log_training(step, since)
                    since = time.monotonic(), step
                if step % config.validate_every == 0 or step == config.steps:
                    figures = self._validate(step)
                if step % config.save_every == 0:
                    self._save(step)
        checkpoint = self._save(step)
        finished = step >= config.steps
        self.log.write(step, "end", {"finished": finished, "seconds": round(time.monotonic() - start, 1)})
        return Outcome(step, finished, checkpoint, figures)

    def _step(self, step: int, batch: Batch) -> None:
        config, model = self.config, self.task.model
        for group in self.optimizer.param_groups:
            group["lr"] = config.rate(step)
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=config.half and self.device == "cuda"):
            loss, figures = self.task.loss(batch)
        loss.backward()
        length = nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        if not bool(torch.isfinite(length)):
            self._skip(step)
            return
        self.optimizer.step()
        self.average.update(step + 1)
        self.failures = 0
        self.count += 1
        for name, value in {"loss": loss.detach(), "gradient": length.detach(), **figures}.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def _skip(self, step: int) -> None:
        """A step without finite gradients teaches nothing; many in a row are the end."""
        self.failures += 1
        self.log.write(step + 1, "skipped", {})
        if self.failures >= MOST_FAILURES:
            raise EngineError(
                f"Training diverged: {self.failures} steps in a row up to step {step + 1} gave no finite gradient.",
                "Resume from the last checkpoint with a lower learning rate.",
            )

    def _log_training(self, step: int, since: tuple[float, int]) -> None:
        """Means since the last line."""
        values = {name: float(value) / self.count for name, value in self.sums.items()}
        speed = (step - since[1]) / max(1e-9, time.monotonic() - since[0])
        self.log.write(step, "training", {**values, "rate": self.config.rate(step - 1), "steps_per_second": speed})
        self.sums, self.count = {}, 0

    def _validate(self, step: int) -> dict[str, float]:
        with self.average.inside(), torch.random.fork_rng(), torch.no_grad():
            figures = dict(self.task.validate())
        self.log.write(step, "validation", figures)
        return figures

    def _save(self, step: int) -> Path:
        state = checkpoints.Checkpoint(
            step=step,
            model=self.task.model.state_dict(),
            average=self.average.state,
            optimizer=self.optimizer.state_dict(),
            random=checkpoints.random_state(),
            config=asdict(self.config),
        )
        return checkpoints.save(self.out, state, self.config.keep)


def _optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], config.learning_rate, config.betas)


def _over(start: float, max_seconds: float | None) -> bool:
    return max_seconds is not None and time.monotonic() - start >= max_seconds


@contextmanager
def _batches(task: Task[Batch], config: TrainingConfig, first: int) -> Iterator[Iterator[Batch]]:
    """The batches from step `first` on, made ahead by threads if there are any."""
    if not config.workers:
        yield (task.batch(step) for step in range(first, config.steps))
        return
    pool = ThreadPoolExecutor(config.workers, thread_name_prefix="batch")

    def ahead() -> Iterator[Batch]:
        waiting: list[Future[Batch]] = []
        upcoming = iter(range(first, config.steps))
        for _ in range(first, config.steps):
            while len(waiting) <= config.workers and (following := next(upcoming, None)) is not None:
                waiting.append(pool.submit(task.batch, following))
            yield waiting.pop(0).result()

    try:
        yield ahead()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def asked_to_end() -> Iterator[threading.Event]:
    """An event that is set when the process is asked to end, once; asked again, it ends at once. Main thread only."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def ask(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    for number in before:
        signal.signal(number, ask)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
