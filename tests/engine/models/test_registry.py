"""Models are found where they are, and only there."""

from dataclasses import replace

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
