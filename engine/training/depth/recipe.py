"""Recipes of depth training: a TOML file says which network, what it learns from, and how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ...errors import ModelFileError
from ...heads.loader import load_head
from ...perception.networks.parts import describe_parts_network
from ..latents.recipe import remember, stored_recipe, wrong_recipe
from ..perception.loop import TrainingConfig
from ..perception.parts import LossSettings
from .sources import open_source
from .task import DepthLearning, DptDepthTask, UnetDepthTask, description_of

NAME = "depth"
SHEET = "sheet.jpg"
ARCHITECTURES = ("unet", "dpt")


@dataclass(frozen=True)
class DepthRecipe:
    """A training run.

    Attributes:
        architecture: "unet" or "dpt".
        loop: how it is trained. learning: what from.
        start: weights to begin with; of "dpt" the user's file, which the command can name, too.
    """

    architecture: str
    loop: TrainingConfig
    learning: DepthLearning = field(default_factory=DepthLearning)
    start: Path | None = None

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise ValueError(f"architecture is one of {', '.join(ARCHITECTURES)}, not {self.architecture}")


def read_depth_recipe(path: Path) -> DepthRecipe:
    """A recipe from its file. Weights to begin with are named as seen from there.

    Raises:
        ModelFileError: it is missing, no TOML, or holds a setting that does not exist.
    """
    stored = stored_recipe(path, NAME)
    try:
        learning = dict(stored.pop("learning", {}))
        losses = LossSettings(**learning.pop("losses", {}))
        return DepthRecipe(learning=DepthLearning(**learning, losses=losses), **stored)
    except (KeyError, TypeError, ValueError) as error:
        raise wrong_recipe(path, error) from error


def prepare_depth(
    recipe: DepthRecipe, data: Path, out: Path, device: str, weights: Path | None = None
) -> UnetDepthTask | DptDepthTask:
    """Everything a run needs.

    Args:
        data: folder with pictures in `train` and `held_out`, each of EG3D or synthetic.
        weights: to begin with, before the recipe's.
    Raises:
        ModelFileError: there are no pictures, or the weights to begin with are missing or another network's.
    """
    head, start = load_head(), weights or recipe.start
    train, held_out = (open_source(head, data / name) for name in ("train", "held_out"))
    if recipe.architecture == "dpt":
        if start is None:
            raise ModelFileError("DPT-Large's file is needed to begin with.", "Name it with --weights.")
        task = DptDepthTask(train, held_out, recipe.learning, start, device, out / SHEET)
        remember(recipe, description_of({"network": "dpt_large"}, train), out)
        return task
    task = UnetDepthTask(train, held_out, recipe.learning, device, start, out / SHEET)
    remember(recipe, description_of(describe_parts_network(recipe.learning.width), train), out)
    return task
