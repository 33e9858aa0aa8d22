"""Reconstruct from Photos in Blender, with a real engine process that pretends: the list, cameras, bad photos, undo."""

from __future__ import annotations

import time
from types import SimpleNamespace

import bpy
import pytest
from likeness.operators import heads, reconstruct, several
from likeness.operators.job import SeveralJob, State

from tests.blender_fixtures import counts


def listed(*photos):
    """Put photos on the sidebar's list, as the file browser would."""
    files = [{"name": photo.name} for photo in photos]
    assert bpy.ops.likeness.add_photos(directory=str(photos[0].parent), files=files) == {"FINISHED"}
    return bpy.context.scene.likeness_several.photos


def names():
    """Files on the list."""
    return [photo.filepath.rpartition("/")[2] for photo in bpy.context.scene.likeness_several.photos]


def cameras():
    """Names of all camera objects."""
    return {item.name for item in bpy.data.objects if item.type == "CAMERA"}


def test_script_gets_one_head_with_a_camera_a_photo(extension, photo):
    one, two, three = photo("good-front"), photo("good-left"), photo("good-right")
    files = [{"name": path.name} for path in (one, two, three)]
    assert bpy.ops.likeness.reconstruct_several(directory=str(one.parent), files=files) == {"FINISHED"}
    head = bpy.context.view_layer.objects.active
    assert bpy.data.collections.keys() == ["portrait"]
    assert cameras() == {"portrait Camera", "good-left Camera", "good-right Camera"}
    assert bpy.context.scene.camera == heads.head_camera(head) == bpy.data.objects["portrait Camera"]
    further = bpy.data.objects["good-left Camera"]
    assert further.parent == head.parent
    assert further[heads.PHOTO_KEY] == "good-left.jpg"
    (background,) = further.data.background_images
    width, height = background.image.size
    assert width == height
    assert background.image.packed_file is not None
    assert isinstance(extension.session.job, SeveralJob)


def test_head_without_camera_gets_none(extension, photo):
    listed(photo("good-front"), photo("good-left"))
    bpy.ops.likeness.reconstruct_several(camera=False)
    assert cameras() == set()
    assert heads.photo_cameras(bpy.context.view_layer.objects.active) == []


def test_looking_through_each_photos_camera(extension, photo):
    listed(photo("good-front"), photo("good-left"))
    bpy.ops.likeness.reconstruct_several()
    head = bpy.context.view_layer.objects.active
    assert [camera.name for camera in heads.photo_cameras(head)] == ["portrait Camera", "good-left Camera"]
    assert bpy.ops.likeness.photo_camera(camera="good-left Camera") == {"FINISHED"}
    assert bpy.context.scene.camera.name == "good-left Camera"
    assert bpy.ops.likeness.select_camera() == {"FINISHED"}
    assert bpy.context.scene.camera.name == "portrait Camera"
    with pytest.raises(RuntimeError, match="no photo's camera “elsewhere”"):
        bpy.ops.likeness.photo_camera(camera="elsewhere")


def test_list_takes_each_file_once_and_lets_go(extension, photo):
    front, left = photo("good-front"), photo("good-left")
    listed(front, left)
    listed(left)
    assert names() == ["good-front.jpg", "good-left.jpg"]
    bpy.ops.likeness.remove_photo(index=0)
    assert names() == ["good-left.jpg"]
    assert bpy.ops.likeness.remove_photo(index=5) == {"CANCELLED"}
    bpy.ops.likeness.clear_photos()
    assert names() == []
    assert not bpy.ops.likeness.clear_photos.poll()
    assert front.is_file()


def test_excluded_photo_is_not_given_to_the_engine(extension, photo):
    photos = listed(photo("good-front"), photo("good-left"), photo("good-right"))
    photos[1].use = False
    bpy.ops.likeness.reconstruct_several()
    assert [path.name for path in extension.session.job.photos] == ["good-front.jpg", "good-right.jpg"]
    assert [item.status for item in photos] == ["USED", "WAITING", "USED"]


def test_photo_left_out_is_named_with_its_reason(extension, photo):
    photos = listed(photo("noface-wall"), photo("good-front"))
    bpy.ops.likeness.reconstruct_several()
    assert [(item.status, item.note) for item in photos] == [
        ("LEFT_OUT", "No face was found in noface-wall.jpg."),
        ("USED", "seen from the front"),
    ]
    assert cameras() == {"portrait Camera"}


def test_no_photo_that_can_be_used_is_an_error_and_changes_nothing(extension, photo):
    photos = listed(photo("noface-wall"), photo("noface-dark"))
    before = counts()
    with pytest.raises(RuntimeError, match="No face was found"):
        bpy.ops.likeness.reconstruct_several()
    assert counts() == before
    assert [item.status for item in photos] == ["WAITING", "WAITING"]
    assert list(extension.results.glob("*")) == []


def test_empty_list_is_an_error(extension):
    with pytest.raises(RuntimeError, match=r"(?s)No photos were chosen.* drop several"):
        bpy.ops.likeness.reconstruct_several()
    assert extension.session.process is None
    assert bpy.ops.likeness.add_photos() == {"CANCELLED"}


