"""The command line's contract that needs no reconstruction."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine import several
from engine.__main__ import folders, main, photos_of_person
from engine.errors import FaceError
from engine.tracking import job
from engine.tracking.options import TrackOptions


def test_one_photo_goes_into_the_folder_itself():
    assert folders([Path("a/jo.jpg")], Path("out")) == [Path("out")]


def test_several_photos_get_a_folder_each_even_with_equal_names():
    photos = [Path("a/jo.jpg"), Path("b/Jo.png"), Path("c/al.jpg")]
    assert folders(photos, Path("out")) == [Path("out/jo"), Path("out/Jo-2"), Path("out/al")]


def test_folder_of_one_persons_photos_stands_for_the_pictures_in_it(tmp_path):
    for name in ("b.JPG", "a.png", "notes.txt"):
        (tmp_path / name).touch()
    single = Path("c.jpg")
    assert photos_of_person([single, tmp_path]) == [single, tmp_path / "a.png", tmp_path / "b.JPG"]
    assert photos_of_person([tmp_path / "none"]) == [tmp_path / "none"]


def test_photos_of_one_person_make_one_head_in_the_folder_itself(tmp_path, capsys, monkeypatch):
    asked = []

    def together(photos, out, options, progress):
        asked.append((photos, out, options.quality))
        return SimpleNamespace(report={"photos": [{"file": photo.name, "used": True} for photo in photos]})

    monkeypatch.setattr(several, "reconstruct_several", together)
    arguments = ["reconstruct", "a.jpg", "b.jpg", "--several", "--out", str(tmp_path), "--quality", "draft", "--json"]
    assert main(arguments) == 0
    assert asked == [([Path("a.jpg"), Path("b.jpg")], tmp_path, "draft")]
    (entry,) = json.loads(capsys.readouterr().out)["results"]
    assert entry["folder"] == str(tmp_path)
    assert [photo["file"] for photo in entry["report"]["photos"]] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("size", ["100", "5000", "big"])
def test_texture_sizes_out_of_range_are_refused(size, capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        main(["reconstruct", "a.jpg", "--out", str(tmp_path), "--texture-size", size])
    assert stop.value.code == 2
    assert "texture-size" in capsys.readouterr().err


def test_clips_are_tracked_one_by_one_and_a_bad_one_stops_nothing(tmp_path, capsys, monkeypatch):
    asked = []

    def track(clip, out, options, progress):
        asked.append((clip, out, options))
        if clip.stem == "wall":
            raise FaceError("No face was found in wall.mp4.", "Use another.")
        return {"frames": 3}

    monkeypatch.setattr(job, "track", track)
    code = main(
        ["track", "a.mp4", "wall.mp4", "--out", str(tmp_path), "--start", "1", "--end", "2.5", "--fps", "24", "--json"]
    )
    assert code == FaceError.exit_code
    assert asked[0][:2] == (Path("a.mp4"), tmp_path / "a")
    assert asked[0][2] == TrackOptions(start=1.0, end=2.5, fps=24.0)
    summary = json.loads(capsys.readouterr().out)
    assert [entry["ok"] for entry in summary["results"]] == [True, False]
    assert summary["results"][0]["report"] == {"frames": 3}
