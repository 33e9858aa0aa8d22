"""Users' model files are read without running anything in them."""

import argparse
import contextlib
import io
import pickle
import struct
import tracemalloc
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.errors import ModelFileError
from engine.models.safe_load import (
    load_array_pickle,
    load_arrays,
    load_network_pickle,
    load_safetensors,
    load_tensors,
    load_torch,
)


def module_state(parameters=None, buffers=None, modules=None, **rest):
    return {"_parameters": parameters or {}, "_buffers": buffers or {}, "_modules": modules or {}, **rest}


def write(path, thing, protocol=4):
    path.write_bytes(pickle.dumps(thing, protocol))
    return path


def test_pickles_that_call_functions_are_refused_and_nothing_runs(tmp_path, payload):
    call, mark = payload
    for protocol in range(5):
        path = write(tmp_path / "model.pkl", {"v_template": call}, protocol)
        for load in (load_array_pickle, load_network_pickle):
            with pytest.raises(ModelFileError, match="asks for") as caught:
                load(path)
            assert "system" in caught.value.message or "eval" in caught.value.message or "exec" in caught.value.message
            assert str(path) in caught.value.message
    assert not mark.exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_pytorch_files_that_call_functions_are_refused_and_nothing_runs(tmp_path, payload, zipped):
    call, mark = payload
    path = tmp_path / "model.pt"
    torch.save({"g": torch.zeros(3), "args": call}, path, _use_new_zipfile_serialization=zipped)
    for load in (load_tensors, load_torch):
        with pytest.raises(ModelFileError, match="asks for"):
            load(path)
    assert not mark.exists()


def test_network_pickles_that_call_functions_are_refused_and_nothing_runs(tmp_path, payload, persistence):
    call, mark = payload
    for state in (call, module_state({"weight": call}), module_state(modules={"part": persistence("Layer", call)})):
        path = write(tmp_path / "net.pkl", {"G_ema": persistence("Generator", state)})
        with pytest.raises(ModelFileError, match="asks for"):
            load_network_pickle(path)
    assert not mark.exists()


def test_a_call_inside_a_stored_tensor_is_refused_and_does_not_run(tmp_path, payload):
    call, mark = payload
    inner = io.BytesIO()
    torch.save({"storage": call}, inner, _use_new_zipfile_serialization=False)

    class Storage:
        def __reduce__(self):
            return torch.storage._load_from_bytes, (inner.getvalue(),)

    with pytest.raises(ModelFileError, match="asks for"):
        load_network_pickle(write(tmp_path / "net.pkl", {"G_ema": Storage()}))
    assert not mark.exists()


def test_source_code_inside_network_pickles_is_not_run(tmp_path, persistence):
    mark = tmp_path / "it ran"
    source = f"open({str(mark)!r}, 'w').close()"
    state = module_state({"weight": torch.arange(6.0).reshape(2, 3)})
    path = write(tmp_path / "net.pkl", {"G_ema": persistence("Layer", state, source)})
    np.testing.assert_array_equal(load_network_pickle(path)["G_ema"]["weight"], [[0, 1, 2], [3, 4, 5]])
    assert not mark.exists()


def test_networks_come_out_as_their_tensors_and_arguments(tmp_path, persistence):
    weight = torch.nn.Parameter(torch.randn(4, 3, generator=torch.Generator().manual_seed(1)).half())
    layer = persistence("FullyConnectedLayer", module_state({"weight": weight, "bias": None}))
    mapping = persistence("MappingNetwork", module_state({}, {"w_avg": torch.ones(3)}, {"fc0": layer}))
    arguments = {"z_dim": 3, "synthesis_kwargs": {"channel_base": 64}}
    whole = persistence("Generator", module_state(modules={"mapping": mapping}, _init_kwargs=arguments))
    path = write(tmp_path / "net.pkl", {"G": None, "G_ema": whole, "training_set_kwargs": {"max_size": 3}})
    for load in (load_network_pickle, load_tensors):
        found = load(path)
        assert sorted(found["G_ema"]) == ["mapping.fc0.weight", "mapping.w_avg"]
        assert torch.equal(found["G_ema"]["mapping.fc0.weight"], weight.detach())
        assert found["G_ema.init_kwargs"] == arguments
        assert found["training_set_kwargs"] == {"max_size": 3}


