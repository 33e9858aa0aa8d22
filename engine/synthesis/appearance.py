"""GANFit: a head, aligned by landmarks, and its texture, fitted together to one photo or several of a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import EngineError
from ..fitting.result import HeadFit
from ..heads.model import HeadModel
from ..options import ReconstructOptions
from ..perception.observation import Masks
from ..progress import Progress
from ..recognition.load import Recogniser
from ..render.differentiable import Topology
from ..texture.models.model import TextureModel
from .objective import Objective, Weights
from .skin import SkinTexture
from .solve import SCHEDULES, Run, Schedule, fit_appearance
from .target import make_target
from .unknowns import Body, Unknowns, unchanged

DRAWN = 0.5
"""Share of a draw from the prior that a further run starts from: full draws are people too unlike."""
LOST = "The fit of the texture lost its numbers after {} steps; the last good state is used."


@dataclass(frozen=True)
class View:
    """One photo of a person, seen and aligned.

    Attributes:
        pixels: (H,W,3) sRGB. masks: of it.
        fit: by landmarks, of the photo at its own size.
        illumination: (9,3) as far as it is known already, in units in which `skin_color` is the skin.
        skin_color: (3,) linear mean albedo that goes with it.
        scale: of these pixels to the photo's own.
        guess: (latent,) of the texture as a regressor sees it (GANFit++); None starts from the mean texture. Shape and
            camera stay the fit's, and light is what the photo's projection tells: both know better than the regressor.
    """

    pixels: NDArray[np.uint8]
    masks: Masks
    fit: HeadFit
    illumination: NDArray[np.float32]
    skin_color: NDArray[np.float32]
    scale: float = 1.0
    guess: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Appearance:
    """What a fit found.

    Attributes:
        fits: the heads in the photos, one neutral shape.
        illuminations: (9,3) of each photo.
        albedo: (S,S,3) float32 sRGB 0..1 in the head's UV, of the model.
        coverage: (S,S) where the model paints.
        latent: of the model.
        report: JSON-ready facts.
        warnings: sentences.
    """

    fits: list[HeadFit]
    illuminations: list[NDArray[np.float32]]
    albedo: NDArray[np.float32]
    coverage: NDArray[np.float32]
    latent: NDArray[np.float32]
    report: dict[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def synthesize(
    head: HeadModel,
    views: Sequence[View],
    model: TextureModel,
    recogniser: Recogniser,
    options: ReconstructOptions,
    progress: Progress,
    device: str = "cpu",
    weights: Weights | None = None,
    schedule: Schedule | None = None,
    span: tuple[float, float] = (0.0, 1.0),
) -> Appearance:
    """Fit shape, expression, texture, camera and light to all photos of one person.

    Args:
        head: the model.
        views: the photos. One at least.
        model, recogniser: moved to the device.
        options: `quality` and `seed` are used.
        progress: told of steps; ends the fit when asked.
        device: where torch runs.
        weights, schedule: None for the paper's and the quality's.
        span: of the progress.
    Raises:
        EngineError: no photo.
    """
    if not views:
        raise EngineError("There is no photo to fit.", "Choose one at least.")
    schedule = schedule or SCHEDULES[options.quality]
    model, recogniser = model.to(device), recogniser.to(device)
    topology, skin = Topology.of(head, device), SkinTexture(head, model, min(schedule.texture, model.size))
    objectives = [_objective(head, view, topology, skin, recogniser, schedule, device, weights) for view in views]
    starts = _starts(objectives, views, model, schedule, options.seed)
    run = fit_appearance(objectives, starts, schedule, progress, options.seed, span=span)
    return _described(objectives, run, model, schedule)


def _objective(
    head: HeadModel,
    view: View,
    topology: Topology,
    skin: SkinTexture,
    recogniser: Recogniser,
    schedule: Schedule,
    device: str,
    weights: Weights | None,
) -> Objective:
    seen = replace(view.fit, camera=view.fit.camera.scaled(view.scale))
    target = make_target(head, seen, view.pixels, view.masks, recogniser, schedule.side, device)
    return Objective(
        Body(head, view.fit, device), topology, skin, target, first_light(skin, view, device), recogniser, weights
    )


@torch.no_grad()
def first_light(skin: SkinTexture, view: View, device: str) -> Tensor:
    """(9,3) the light that is known, as bright as the skin to start from needs it.

    Brightness of skin and of light cannot be told apart in a photo. The guessed texture, or else the mean one, is the
    most likely: the light is halfway between what it asks for and what the photo's exposure suggests.
    """
    start, area = skin(_first_latent(skin.model, view).to(device)), skin.coverage.sum().clamp_min(1e-6)
    mean = (start * skin.coverage).sum((1, 2)) / area
    wanted = float(view.skin_color.mean()) / max(float(mean.mean()), 1e-3)
    return torch.tensor(view.illumination * np.float32(wanted**0.5), device=device)


def _starts(
    objectives: Sequence[Objective], views: Sequence[View], model: TextureModel, schedule: Schedule, seed: int
) -> list[list[Unknowns]]:
    """The unknowns of all photos for each run: from the guesses or the mean texture first, then from draws."""
    device = objectives[0].light.device
    starts = [[_guessed(objective, view, model) for objective, view in zip(objectives, views, strict=True)]]
    for number in range(schedule.restarts):
        latent = DRAWN * model.start(seed + number + 1).to(device)
        starts.append([unchanged(objective.body.head, latent) for objective in objectives])
    return starts


def _guessed(objective: Objective, view: View, model: TextureModel) -> Unknowns:
    return unchanged(objective.body.head, _first_latent(model, view).to(objective.light.device))


def _first_latent(model: TextureModel, view: View) -> Tensor:
    return model.start() if view.guess is None else torch.tensor(view.guess)


@torch.no_grad()
def _described(objectives: Sequence[Objective], run: Run, model: TextureModel, schedule: Schedule) -> Appearance:
    latent = run.views[0].latent
    albedo = model.albedo(latent[None])[0].clamp(0, 1)
    last = run.history[-1] if run.history else {}
    report = {
        "model": model.name,
        "steps": run.steps,
        "ended": run.ended,
        "side": schedule.side,
        "losses": {name: round(value, 5) for name, value in last.items()},
        "provenance": model.provenance,
    }
    return Appearance(
        fits=[objective.body.described(view) for objective, view in zip(objectives, run.views, strict=True)],
        illuminations=[(o.light + v.light).cpu().numpy() for o, v in zip(objectives, run.views, strict=True)],
        albedo=albedo.permute(1, 2, 0).cpu().numpy(),
        coverage=model.coverage.cpu().numpy(),
        latent=latent.cpu().numpy(),
        report=report,
        warnings=(LOST.format(run.steps),) if run.lost else (),
    )
