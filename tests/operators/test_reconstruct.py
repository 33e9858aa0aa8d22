"""Reconstruct from Image in Blender, with a real engine process that pretends: good photos, bad photos, undo, redo."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

import bpy
import pytest
from likeness.operators import reconstruct
from likeness.operators.heads import FOLDER_KEY
from likeness.operators.job import State

from tests.blender_fixtures import counts


def start(photo, **choices):
    """Start a job as a window would, without waiting for it."""
    settings = bpy.context.scene.likeness
    for name, value in choices.items():
        setattr(settings, name, value)
    return reconstruct.start_reconstruction(bpy.context, str(photo), settings)


def step_until(job, stage):
    """Step a job until it shows a stage."""
    end = time.monotonic() + 20
    while job.stage != stage and time.monotonic() < end:
        job.step()
        time.sleep(0.005)
    assert job.stage == stage


def leftovers(extension):
    """Folders of results."""
    return sorted(path.name for path in extension.results.glob("*"))


def test_script_gets_a_head(extension, photo):
    assert bpy.ops.likeness.reconstruct(filepath=str(photo("good"))) == {"FINISHED"}
    head = bpy.context.view_layer.objects.active
    assert head["likeness_name"] == "portrait"
    assert len(head.data.shape_keys.key_blocks) == 1 + 52 + 8
    assert head.parent.type == "ARMATURE"
    assert bpy.data.collections.keys() == ["portrait"]
    assert [item.type for item in bpy.data.objects if item.type == "CAMERA"] == ["CAMERA"]
    assert head[FOLDER_KEY] == str(extension.results / "good")


def test_choices_reach_engine_and_builder(extension, photo):
    bpy.ops.likeness.reconstruct(
        filepath=str(photo("good")),
        texture_size="4096",
        quality="DRAFT",
        face="SECOND",
        identity_keys=3,
        rig=False,
        camera=False,
        keep_expression=True,
    )
    options = extension.session.job.result["options"]
    assert options["texture_size"] == 4096
    assert options["quality"] == "draft"
    assert options["face_index"] == 1
    head = bpy.context.view_layer.objects.active
    assert head.parent is None
    assert len(head.data.shape_keys.key_blocks) == 1 + 52 + 3
    assert head.data.shape_keys.key_blocks["tongueOut"].value == pytest.approx(1.0)
    assert len(bpy.data.cameras) == 0


def test_largest_face_is_taken_by_default(extension, photo):
    bpy.ops.likeness.reconstruct(filepath=str(photo("good")))
    assert extension.session.job.result["options"]["face_index"] is None


def test_second_head_leaves_the_first_alone(extension, photo):
    bpy.ops.likeness.reconstruct(filepath=str(photo("good")))
    first = bpy.context.view_layer.objects.active
    bpy.ops.likeness.reconstruct(filepath=str(photo("good")))
    second = bpy.context.view_layer.objects.active
    assert first != second
    assert first.name in bpy.context.scene.objects
    assert len(bpy.data.collections) == 2
    assert leftovers(extension) == ["good", "good-2"]


def test_undo_removes_everything_and_redo_brings_it_back(extension, photo):
    bpy.ops.ed.undo_push(message="Before")
    before = counts()
    bpy.ops.likeness.reconstruct("EXEC_DEFAULT", True, filepath=str(photo("good")), world_light=True)
    after = counts()
    assert after["objects"] == before["objects"] + 4  # head, hair, armature, camera
    bpy.ops.ed.undo()
    assert counts() == before
    bpy.ops.ed.redo()
    assert counts() == after


def test_adjusting_builds_again_without_the_engine(extension, photo):
    bpy.ops.likeness.reconstruct(filepath=str(photo("good")))
    job = extension.session.job
    bpy.ops.likeness.reconstruct(filepath=str(photo("good")), result_folder=str(job.folder), rig=False)
    assert extension.session.job is job
    assert bpy.context.view_layer.objects.active.parent is None


def test_adjusting_a_result_that_is_gone_is_an_error(extension, photo, tmp_path):
    before = counts()
    with pytest.raises(RuntimeError, match="nowhere"):
        bpy.ops.likeness.reconstruct(filepath=str(photo("good")), result_folder=str(tmp_path / "nowhere"))
    assert counts() == before


@pytest.mark.parametrize(
    ("act", "message"),
    [
        ("noface", "No face was found (.|\\n)* larger"),
        ("killed", "SIGKILL.* out of memory"),
        ("exits", "exit code 3"),
        ("memory", "not enough memory"),
        ("full", "No space left on device.* free space"),
        ("notorch", "has no package “torch”.* pip install torch"),
        ("bug", "unexpected error: KeyError"),
    ],
)
def test_bad_photo_is_told_and_leaves_nothing(extension, photo, act, message):
    before = counts()
    with pytest.raises(RuntimeError, match="(?s)" + message):
        bpy.ops.likeness.reconstruct(filepath=str(photo(act)))
    assert counts() == before
    assert leftovers(extension) == []
    assert extension.session.error is not None


def test_next_photo_after_a_crash(extension, photo):
    with pytest.raises(RuntimeError, match="SIGKILL"):
        bpy.ops.likeness.reconstruct(filepath=str(photo("killed")))
    assert bpy.ops.likeness.reconstruct(filepath=str(photo("good"))) == {"FINISHED"}
    assert extension.session.error is None


def test_missing_photo(extension, tmp_path):
    with pytest.raises(RuntimeError, match=r"There is no photo at .*nobody\.jpg"):
        bpy.ops.likeness.reconstruct(filepath=str(tmp_path / "nobody.jpg"))
    with pytest.raises(RuntimeError, match="No photo was chosen"):
        bpy.ops.likeness.reconstruct()
    assert extension.session.process is None


def test_result_that_cannot_be_built_leaves_nothing(extension, photo, monkeypatch):
    def broken(*arguments):
        raise ZeroDivisionError("a bug at the very end of the build")

    before = counts()
    monkeypatch.setattr("likeness.operators.build.head._sign", broken)
    with pytest.raises(RuntimeError, match="could not be built: ZeroDivisionError: a bug"):
        bpy.ops.likeness.reconstruct(filepath=str(photo("good")))
    assert counts() == before
    assert leftovers(extension) == []


def test_cache_that_cannot_be_written(extension, photo, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    before = counts()
    with pytest.raises(RuntimeError, match=r"(?s)Cannot write to .*cache.* preferences"):
        bpy.ops.likeness.reconstruct(filepath=str(photo("good")))
    assert counts() == before


def test_unknown_interpreter(extension, photo, monkeypatch, tmp_path):
    missing = replace(extension.launch, interpreter=tmp_path / "no-python")
    monkeypatch.setattr(extension.session, "make_launch", lambda: missing)
    before = counts()
    with pytest.raises(RuntimeError, match=r"(?s)no engine interpreter at .*no-python.* preferences"):
        bpy.ops.likeness.reconstruct(filepath=str(photo("good")))
    assert counts() == before
    assert leftovers(extension) == []


def test_second_job_is_refused_while_one_runs(extension, photo):
    job = start(photo("slow"))
    step_until(job, "Fitting the head")
    before = counts()
    with pytest.raises(RuntimeError, match=r"busy with “slow\.jpg”"):
        bpy.ops.likeness.reconstruct(filepath=str(photo("good")))
    with pytest.raises(RuntimeError, match="busy with"):
        bpy.ops.likeness.check_engine()
    assert not job.finished
    assert counts() == before
    job.cancel(wait=True)
    assert leftovers(extension) == []
    assert bpy.ops.likeness.reconstruct(filepath=str(photo("good"))) == {"FINISHED"}


@pytest.mark.parametrize(
    ("act", "stage"),
    [
        ("good", "Starting the engine"),
        ("stubborn", "Reading the photo"),
        ("slow", "Fitting the head"),
        ("good", "Building the head"),
    ],
)
def test_cancel_at_every_stage_leaves_nothing(extension, photo, act, stage):
    before = counts()
    job = start(photo(act))
    step_until(job, stage)
    assert bpy.ops.likeness.cancel() == {"FINISHED"}
    job.run(0.005)
    assert job.state is State.CANCELLED
    assert counts() == before
    assert leftovers(extension) == []
    assert not bpy.ops.likeness.cancel.poll()


def test_loading_a_file_in_mid_job_cancels_it(extension, photo, tmp_path):
    other = tmp_path / "other.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(other))
    before = counts()
    job = start(photo("slow"))
    step_until(job, "Fitting the head")
    bpy.ops.wm.open_mainfile(filepath=str(other))
    assert job.state is State.CANCELLED
    assert counts() == before
    assert leftovers(extension) == []


def test_undo_in_mid_job_cancels_it(extension, photo):
    before = counts()
    bpy.ops.ed.undo_push(message="Before")
    bpy.ops.mesh.primitive_cube_add("EXEC_DEFAULT", True)
    job = start(photo("slow"))
    step_until(job, "Fitting the head")
    bpy.ops.ed.undo()
    assert job.state is State.CANCELLED
    assert counts() == before
    assert leftovers(extension) == []


def test_changed_preferences_start_another_engine(extension, photo, monkeypatch):
    bpy.ops.likeness.reconstruct(filepath=str(photo("good")))
    first = extension.session.process
    bpy.ops.likeness.reconstruct(filepath=str(photo("good")))
    assert extension.session.process is first
    changed = replace(extension.launch, environment={**extension.launch.environment, "CHANGED": "1"})
    monkeypatch.setattr(extension.session, "make_launch", lambda: changed)
    bpy.ops.likeness.reconstruct(filepath=str(photo("good")))
    assert extension.session.process is not first
    assert not first.alive


def test_textures_as_files_go_beside_the_blend(extension, photo, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.likeness.reconstruct(filepath=str(photo("good")), pack_images=False)
    assert (tmp_path / "textures" / "portrait Albedo.png").is_file()
    assert bpy.data.images["portrait Albedo"].packed_file is None


class Invoked:
    """The operator as Blender invokes it, some of its properties given. (The bpy module has no window to do so.)"""

    def __init__(self, filepath="", **given):
        self.filepath, self.started, self.files = filepath, None, ()
        self.__dict__.update(given)
        self.properties = SimpleNamespace(is_property_set=lambda name: name in given)

    def _start(self, context, wait):
        self.started = not wait
        return {"RUNNING_MODAL"}


def test_button_takes_the_sidebars_settings(extension):
    settings = bpy.context.scene.likeness
    settings.texture_size, settings.rig, settings.photo = "512", False, "portrait.jpg"
    button = Invoked()
    reconstruct.LIKENESS_OT_reconstruct.invoke(button, bpy.context, None)
    assert (button.filepath, button.texture_size, button.rig) == ("portrait.jpg", "512", False)
    assert button.started


def test_dropped_photo_takes_them_too_and_is_shown_in_the_sidebar(extension):
    settings = bpy.context.scene.likeness
    settings.texture_size, settings.photo = "512", "portrait.jpg"
    drop = Invoked("dropped.jpg", texture_size="4096")
    reconstruct.LIKENESS_OT_reconstruct.invoke(drop, bpy.context, None)
    assert settings.photo == "dropped.jpg"
    assert (drop.texture_size, drop.rig) == ("4096", True)


def test_new_photo_makes_the_last_error_go(extension, photo):
    with pytest.raises(RuntimeError, match="No face"):
        bpy.ops.likeness.reconstruct(filepath=str(photo("noface")))
    assert extension.session.error is not None
    bpy.context.scene.likeness.photo = "another.jpg"
    assert extension.session.error is None


def test_check_engine_reports(extension):
    assert bpy.ops.likeness.check_engine() == {"FINISHED"}
    assert extension.session.engine_report == {"versions": {"python": "fake"}}


def test_dropped_files(extension):
    kind = bpy.types.LIKENESS_FH_photo
    assert kind.bl_import_operator == "likeness.reconstruct"
    assert {".jpg", ".png", ".heic"} <= set(kind.bl_file_extensions.split(";"))
    assert not kind.poll_drop(bpy.context)
