"""Pickles become safetensors with the same numbers under the same names."""

import contextlib
import sys
import types

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file

from engine.errors import JobCancelled, ModelFileError, OutputError
from engine.models import convert as module
from engine.models.convert import convert
from engine.models.registry import FLAME_2020, FLAME_2023, SMIRK
from engine.models.states import State, status
from engine.progress import Progress

from . import toys


@pytest.fixture
def folders(tmp_path):
    """Where the user's file is, and the model folder."""
    (tmp_path / "downloads").mkdir()
    return tmp_path / "downloads", tmp_path / "models"


def header(path):
    with safe_open(path, "numpy") as file:
        return file.metadata()


def test_flames_pickle_becomes_arrays_of_the_same_names(folders, monkeypatch):
    """Its arrays are chumpy's and its regressor is a sparse matrix, as in the official file."""
    downloads, models = folders
    arrays = toys.flame_arrays()
    sparse = np.zeros((5, 5023))
    sparse[1, 7], sparse[4, 5022] = 0.25, 0.75
    stand_ins = ("chumpy", "chumpy.ch", "scipy.sparse.csc")
    for name in stand_ins:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    plain = {"chumpy.ch": "Ch", "scipy.sparse.csc": "csc_matrix"}
    made = {name: type(kind, (), {"__module__": name}) for name, kind in plain.items()}
    for name, kind in made.items():
        setattr(sys.modules[name], kind.__name__, kind)
    template, regressor = made["chumpy.ch"](), made["scipy.sparse.csc"]()
    template.x = arrays["v_template"]
    starts = np.zeros(5024, np.int32)
    starts[8:], starts[5023] = 1, 2
    regressor.__dict__ = {
        "_shape": (5, 5023), "data": np.array([0.25, 0.75]), "indices": np.array([1, 4]), "indptr": starts,
    }  # fmt: skip
    path = toys.flame(downloads / "generic_model.pkl", v_template=template, J_regressor=regressor)
    for name in stand_ins:
        monkeypatch.delitem(sys.modules, name)

    target = convert(path, models)
    assert target == models / "generic_model.safetensors"
    assert header(target) == {"likeness_model": "flame", "version": "2020", "source": "generic_model.pkl"}
    found = load_file(target)
    assert set(found) == {"v_template", "shapedirs", "posedirs", "J_regressor", "weights", "f", "kintree_table"}
    np.testing.assert_array_equal(found["v_template"], arrays["v_template"].astype(np.float32))
    np.testing.assert_array_equal(found["J_regressor"], sparse.astype(np.float32))
    assert found["kintree_table"].tolist() == [[-1, 0, 1, 1, 1], [0, 1, 2, 3, 4]]
    assert {name: value.dtype for name, value in found.items() if name in ("f", "kintree_table")} == {
        "f": np.int64, "kintree_table": np.int64,
    }  # fmt: skip
    assert found["shapedirs"].dtype == found["weights"].dtype == np.float32
    assert path.exists()


def test_what_was_converted_is_used_from_now_on(folders):
    downloads, models = folders
    target = convert(toys.flame(downloads / "generic_model.pkl"), models)
    now = status(FLAME_2020, models)
    assert (now.state, now.path, now.detail) == (State.USABLE, target, "FLAME 2020")
    with pytest.raises(ModelFileError, match="safetensors already"):
        convert(target, models)
    with pytest.raises(OutputError, match="already"):
        convert(downloads / "generic_model.pkl", models)
    assert sorted(path.name for path in models.iterdir()) == ["generic_model.safetensors", "models.json"]


def test_npz_and_the_version_that_the_user_says(folders):
    downloads, models = folders
    np.savez(downloads / "head.npz", **toys.flame_arrays())
    target = convert(downloads / "head.npz", models, model=FLAME_2023)
    assert target.name == "flame2023.safetensors"
    assert header(target)["version"] == "2023"
    assert status(FLAME_2023, models).state is State.USABLE
    with pytest.raises(ModelFileError, match="This is FLAME 2020, not FLAME 2023"):
        convert(toys.flame(downloads / "generic_model.pkl"), models, model=FLAME_2023)


