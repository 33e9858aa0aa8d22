"""Models are found where they are, and only there."""

from dataclasses import replace

import pytest

from engine.errors import ModelFileError
from engine.models.registry import FACE_LANDMARKER, MODELS, OPEN_HEAD


def test_bundled_head_needs_no_model_folder():
    path = OPEN_HEAD.find(None)
    assert path is not None
    assert path.name == "open_head.safetensors"


def test_users_file_is_found_in_the_model_folder(tmp_path):
    assert FACE_LANDMARKER.find(None) is None
    assert FACE_LANDMARKER.find(tmp_path / "nowhere") is None
    assert FACE_LANDMARKER.find(tmp_path) is None
    (tmp_path / "face_landmarker.task").touch()
    assert FACE_LANDMARKER.find(tmp_path) == tmp_path / "face_landmarker.task"


def test_first_name_wins_and_folders_do_not_count(tmp_path):
    model = replace(FACE_LANDMARKER, files=("a", "b", "c"))
    (tmp_path / "a").mkdir()
    (tmp_path / "c").touch()
    assert model.find(tmp_path) == tmp_path / "c"
    (tmp_path / "b").touch()
    assert model.find(tmp_path) == tmp_path / "b"


def test_what_is_not_bundled_says_where_it_is_handed_out():
    for model in MODELS:
        assert model.licence
        assert bool(model.source) == (model.bundled is None)


def test_a_missing_file_is_named_with_its_place(tmp_path):
    with pytest.raises(ModelFileError, match=r"face_landmarker\.task") as caught:
        FACE_LANDMARKER.require(tmp_path)
    assert FACE_LANDMARKER.source in caught.value.cure
    with pytest.raises(ModelFileError, match="not set"):
        FACE_LANDMARKER.require()
    assert OPEN_HEAD.require() == OPEN_HEAD.find(None)


def test_a_file_is_checked_against_its_hash(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    model = replace(OPEN_HEAD, sha256=digest)
    model.check(path)
    path.write_bytes(b"abd")
    with pytest.raises(ModelFileError, match="SHA-256"):
        model.check(path)
    with pytest.raises(ModelFileError, match="cannot be read"):
        model.check(tmp_path / "nowhere")
    replace(model, sha256="").check(path)


def test_bundled_files_are_the_published_ones():
    for model in MODELS:
        path = model.find(None)
        if model.bundled is not None and path is not None:
            model.check(path)
