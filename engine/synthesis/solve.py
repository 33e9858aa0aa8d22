"""The fit: Adam on all unknowns together, the best state kept, started again where asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from ..progress import Progress
from .objective import Objective
from .unknowns import Unknowns, average

RATE = 0.01
"""Adam's learning rate (Fast-GANFIT, section 5.1)."""
FASTER = {"latent": 6.0, "light": 2.0, "expression": 0.3}
"""Factors of the rate. The paper has hundreds of steps and a GPU: here texture and light, which start farther off than
what landmarks have settled, go faster. Expressions go slowly: a blink explains dark eyes, and a smile a shadow."""
LAST_RATE = 0.2
"""Share of the rate at the last step (half a cosine): random views keep the last steps from settling otherwise."""
PATIENCE = 25
"""Steps without a better loss after which a run ends."""
BETTER = 2e-3
"""Relative gain that counts as better; losses of random views come and go."""
MEMORY = 0.8
"""Share of the past in the running loss by which states are judged."""


@dataclass(frozen=True)
class Schedule:
    """How long and how finely to fit.

    Attributes:
        side: of the pictures compared, pixels.
        texture: side of the texture while fitting, pixels.
        steps: of Adam in a run, at most.
        restarts: runs from other latents, after the first from the given one; short ones, of which the best goes on.
        trial: steps of such a short run.
    """

    side: int
    texture: int
    steps: int
    restarts: int = 0
    trial: int = 15


SCHEDULES = {
    "draft": Schedule(128, 256, 30),
    "standard": Schedule(160, 256, 70),
    "best": Schedule(224, 512, 160, restarts=2),
}
"""By quality. Draft starts from the regressor's prediction where there is one and mostly stays there."""


@dataclass
class Run:
    """Where a fit is.

    Attributes:
        views: the unknowns of each photo.
        loss: running loss of the best state. history: of all steps, the losses by name, mean over photos.
        steps: done. ended: why, for the report.
        lost: numbers were lost (NaN) and the last good state was kept.
    """

    views: list[Unknowns]
    loss: float = np.inf
    history: list[dict[str, float]] = field(default_factory=list)
    steps: int = 0
    ended: str = "all steps done"
    lost: bool = False


def fit_appearance(
    objectives: Sequence[Objective],
    starts: Sequence[Sequence[Unknowns]],
    schedule: Schedule,
    progress: Progress,
    seed: int = 0,
    title: str = "Fitting the appearance",
    span: tuple[float, float] = (0.0, 1.0),
) -> Run:
    """Change the unknowns until the pictures look like the photos.

    Args:
        objectives: of the photos of one person.
        starts: for each run the unknowns of every photo; several are tried for `trial` steps each, the best goes on.
        progress: told of each step, and asked whether to stop.
        seed: of the random views.
        title, span: of the progress.
    """
    runs = [Run([view.copy() for view in views]) for views in starts]
    total = schedule.steps + schedule.trial * (len(runs) if len(runs) > 1 else 0)
    done = 0

    def advance(run: Run, steps: int) -> Run:
        nonlocal done
        for step in _descend(objectives, run, steps, seed):
            done += 1
            share = span[0] + (span[1] - span[0]) * min(done / total, 1)
            if step % 5 == 0:
                progress.stage(title, share)
            progress.check()
        return run

    if len(runs) > 1:
        runs = sorted((advance(run, schedule.trial) for run in runs), key=lambda run: run.loss)
    return advance(runs[0], schedule.steps)


def _descend(objectives: Sequence[Objective], run: Run, steps: int, seed: int) -> Iterator[int]:
    """Up to so many steps; yields after each. The best state is in the run whenever this stops."""
    views = [view.free() for view in run.views]
    groups = [
        {"params": [getattr(view, name) for view in views], "lr": RATE * FASTER.get(name, 1.0)}
        for name in views[0].names()
    ]
    optimiser = torch.optim.Adam(groups)
    settle = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _decay(step / max(steps, 1)))
    running, since, best = None, 0, run.loss
    for _ in range(steps):
        rng = np.random.default_rng((seed, run.steps))
        optimiser.zero_grad(set_to_none=True)
        figures = []
        for objective, view in zip(objectives, views, strict=True):
            terms = objective.terms(view, rng)
            torch.stack(list(terms.values())).sum().backward()
            figures.append({name: float(value.detach()) for name, value in terms.items()})
        loss = sum(sum(terms.values()) for terms in figures) / len(figures)
        gradients = [tensor.grad for view in views for tensor in view.tensors() if tensor.grad is not None]
        if not np.isfinite(loss) or not all(bool(gradient.isfinite().all()) for gradient in gradients):
            run.lost, run.ended = True, "numbers were lost; the last good state is kept"
            return
        running = loss if running is None else MEMORY * running + (1 - MEMORY) * loss
        run.history.append({name: float(np.mean([terms[name] for terms in figures])) for name in figures[0]})
        run.steps += 1
        if running < best * (1 - BETTER):
            best, since = running, 0
            run.loss, run.views = best, [view.copy() for view in views]
        else:
            since += 1
        if since >= PATIENCE:
            run.ended = "no better for a while"
            return
        optimiser.step()
        settle.step()
        if len(views) > 1:
            average(views)
        yield run.steps


def _decay(share: float) -> float:
    """1 at the start of a run, `LAST_RATE` at its end."""
    return LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
