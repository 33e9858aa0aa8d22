"""A result folder appears whole or not at all."""

from pathlib import Path

import pytest

from engine.errors import OutputError
from engine.staging import staged_folder


def test_files_arrive_when_the_job_succeeds(tmp_path):
    with staged_folder(tmp_path / "a" / "b") as scratch:
        (scratch / "head.txt").write_text("head")
    assert [item.name for item in (tmp_path / "a" / "b").iterdir()] == ["head.txt"]


def fail_after_writing(folder: Path, name: str) -> None:
    with staged_folder(folder) as scratch:
        (scratch / name).write_text("half")
        raise RuntimeError("broken")


def test_nothing_is_left_when_the_job_fails(tmp_path):
    with pytest.raises(RuntimeError, match="broken"):
        fail_after_writing(tmp_path / "a" / "b", "head.txt")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_there_keeps_its_old_files(tmp_path):
    (tmp_path / "old.txt").write_text("old")
    with pytest.raises(RuntimeError, match="broken"):
        fail_after_writing(tmp_path, "old.txt")
    assert [(item.name, item.read_text()) for item in tmp_path.iterdir()] == [("old.txt", "old")]


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="taken"), staged_folder(tmp_path / "taken"):
        pass
    assert (tmp_path / "taken").is_file()
