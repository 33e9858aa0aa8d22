"""Heads load from whatever file or folder holds one."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.heads import load
from engine.heads.loader import DATA_FOLDER, OPEN_HEAD, find_flame, load_head
from tests.engine.heads.cube import write_cube
from tests.engine.heads.flame_toy import NAME


def test_our_own_file_and_its_folder() -> None:
    for path in (DATA_FOLDER / OPEN_HEAD, str(DATA_FOLDER)):
        head = load(path)
        assert head.name == "open"
        assert len(head.expression_names) == 52


def test_a_folder_with_flame(tmp_path) -> None:
    write_cube(tmp_path).rename(tmp_path / "generic_model.npz")
    assert load(tmp_path).provenance["model"] == "FLAME 2020 (generic_model.npz)"


def test_what_is_no_head_is_answered_with_what_would_be(tmp_path) -> None:
    with pytest.raises(ModelFileError, match="has no head model") as caught:
        load(tmp_path)
    for kind in ("FLAME", "FaceXModel", "safetensors"):
        assert kind in caught.value.cure
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ModelFileError, match=r"notes\.txt is no head model") as caught:
        load(tmp_path / "notes.txt")
    assert "FaceXModel" in caught.value.cure


def test_flame_is_found_in_the_model_folder_and_one_below(tmp_path) -> None:
    assert find_flame(tmp_path / "missing") is None
    below = tmp_path / "FLAME2023Open"
    below.mkdir()
    (below / NAME).touch()
    assert find_flame(tmp_path) == below / NAME
    (tmp_path / "generic_model.pkl").touch()
    assert find_flame(tmp_path) == tmp_path / "generic_model.pkl"


def test_ict_without_its_folder_says_where_it_was_looked_for(tmp_path) -> None:
    with pytest.raises(ModelFileError, match="FaceXModel was not found in") as caught:
        load_head("ict", tmp_path)
    assert "github.com/ICT-VGL/ICT-FaceKit" in caught.value.cure


def test_the_users_flame_is_read_once_and_again_when_it_changes(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("engine.heads.arkit.arkit_head", lambda head: head)  # a cube has no face to complete
    path = write_cube(tmp_path)
    path = path.rename(tmp_path / "flame2023.npz")
    head = load_head("flame", tmp_path)
    assert head.provenance["model"] == "FLAME 2023 (flame2023.npz)"
    assert load_head("flame", tmp_path) is head
    path.write_bytes(b"\x80\x02}.")
    with pytest.raises(ModelFileError, match="lacks f, J_regressor"):
        load_head("flame", tmp_path)


def test_a_flame_head_cannot_be_written_into(toy_head) -> None:
    for array in (toy_head.vertices, toy_head.uv, toy_head.regions["face"], toy_head.identity_basis):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = np.zeros(1, array.dtype)
