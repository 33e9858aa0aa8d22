"""Recipes of texture training: a TOML file says how large the generator is, what it learns and how long."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...errors import ModelFileError, OutputError
from ...perception.networks.weights import save_network
from ...texture.models.small import WINDOW, Window, build_texture_network
from ..perception import checkpoints
from .trainer import Learning, Size

RECIPE = "recipe.json"
STATISTICS = 20_000
"""Latents from which the spread of w is measured."""


@dataclass(frozen=True)
class Run:
    """How long a run is, and what it leaves behind.

    Attributes:
        steps: in all. textures: drawn where the user brings none.
        average: decay of the running average of the generator's weights.
        log_every, sample_every, save_every: steps. keep: checkpoints kept.
        max_seconds: stop then, with a checkpoint; None for no limit.
    """

    steps: int
    textures: int = 2400
    average: float = 0.995
    log_every: int = 25
    sample_every: int = 200
    save_every: int = 200
    keep: int = 2
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        if min(self.steps, self.textures, self.log_every, self.sample_every, self.save_every, self.keep) < 1:
            raise ValueError("steps, textures, log_every, sample_every, save_every and keep are at least 1.")


@dataclass(frozen=True)
class TextureRecipe:
    """A training run."""

    run: Run
    size: Size = field(default_factory=Size)
    learning: Learning = field(default_factory=Learning)
    window: Window = field(default=WINDOW)

    def describe(self) -> dict[str, Any]:
        """What is needed to build the network again."""
        return {"network": "texture", "size": asdict(self.size), "window": asdict(self.window)}


def read_texture_recipe(path: Path) -> TextureRecipe:
    """A recipe from its file.

    Raises:
        ModelFileError: it is missing, no TOML, or holds a setting that does not exist.
    """
    cure = "See engine/training/configs."
    try:
        with path.open("rb") as file:
            stored = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ModelFileError(f"The recipe {path} cannot be read ({error}).", cure) from error
    try:
        if stored.pop("network") != "texture":
            raise ValueError("it is not for the texture generator")
        parts = {"run": Run, "size": Size, "learning": Learning, "window": Window}
        return TextureRecipe(**{name: parts[name](**values) for name, values in stored.items()})
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"The recipe {path} is wrong: {error}.", cure) from error


def provenance(data: Path | None) -> dict[str, str]:
    """What a generator is made from, and under which licence it is, for reports.

    Args:
        data: folder of the user's own textures; None for those drawn from MakeHuman's skins.
    """
    if data is None:
        return {"source": "textures drawn from MakeHuman's skins (CC0-1.0)", "licence": "CC0-1.0"}
    return {"source": f"the user's own textures ({data.name})", "licence": "that of the textures"}


def remember(recipe: TextureRecipe, out: Path, data: Path | None) -> None:
    """Write beside a run what it is. Where the textures came from is what was written first: they are read only once.

    Raises:
        OutputError: the folder cannot be written.
    """
    path = out / RECIPE
    try:
        source = json.loads(path.read_text(encoding="utf-8"))["description"]["provenance"]
    except (OSError, ValueError, KeyError, TypeError):
        source = provenance(data)
    stored = {"description": recipe.describe() | {"provenance": source}, "recipe": asdict(recipe)}
    try:
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(stored, indent=1, default=str), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error}).", "Choose another folder.") from error


def is_texture_run(run: Path) -> bool:
    """Whether a folder holds a run of the texture generator."""
    try:
        stored = json.loads((run / RECIPE).read_text(encoding="utf-8"))
        return stored["description"]["network"] == "texture"
    except (OSError, ValueError, KeyError, TypeError):
        return False


def export_texture_run(run: Path, out: Path) -> None:
    """Write the averaged generator of a run's newest checkpoint for use, with the statistics of its w.

    Raises:
        ModelFileError: there is no run, or no checkpoint, or it is damaged.
    """
    import torch

    if not is_texture_run(run):
        raise ModelFileError(f"{run} holds no run of the texture generator.", "Train one first.")
    found = checkpoints.find(run)
    if not found:
        raise ModelFileError(f"The run {run} has no checkpoint.", "Train it longer.")
    description = json.loads((run / RECIPE).read_text(encoding="utf-8"))["description"]
    checkpoint = checkpoints.load(found[-1])
    network = build_texture_network(description)
    network.load_state_dict(checkpoint.average)
    network.measure_w(torch.randn(STATISTICS, network.generator.z_dim, generator=torch.Generator().manual_seed(0)))
    save_network(out, network.state_dict(), description | {"steps": checkpoint.step})
