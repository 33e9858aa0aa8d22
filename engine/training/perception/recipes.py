"""Recipes of training runs: a TOML file says which network, what it learns from, and how long."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...errors import ModelFileError
from ...heads.loader import load_head
from ...perception.networks.parts import describe_parts_network
from ...perception.networks.weights import save_network
from . import checkpoints
from .loop import Task, TrainingConfig
from .parts import LossSettings
from .parts_task import PartsConfig, PartsTask
from .pictures import PointLabels, SyntheticPictures
from .point_set import point_set
from .points import PointsConfig, PointsTask
from .portraits import Portraits

RECIPE = "recipe.json"
PORTRAITS = "portraits.npz"


@dataclass(frozen=True)
class Recipe:
    """A training run.

    Attributes:
        network: "points" or "parts".
        loop: how it is trained.
        learning: the task's own settings.
        start: file of weights to go on from (see `export`); None to begin at the beginning.
    """

    network: str
    loop: TrainingConfig
    learning: PointsConfig | PartsConfig
    start: Path | None = None

    def task(self, data: Path, device: str) -> Task[Any]:
        """The task on the pictures of a folder: shards in `train` and `held_out`, and `portraits.npz` if it is there.

        Raises:
            ModelFileError: there are no shards, or the weights to start from are missing or another network's.
        """
        head = load_head()
        labels = PointLabels(head, point_set(head))
        train, held_out = (
            SyntheticPictures(sorted((data / name).glob("*.npz")), labels) for name in ("train", "held_out")
        )
        real = data / PORTRAITS
        portraits = Portraits(real, head, labels) if real.is_file() else None
        if isinstance(self.learning, PointsConfig):
            return PointsTask(labels, train, held_out, portraits, self.learning, device, self.start)
        return PartsTask(head, train, held_out, portraits, self.learning, device, self.start)

    def describe(self) -> dict[str, Any]:
        """What is needed to build the network again."""
        if isinstance(self.learning, PartsConfig):
            return describe_parts_network(self.learning.width)
        return {"network": "points", "points": point_set(load_head()).packed(), "size": {}}


def read_recipe(path: Path) -> Recipe:
    """A recipe from its file. Weights to start from are named as seen from there.

    Raises:
        ModelFileError: it is missing, no TOML, or holds a setting that does not exist.
    """
    try:
        with path.open("rb") as file:
            stored = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ModelFileError(f"The recipe {path} cannot be read ({error}).", "See engine/training/configs.") from error
    try:
        network, learning = stored["network"], dict(stored.get("learning", {}))
        kinds: dict[str, Callable[..., PointsConfig | PartsConfig]] = {"points": PointsConfig, "parts": PartsConfig}
        if "losses" in learning:
            learning["losses"] = LossSettings(**learning["losses"])
        start = path.parent / stored["start"] if "start" in stored else None
        return Recipe(network, TrainingConfig(**stored["loop"]), kinds[network](**learning), start)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"The recipe {path} is wrong: {error}.", "See engine/training/configs.") from error


def remember(recipe: Recipe, out: Path) -> None:
    """Write beside a run what it is."""
    out.mkdir(parents=True, exist_ok=True)
    stored = {"description": recipe.describe(), "recipe": asdict(recipe)}
    (out / RECIPE).write_text(json.dumps(stored, indent=1, default=str), encoding="utf-8")


def export_run(run: Path, out: Path) -> None:
    """Write the averaged weights of a run's newest checkpoint for use.

    Raises:
        ModelFileError: there is no run.
    """
    found = checkpoints.find(run)
    try:
        description = json.loads((run / RECIPE).read_text(encoding="utf-8"))["description"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelFileError(f"{run} holds no training run ({error}).", "Train one first.") from error
    if not found:
        raise ModelFileError(f"The run {run} has no checkpoint.", "Train it longer.")
    checkpoint = checkpoints.load(found[-1])
    save_network(out, checkpoint.average, description | {"steps": checkpoint.step})
