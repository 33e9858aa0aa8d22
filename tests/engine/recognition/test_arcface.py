"""ArcFace's networks: the published function, and files that are something else."""

from __future__ import annotations

import importlib.util
import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.errors import ModelFileError
from engine.recognition.arcface import COUNTER, SIDE, VARIANTS, IResNet, load_arcface


@pytest.fixture(scope="module")
def published(shared: Path) -> Iterator[Path]:
    """A folder with the reference implementation's seeded IResNet-50, in both formats."""
    place = importlib.util.spec_from_file_location("parity_regen", shared / "parity" / "regen.py")
    if place is None or place.loader is None:
        pytest.skip("needs shared/parity/regen.py")
    regen: Any = importlib.util.module_from_spec(place)
    place.loader.exec_module(regen)
    arrays = regen.regen(str(shared / "parity" / "arcface" / "r50_spec.json"))
    state = {key: torch.from_numpy(np.asarray(array)) for key, array in arrays.items()}
    with tempfile.TemporaryDirectory() as folder:
        torch.save(state, Path(folder, "r50.pth"))
        save_file(state, Path(folder, "r50.safetensors"))
        yield Path(folder)


@pytest.mark.parametrize("name", ["r50.pth", "r50.safetensors"])
def test_same_answer_as_the_reference_implementation(shared: Path, published: Path, name: str):
    vectors = np.load(shared / "parity" / "arcface" / "r50.npz")
    network = load_arcface(published / name)
    pictures = torch.from_numpy(vectors["rgb_u8"])
    pictures = pictures.permute(0, 3, 1, 2) if pictures.shape[-1] == 3 else pictures
    with torch.inference_mode():
        embedding, activations = network(pictures.float() / 255)
    assert np.abs(vectors["emb"]).max() > 5
    np.testing.assert_allclose(embedding.numpy(), vectors["emb"], atol=1e-4)
    np.testing.assert_allclose(activations[3].mean((2, 3)).numpy(), vectors["layer4"], atol=2e-5)
    assert [tuple(a.shape) for a in activations] == [
        (2, 64, 56, 56),
        (2, 128, 28, 28),
        (2, 256, 14, 14),
        (2, 512, 7, 7),
    ]


def hollow(variant: str) -> dict[str, Tensor]:
    """Zeros that take no room, in memory or in a file."""
    with torch.device("meta"):
        shapes = IResNet(VARIANTS[variant]).state_dict()
    return {key: torch.zeros((), dtype=value.dtype).expand(value.shape) for key, value in shapes.items()}


def saved(folder: Path, state: Any) -> Path:
    torch.save(state, folder / "network.pth")
    return folder / "network.pth"


@pytest.mark.parametrize(("variant", "entries", "blocks"), [("IResNet-50", 475, 14), ("IResNet-100", 925, 30)])
def test_the_variant_is_told_from_the_entries(tmp_path: Path, variant: str, entries: int, blocks: int):
    state = hollow(variant)
    assert len(state) == entries
    network = load_arcface(saved(tmp_path, state))
    assert len(network.layer3) == blocks
    assert not network.training
    assert not any(weight.requires_grad for weight in network.parameters())


def test_prefixes_half_precision_and_missing_counters_do_no_harm(tmp_path: Path):
    state = {f"module.{key}": value for key, value in hollow("IResNet-50").items() if not key.endswith(COUNTER)}
    state["module.features.bias"] = torch.arange(512.0).half()
    network = load_arcface(saved(tmp_path, state))
    torch.testing.assert_close(network.features.bias.detach(), torch.arange(512.0))
    assert network.bn1.num_batches_tracked == 0


def test_a_picture_of_another_size_is_refused():
    with torch.device("meta"):
        network = IResNet(VARIANTS["IResNet-50"])
    with pytest.raises(ValueError, match=r"\(B,3,112,112\)"):
        network(torch.zeros(1, 3, SIDE, SIDE + 1, device="meta"))


class Intruder:
    """Would write a file if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_file_with_code_is_refused_and_not_run(tmp_path: Path):
    path, trace = tmp_path / "network.pth", tmp_path / "trace"
    torch.save({"conv1.weight": Intruder(trace)}, path)
    with pytest.raises(ModelFileError, match=r"network\.pth cannot be read as plain weights"):
        load_arcface(path)
    path.write_bytes(pickle.dumps(Intruder(trace), protocol=2))
    with pytest.raises(ModelFileError, match="cannot be read"):
        load_arcface(path)
    assert not trace.exists()


@pytest.mark.parametrize("name", ["network.pth", "network.safetensors"])
def test_files_that_are_missing_or_damaged(tmp_path: Path, name: str):
    with pytest.raises(ModelFileError, match=f"{name} is missing"):
        load_arcface(tmp_path / name)
    for content in (b"", b"not a network", b"\x80\x02"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelFileError, match=f"{name} cannot be read"):
            load_arcface(tmp_path / name)


def without(state: dict[str, Tensor], key: str) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if name != key}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: without(s, "layer2.3.bn3.bias"), r"1 of 475 entries are missing, “layer2.3.bn3.bias” \(128,\)"),
        (lambda s: s | {"kernel": torch.zeros(2)}, "1 entries are unknown, “kernel”"),
        (lambda s: s | {"fc.weight": torch.zeros(1, 1).expand(128, 25088)}, r"\(128, 25088\), not \(512, 25088\)"),
        (lambda s: s | {"fc.bias": torch.full((512,), torch.nan)}, "“fc.bias” holds values that are no numbers"),
        (lambda s: {"epoch": 3, "state_dict_backbone": s}, "entries that are no tensors"),
        (lambda s: list(s.values()), "holds a list"),
        (lambda s: {"fc.weight": s["fc.weight"]}, r"0\+0\+0\+0 blocks .* IResNet-50 3\+4\+14\+3 or"),
    ],
)
def test_another_networks_file_is_named_with_what_was_expected(tmp_path: Path, change: Any, message: str):
    path = saved(tmp_path, change(hollow("IResNet-50")))
    with pytest.raises(ModelFileError, match=message) as caught:
        load_arcface(path)
    assert str(path) in caught.value.message
    assert "arcface_torch" in caught.value.cure