def test_what_lies_beside_flame_comes_along_and_replaces_nothing(folders):
    downloads, models = folders
    models.mkdir()
    for name, text in (("FLAME_masks.pkl", "new"), ("l_eyelid.npy", "lid"), ("diary.txt", "mine")):
        (downloads / name).write_text(text)
    (models / "FLAME_masks.pkl").write_text("old")
    convert(toys.flame(downloads / "flame2023.pkl"), models)
    assert (models / "FLAME_masks.pkl").read_text() == "old"
    assert (models / "l_eyelid.npy").read_text() == "lid"
    assert not (models / "diary.txt").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_checkpoints_become_flat_and_leave_the_optimiser_behind(folders, zipped):
    downloads, models = folders
    target = convert(toys.saved(downloads / "deca_model.tar", toys.deca(), zipped), models)
    found = load_file(target)
    assert set(found) == {
        "E_flame.encoder.conv1.weight", "E_flame.layers.0.weight", "E_detail.encoder.conv1.weight",
        "D_detail.l1.0.weight",
    }  # fmt: skip
    np.testing.assert_array_equal(found["E_flame.layers.0.weight"], [1, 2, 3, 4])
    assert header(target)["likeness_model"] == "deca"


def test_half_precision_shared_and_turned_tensors_keep_their_numbers(folders):
    downloads, models = folders
    whole = torch.arange(6.0).reshape(2, 3)
    state = {
        "smirk_encoder.a": whole.T, "smirk_encoder.b": whole[0], "smirk_encoder.c": whole.half(),
        "smirk_encoder.d": whole.bfloat16(), "smirk_encoder.n": torch.tensor(7),
    }  # fmt: skip
    path = toys.saved(downloads / "SMIRK_em1.pt", state)
    found = load_file(convert(path, models))
    for name, value in state.items():
        np.testing.assert_array_equal(found[name], value.float().numpy())
    assert found["smirk_encoder.c"].dtype == np.float16
    assert status(SMIRK, models).state is State.USABLE


def test_what_cannot_be_converted_is_refused_and_nothing_is_written(folders, payload):
    downloads, models = folders
    call, mark = payload
    bad = {
        "asks for": toys.saved(downloads / "a.pt", {"smirk_encoder.a": call}),
        "300 vertices": toys.pickled(downloads / "generic_model.pkl", toys.flame_arrays(300)),
        "FLAME's regions": toys.pickled(downloads / "FLAME_masks.pkl", dict.fromkeys(("face", "scalp", "neck"), 1)),
        "no known model": toys.pickled(downloads / "b.pkl", {"a": 1}),
        "what is no number": toys.flame(downloads / "flame2023.pkl", weights=np.full((5023, 5), np.nan)),
        "cannot be read": downloads / "gone.pkl",
        "downloaded to its end": downloads / "half.pt",
    }
    (downloads / "half.pt").write_bytes(toys.bytes_of(toys.smirk())[:-50])
    for reason, path in bad.items():
        with pytest.raises(ModelFileError, match=reason):
            convert(path, models)
    assert not mark.exists()
    assert not models.exists()


def test_damaged_files_are_refused_or_converted_never_a_crash(folders):
    downloads, models = folders
    data = toys.bytes_of(toys.smirk())
    rng = np.random.default_rng(1)
    path = downloads / "SMIRK_em1.pt"
    for place in rng.choice(len(data), 40):
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        with contextlib.suppress(ModelFileError):
            convert(path, models).unlink()


def test_a_full_disk_leaves_nothing_half_written(folders, monkeypatch):
    downloads, models = folders

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        convert(toys.saved(downloads / "SMIRK_em1.pt", toys.smirk()), models)
    assert list(models.iterdir()) == []


def test_a_conversion_stops_when_asked_to(folders):
    downloads, models = folders
    with pytest.raises(JobCancelled):
        convert(toys.saved(downloads / "SMIRK_em1.pt", toys.smirk()), models, Progress(cancelled=lambda: True))
    assert not models.exists()
