"""A tiny generator whose heads are dense enough to be seen, and pictures of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.eg3d.config import TINY
from engine.eg3d.generator import TriplaneGenerator
from engine.eg3d.load import save_generator
from engine.training.__main__ import main


@pytest.fixture(scope="session")
def dense_tiny() -> TriplaneGenerator:
    """Random weights alone let rays pass; a density added everywhere stops them within the cube."""
    torch.manual_seed(11)
    network = TriplaneGenerator(TINY).eval().requires_grad_(False)
    network.state_dict()["decoder.net.2.bias"][0] += 4.0
    return network


@pytest.fixture(scope="session")
def generator_file(dense_tiny: TriplaneGenerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("generator") / "tiny.safetensors"
    save_generator(dense_tiny, path)
    return path


@pytest.fixture(scope="session")
def heads(generator_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of heads to learn from and three held out, drawn by the command."""
    folder = tmp_path_factory.mktemp("heads")
    draw = ["eg3d-dataset", "--generator", str(generator_file), "--out"]
    assert main([*draw, str(folder / "train"), "--count", "6"]) == 0
    assert main([*draw, str(folder / "held_out"), "--count", "3", "--held-out"]) == 0
    return folder
