"""Regressors ready for use: a photo and a face's points in, parameters out, in one pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..heads.model import HeadModel
from ..models.registry import ARCFACE
from ..perception.networks.weights import file_version, load_network
from ..recognition.load import Recogniser, load_own, load_small
from ..texture.models.model import TextureModel
from .crop import face_crop
from .networks import FastganfitNetwork, Kind, PooledNetwork, Regressor, activation_shapes
from .parameters import Layout, Usual, usual_view
from .regressed import Regressed

WEIGHTS = Path(__file__).parent / "data" / "regressor.safetensors"
OF_TEXTURE = {"linear": WEIGHTS, "Small generator": WEIGHTS.with_name("regressor_generator.safetensors")}
"""The bundled regressors by the texture model whose latents they know; shape and camera they share."""
KINDS = {"fastganfit": FastganfitNetwork, "pooled": PooledNetwork}
CURE = "Train one for it: `python -m engine.training regressor`."


@dataclass(frozen=True)
class LoadedRegressor:
    """A trained regressor and what it belongs to.

    Attributes:
        network: on the CPU, in evaluation mode.
        recogniser: the network whose crop and activations it was trained on.
        head: name of the head model. texture: name of the texture model, empty without one.
    """

    network: Regressor
    recogniser: Recogniser
    head: str
    texture: str


def describe_regressor(
    kind: str, head: HeadModel, recogniser: Recogniser, texture: TextureModel | None, light: int, **settings: Any
) -> dict[str, Any]:
    """What is needed to build a network again, as JSON.

    Args:
        kind: "fastganfit" or "pooled". light: how many numbers, see `engine.regressors.regressed`.
        settings: further arguments of the network, for example the width of a pooled one.
    Raises:
        ValueError: the head lacks the landmarks of the recogniser's crop.
    """
    layout = Layout(
        len(head.identity_basis), len(head.expression_names), (0,) if texture is None else texture.latent_shape, light
    )
    embedding, stages = activation_shapes(recogniser)
    return {
        "network": "regressor",
        "kind": kind,
        "head": head.name,
        "recogniser": recogniser.name,
        "texture": "" if texture is None else texture.name,
        "layout": asdict(layout),
        "usual": asdict(usual_view(head, recogniser)),
        "embedding": embedding,
        "stages": stages,
        "settings": settings,
    }


def build_regressor(description: dict[str, Any]) -> Regressor:
    """An untrained network of a description.

    Raises:
        KeyError, TypeError, ValueError: it describes another network.
    """
    if description.get("network") != "regressor":
        raise ValueError("it is no regressor")
    layout = Layout(**{name: _tuples(value) for name, value in description["layout"].items()})
    usual = Usual(**{name: _tuples(value) for name, value in description["usual"].items()})
    stages = [(int(channels), int(side)) for channels, side in description["stages"]]
    network = KINDS[description["kind"]]
    return network(layout, usual, int(description["embedding"]), stages, **description["settings"])


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def load_regressor(
    weights: Path | None = None, model_folder: Path | None = None, texture: str = "linear"
) -> LoadedRegressor:
    """Read a regressor, once.

    Args:
        weights: file written by `python -m engine.training export`; None for a bundled one.
        texture: name of the texture model that the bundled one should know, if one does.
        model_folder: where the user's ArcFace is, for a regressor that was trained on it.
    Raises:
        ModelFileError: the file is missing, damaged or another network's, or its recognition network is missing.
    """
    path = weights or OF_TEXTURE.get(texture, WEIGHTS)
    if not path.is_file():
        cure = "Choose a file that is there." if weights else "Install the add-on again."
        raise ModelFileError(f"The regressor {path} is missing.", f"{cure} Or {CURE[0].lower()}{CURE[1:]}")
    return _load(path, model_folder, file_version(path))


@lru_cache(maxsize=2)
def _load(path: Path, model_folder: Path | None, version: tuple[int, int]) -> LoadedRegressor:
    found: dict[str, Any] = {}

    def build(description: dict[str, Any]) -> Regressor:
        found.update(description)
        return build_regressor(description)

    network = load_network(path, build)
    recogniser = find_recogniser(found["recogniser"], model_folder)
    return LoadedRegressor(network, recogniser, found["head"], found["texture"])


def find_recogniser(name: str, model_folder: Path | None = None) -> Recogniser:
    """A recognition network by its name.

    Raises:
        ModelFileError: it is missing, or unknown.
    """
    if name == "small":
        return load_small()
    own = load_own(model_folder)
    if own is None:
        ARCFACE.require(model_folder)
    if own is None or own.name != name:
        raise ModelFileError(f"There is no recognition network “{name}”.", "Choose “small” or “ArcFace”.")
    return own


@torch.no_grad()
def regress(
    pixels: NDArray[np.uint8],
    landmarks: NDArray,
    head: HeadModel,
    texture: TextureModel | None = None,
    weights: Path | None = None,
    model_folder: Path | None = None,
    kind: Kind = "photos",
    check: Callable[[], None] = lambda: None,
) -> Regressed:
    """All parameters of a face in one pass (FastGANFit); a fit may start from them (GANFit++).

    Args:
        pixels: (H,W,3) uint8 sRGB, the photo.
        landmarks: (478,2+) MediaPipe's points, pixels of the photo.
        head: the model that the regressor was trained for.
        texture: the texture model; another than the regressor was trained for gets its mean latent.
        weights: file of the regressor; None for the bundled one.
        model_folder: of the user's own models.
        kind: photos or renders.
        check: called before the networks look; may raise to cancel.
    Raises:
        ModelFileError: the file is missing, damaged, or was trained for another head.
        EngineError: the points lie in one place.
    """
    regressor = load_regressor(weights, model_folder, "linear" if texture is None else texture.name)
    if regressor.head != head.name or regressor.network.heads.layout.identity != len(head.identity_basis):
        raise ModelFileError(
            f"The regressor {weights or WEIGHTS} is for the head “{regressor.head}”, not for “{head.name}”.", CURE
        )
    check()
    crop = face_crop(regressor.recogniser, landmarks, pixels.shape[1], pixels.shape[0])
    image = torch.tensor(crop.cut(pixels)).permute(2, 0, 1)[None].float() / 255
    points = torch.tensor(crop.points(landmarks)[:, :2]).float()[None]
    seen = regressor.network.see(regressor.recogniser, image, kind)
    found = regressor.network(seen, points).regressed(0, crop)
    shape = regressor.network.heads.layout.texture
    if texture is not None and texture.name == regressor.texture and tuple(texture.latent_shape) == shape:
        return found
    return _mean_texture(found, texture)


def _mean_texture(found: Regressed, texture: TextureModel | None) -> Regressed:
    latent = np.zeros(0) if texture is None else texture.start().detach().cpu().numpy()
    return replace(found, texture=latent.astype(np.float32))
