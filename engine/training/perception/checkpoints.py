"""Where a training run stands, on disk: a folder each, whole or not there at all.

`checkpoints/00012000/` holds `model.safetensors` (the weights), `average.safetensors` (their running average: what is
used afterwards) and `state.pt` (step, optimiser, random numbers; read without running any code in it).
"""

from __future__ import annotations

import pickle
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...errors import ModelFileError, OutputError

FOLDER = "checkpoints"
MODEL, AVERAGE, STATE = "model.safetensors", "average.safetensors", "state.pt"
DAMAGED = "Remove that folder to go on from the checkpoint before it."


@dataclass(frozen=True)
class Checkpoint:
    """A training run after some steps.

    Attributes:
        step: steps taken.
        model: the network's state. average: the running average of it.
        optimizer: its `state_dict`.
        random: generators' states, see `random_state`.
        config: what the run was started with, for the record.
    """

    step: int
    model: dict[str, Tensor]
    average: dict[str, Tensor]
    optimizer: dict[str, Any]
    random: dict[str, Any]
    config: dict[str, Any]


def random_state() -> dict[str, Any]:
    """The states of torch's global generators, the CPU's and every GPU's."""
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": gpus}


def set_random_state(state: dict[str, Any]) -> None:
    """Put torch's global generators where they were; those of GPUs only where there are as many."""
    torch.set_rng_state(state["cpu"])
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])


def find(out: Path) -> list[Path]:
    """All whole checkpoints of a run, oldest first."""
    folder = out / FOLDER
    return sorted(path for path in folder.glob("[0-9]*") if path.is_dir()) if folder.is_dir() else []


def save(out: Path, checkpoint: Checkpoint, keep: int) -> Path:
    """Write a checkpoint, then remove all but the newest `keep`.

    Raises:
        OutputError: it cannot be written.
    """
    target = out / FOLDER / f"{checkpoint.step:08d}"
    if target.is_dir():
        return target
    partial = target.with_name(f".{target.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_file(_plain(checkpoint.model), partial / MODEL)
        save_file(_plain(checkpoint.average), partial / AVERAGE)
        rest = {name: getattr(checkpoint, name) for name in ("step", "optimizer", "random", "config")}
        torch.save(rest, partial / STATE)
        partial.replace(target)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise OutputError(
            f"The checkpoint {target} cannot be written ({error}).", "Free some space or choose another folder."
        ) from error
    for old in find(out)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def load(folder: Path) -> Checkpoint:
    """Read a checkpoint, onto the CPU.

    Raises:
        ModelFileError: a part is missing or damaged.
    """
    try:
        rest = torch.load(folder / STATE, map_location="cpu", weights_only=True)
        return Checkpoint(model=load_file(folder / MODEL), average=load_file(folder / AVERAGE), **rest)
    except (OSError, SafetensorError, RuntimeError, EOFError, TypeError, pickle.UnpicklingError) as error:
        raise ModelFileError(f"The checkpoint {folder} is damaged or incomplete ({error}).", DAMAGED) from error


def other_network(folder: Path, error: Exception) -> ModelFileError:
    """What to raise when a checkpoint does not fit the network that is trained."""
    return ModelFileError(
        f"The checkpoint {folder} is of another network ({str(error).splitlines()[0]}).",
        "Train with the settings that it was started with, or choose another folder.",
    )


def _plain(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of their own, on the CPU, as safetensors wants them."""
    return {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
