"""Every slot for a research network's file: what fits, what does not, and that nothing in a file can do harm."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.errors import DeviceError, EngineError, ModelFileError
from engine.models import safe_load
from engine.regressors import load

from .research import SLOTS, Intruder, Slot, saved

NAMED = "The (model )?file"
slots = pytest.mark.parametrize("slot", SLOTS.values(), ids=list(SLOTS))


def refused(slot: Slot, path: Path, reason: str) -> str:
    """The message of a file that is refused; it names the file, and there is a cure."""
    with pytest.raises(ModelFileError, match=reason) as caught:
        slot.open(path)
    assert str(path) in caught.value.message
    assert caught.value.cure
    return str(caught.value)


def test_kinds_that_there_are_not():
    with pytest.raises(EngineError, match="no regressor “spectre”") as caught:
        load("spectre", "some.pt")  # type: ignore[call-overload]
    assert caught.value.cure == "Choose one of smirk, deca, deca-detail, deep3d, fastganfit."
    with pytest.raises(ModelFileError, match="“smirk” has no bundled file"):
        load("smirk")


def test_devices_that_there_are_not(tmp_path: Path):
    if torch.backends.mps.is_available():
        pytest.skip("needs a machine without Apple's GPU")
    with pytest.raises(DeviceError, match="mps"):
        load("smirk", tmp_path / "some.pt", device="mps")


def test_fastganfit_answers_through_the_same_door():
    regressor = load("fastganfit")
    assert regressor.head == "open"
    images = np.random.default_rng(1).integers(0, 256, (2, 224, 224, 3), np.uint8)
    points = np.random.default_rng(2).uniform(50, 170, (2, 478, 3))
    found = regressor.predict(images, points, chunk=1)
    both = regressor.predict(images, points)
    assert {name: len(values) for name, values in found.items()} == dict.fromkeys(found, 2)
    assert found["rotation"].shape == (2, 3)
    assert 0 <= found["expression"].min() <= found["expression"].max() <= 1
    for name, values in found.items():
        np.testing.assert_allclose(both[name], values, rtol=1e-4, atol=1e-5)
    with pytest.raises(EngineError, match="landmarks are"):
        regressor.predict(images, points[:1])
    with pytest.raises(EngineError, match="crops are"):
        regressor.predict(images[:, :200], points)


@slots
def test_files_that_fit_open(tmp_path: Path, slot: Slot):
    opened = slot.open(saved(tmp_path, slot.state()))
    assert type(opened).__name__ in ("ImageRegressor", "SmirkTranslator", "IdentityNetwork")


@slots
def test_files_that_are_not_there_or_no_files(tmp_path: Path, slot: Slot):
    refused(slot, tmp_path / "gone.pth", "cannot be read")
    refused(slot, tmp_path, "cannot be read")


@slots
def test_a_file_that_was_moved_after_set_up(tmp_path: Path, slot: Slot):
    path = saved(tmp_path, slot.state())
    slot.open(path)
    path.rename(tmp_path / "elsewhere.pth")
    refused(slot, path, "cannot be read")


@slots
def test_files_without_permission(tmp_path: Path, slot: Slot, monkeypatch: pytest.MonkeyPatch):
    path = saved(tmp_path, slot.state())
    path.chmod(0)
    if os.access(path, os.R_OK):  # the system's administrator may read everything

        def denied(*_: Any, **__: Any) -> None:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Path, "open", denied)
    refused(slot, path, "cannot be read .*Permission denied")


@slots
def test_half_a_download(tmp_path: Path, slot: Slot):
    path = saved(tmp_path, slot.state())
    whole = path.read_bytes()
    for share in (0.0, 0.02, 0.5, 0.98):
        path.write_bytes(whole[: int(len(whole) * share)])
        refused(slot, path, NAMED)


@slots
def test_flipped_bits(tmp_path: Path, slot: Slot):
    """In the first bytes of the file, and in its list of names."""
    path = saved(tmp_path, slot.state())
    whole = path.read_bytes()
    middle = whole.index(b"weight")
    for place in (0, 3, middle, middle + 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x14]) + whole[place + 1 :])
        refused(slot, path, NAMED)


@slots
@pytest.mark.parametrize("content", [b"<html>404 Not Found</html>", b"version https://git-lfs.github.com/spec/v1\n"])
def test_a_page_in_place_of_the_file(tmp_path: Path, slot: Slot, content: bytes):
    path = tmp_path / "network.pth"
    path.write_bytes(content)
    refused(slot, path, "neither safetensors nor PyTorch's nor a pickle")


@slots
def test_huge_files_are_refused_unread(tmp_path: Path, slot: Slot):
    path = tmp_path / "network.pth"
    with path.open("wb") as file:
        file.truncate(safe_load.MOST_BYTES + 1)  # takes no room on the disk
    refused(slot, path, "more than any model")


@slots
@pytest.mark.parametrize("form", ["zip", "old", "bare", "numpy"])
def test_files_with_code_are_refused_and_nothing_runs(tmp_path: Path, slot: Slot, form: str):
    path, mark = tmp_path / "network.pth", tmp_path / "it ran"
    state = slot.changed(lambda weights: weights | {"conv.weight": Intruder(mark)})
    if form == "bare":
        path.write_bytes(pickle.dumps(Intruder(mark), protocol=2))
    elif form == "numpy":
        np.savez(path.with_suffix(".npz"), weights=np.array([Intruder(mark)], object), allow_pickle=True)
        path = path.with_suffix(".npz")
    else:
        torch.save(state, path, _use_new_zipfile_serialization=form == "zip")
    refused(slot, path, NAMED)
    assert not mark.exists()


@slots
def test_missing_entries_are_counted_and_five_named(tmp_path: Path, slot: Slot):
    weights = slot.changed(dict)
    weights = weights[slot.part] if slot.part else weights
    gone = [name for name in weights if "num_batches" not in name][-7:]
    state = slot.changed(lambda entries: {name: value for name, value in entries.items() if name not in gone})
    message = refused(slot, saved(tmp_path, state), f"7 of {len(weights)} entries are missing")
    assert slot.title in message
    assert slot.cure in message
    assert all(f"{name}”" in message for name in gone[:5])
    assert not any(f"{name}”" in message for name in gone[5:])
    assert "and 2 more" in message


@slots
def test_entries_left_over_are_counted_and_five_named(tmp_path: Path, slot: Slot):
    more = {f"{slot.start}more.{number}": torch.zeros(1) for number in range(6)}
    message = refused(slot, saved(tmp_path, slot.changed(lambda weights: weights | more)), "6 entries are unknown")
    assert "more.0”" in message
    assert "more.4”" in message
    assert "more.5”" not in message


@slots
def test_values_that_are_no_numbers(tmp_path: Path, slot: Slot):
    def change(weights: dict[str, Any]) -> dict[str, Any]:
        name = next(name for name in weights if name.endswith("weight"))
        return weights | {name: torch.full((), torch.nan).expand(weights[name].shape)}

    refused(slot, saved(tmp_path, slot.changed(change)), "hold values that are no numbers")


@slots
def test_entries_of_another_shape_and_entries_that_are_no_tensors(tmp_path: Path, slot: Slot):
    weights = slot.changed(dict)
    weights = weights[slot.part] if slot.part else weights
    name = [name for name in weights if name.endswith("weight")][-1]
    wrong = saved(tmp_path, slot.changed(lambda entries: entries | {name: torch.zeros(3, 5)}))
    message = refused(slot, wrong, "1 entries have another shape")
    assert f"{name}” (3, 5) instead of {tuple(weights[name].shape)}" in message
    refused(slot, saved(tmp_path, slot.changed(lambda entries: entries | {name: "text"})), "1 entries are")


KINDS = {
    "smirk": "SMIRK",
    "translator": "SMIRK's translator without the encoder",
    "deca": "DECA's model",
    "deep3d": "a Deep3D reconstruction network",
    "identity": "ArcFace",
}


def start_of(slot: Slot) -> dict[str, Any]:
    """Some of the entries of a file: what it is shows from their names."""
    return slot.changed(lambda weights: {name: weights[name] for name in list(weights)[-30:] + list(weights)[:30]})


@slots
def test_files_of_another_slot_are_recognised(tmp_path: Path, slot: Slot):
    for name, said in KINDS.items():
        if SLOTS[name].title == slot.title:
            continue
        message = refused(slot, saved(tmp_path, start_of(SLOTS[name])), "it (is|holds)")
        assert said in message or "SMIRK" in said
        assert ("SMIRK" in message) if "SMIRK" in said else True


@slots
@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"synthesis.b4.const": 0, "mapping.fc0.weight": 0}, "a StyleGAN2"),
        ({"pretrained.model.cls_token": 0}, "MiDaS's DPT"),
        ({"conv1.weight": 0, "layer1.0.conv1.weight": 0, "fc.weight": 0}, "a ResNet"),
        ({"conv_stem.weight": 0}, "a bare MobileNetV3 of timm"),
        ({"state_dict": {"deca.E_flame.encoder.conv1.weight": 0}, "E_expression": {}}, "EMOCA's checkpoint"),
        ({"flameModel": {}, "arcface": {}}, "MICA's model"),
    ],
)
def test_files_of_other_networks_are_recognised(tmp_path: Path, slot: Slot, entries: dict, said: str):
    state = {name: torch.zeros(2) if value == 0 else value for name, value in entries.items()}
    assert said in refused(slot, saved(tmp_path, state), "it is")


@slots
@pytest.mark.parametrize("name", ["generic_model.pkl", "generic_model.npz"])
def test_flames_head_model_is_recognised(shared: Path, slot: Slot, name: str):
    refused(slot, shared / "parity" / "flame" / "small_assets" / name, "it is FLAME's head model")
