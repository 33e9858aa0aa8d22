"""A folder is looked through for what its files hold."""

import pytest

from engine.errors import JobCancelled, ModelFileError
from engine.models import places, scan
from engine.models.registry import SMIRK, USERS
from engine.models.states import State, statuses
from engine.progress import Progress

from . import toys


@pytest.fixture
def folders(tmp_path):
    """A folder to scan, and the model folder."""
    (tmp_path / "downloads").mkdir()
    return tmp_path / "downloads", tmp_path / "models"


def test_files_are_found_by_content_under_any_name(folders):
    downloads, models = folders
    toys.every_kind(downloads / "deep" / "down")
    toys.flame(downloads / "flame2023_Open.pkl")
    (downloads / "letter.txt").write_text("dear model")
    report = scan.scan(downloads, models)
    found = {one.model.key for one in statuses(models, USERS) if one.state is State.USABLE}
    assert found == set(report.found)
    assert found == {
        *("flame_2023_open", "flame_landmarks", "flame_mediapipe", "flame_masks", "flame_template", "flame_texture"),
        *("flame_albedo", "ict_facekit", "smirk", "deca", "deep3d", "arcface", "ffhq_uv", "ffhq_uv_statistics"),
        *("stylegan2", "dpt_large", "face_landmarker", "eg3d_latents", "vgg16", "lpips", "parts"),
    }
    assert report.looked == 27
    assert "SMIRK" in report.summary()
    assert report.summary().endswith("; 27 files looked at")
    version = "FLAME, version not known. Choose it with Locate File where it belongs."
    assert any(note.endswith(f"1.bin: {version}") for note in report.notes)


def test_a_usable_file_stays_and_an_owners_name_is_preferred(folders):
    downloads, models = folders
    first = toys.saved(downloads / "SMIRK_em1.pt", toys.smirk())
    toys.saved(downloads / "a.pt", toys.smirk())
    report = scan.scan(downloads, models)
    assert report.found == {"smirk": first}
    again = scan.scan(downloads, models)
    assert again.found == {}
    assert again.kept == ("smirk",)
    assert again.summary() == "Found nothing new, 1 known already; 2 files looked at"
    first.unlink()
    assert scan.scan(downloads, models).found == {"smirk": downloads / "a.pt"}
    assert list(places.checked(models)) == [str(downloads / "a.pt")]  # of files that nothing uses, nothing is kept


def test_wrong_files_by_a_models_name_are_told(folders):
    downloads, models = folders
    toys.saved(downloads / "SMIRK_em1.pt", toys.deca())
    half = toys.saved(downloads / "epoch_20.pth", toys.deep3d())
    half.write_bytes(half.read_bytes()[:-100])
    report = scan.scan(downloads, models)
    assert set(report.found) == {"deca"}  # what it is counts
    assert any(str(half) in note and "downloaded to its end" in note for note in report.notes)
    assert SMIRK.find(models) is None


def test_nothing_in_the_files_runs(folders, payload):
    call, mark = payload
    downloads, models = folders
    toys.saved(downloads / "SMIRK_em1.pt", {"smirk_encoder.a": call})
    report = scan.scan(downloads, models)
    assert not mark.exists()
    assert report.found == {}
    assert "asks for" in report.notes[0]


def test_hidden_folders_programs_links_and_the_very_deep_are_left_out(folders, monkeypatch):
    downloads, models = folders
    monkeypatch.setattr(scan, "DEEPEST", 2)
    outside = toys.saved(downloads.parent / "x.pt", toys.smirk())
    for place in (".cache", "site-packages", "1/2/3"):
        (downloads / place).mkdir(parents=True)
        toys.saved(downloads / place / "x.pt", toys.smirk())
    (downloads / "link.pt").symlink_to(outside)
    (downloads / "round").symlink_to(downloads)
    assert scan.scan(downloads, models).looked == 0
    toys.saved(downloads / "1" / "2" / "y.pt", toys.smirk())
    assert scan.scan(downloads, models).found == {"smirk": downloads / "1" / "2" / "y.pt"}


def test_too_many_files_are_counted_off_and_said(folders, monkeypatch):
    downloads, models = folders
    monkeypatch.setattr(scan, "MOST_FILES", 3)
    for index in range(5):
        (downloads / f"{index}.txt").write_text("text")
    report = scan.scan(downloads, models)
    assert (report.looked, report.complete) == (3, False)
    assert report.summary() == "Found nothing new; 3 files looked at, more than 3 are there"


def test_a_scan_stops_when_asked_to_and_remembers_nothing(folders):
    downloads, models = folders
    for index in range(3):
        toys.saved(downloads / f"{index}.pt", toys.smirk())
    asked = iter([False, False, False, True])
    with pytest.raises(JobCancelled):
        scan.scan(downloads, models, Progress(cancelled=lambda: next(asked)))
    assert not (models / places.NAME).exists()


def test_a_folder_that_is_not_there_is_named(folders):
    downloads, models = folders
    with pytest.raises(ModelFileError, match="nowhere"):
        scan.scan(downloads / "nowhere", models)
    with pytest.raises(ModelFileError, match="cannot be looked through"):
        scan.scan(toys.saved(downloads / "x.pt", {}), models)