def test_cameras_that_cannot_be_built_take_the_head_with_them(extension, photo, monkeypatch):
    def broken(*arguments):
        raise ZeroDivisionError("a bug")

    listed(photo("good-front"), photo("good-left"))
    before = counts()
    monkeypatch.setattr("likeness.operators.build.photos.find_photo", broken)
    with pytest.raises(RuntimeError, match="could not be built: ZeroDivisionError: a bug"):
        bpy.ops.likeness.reconstruct_several()
    assert counts() == before


def test_copy_that_is_gone_is_a_warning(extension, photo):
    listed(photo("good-front"), photo("good-left"))
    bpy.ops.likeness.reconstruct_several()
    folder = extension.session.job.folder
    (folder / "photo-2.png").unlink()
    built = reconstruct.build(bpy.context, folder, folder / "photo.jpg", bpy.context.scene.likeness)
    assert any("good-left.jpg is not shown behind the head" in warning for warning in built.warnings)


def test_undo_removes_everything_and_redo_brings_it_back(extension, photo):
    listed(photo("good-front"), photo("good-left"))
    bpy.ops.ed.undo_push(message="Before")
    before = counts()
    bpy.ops.likeness.reconstruct_several("EXEC_DEFAULT", True)
    after = counts()
    assert after["objects"] == before["objects"] + 5  # head, hair, armature, two cameras
    bpy.ops.ed.undo()
    assert counts() == before
    bpy.ops.ed.redo()
    assert counts() == after


def test_adjusting_builds_again_without_the_engine(extension, photo):
    listed(photo("good-front"), photo("good-left"))
    bpy.ops.likeness.reconstruct_several()
    job = extension.session.job
    bpy.ops.likeness.reconstruct_several(result_folder=str(job.folder), rig=False)
    assert extension.session.job is job
    head = bpy.context.view_layer.objects.active
    assert head.parent is None
    assert len(heads.photo_cameras(head)) == 2


def test_cancel_leaves_nothing(extension, photo):
    before = counts()
    job = several.start_several(bpy.context, [photo("slow-a"), photo("good-b")], bpy.context.scene.likeness)
    assert job.title == "2 photos"
    end = time.monotonic() + 20
    while job.stage != "Fitting the head" and time.monotonic() < end:
        job.step()
        time.sleep(0.005)
    assert bpy.ops.likeness.cancel() == {"FINISHED"}
    job.run(0.005)
    assert job.state is State.CANCELLED
    assert counts() == before
    assert list(extension.results.glob("*")) == []


class Invoked:
    """An operator as Blender invokes it. (The bpy module has no window to do so.)"""

    def __init__(self, directory="", files=(), **given):
        self.filepath, self.directory, self.started = "", str(directory), None
        self.files = [SimpleNamespace(name=name) for name in files]
        self.__dict__.update(given)
        self.properties = SimpleNamespace(is_property_set=lambda name: name in given)

    def _start(self, context, photos, wait):
        self.started, self.waits = [path.name for path in photos], wait
        return {"RUNNING_MODAL"}


def test_button_takes_the_list_and_the_sidebars_settings(extension, photo):
    listed(photo("good-front"), photo("good-left"))
    bpy.context.scene.likeness.texture_size = "512"
    button = Invoked()
    several.LIKENESS_OT_reconstruct_several.invoke(button, bpy.context, None)
    assert button.started == ["good-front.jpg", "good-left.jpg"]
    assert (button.texture_size, button.waits) == ("512", False)


def test_dropped_photos_replace_the_list(extension, photo, tmp_path):
    listed(photo("good-old"))
    drop = Invoked(tmp_path / "photos", ("a.jpg", "b.jpg"))
    several.LIKENESS_OT_reconstruct_several.invoke(drop, bpy.context, None)
    assert names() == drop.started == ["a.jpg", "b.jpg"]


def test_several_dropped_files_are_handed_over_by_the_operator_for_one(extension, tmp_path, monkeypatch):
    given = {}

    def take(how, **properties):
        given.update(properties, how=how)
        return {"RUNNING_MODAL"}

    operators = SimpleNamespace(likeness=SimpleNamespace(reconstruct_several=take))
    monkeypatch.setattr(reconstruct, "bpy", SimpleNamespace(ops=operators))
    drop = Invoked(tmp_path, ("a.jpg", "b.jpg"))
    assert reconstruct.LIKENESS_OT_reconstruct.invoke(drop, bpy.context, None) == {"CANCELLED"}
    assert given == {
        "how": "INVOKE_DEFAULT",
        "directory": str(tmp_path),
        "files": [{"name": "a.jpg"}, {"name": "b.jpg"}],
    }


def test_both_operators_take_what_blender_gives_a_file_handler(extension):
    for operator in (bpy.ops.likeness.reconstruct, bpy.ops.likeness.reconstruct_several):
        assert {"directory", "files"} <= set(operator.get_rna_type().properties.keys())
