"""Shared by EG3D's tests: the parity vectors, a tiny generator, and pickles in the published format."""

from __future__ import annotations

import importlib.util
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.eg3d.camera import orbit_label
from engine.eg3d.config import SMALL, TINY
from engine.eg3d.generator import TriplaneGenerator

from .ball import ball_generator


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(3)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def known(shared: Path) -> dict[str, np.ndarray]:
    """Inputs and outputs of the published network with random weights."""
    path = shared / "parity" / "eg3d" / "small.npz"
    if not path.is_file():
        pytest.skip("needs shared/parity/eg3d")
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


@pytest.fixture(scope="session")
def small(shared: Path) -> TriplaneGenerator:
    """The network of the parity vectors with its weights."""
    place = importlib.util.spec_from_file_location("parity_regen", shared / "parity" / "regen.py")
    if place is None or place.loader is None or not (shared / "parity" / "eg3d").is_dir():
        pytest.skip("needs shared/parity/eg3d")
    regen: Any = importlib.util.module_from_spec(place)
    place.loader.exec_module(regen)
    stored = regen.regen(str(shared / "parity" / "eg3d" / "small_spec.json"))
    with torch.device("meta"):
        network = TriplaneGenerator(SMALL)
    network.load_state_dict({name: torch.from_numpy(np.asarray(v)) for name, v in stored.items()}, assign=True)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def tiny() -> TriplaneGenerator:
    """A generator of pictures of 48 pixels with random weights."""
    torch.manual_seed(11)
    return TriplaneGenerator(TINY).eval().requires_grad_(False)


@pytest.fixture(scope="session")
def ball() -> TriplaneGenerator:
    """A tiny generator whose heads are balls."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = ball_generator()
    torch.set_num_threads(threads)
    return found


@pytest.fixture
def front() -> torch.Tensor:
    """(1,25) label of a camera straight ahead."""
    return torch.tensor(orbit_label())[None]


@pytest.fixture
def latent(tiny: TriplaneGenerator, front: torch.Tensor) -> torch.Tensor:
    """(1,layers,w) of the tiny generator."""
    return tiny.mapping(torch.randn((1, TINY.z), generator=torch.Generator().manual_seed(5)), front)


def reconstruct(meta):
    """Stands in for the published function while pickles are made; reading must not need it."""
    raise AssertionError("this must not be called")


@pytest.fixture
def published(monkeypatch, tmp_path):
    """Writes networks as the published code pickles them: `published(network, class_name, kwargs, training, ...)`."""
    module = types.ModuleType("torch_utils.persistence")
    function = types.FunctionType(reconstruct.__code__, globals(), "_reconstruct_persistent_obj")
    function.__module__, function.__qualname__ = module.__name__, "_reconstruct_persistent_obj"
    module._reconstruct_persistent_obj = function  # type: ignore[attr-defined]
    plain = types.ModuleType("training.volumetric_rendering.renderer")
    renderer = type("ImportanceRenderer", (torch.nn.Module,), {"__module__": plain.__name__})
    plain.ImportanceRenderer = renderer  # type: ignore[attr-defined]
    for name, stand_in in (
        ("torch_utils", types.ModuleType("torch_utils")), (module.__name__, module),
        ("training", types.ModuleType("training")), (plain.__name__, plain),
        ("training.volumetric_rendering", types.ModuleType("training.volumetric_rendering")),
    ):  # fmt: skip
        monkeypatch.setitem(sys.modules, name, stand_in)

    class Persistent:
        def __init__(self, class_name, state):
            source = f"open({str(tmp_path / 'it ran')!r}, 'w').close()"
            self.meta = {"type": "class", "version": 6, "module_src": source, "class_name": class_name, "state": state}

        def __reduce__(self):
            return function, (self.meta,), None

    def nested(tensors: dict[str, torch.Tensor], **rest: Any) -> dict[str, Any]:
        """State of a module whose tensors have dotted names."""
        state: dict[str, Any] = {"_parameters": {}, "_buffers": {}, "_modules": {}, **rest}
        for head in dict.fromkeys(name.partition(".")[0] for name in tensors):
            inner = {n[len(head) + 1 :]: v for n, v in tensors.items() if n.startswith(f"{head}.")}
            if inner:
                state["_modules"][head] = Persistent("Layer", nested(inner))
            else:
                state["_buffers"][head] = tensors[head]
        return state

    def write(tensors, kwargs, class_name="TriPlaneGenerator", training=None, axes=None, **rest) -> Path:
        state = nested(tensors, _init_args=(), _init_kwargs=kwargs, **rest)
        if axes is not None:
            state["_modules"]["renderer"] = renderer()
            state["_modules"]["renderer"].plane_axes = axes
        path = tmp_path / "network.pkl"
        thing = {"training_set_kwargs": training, "G": None, "D": None, "G_ema": Persistent(class_name, state)}
        path.write_bytes(pickle.dumps(thing, 4))
        return path

    return write
