"""Files of research networks that users bring: read without running anything, told apart, and compared with what the
network wants before anything is filled in."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import ModelFileError
from ..models.safe_load import load_tensors

COUNTER = "num_batches_tracked"  # of batch normalisation in training; files converted by hand may lack it
NAMED = 5
"""How many entries a message names."""
PEEK = 1 << 26
"""Bytes of a file that could not be read in which its kind is looked for."""
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Published:
    """What a file should be.

    Attributes:
        title: what the user calls the network.
        cure: what to choose instead.
    """

    title: str
    cure: str

    def error(self, path: Path, reason: str) -> ModelFileError:
        """To raise: a file that is another network's, or another version's."""
        return ModelFileError(f"The file {path} is not {self.title}: {reason}.", self.cure)


KNOWN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("SMIRK's checkpoint", ("smirk_encoder.", "smirk_generator.")),
    ("EMOCA's checkpoint", ("deca.E_flame.", "E_expression", "deca.E_expression.")),
    ("DECA's model", ("E_flame", "E_detail", "D_detail")),
    ("a Deep3D reconstruction network", ("net_recon", "final_layers.0.", "backbone.conv1.")),
    ("MICA's model", ("flameModel", "arcface")),
    ("FLAME's head model", ("v_template", "shapedirs")),
    ("a texture space of FLAME", ("tex_dir", "MU")),
    ("EG3D", ("G_ema.backbone.", "backbone.synthesis.")),
    ("a StyleGAN2", ("G_ema", "g_ema", "synthesis.b4.", "mapping.fc0.")),
    ("MiDaS's DPT", ("pretrained.model.", "scratch.refinenet")),
    ("an Attention U-Net", ("Conv1.conv.0.", "Att5.")),
    ("ArcFace", ("layer1.0.prelu.", "module.layer1.0.prelu.", "prelu.", "module.prelu.")),
    ("a bare MobileNetV3 of timm", ("conv_stem.",)),
    ("a ResNet", ("layer1.0.conv1.",)),
)
"""Kinds of files by the beginnings of their entries' names, the first that fits wins."""
SIGNS = ((b"shapedirs", "FLAME's head model"), (b"v_template", "FLAME's head model"), (b"tex_dir", "a texture space"))
"""The same for files that are no networks at all, by what stands anywhere in them."""


def read_checkpoint(path: Path, wanted: Published) -> dict[str, Any]:
    """Whatever a file holds, by name, on the CPU.

    Raises:
        ModelFileError: it is missing, unreadable, too large, damaged, would run code, or is no file of networks.
    """
    try:
        return load_tensors(path)
    except ModelFileError as error:
        kind = _peeked(path)
        if kind:
            raise wanted.error(path, f"it is {kind}") from error
        raise


def kind_of(names: Iterable[str]) -> str:
    """What a file with these entries is, in words; empty where it is not known."""
    listed = list(names)
    for kind, starts in KNOWN:
        if any(name.startswith(starts) for name in listed):
            return kind
    return ""


def all_names(found: Mapping[str, Any]) -> list[str]:
    """Names of a file's entries, and "ENTRY.NAME" of those within its dicts."""
    inner = [f"{name}.{key}" for name, value in found.items() if isinstance(value, Mapping) for key in value]
    return [str(name) for name in found] + inner


def part_of(found: Mapping[str, Any], start: str) -> dict[str, Any]:
    """Entries whose names begin with `start`, without it."""
    return {str(name)[len(start) :]: value for name, value in found.items() if str(name).startswith(start)}


def hollow(network: type[Network], *arguments: Any) -> Network:
    """A network without weights: it takes no memory, and no time for random numbers that a file replaces."""
    with torch.device("meta"), _NoRandom():
        return network(*arguments)


class _NoRandom(TorchFunctionMode):
    """Leaves out random numbers: for weights that are not there, `normal_` would import PyTorch's compiler, seconds."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return args[0] if func is Tensor.normal_ else func(*args, **(kwargs or {}))


def filled(network: Network, state: Mapping[str, Any], path: Path, wanted: Published, prefix: str = "") -> Network:
    """A network of `hollow` with the weights of a file, float32, in evaluation mode, on the CPU.

    Args:
        state: by the names of the network. prefix: what stood before these names in the file.
    Raises:
        ModelFileError: entries are missing, left over, of another shape, or hold values that are no numbers.
    """
    own = network.state_dict()
    state = {name: torch.zeros((), dtype=torch.int64) for name in own if name.endswith(COUNTER)} | dict(state)
    _compare({name: tuple(value.shape) for name, value in own.items()}, state, path, wanted, prefix)
    state = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    broken = [f"{prefix}{name}" for name, value in state.items() if not value.isfinite().all()]
    if broken:
        raise ModelFileError(
            f"The file {path} is damaged: {_listed(broken)} hold values that are no numbers.", wanted.cure
        )
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def _compare(
    shapes: Mapping[str, tuple[int, ...]], state: Mapping[str, Any], path: Path, wanted: Published, prefix: str
) -> None:
    """Every entry is there, none is left over, all have their shapes."""
    missing = [f"{prefix}{name}" for name in shapes if name not in state]
    extra = [f"{prefix}{name}" for name in state if name not in shapes]
    plain = [name for name in shapes if isinstance(state.get(name), Tensor)]
    other = [
        f"“{prefix}{name}” {tuple(state[name].shape)} instead of {shapes[name]}"
        for name in plain
        if tuple(state[name].shape) != shapes[name]
    ]
    strange = [f"{prefix}{name}" for name in shapes if name in state and name not in plain]
    reasons = []
    if missing:
        reasons.append(f"{len(missing)} of {len(shapes)} entries are missing, {_listed(missing)}")
    if extra:
        reasons.append(f"{len(extra)} entries are unknown, {_listed(extra)}")
    if strange:
        reasons.append(f"{len(strange)} entries are no tensors, {_listed(strange)}")
    if other:
        more = f" and {len(other) - NAMED} more" if len(other) > NAMED else ""
        reasons.append(f"{len(other)} entries have another shape, {', '.join(other[:NAMED])}{more}")
    if reasons:
        raise wanted.error(path, "; ".join(reasons))


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(f"“{name}”" for name in names[:NAMED]) + more


def _peeked(path: Path) -> str:
    """What a file that is no file of networks seems to be, without opening it as such; empty where nothing says."""
    try:
        with path.open("rb") as file:
            start = file.read(PEEK)
        names = zipfile.ZipFile(path).namelist() if start[:4] == b"PK\x03\x04" else []
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):  # the last is zipfile's for unknown versions
        return ""
    text = start + " ".join(names[:64]).encode()
    return next((kind for sign, kind in SIGNS if sign in text), "")
