"""Recipes of regressor training: a TOML file says which network, on what it stands, and how it learns."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from ...errors import ModelFileError
from ...heads.loader import load_head
from ...heads.model import HeadModel
from ...losses.regularise import GanfitWeights
from ...recognition.load import Recogniser
from ...regressors.regressed import HARMONICS
from ...regressors.trained import KINDS, describe_regressor, find_recogniser
from ...texture.models.model import TextureModel
from ..perception.loop import TrainingConfig
from ..perception.real_set import read_real
from ..perception.recipes import PORTRAITS, RECIPE
from ..synthetic.shards import read_shard
from .examples import Examples, of_portraits, of_shards, read_examples
from .objective import Weights
from .task import Learning, RegressorTask, features_of

CURE = "See engine/training/configs."
SPOILT = 0.5
"""How strong the camera's faults are on synthetic pictures."""


@dataclass(frozen=True)
class RegressorRecipe:
    """A training run.

    Attributes:
        kind: "pooled" or "fastganfit".
        loop: how it is trained. learning: what from, and by which losses.
        recogniser: "small", or "ArcFace" for the user's own.
        texture: name of the texture model, empty for none.
        light: how many numbers describe it, 27 or 9.
        settings: of the network, for example {"width": 256}.
        start: weights to begin with; None to begin at the beginning.
    """

    kind: str
    loop: TrainingConfig
    learning: Learning = field(default_factory=Learning)
    recogniser: str = "small"
    texture: str = ""
    light: int = HARMONICS
    settings: dict[str, Any] = field(default_factory=dict)
    start: Path | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}, not {self.kind}")


def read_regressor_recipe(path: Path) -> RegressorRecipe:
    """A recipe from its file. Weights to begin with are named as seen from there.

    Raises:
        ModelFileError: it is missing, no TOML, or holds a setting that does not exist.
    """
    try:
        with path.open("rb") as file:
            stored = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ModelFileError(f"The recipe {path} cannot be read ({error}).", CURE) from error
    try:
        if stored.pop("network") != "regressor":
            raise ValueError("it is not for the regressor")
        learning = dict(stored.pop("learning", {}))
        weights = dict(learning.pop("weights", {}))
        ganfit = GanfitWeights(**weights.pop("ganfit", {}))
        only = tuple(learning.pop("only", ()))
        learned = Learning(**learning, only=only, weights=Weights(ganfit=ganfit, **weights))
        start = path.parent / stored.pop("start") if "start" in stored else None
        loop = TrainingConfig(**stored.pop("loop"))
        return RegressorRecipe(loop=loop, learning=learned, start=start, **stored)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"The recipe {path} is wrong: {error}.", CURE) from error


def find_texture(name: str) -> TextureModel | None:
    """A bundled texture model by its name, None for an empty one.

    Raises:
        ModelFileError: it is missing, or unknown.
    """
    if not name:
        return None
    if name == "linear":
        from ...texture.models.linear import load_linear

        return load_linear()
    if name == "Small generator":
        from ...texture.models.small import SmallGeneratorTexture

        return SmallGeneratorTexture()
    raise ModelFileError(f"There is no texture model “{name}”.", "Choose another in the recipe.")


def prepare_task(
    recipe: RegressorRecipe, data: Path, out: Path, device: str, model_folder: Path | None = None
) -> RegressorTask:
    """Everything a run needs; what is made of the pictures is kept in the run's folder.

    Args:
        data: folder with shards in `train` and `held_out`, and `portraits.npz` if it is there.
    Raises:
        ModelFileError: there are no shards, or models are missing.
    """
    head, texture = load_head(), find_texture(recipe.texture)
    recogniser = find_recogniser(recipe.recogniser, model_folder)
    description = describe_regressor(recipe.kind, head, recogniser, texture, recipe.light, **recipe.settings)
    remember(recipe, description, out)
    train, held_out = examples_of_run(data, out, head, recogniser, recipe.learning.seed)
    features = None
    if recipe.kind == "pooled":
        found = [
            _kept_features(out, name, recogniser, part) for name, part in (("train", train), ("held_out", held_out))
        ]
        features = found[0], found[1]
    return RegressorTask(
        head, recogniser, texture, description, train, held_out, features, recipe.learning, device, recipe.start
    )


def remember(recipe: RegressorRecipe, description: dict[str, Any], out: Path) -> None:
    """Write beside a run what it is; `python -m engine.training export` reads it."""
    out.mkdir(parents=True, exist_ok=True)
    stored = {"description": description, "recipe": asdict(recipe)}
    (out / RECIPE).write_text(json.dumps(stored, indent=1, default=str), encoding="utf-8")


def examples_of_run(
    data: Path, out: Path, head: HeadModel, recogniser: Recogniser, seed: int
) -> tuple[Examples, Examples]:
    """What to learn from, renders then photos, and what to judge by; made once for a run.

    Raises:
        ModelFileError: there are no shards.
    """

    def shards(name: str) -> Examples:
        paths = sorted((data / name).glob("*.npz"))
        if not paths:
            raise ModelFileError(
                f"There are no synthetic pictures in {data / name}.", "Draw some: see docs/training.md."
            )
        return of_shards(head, recogniser, [read_shard(path) for path in paths], seed, SPOILT, _say)

    train = _kept(out / "examples" / "train.npz", lambda: shards("train"))
    held_out = _kept(out / "examples" / "held_out.npz", lambda: shards("held_out"))
    if (data / PORTRAITS).is_file():
        real = read_real(data / PORTRAITS)
        photos = _kept(out / "examples" / PORTRAITS, lambda: of_portraits(head, recogniser, real))
        train = train.joined(photos)
    return train, held_out


def _kept(path: Path, make: Callable[[], Examples]) -> Examples:
    if not path.is_file():
        make().write(path)
    return read_examples(path)


def _kept_features(out: Path, name: str, recogniser: Recogniser, examples: Examples) -> torch.Tensor:
    from safetensors.torch import load_file, save_file

    path = out / "examples" / f"{name}.safetensors"
    if not path.is_file():
        save_file({"features": features_of(recogniser, examples)}, path)
    return load_file(path)["features"]


def _say(done: int) -> None:
    if done % 200 == 0:
        print(f"{done} pictures looked at", flush=True)
