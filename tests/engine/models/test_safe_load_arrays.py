"""Arrays in users' files, also in Python 2's pickles, are read without running anything."""

import pickle
import sys
import types

import numpy as np
import pytest
import torch

from engine.errors import ModelFileError
from engine.models.safe_load import load_array_pickle, load_arrays, load_object_npy, names_in


def write(path, thing, protocol=4):
    path.write_bytes(pickle.dumps(thing, protocol))
    return path


def test_arrays_of_objects_are_refused(tmp_path):
    path = write(tmp_path / "model.pkl", {"a": np.array([{}, []], object)})
    with pytest.raises(ModelFileError, match="an array of"):
        load_array_pickle(path)


@pytest.mark.parametrize("protocol", [2, 4])
def test_arrays_in_pickles_keep_type_and_order(tmp_path, protocol):
    arrays = {
        "columns": np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3)),
        "small": np.float32([0.5]),
        "flags": np.array([True, False]),
        "number": np.float64(2.5),
    }
    found = load_array_pickle(write(tmp_path / "model.pkl", arrays, protocol))
    for name, value in arrays.items():
        np.testing.assert_array_equal(found[name], value)
    assert found["small"].dtype == np.float32


def test_flames_pickle_is_read_without_chumpy(shared):
    folder = shared / "parity" / "flame" / "small_assets"
    found = load_array_pickle(folder / "generic_model.pkl")
    with np.load(folder / "generic_model.npz") as twin:
        for name in ("v_template", "shapedirs", "posedirs", "weights", "J_regressor"):
            np.testing.assert_allclose(found[name], twin[name], rtol=1e-6, atol=1e-7)
        np.testing.assert_array_equal(found["f"], twin["f"])


def test_flames_landmark_files_are_read_without_trust(shared):
    folder = shared / "parity" / "flame" / "small_assets"
    for name in ("landmark_embedding.npy", "flame_dynamic_embedding.npy"):
        found = load_object_npy(folder / name)
        trusted = np.load(folder / name, allow_pickle=True, encoding="latin1")[()]
        assert set(found) == set(trusted)
        for key, value in trusted.items():
            np.testing.assert_array_equal(found[key], value)


def test_arrays_of_objects_with_calls_are_refused_and_nothing_runs(tmp_path, payload):
    call, mark = payload
    path = tmp_path / "landmarks.npy"
    np.save(path, np.array({"faces": call}, object), allow_pickle=True)
    with pytest.raises(ModelFileError, match="asks for"):
        load_object_npy(path)
    assert not mark.exists()
    np.save(path, np.array([{"a": np.arange(3), "b": torch.ones(2)}, 5], object), allow_pickle=True)
    first, second = load_object_npy(path)
    np.testing.assert_array_equal(first["a"], [0, 1, 2])
    assert second == 5
    np.save(path, np.eye(2))
    np.testing.assert_array_equal(load_object_npy(path), np.eye(2))
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ModelFileError, match="damaged"):
        load_object_npy(path)


def test_chumpys_selections_are_the_numbers_they_pick(tmp_path, monkeypatch):
    """As in FLAME's older files: a Select keeps an array, flat places in it, and a shape."""
    for name in ("chumpy", "chumpy.ch", "chumpy.reordering"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    made = []
    for module, name in (("chumpy.ch", "Ch"), ("chumpy.reordering", "Select")):
        made.append(type(name, (), {"__module__": module}))
        setattr(sys.modules[module], name, made[-1])
    whole, some = made[0](), made[1]()
    whole.x = np.arange(12.0).reshape(4, 3)
    some.a, some.idxs, some.preferred_shape = whole, np.array([1, 5, 6, 11]), (2, 2)
    path = write(tmp_path / "model.pkl", {"whole": whole, "some": some}, 2)
    for name in ("chumpy", "chumpy.ch", "chumpy.reordering"):
        monkeypatch.delitem(sys.modules, name)
    found = load_array_pickle(path)
    np.testing.assert_array_equal(found["whole"], whole.x)
    np.testing.assert_array_equal(found["some"], [[1, 5], [6, 11]])


def test_arrays_of_an_archive_are_read_by_name(tmp_path):
    path = tmp_path / "space.npz"
    np.savez_compressed(path, mean=np.arange(3), objects=np.array([{}], object))
    assert names_in(path) == ("mean", "objects")
    np.testing.assert_array_equal(load_arrays(path, ("mean",))["mean"], [0, 1, 2])
    with pytest.raises(ModelFileError, match="no array “tex_dir”; it has mean, objects"):
        load_arrays(path, ("tex_dir",))
    with pytest.raises(ModelFileError, match="damaged"):
        load_arrays(path, ("objects",))