def test_torch_modules_inside_networks_are_read_as_their_tensors(tmp_path, persistence):
    linear = torch.nn.Linear(2, 2)
    path = write(tmp_path / "net.pkl", {"G_ema": persistence("G", module_state(modules={"0": linear}))})
    found = load_network_pickle(path)["G_ema"]
    assert torch.equal(found["0.weight"], linear.weight.detach())


@pytest.mark.parametrize("zipped", [True, False])
def test_pytorch_files_come_out_as_they_went_in(tmp_path, zipped):
    thing = {
        "g_ema": OrderedDict(weight=torch.arange(12.0).reshape(3, 4).T, steps=torch.tensor(7)),
        "args": argparse.Namespace(size=1024),
        "names": ["a", "b"],
    }
    path = tmp_path / "model.pt"
    torch.save(thing, path, _use_new_zipfile_serialization=zipped)
    found = load_tensors(path)
    assert torch.equal(found["g_ema"]["weight"], thing["g_ema"]["weight"])
    assert found["g_ema"]["steps"] == 7
    assert found["args"].size == 1024
    assert found["names"] == ["a", "b"]


def test_safetensors_are_told_by_their_content(tmp_path):
    path = tmp_path / "misnamed.pkl"
    save_file({"w": torch.eye(2)}, path)
    assert torch.equal(load_tensors(path)["w"], torch.eye(2))


def test_a_stored_object_cannot_change_the_reader(tmp_path):
    """A state for a class or function of the reader's own would outlast the file."""
    build = b"\x80\x04ccollections\nOrderedDict\n}X\x04\x00\x00\x00evilK\x01sb."
    path = tmp_path / "model.pkl"
    path.write_bytes(build)
    with pytest.raises(ModelFileError, match="a state for"):
        load_array_pickle(path)


def test_tuples_within_tuples_as_keys_are_refused_at_once(tmp_path):
    """Hashing such a key would take 2^60 steps."""
    nested = b"K\x01" + b"2\x86" * 60  # duplicate, make a pair
    path = tmp_path / "model.pkl"
    for data in (b"}" + nested + b"K\x01s.", b"(" + nested + b"K\x01d.", b"\x8f(" + nested + b"\x90."):
        path.write_bytes(b"\x80\x04" + data)
        with pytest.raises(ModelFileError, match="a key of type tuple"):
            load_array_pickle(path)


