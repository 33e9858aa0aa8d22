"""Shared by the tests of research networks: published vectors, weights without room, and every slot for a file."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.perception import identity
from engine.recognition.arcface import VARIANTS, IResNet
from engine.regressors import load
from engine.regressors.checkpoints import hollow
from engine.regressors.deca import COARSE, DETAIL, DecaEncoder
from engine.regressors.deca_detail import DetailDecoder
from engine.regressors.deep3d import Deep3dNetwork
from engine.regressors.smirk import SmirkEncoder
from engine.regressors.smirk_translator import SmirkTranslator, load_translator

State = dict[str, Any]


@lru_cache(maxsize=2)
def spec_state(shared: Path, spec: str) -> dict[str, Tensor]:
    """The seeded weights of a published network, under the names of its files."""
    place = importlib.util.spec_from_file_location("parity_regen", shared / "parity" / "regen.py")
    if place is None or place.loader is None or not (shared / "parity" / spec).is_file():
        pytest.skip(f"needs shared/parity/{spec}")
    regen: Any = importlib.util.module_from_spec(place)
    place.loader.exec_module(regen)
    found = regen.regen(str(shared / "parity" / spec))
    return {name: torch.from_numpy(np.asarray(values)) for name, values in found.items()}


def vectors(shared: Path, name: str) -> dict[str, Any]:
    """Inputs as float32 tensors, outputs as arrays."""
    stored = np.load(shared / "parity" / name)
    found: dict[str, Any] = {key: stored[key] for key in stored}
    return found | {key: torch.from_numpy(stored[key]).float() for key in ("x", "z") if key in stored}


def noise(network: nn.Module, seed: int = 1) -> nn.Module:
    """A network, in evaluation mode, with weights as large as trained ones have, and statistics not 0 and 1."""
    made = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, low, high in ((module.weight, 0.8, 1.2), (module.running_var, 0.8, 1.2)):
                values.data.uniform_(low, high, generator=made)
            for values in (module.bias, module.running_mean):
                values.data.normal_(0, 0.1, generator=made)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            spread = module.weight[0].numel() ** -0.5
            module.weight.data.normal_(0, spread, generator=made)
    return network.eval().requires_grad_(False)


def zeros(network: nn.Module, start: str = "") -> dict[str, Tensor]:
    """Weights of nought that take no room, in memory or in a file, and make statistics of 1."""
    nought, one, count = torch.tensor(0.0), torch.tensor(1.0), torch.tensor(0)

    def like(name: str, value: Tensor) -> Tensor:
        plain = count if not value.is_floating_point() else one if "running_var" in name else nought
        return plain.expand(value.shape)

    return {f"{start}{name}": like(name, value) for name, value in network.state_dict().items()}


def saved(folder: Path, state: Any, name: str = "network.pth") -> Path:
    torch.save(state, folder / name)
    return folder / name


@dataclass(frozen=True)
class Slot:
    """A place for a file.

    Attributes:
        title: what messages call the network.
        state: of a file that fits. part: the dict within it that has the weights. start: of the names in it, which
            messages repeat.
        open: loads a file. cure: what its cure names.
    """

    title: str
    state: Callable[[], State]
    open: Callable[[Path], Any]
    cure: str
    part: str = ""
    start: str = ""

    def changed(self, change: Callable[[State], State]) -> State:
        """A file whose weights are changed."""
        state = self.state()
        return state | {self.part: change(state[self.part])} if self.part else change(state)


def deca_state() -> State:
    parts = {"E_flame": hollow(DecaEncoder, COARSE), "E_detail": hollow(DecaEncoder, DETAIL)}
    return {name: zeros(network) for name, network in (parts | {"D_detail": hollow(DetailDecoder)}).items()}


SLOTS = {
    "smirk": Slot(
        "SMIRK's encoder",
        lambda: zeros(hollow(SmirkEncoder), "smirk_encoder."),
        lambda path: load("smirk", path),
        "SMIRK_em1.pt",
        start="smirk_encoder.",
    ),
    "translator": Slot(
        "SMIRK's translator",
        lambda: zeros(hollow(SmirkTranslator), "smirk_generator."),
        load_translator,
        "SMIRK_em1.pt",
        start="smirk_generator.",
    ),
    "deca": Slot(
        "DECA's model",
        lambda: {"E_flame": zeros(hollow(DecaEncoder, COARSE))},
        lambda path: load("deca", path),
        "deca_model.tar",
        "E_flame",
    ),
    "deep3d": Slot(
        "a Deep3D reconstruction network",
        lambda: {"net_recon": zeros(hollow(Deep3dNetwork))},
        lambda path: load("deep3d", path),
        "epoch_20.pth",
        "net_recon",
    ),
    "identity": Slot(
        "an ArcFace network",
        lambda: zeros(hollow(IResNet, VARIANTS["IResNet-50"])),
        identity.load,
        "arcface_torch",
    ),
}


class Intruder:
    """Pickled, it is a call of the shell that would leave a file behind."""

    def __init__(self, mark: Path) -> None:
        self.command = f"{sys.executable} -c \"open({str(mark)!r}, 'w').close()\""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)
