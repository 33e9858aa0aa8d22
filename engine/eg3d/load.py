"""EG3D's files as networks: the official pickle without running what is in it, or its weights alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import ModelFileError
from ..media.write import whole_file
from ..models.safe_load import MOST_BYTES
from ..models.unpickle import CURE, RefusedError, Standin
from ..models.unpickle_torch import PersistentObject, module_tensors, read_network_pickle
from ..regressors.checkpoints import Published, all_names, filled, hollow, kind_of, read_checkpoint
from .config import FULL, LABEL, PLANE_AXES, Axes, Configuration, from_json, from_kwargs, to_json
from .generator import TriplaneGenerator

EG3D = Published(
    "EG3D's generator of heads", "Choose ffhqrebalanced512-128.pkl or ffhq512-128.pkl, as its authors hand them out."
)
CLASS = "TriPlaneGenerator"
SUPERRESOLUTION = "SuperresolutionHybrid8XDC"
CATS_PIVOT = -0.06
"""Height of the point, along z, that the cameras of the cats' network look at; the heads' is 0.2."""
CONFIGURATION = "eg3d_configuration"
"""Name of the configuration in the header of a safetensors file."""
SAID = {"afhq": "cats", "cat": "cats", "shapenet": "cars", "car": "cars"}
"""What a file's training set may be called, and what it shows."""


def load_generator(path: Path) -> TriplaneGenerator:
    """The generator of a file, float32, in evaluation mode, on the CPU.

    Args:
        path: the official pickle, or its state dict as safetensors or of `torch.save`; without the arguments of the
            pickle, or those that `save_generator` writes, it is taken for the published head generator.
    Raises:
        ModelFileError: it is missing or damaged, would run code, is another network, of something else than heads, or
            lacks weights.
    """
    path = Path(path)
    if _is_network_pickle(path):
        return _from_pickle(path)
    found = read_checkpoint(path, EG3D)
    for name in ("G_ema", "g_ema", "state_dict"):
        if isinstance(found.get(name), Mapping):
            found = dict(found[name])
    kind = kind_of(all_names(found))
    if "decoder.net.0.weight" not in found and kind and kind != "EG3D":
        raise EG3D.error(path, f"it is {kind}")
    return filled(hollow(TriplaneGenerator, _noted(path)), found, path, EG3D)


def save_generator(network: TriplaneGenerator, path: Path) -> None:
    """Write a generator's weights as safetensors, whole or not at all, with its configuration in the header.

    Raises:
        OutputError: it cannot be written.
    """
    from safetensors.torch import save

    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    with whole_file(path) as file:
        file.write(save(tensors, {"likeness_model": "eg3d", CONFIGURATION: to_json(network.config)}))


def _noted(path: Path) -> Configuration:
    """The configuration in the header of a safetensors file; the published one where there is none."""
    if path.suffix.lower() != ".safetensors":
        return FULL
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        text = (file.metadata() or {}).get(CONFIGURATION)
    try:
        return FULL if text is None else from_json(text)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EG3D.error(path, f"its configuration cannot be read ({error!r})") from error


def _is_network_pickle(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise ModelFileError(f"The file {path} cannot be read ({error}).", "Choose a file that is there.") from error
    return head[:1] == b"\x80" and b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" not in head


def _from_pickle(path: Path) -> TriplaneGenerator:
    if path.stat().st_size > MOST_BYTES:
        raise ModelFileError(f"The file {path} is larger than any model.", EG3D.cure)
    found = read_network_pickle(path.read_bytes(), path)
    network = found.get("G_ema") if isinstance(found, dict) else found
    if not isinstance(network, PersistentObject):
        raise EG3D.error(path, "it has no network “G_ema”")
    _check_class(network, path)
    _check_subject(network, found if isinstance(found, dict) else {}, path)
    try:
        state = module_tensors(network)
    except RefusedError as error:
        raise ModelFileError(f"The file {path} asks for {error}.", CURE) from error
    return filled(hollow(TriplaneGenerator, _configuration(network, path)), state, path, EG3D)


def _check_class(network: PersistentObject, path: Path) -> None:
    if network.class_name == CLASS:
        return
    kind = {"Generator": "a plain StyleGAN2, which draws pictures without a volume"}.get(
        network.class_name, f"a network of class “{network.class_name}”"
    )
    raise EG3D.error(path, f"it is {kind}")


def _check_subject(network: PersistentObject, found: Mapping[str, Any], path: Path) -> None:
    """Networks of cats and cars have the same class: the cameras they were made for, and the training set, tell."""
    drawn = network.init_kwargs.get("rendering_kwargs")
    drawn = drawn if isinstance(drawn, Mapping) else {}
    kind = ""
    if drawn.get("white_back"):
        kind = "cars or other objects before white"
    pivot = drawn.get("avg_camera_pivot")
    if isinstance(pivot, (list, tuple)) and len(pivot) == 3 and pivot[2] == CATS_PIVOT:
        kind = "cats"
    training = found.get("training_set_kwargs")
    place = str(training.get("path", "")) if isinstance(training, Mapping) else ""
    name = place.replace("\\", "/").rstrip("/").rpartition("/")[2].lower()
    kind = next((shown for sign, shown in SAID.items() if name.startswith(sign)), kind)
    if kind:
        raise ModelFileError(f"The file {path} is an EG3D network of {kind}, not of heads.", EG3D.cure)
    module = str(drawn.get("superresolution_module", "")).rpartition(".")[2]
    if module != SUPERRESOLUTION:
        raise EG3D.error(path, f"its super-resolution is “{module}”, not “{SUPERRESOLUTION}”")


def _configuration(network: PersistentObject, path: Path) -> Configuration:
    state = network.state if isinstance(network.state, dict) else {}
    kwargs = network.init_kwargs
    try:
        if int(kwargs["c_dim"]) != LABEL or int(kwargs["img_resolution"]) != FULL.image_side:
            raise EG3D.error(path, f"it has labels of {kwargs['c_dim']} numbers, or {kwargs['img_resolution']} pixels")
        return from_kwargs(kwargs, int(state.get("neural_rendering_resolution", 64)), _axes(state, path))
    except (KeyError, TypeError, ValueError) as error:
        raise EG3D.error(path, f"its arguments are incomplete ({error!r})") from error


def _axes(state: Mapping[str, Any], path: Path) -> Axes:
    """Which coordinates each plane takes: an attribute of the renderer, three matrices whose inverses do it."""
    modules = state.get("_modules")
    renderer = modules.get("renderer") if isinstance(modules, Mapping) else None
    inner = renderer.state if isinstance(renderer, Standin) and isinstance(renderer.state, dict) else {}
    planes = inner.get("plane_axes")
    if planes is None:
        return PLANE_AXES
    if not isinstance(planes, torch.Tensor) or planes.shape != (3, 3, 3):
        raise EG3D.error(path, "the axes of its planes are no three matrices")
    matrices = planes.detach().double().numpy()
    if (
        not np.array_equal(matrices @ matrices.transpose(0, 2, 1), np.tile(np.eye(3), (3, 1, 1)))
        or (matrices < 0).any()
    ):
        raise EG3D.error(path, "its planes do not lie along the axes")
    # The inverse of a permutation is its transpose: coordinate c of a plane is x . matrix[c].
    return tuple((int(matrix[0].argmax()), int(matrix[1].argmax())) for matrix in matrices)