def test_what_a_pickle_declares_takes_no_memory(tmp_path):
    """A place in the table of known objects, and bytes that are not there; both would be cleared in advance."""
    path = tmp_path / "model.pkl"
    tracemalloc.start()
    path.write_bytes(b"\x80\x04}r" + struct.pack("<I", 0xFFFFFFF0) + b".")
    assert load_array_pickle(path) == {}
    path.write_bytes(b"\x80\x05\x96" + struct.pack("<Q", 1 << 31) + b"abc.")
    with pytest.raises(ModelFileError, match="bytes are missing"):
        load_array_pickle(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 22


def declared(count, held):
    """A file of `torch.save` that declares `count` numbers and holds `held`."""
    real = io.BytesIO()
    torch.save({"w": torch.zeros(held)}, real)
    result = io.BytesIO()
    with zipfile.ZipFile(real) as source, zipfile.ZipFile(result, "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename.endswith("data.pkl"):
                data = data.replace(b"K" + bytes([held]), b"J" + struct.pack("<i", count))
            target.writestr(entry.filename, data)
    return result.getvalue()


def test_one_state_that_is_named_over_and_over_is_refused(tmp_path):
    """A megabyte of bytes, and 400 arrays of it."""
    made = np.zeros(1 << 20, np.uint8)
    once = pickle.dumps(made, protocol=2)
    path = tmp_path / "copies.pkl"
    state = made.__reduce__()[2]
    shared = [_Again(state) for _ in range(400)]
    path.write_bytes(pickle.dumps(shared, protocol=2))
    assert path.stat().st_size < 2 * len(once)
    with pytest.raises(ModelFileError, match="more memory"):
        load_array_pickle(path)


class _Again:
    """Pickles as an array, whose state is shared with all others."""

    def __init__(self, state):
        self.state = state

    def __reduce__(self):
        return np.zeros(0).__reduce__()[0], (np.ndarray, (0,), b"b"), self.state


def test_programs_without_end_are_refused(tmp_path):
    path = tmp_path / "lists.pkl"
    path.write_bytes(b"\x80\x02(" + b"]" * 3_000_000 + b"t.")
    with pytest.raises(ModelFileError, match="2,000,000 steps"):
        load_array_pickle(path)


def test_tensors_larger_than_their_data_are_refused(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(declared(77, 77))
    assert load_torch(path)["w"].shape == (77,)
    for count in (78, 2_000_000_000):
        path.write_bytes(declared(count, 77))
        with pytest.raises(ModelFileError, match=r"larger than its data|impossible size"):
            load_torch(path)


def test_views_that_repeat_a_number_endlessly_are_refused(tmp_path):
    path = tmp_path / "model.pt"
    torch.save({"w": torch.zeros(1).expand(1 << 20, 1 << 20)}, path)
    with pytest.raises(ModelFileError, match="numbers"):
        load_torch(path)


def test_packed_files_are_refused(tmp_path):
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/data.pkl", pickle.dumps({}))
        archive.writestr("model/data/0", bytes(1 << 20))
    with pytest.raises(ModelFileError, match="packed"):
        load_torch(path)


def test_modules_that_hold_themselves_are_refused(tmp_path, persistence):
    state = module_state()
    state["_modules"]["self"] = persistence("G", state)
    path = write(tmp_path / "net.pkl", {"G_ema": persistence("G", state)})
    with pytest.raises(ModelFileError, match="without end"):
        load_network_pickle(path)


@pytest.fixture(params=["pickle", "zip", "legacy", "network", "safetensors", "npz"])
def sound(request, tmp_path, persistence):
    """A small sound file of each format, and how it is read."""
    path = tmp_path / "model.bin"
    tensors = {"w": torch.arange(64.0)}
    if request.param == "pickle":
        return write(path, {"w": np.arange(64.0)}), load_array_pickle
    if request.param == "network":
        return write(path, {"G_ema": persistence("G", module_state(tensors))}), load_network_pickle
    if request.param == "safetensors":
        save_file(tensors, path)
        return path, load_safetensors
    if request.param == "npz":
        with path.open("wb") as file:
            np.savez_compressed(file, w=np.arange(64.0))
        return path, lambda found: load_arrays(found, ("w",))
    torch.save(tensors, path, _use_new_zipfile_serialization=request.param == "zip")
    return path, load_torch


def test_truncated_files_give_the_clear_error(sound):
    path, load = sound
    load(path)
    data = path.read_bytes()
    for length in (0, 1, 9, len(data) // 3, len(data) // 2, len(data) - 300 if len(data) > 900 else len(data) - 9):
        path.write_bytes(data[:length])
        with pytest.raises(ModelFileError, match=r"model\.bin"):
            load(path)


def test_flipped_bits_give_the_clear_error_or_other_numbers(sound):
    """A flip among the numbers cannot be told; anywhere else it must not bring about another error."""
    path, load = sound
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(3)
    read = 0
    for place in rng.choice(len(data), 150, replace=len(data) < 150):
        flipped = data.copy()
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        with contextlib.suppress(ModelFileError):
            load(path)
            read += 1
    assert 0 < read < 145


def test_missing_files_wrong_kinds_and_wrong_arrays_are_named(tmp_path):
    with pytest.raises(ModelFileError, match="cannot be read"):
        load_tensors(tmp_path / "nowhere.pt")
    path = tmp_path / "notes.txt"
    path.write_text("weights")
    with pytest.raises(ModelFileError, match="neither"):
        load_tensors(path)
    torch.save([1, 2], path)
    with pytest.raises(ModelFileError, match="list, not a dict"):
        load_torch(path)
