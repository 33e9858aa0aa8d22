"""Models are found where they are, and only there."""

from dataclasses import replace

import pytest

from engine.errors import ModelFileError
from engine.models import places
from engine.models.registry import (
    DPT_LARGE,
    EG3D_LATENTS,
    FACE_LANDMARKER,
    GROUPS,
    ICT_FACEKIT,
    MODELS,
    OPEN_HEAD,
    PARTS_OWN,
    SMIRK,
    USERS,
    by_key,
    flame_file,
)

TRAINED = (EG3D_LATENTS, PARTS_OWN)
"""By users themselves."""


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
        assert bool(model.source) == (model.bundled is None and model not in TRAINED)


def test_the_file_the_user_chose_comes_before_one_with_a_known_name(tmp_path):
    named, chosen = tmp_path / "SMIRK_em1.pt", tmp_path / "elsewhere" / "x.bin"
    chosen.parent.mkdir()
    named.touch()
    chosen.touch()
    assert SMIRK.find(tmp_path) == named
    places.choose(tmp_path, {"smirk": chosen})
    assert SMIRK.find(tmp_path) == SMIRK.require(tmp_path) == chosen
    chosen.unlink()  # moved after it was chosen
    assert SMIRK.find(tmp_path) == named
    places.choose(tmp_path, {"smirk": None})
    assert places.chosen(tmp_path) == {}


def test_the_first_of_flames_versions_is_taken(tmp_path):
    assert flame_file(None) is None
    assert flame_file(tmp_path) is None
    (tmp_path / "generic_model.npz").touch()
    (tmp_path / "flame2023.pkl").touch()
    assert flame_file(tmp_path) == tmp_path / "flame2023.pkl"
    places.choose(tmp_path, {"flame_2023_open": tmp_path / "generic_model.npz"})
    assert flame_file(tmp_path) == tmp_path / "generic_model.npz"


def test_a_model_that_is_a_folder_is_found_as_one(tmp_path):
    (tmp_path / "FaceXModel").touch()
    assert ICT_FACEKIT.find(tmp_path) is None
    (tmp_path / "ICT-FaceKit").mkdir()
    assert ICT_FACEKIT.find(tmp_path) == tmp_path / "ICT-FaceKit"


def test_every_model_can_be_named_and_shown():
    assert len({model.key for model in USERS}) == len(USERS)
    assert len({name for model in MODELS for name in model.files}) == sum(len(model.files) for model in MODELS)
    for model in USERS:
        assert by_key(model.key) is model
        assert model.kinds
        assert model.source.startswith("https://") or model in TRAINED
    assert {model.group for model in MODELS} == set(GROUPS)
    for model in MODELS:
        assert model.purpose[0].isupper()
        assert not model.purpose.endswith(".")


def test_what_can_be_downloaded_is_checked():
    assert [model.key for model in MODELS if model.download] == ["dpt_large", "face_landmarker"]
    for model in (DPT_LARGE, FACE_LANDMARKER):
        assert model.download.startswith("https://")
        assert model.download.rpartition("/")[2] in model.files
        assert model.sha256


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
    path.write_bytes(b"abc")
    replace(model, sha256=digest[:8]).check(path)  # where the owner publishes no more


def test_bundled_files_are_the_published_ones():
    for model in MODELS:
        path = model.find(None)
        if model.bundled is not None and path is not None:
            model.check(path)
