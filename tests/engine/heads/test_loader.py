"""Heads load by name, once; what cannot be loaded says so."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.heads.loader import DATA_FOLDER, METADATA_KEY, OPEN_HEAD, load_head, read_head


def test_a_head_is_read_once_and_cannot_be_written_into() -> None:
    head = load_head("open")
    assert load_head() is head
    with pytest.raises(ValueError, match="read-only"):
        head.vertices[0] = 0


def test_unknown_name() -> None:
    with pytest.raises(ModelFileError, match="no head model named 'nobody'") as caught:
        load_head("nobody")
    assert "open" in caught.value.cure


def test_flame_without_its_file_says_which_and_where(tmp_path) -> None:
    with pytest.raises(ModelFileError) as caught:
        load_head("flame", tmp_path)
    assert str(tmp_path) in caught.value.message
    assert "flame2023_Open.pkl" in caught.value.message
    assert "flame.is.tue.mpg.de" in caught.value.cure


def test_missing_file(tmp_path) -> None:
    with pytest.raises(ModelFileError, match=r"head\.safetensors is missing"):
        read_head(tmp_path / "head.safetensors")


@pytest.mark.parametrize("keep", [0, 7, 5000, 2_000_000])
def test_cut_off_file(tmp_path, keep) -> None:
    path = tmp_path / "head.safetensors"
    path.write_bytes((DATA_FOLDER / OPEN_HEAD).read_bytes()[:keep])
    with pytest.raises(ModelFileError, match="is damaged"):
        read_head(path)


def test_another_models_file(tmp_path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "head.safetensors"
    for metadata in ({}, {METADATA_KEY: "not json"}, {METADATA_KEY: json.dumps({"name": "open"})}):
        save_file({"vertices": np.zeros((3, 3), np.float32)}, path, metadata)
        with pytest.raises(ModelFileError, match="is damaged"):
            read_head(path)
