"""Recipes of training on generated heads: a TOML file says which network, what it learns from, and how long."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from ...eg3d.job import read_generator
from ...eg3d.regression import NETWORKS, network_from
from ...errors import ModelFileError
from ..perception.loop import TrainingConfig
from ..perception.recipes import RECIPE
from .photos import pictures_with_latents
from .task import LEAST_SPOILT, LatentLearning, LatentTask

NAME, SHEET = "latents", "sheet.jpg"
CURE = "See engine/training/configs."


@dataclass(frozen=True)
class LatentRecipe:
    """A training run.

    Attributes:
        architecture: "unet" or "vit".
        settings: of the network, for example {"base": 16}; the defaults are the thesis'.
        loop: how it is trained. learning: what from.
        start: weights to go on from; None to begin at the mean latent.
    """

    architecture: str
    loop: TrainingConfig
    settings: dict[str, Any] = field(default_factory=dict)
    learning: LatentLearning = field(default_factory=LatentLearning)
    start: Path | None = None

    def __post_init__(self) -> None:
        if self.architecture not in NETWORKS:
            raise ValueError(f"architecture is one of {', '.join(NETWORKS)}, not {self.architecture}")


def stored_recipe(path: Path, network: str) -> dict[str, Any]:
    """What a recipe's file says, its loop and its start made out; the start is named as seen from the file.

    Raises:
        ModelFileError: it is missing, no TOML, of another network, or its loop has a setting that does not exist.
    """
    try:
        with path.open("rb") as file:
            stored = tomllib.load(file)
        found = stored.pop("network")
        if found != network:
            raise ValueError(f"it is for “{found}”, not “{network}”")
        stored["loop"] = TrainingConfig(**stored["loop"])
        if "start" in stored:
            stored["start"] = path.parent / stored["start"]
        return stored
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ModelFileError(f"The recipe {path} cannot be read ({error}).", CURE) from error
    except (KeyError, TypeError, ValueError) as error:
        raise wrong_recipe(path, error) from error


def wrong_recipe(path: Path, error: Exception) -> ModelFileError:
    """What to raise when a recipe's file has settings that cannot be."""
    return ModelFileError(f"The recipe {path} is wrong: {error}.", CURE)


def read_latent_recipe(path: Path) -> LatentRecipe:
    """A recipe from its file.

    Raises:
        ModelFileError: see `stored_recipe`; or a setting does not exist.
    """
    stored = stored_recipe(path, NAME)
    try:
        return LatentRecipe(learning=LatentLearning(**stored.pop("learning", {})), **stored)
    except (KeyError, TypeError, ValueError) as error:
        raise wrong_recipe(path, error) from error


def remember(recipe: Any, description: dict[str, Any], out: Path) -> None:
    """Write beside a run what it is; `python -m engine.training export` reads it."""
    out.mkdir(parents=True, exist_ok=True)
    stored = {"description": description, "recipe": asdict(recipe)}
    (out / RECIPE).write_text(json.dumps(stored, indent=1, default=str), encoding="utf-8")


def prepare_latents(
    recipe: LatentRecipe, data: Path, out: Path, device: str, generator: Path | None = None
) -> LatentTask:
    """Everything a run needs.

    Args:
        data: folder with `train` and `held_out`, each samples (`eg3d.dataset`) or an evaluation set with latents.
        generator: the file they were drawn with, for a sample sheet.
    Raises:
        ModelFileError: there are none, they are of two generators, or of another than is given; or the weights to start
            from are another network's.
    """
    (index, train), (other, held_out) = (pictures_with_latents(data / name) for name in ("train", "held_out"))
    if index["generator"] != other["generator"]:
        raise ModelFileError(
            f"The samples in {data / 'train'} and {data / 'held_out'} are of two generators.", "Draw one of them anew."
        )
    description = {
        "network": NAME,
        "architecture": recipe.architecture,
        "settings": recipe.settings,
        "layers": index["layers"],
        "width": index["width"],
        "generator": index["generator"],
    }
    try:
        with torch.device("meta"):
            side = network_from(description).side
        if recipe.learning.spoilt > 0 and side < LEAST_SPOILT:
            raise ValueError(f"pictures of {side} pixels are too small for a camera's faults")
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"The recipe's settings cannot be: {error}.", CURE) from error
    remember(recipe, description, out)
    drawer = None
    if generator is not None:
        found = read_generator(generator, device)
        if found.sha256 != index["generator"]:
            raise ModelFileError(f"The samples in {data} are not of the generator {generator}.", "Choose theirs.")
        drawer = found.network
    return LatentTask(train, held_out, description, recipe.learning, device, recipe.start, out / SHEET, drawer)
