"""The command line in Blender, with a real engine process that pretends."""

from __future__ import annotations

import json

import bpy
import pytest
from likeness.operators import command


@pytest.fixture
def run(extension, monkeypatch, tmp_path, capsys):
    """run(photos..., *options): exit code, JSON summary, progress lines; results go to `out`."""
    monkeypatch.setattr(command, "launch", lambda interpreter: extension.launch)

    def run(*arguments):
        code = command.run_command(["reconstruct", *map(str, arguments), "-o", str(tmp_path / "out"), "--json"])
        printed = capsys.readouterr()
        summary = next(line for line in printed.out.splitlines() if line.startswith('{"ok"'))
        return code, json.loads(summary), printed.err.splitlines()

    return run


def test_one_photo(run, photo, tmp_path):
    code, summary, lines = run(photo("good"))
    assert code == 0
    assert summary["ok"]
    out = tmp_path / "out"
    assert summary["results"] == [
        {"photo": str(photo("good")), "ok": True, "folder": str(out), "blend": str(out / "good.blend")}
    ]
    names = {path.name for path in out.iterdir()}
    assert {"good.blend", "report.json", "head.npz", "albedo.png"} <= names
    assert not any(name.startswith(".") for name in names)
    assert "good.jpg:   0 % Starting the engine" in lines
    report = json.loads((out / "report.json").read_text())
    assert report["blend"] == "good.blend"
    assert report["seconds"]["Building the head"] > 0


def test_blend_opens_with_the_head_its_textures_and_the_camera(run, photo, tmp_path):
    run(photo("good"), "--identity-keys", "2")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out" / "good.blend"))
    scene = bpy.context.scene
    head = next(item for item in scene.objects if "likeness_name" in item and item.type == "MESH")
    assert len(head.data.shape_keys.key_blocks) == 1 + 52 + 2
    assert scene.camera is not None
    assert (scene.render.resolution_x, scene.render.resolution_y) == (600, 800)
    assert all(image.packed_file for image in bpy.data.images if image.name.startswith("portrait"))
    assert head.parent.type == "ARMATURE"


def test_several_photos_of_one_person_make_one_blend(run, photo, tmp_path):
    photo("good-front"), photo("good-left"), photo("noface-wall")
    code, summary, _ = run(tmp_path / "photos", "--several")
    assert code == 0
    out = tmp_path / "out"
    assert [entry["blend"] for entry in summary["results"]] == [str(out / "good-front.blend")]
    bpy.ops.wm.open_mainfile(filepath=str(out / "good-front.blend"))
    cameras = {item.name for item in bpy.data.objects if item.type == "CAMERA"}
    assert cameras == {"portrait Camera", "good-left Camera"}
    assert bpy.context.scene.camera.name == "portrait Camera"


def test_bad_photo_does_not_stop_the_batch(run, photo, tmp_path):
    code, summary, lines = run(photo("noface"), photo("good"), photo("killed"), photo("good-again"))
    assert code == 4  # the first failure's: no face
    assert [entry["ok"] for entry in summary["results"]] == [False, True, False, True]
    assert "No face was found" in summary["results"][0]["error"]
    assert summary["results"][0]["cure"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["good", "good-again"]
    assert (tmp_path / "out" / "good-again" / "good-again.blend").is_file()
    assert any("SIGKILL" in line for line in lines)


def test_failure_leaves_an_existing_folder_as_it_was(run, photo, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    code, _, _ = run(photo("noface"))
    assert code == 4
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["notes.txt"]


def test_out_that_cannot_be_a_folder(run, photo, tmp_path):
    (tmp_path / "out").write_text("a file")
    code, summary, _ = run(photo("good"))
    assert code == 6
    assert "Cannot write the result" in summary["results"][0]["error"]
    assert (tmp_path / "out").read_text() == "a file"


@pytest.mark.parametrize("arguments", [[], ["dance"], ["reconstruct"], ["reconstruct", "a.jpg"]])
def test_wrong_arguments(arguments, capsys):
    assert command.run_command(arguments) == 2
    assert "usage:" in capsys.readouterr().err


def test_help(capsys):
    assert command.run_command(["reconstruct", "--help"]) == 0
    assert "--texture-size" in capsys.readouterr().out


def test_no_process_is_left(run, photo, monkeypatch):
    sessions = []
    original = command.Session

    def remember(*arguments):
        sessions.append(original(*arguments))
        return sessions[-1]

    monkeypatch.setattr(command, "Session", remember)
    run(photo("good"))
    assert sessions[0].process is None
