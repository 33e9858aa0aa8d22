"""The command line's contract that needs no reconstruction."""

from pathlib import Path

import pytest

from engine.__main__ import folders, main


def test_one_photo_goes_into_the_folder_itself():
    assert folders([Path("a/jo.jpg")], Path("out")) == [Path("out")]


def test_several_photos_get_a_folder_each_even_with_equal_names():
    photos = [Path("a/jo.jpg"), Path("b/Jo.png"), Path("c/al.jpg")]
    assert folders(photos, Path("out")) == [Path("out/jo"), Path("out/Jo-2"), Path("out/al")]


@pytest.mark.parametrize("size", ["100", "5000", "big"])
def test_texture_sizes_out_of_range_are_refused(size, capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        main(["reconstruct", "a.jpg", "--out", str(tmp_path), "--texture-size", size])
    assert stop.value.code == 2
    assert "texture-size" in capsys.readouterr().err
