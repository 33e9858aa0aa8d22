"""What the panel shows of each file: missing, found, wrong, usable; and the notes that are kept of it."""

import json
import os

import pytest

from engine.errors import JobCancelled, OutputError
from engine.models import places
from engine.models.registry import DECA, FLAME_2020, FLAME_2023, OPEN_HEAD, SMIRK, USERS
from engine.models.states import State, check, status, statuses
from engine.progress import Progress

from . import toys


def test_missing_is_a_state(tmp_path):
    for folder in (None, tmp_path, tmp_path / "nowhere"):
        assert status(SMIRK, folder).state is State.MISSING
        assert {one.state for one in statuses(folder, USERS)} == {State.MISSING}
    assert status(OPEN_HEAD, None).state is State.USABLE


def test_a_file_is_found_then_usable_and_found_again_when_it_changes(tmp_path):
    path = toys.saved(tmp_path / "SMIRK_em1.pt", toys.smirk())
    assert status(SMIRK, tmp_path).state is State.FOUND
    checked = {one.model.key: one for one in check(tmp_path)}
    assert checked["smirk"].state is State.USABLE
    assert checked["smirk"].path == path
    assert status(SMIRK, tmp_path) == checked["smirk"]
    os.utime(path, ns=(1, 1))
    assert status(SMIRK, tmp_path).state is State.FOUND


def test_a_wrong_file_says_what_it_is(tmp_path):
    toys.saved(tmp_path / "SMIRK_em1.pt", toys.deca())
    (tmp_path / "deca_model.tar").write_bytes((tmp_path / "SMIRK_em1.pt").read_bytes()[:300])
    found = {one.model.key: one for one in check(tmp_path)}
    assert found["smirk"].state is State.WRONG
    assert found["smirk"].detail == "This is DECA's checkpoint, not “SMIRK”."
    assert found["deca"].state is State.WRONG
    assert "deca_model.tar" in found["deca"].detail


def test_a_file_that_is_moved_after_it_was_chosen_is_missing_and_says_where_it_was(tmp_path):
    path = toys.saved(tmp_path / "x.pt", toys.smirk())
    places.choose(tmp_path, {"smirk": path})
    assert check(tmp_path, models=(SMIRK,))[0].state is State.USABLE
    path.rename(tmp_path / "y.pt")
    gone = status(SMIRK, tmp_path)
    assert (gone.state, gone.path) == (State.MISSING, path)
    assert gone.detail == f"It was at {path}, and is there no more."


def test_flame_of_another_version_is_wrong_and_one_that_does_not_tell_is_the_users_word(tmp_path):
    path = toys.flame(tmp_path / "generic_model.pkl")
    places.choose(tmp_path, {"flame_2023": path})
    found = {one.model.key: one for one in check(tmp_path, models=(FLAME_2020, FLAME_2023))}
    assert found["flame_2020"].state is State.USABLE
    assert found["flame_2023"].detail == "This is FLAME 2020, not FLAME 2023."
    path = path.rename(tmp_path / "head.pkl")
    places.choose(tmp_path, {"flame_2023": path})
    assert check(tmp_path, models=(FLAME_2023,))[0].state is State.USABLE


def test_files_are_looked_into_once_unless_asked_again(tmp_path, monkeypatch):
    toys.saved(tmp_path / "deca_model.tar", toys.deca())
    check(tmp_path)
    looked = []
    monkeypatch.setattr("engine.models.states.identify", lambda path: looked.append(path) or pytest.fail("looked"))
    assert check(tmp_path)[0].state is State.MISSING
    assert looked == []
    with pytest.raises(pytest.fail.Exception):
        check(tmp_path, again=True)


def test_checking_stops_when_asked_to_and_writes_nothing(tmp_path):
    toys.saved(tmp_path / "deca_model.tar", toys.deca())
    with pytest.raises(JobCancelled):
        check(tmp_path, Progress(cancelled=lambda: True))
    assert not (tmp_path / places.NAME).exists()


def test_damaged_notes_count_as_none(tmp_path):
    notes = tmp_path / places.NAME
    deep = "[" * 100_000
    for text in (
        "",
        "nonsense",
        "[]",
        '{"chosen": 3, "checked": [1]}',
        '{"chosen": {"smirk": 5}, "checked": {"a": {}}}',
        deep,
    ):
        notes.write_text(text)
        assert places.chosen(tmp_path) == {}
        assert places.checked(tmp_path) == {}
    notes.write_text('{"chosen": {"smirk": "a\\u0000b"}}')
    assert places.chosen(tmp_path) == {}
    places.choose(tmp_path, {"deca": tmp_path / "ümlaut"})
    assert places.chosen(tmp_path) == {"deca": tmp_path / "ümlaut"}


def test_a_folder_that_cannot_be_written_is_named_with_the_cure(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    with pytest.raises(OutputError, match="Cannot write") as caught:
        places.choose(blocked, {"smirk": tmp_path / "x"})
    assert "preferences" in caught.value.cure


def test_no_half_written_notes_stay_when_a_disk_is_full(tmp_path, monkeypatch):
    places.choose(tmp_path, {"smirk": tmp_path / "x"})

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(places.os, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        places.choose(tmp_path, {"deca": tmp_path / "y"})
    assert [path.name for path in tmp_path.iterdir()] == [places.NAME]
    assert json.loads((tmp_path / places.NAME).read_text())["chosen"] == {"smirk": str(tmp_path / "x")}


def test_what_is_known_of_files_that_are_gone_is_forgotten(tmp_path):
    path = toys.saved(tmp_path / "SMIRK_em1.pt", toys.smirk())
    check(tmp_path)
    assert list(places.checked(tmp_path)) == [str(path)]
    path.unlink()
    toys.saved(tmp_path / "deca_model.tar", toys.deca())
    assert check(tmp_path, models=(DECA,))[0].state is State.USABLE
    assert list(places.checked(tmp_path)) == [str(tmp_path / "deca_model.tar")]
