"""Which photos are used: each that cannot be is left out by name and reason, whatever the others are."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from engine import photos
from engine.errors import DeviceError, FaceError, JobCancelled, MediaError
from engine.fitting.solver import rotation_matrix
from engine.options import ReconstructOptions
from engine.photos import Look, Selection, keep_one_person, main_of, select
from engine.progress import Progress
from engine.recognition import load

DIFFERENT = 0.5
PEOPLE = {"jo": (1.0, 0.0), "al": (0.0, 1.0), "em": (-1.0, 0.0)}
OPTIONS = ReconstructOptions()


def look(number, name, yaw=0.0, sharp=1.0, face=0):
    """A look at a photo whose name tells who is on it: `jo-1.jpg`, or `jo+al-1.jpg` with the larger face first."""
    who = name.partition("-")[0].split("+")
    if face >= len(who):
        raise FaceError(f"Face {face} was chosen, but only {len(who)} faces were found in {name}.")
    upright = np.diag([1.0, -1.0, -1.0]) @ rotation_matrix(np.array([0.0, np.radians(yaw), 0.0]))
    solution = SimpleNamespace(state=SimpleNamespace(rotation=upright))
    embedding = np.array(PEOPLE[who[face]], np.float32)
    return Look(number, Path(name), 100, 100, None, None, None, solution, sharp, embedding)


@pytest.fixture
def looked(monkeypatch):
    """Photos are looked at by name alone; returns what was looked at."""
    asked = []

    def look_at(number, path, head, options, progress):
        asked.append(path.name)
        if path.name in FAILURES:
            raise FAILURES[path.name]
        return look(number, path.name, face=options.face_index or 0)

    monkeypatch.setattr(photos, "look_at", look_at)
    monkeypatch.setattr(load, "load_small", lambda: SimpleNamespace(different=DIFFERENT))
    return asked


FAILURES = {
    "wall.jpg": FaceError("No face was found in wall.jpg.", "Use another."),
    "far.jpg": FaceError("The face in far.jpg is turned away by about 80 degrees.", "Use another."),
    "text.jpg": MediaError("text.jpg is not a picture.", "Use a JPEG."),
    "stop.jpg": JobCancelled(),
    "card.jpg": DeviceError("There is no graphics card."),
}


def chosen(tmp_path, *names, same=()):
    """Select among files with these names; all have different contents but those in `same`."""
    for name in names:
        (tmp_path / name).write_text("one" if name in same else name)
    return select([tmp_path / name for name in names], None, OPTIONS, Progress())


def used(found):
    return [item.path.name for item in found.looks]


def test_bad_photos_are_left_out_by_name(looked, tmp_path):
    found = chosen(tmp_path, "wall.jpg", "jo-1.jpg", "text.jpg", "jo-2.jpg", "far.jpg")
    assert used(found) == ["jo-1.jpg", "jo-2.jpg"]
    assert [number for number, _ in found.left_out] == [0, 2, 4]
    assert [entry["file"] for _, entry in found.left_out] == ["wall.jpg", "text.jpg", "far.jpg"]
    assert found.left_out[2][1]["reason"].startswith("The face in far.jpg is turned away by about 80 degrees.")
    assert found.warnings[0] == "wall.jpg is left out: No face was found in wall.jpg. Use another."


def test_file_that_is_not_there_is_one_of_them(tmp_path, monkeypatch):
    found = Selection()
    monkeypatch.setattr(photos, "keep_one_person", lambda *arguments: None)
    with pytest.raises(MediaError, match=r"There is no file .*gone\.jpg"):
        found = select([tmp_path / "gone.jpg"], None, OPTIONS, Progress())
    assert found.looks == []


def test_none_left_names_all_reasons(looked, tmp_path):
    with pytest.raises(FaceError) as error:
        chosen(tmp_path, "wall.jpg", "text.jpg")
    assert error.value.message.startswith("None of the 2 photos can be used.")
    assert "wall.jpg: No face was found" in error.value.message
    assert "text.jpg: text.jpg is not a picture." in error.value.message
    with pytest.raises(MediaError, match=r"text.jpg is not a picture"):
        chosen(tmp_path, "text.jpg")
    with pytest.raises(MediaError, match="No photo was chosen"):
        select([], None, OPTIONS, Progress())


@pytest.mark.parametrize(("name", "kind"), [("stop.jpg", JobCancelled), ("card.jpg", DeviceError)])
def test_what_is_no_photos_fault_ends_the_job(looked, tmp_path, name, kind):
    with pytest.raises(kind):
        chosen(tmp_path, "jo-1.jpg", name)


def test_same_picture_is_used_once(looked, tmp_path):
    found = chosen(tmp_path, "jo-1.jpg", "jo-2.jpg", "jo-3.jpg", same=("jo-1.jpg", "jo-3.jpg"))
    assert used(found) == looked == ["jo-1.jpg", "jo-2.jpg"]
    assert found.warnings == ["jo-3.jpg is left out: It is the same picture as jo-1.jpg."]


def test_stranger_among_most_is_left_out(looked, tmp_path):
    found = chosen(tmp_path, "jo-1.jpg", "al-2.jpg", "jo-3.jpg")
    assert used(found) == ["jo-1.jpg", "jo-3.jpg"]
    assert found.warnings == ["al-2.jpg is left out: It seems to show another person than most of the photos."]


def test_without_a_majority_all_are_used_and_named(looked, tmp_path):
    found = chosen(tmp_path, "jo-1.jpg", "al-2.jpg")
    assert used(found) == ["jo-1.jpg", "al-2.jpg"]
    (warning,) = found.warnings
    assert "jo-1.jpg and al-2.jpg differ" in warning


def test_the_persons_own_face_in_a_group_is_found(looked, tmp_path):
    found = chosen(tmp_path, "jo-1.jpg", "al+em+jo-2.jpg", "jo-3.jpg", "al+em-4.jpg", "jo-5.jpg")
    assert used(found) == ["jo-1.jpg", "al+em+jo-2.jpg", "jo-3.jpg", "jo-5.jpg"]
    np.testing.assert_array_equal(found.looks[1].embedding, PEOPLE["jo"])
    assert [entry["file"] for _, entry in found.left_out] == ["al+em-4.jpg"]


def test_without_a_recognition_network_all_are_used_and_it_is_said(looked, tmp_path):
    selection = Selection(looks=[look(0, "jo-1.jpg"), look(1, "al-2.jpg")])
    object.__setattr__(selection.looks[1], "embedding", None)
    keep_one_person(selection, None, OPTIONS, Progress())
    assert len(selection.looks) == 2
    assert "not checked" in selection.warnings[0]


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([("jo-1", 20.0, 1.0), ("jo-2", -3.0, 1.0), ("jo-3", 8.0, 1.0)], 1),
        ([("jo-1", 4.0, 0.3), ("jo-2", -7.0, 1.0)], 1),
        ([("jo-1", 4.0, 0.8), ("jo-2", -40.0, 1.0)], 0),
    ],
)
def test_main_photo_is_frontal_and_sharp(looks, expected):
    found = [look(number, name, yaw, sharp) for number, (name, yaw, sharp) in enumerate(looks)]
    assert found[0].yaw == pytest.approx(looks[0][1])
    assert main_of(found) == expected
