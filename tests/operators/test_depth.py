"""Depth Mesh from Image in Blender, with a real engine process that pretends."""

from __future__ import annotations

import time

import bpy
import numpy as np
import pytest
from likeness.engine.depth.glb import read_mesh
from likeness.engine.depth.options import DepthOptions
from likeness.engine.errors import MediaError
from likeness.engine.worker.jobs import options_of
from likeness.engine.worker.protocol import Done, Stage
from likeness.operators import depth
from likeness.operators.job import State

from tests.blender_fixtures import counts
from tests.operators.build.measure import evaluated_positions, to_blender
from tests.operators.square_glb import CORNERS, square_glb


def test_a_photo_becomes_a_textured_mesh_at_the_cursor(extension, photo):
    bpy.context.scene.cursor.location = (1.0, 2.0, 3.0)

    assert bpy.ops.likeness.depth_mesh(filepath=str(photo("good"))) == {"FINISHED"}

    item = bpy.context.view_layer.objects.active
    assert item.name == "good Depth"
    assert np.allclose(evaluated_positions(item), to_blender(CORNERS), atol=1e-6)
    assert tuple(item.location) == pytest.approx((1.0, 2.0, 3.0))
    uv = np.array([loop.uv for loop in item.data.uv_layers.active.data])
    assert np.allclose(uv[:3], [[0, 0], [1, 0], [1, 1]])
    image = next(node for node in item.data.materials[0].node_tree.nodes if node.type == "TEX_IMAGE").image
    assert image.packed_file is not None
    assert image.pixels[:3] == pytest.approx([1, 0, 0])


def test_it_stands_in_register_with_the_head_of_the_same_photo(extension, photo):
    bpy.ops.likeness.reconstruct(filepath=str(photo("good")))
    head = bpy.context.view_layer.objects.active
    head["likeness_name"] = "good"  # the pretended result is another's
    head.parent.location = (0.4, 0.1, 1.2)
    bpy.context.view_layer.update()

    bpy.ops.likeness.depth_mesh(filepath=str(photo("good")))

    item = bpy.context.view_layer.objects.active
    assert np.allclose(item.matrix_world, head.matrix_world, atol=1e-6)


def test_choices_reach_the_engine(extension, photo):
    bpy.ops.likeness.depth_mesh(
        filepath=str(photo("good")), method="INFLATE", resolution="2048", faces=5000, close_back=True, start="SMIRK"
    )

    options = extension.session.job.result["options"]
    assert options["method"] == "inflate"
    assert options["resolution"] == 2048
    assert options["faces"] == 5000
    assert options["close_back"] is True
    assert options["start"] == "smirk"


def test_a_failed_job_leaves_nothing(extension, photo):
    before = counts()

    with pytest.raises(RuntimeError, match="No face was found"):
        bpy.ops.likeness.depth_mesh(filepath=str(photo("noface")))

    assert counts() == before
    assert not list(extension.results.glob("*"))


def test_without_a_photo_it_says_what_to_do(extension, tmp_path):
    with pytest.raises(RuntimeError, match="No photo was chosen"):
        bpy.ops.likeness.depth_mesh()
    with pytest.raises(RuntimeError, match="There is no photo"):
        bpy.ops.likeness.depth_mesh(filepath=str(tmp_path / "gone.jpg"))


def test_files_that_hold_no_mesh_are_named(tmp_path):
    path = tmp_path / "mesh.glb"
    with pytest.raises(MediaError, match=r"mesh\.glb"):
        read_mesh(path)
    for content in (b"", b"glTF nothing of the kind", square_glb()[:300]):
        path.write_bytes(content)
        with pytest.raises(MediaError, match=r"mesh\.glb holds no depth mesh"):
            read_mesh(path)


def eg3d(photo, **choices):
    """A head by EG3D; the pretending engine makes its square of it."""
    return bpy.ops.likeness.depth_mesh(filepath=str(photo("good")), method="EG3D", **choices)


def test_choices_of_eg3d_reach_the_engine(extension, photo):
    eg3d(photo, inversion="TUNE", steps=0, tuning_steps=40, grid="512", turntable=24, keep_best=False)

    options = extension.session.job.result["options"]
    assert options["method"] == "eg3d"
    said = options["eg3d"]
    states = extension.results.parent / "inversions"
    assert said == {
        "inversion": "tune", "steps": None, "tuning_steps": 40, "grid": 512, "level": 10.0, "turntable": 24,
        "views": False, "keep_best": False, "resume": str(states),
    }  # fmt: skip
    assert states.is_dir()
    assert options_of(DepthOptions, options).eg3d.tuning_steps == 40  # as the engine reads it

    eg3d(photo, steps=7, resume=False)
    said = extension.session.job.result["options"]["eg3d"]
    assert (said["inversion"], said["steps"], said["keep_best"], said["resume"]) == ("optimise", 7, True, "")


def test_an_orbit_camera_lies_with_the_mesh_in_a_collection_and_goes_with_undo(extension, photo):
    before = counts()
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="Before")

    assert eg3d(photo, orbit=True) == {"FINISHED"}

    item = bpy.context.view_layer.objects.active
    (home,) = item.users_collection
    assert home.name == "good Depth"
    assert {other.type for other in home.objects} == {"MESH", "EMPTY", "CAMERA"}
    view = next(other for other in home.objects if other.type == "CAMERA")
    assert bpy.context.scene.camera == view
    action = view.parent.animation_data.action
    assert tuple(action.frame_range) == (1.0, 121.0)

    bpy.ops.ed.undo_push(message="After")
    bpy.ops.ed.undo()
    assert counts() == before


def test_without_it_and_with_other_methods_there_is_none(extension, photo):
    eg3d(photo)
    bpy.ops.likeness.depth_mesh(filepath=str(photo("good")), method="HEAD", orbit=True)
    assert not bpy.data.cameras
    assert not bpy.data.collections


def test_only_choices_that_count_are_shown(extension):
    choices = depth.depth_settings(bpy.context)
    assert not set(depth.shown_choices(choices)) & set(depth.EG3D_CHOICES)
    choices.method = "EG3D"
    assert "tuning_steps" not in depth.shown_choices(choices)
    assert not set(depth.shown_choices(choices)) & set(depth.OTHER_CHOICES)
    choices.inversion = "TUNE"
    assert set(depth.EG3D_CHOICES) <= set(depth.shown_choices(choices))
    choices.inversion = "REGRESS"
    assert set(depth.shown_choices(choices)) & set(depth.EG3D_CHOICES) == {"inversion", "grid", "turntable", "orbit"}


def test_what_is_lacking_is_said_in_a_line(extension, tmp_path):
    choices, models = depth.depth_settings(bpy.context), tmp_path / "models"
    models.mkdir()
    assert depth.lacking(choices) == ""
    choices.method = "EG3D"
    assert "EG3D's file" in depth.lacking(choices)
    (models / "ffhqrebalanced512-128.pkl").write_bytes(b"not looked into")
    assert depth.lacking(choices) == ""
    choices.inversion = "REGRESS"
    assert "regressor" in depth.lacking(choices)
    (models / "eg3d_latents.safetensors").write_bytes(b"not looked into")
    assert depth.lacking(choices) == ""


class Engine:
    """Says what it is told to, and remembers what it was asked."""

    def __init__(self):
        self.asked, self.says = [], []

    def run(self, kind, arguments):
        self.asked.append(kind)
        return 1

    def cancel(self, number):
        self.asked.append("cancel")

    def kill(self):
        self.asked.append("kill")

    def poll(self):
        said, self.says = self.says, []
        return said


@pytest.fixture
def job(tmp_path):
    engine = Engine()
    return depth.KeepingDepthJob(
        engine, tmp_path / "a.jpg", tmp_path / "result", DepthOptions(method="eg3d"), lambda folder: "built"
    )


@pytest.mark.parametrize("stage", ["Finding the latent", "Tuning the generator"])
def test_esc_while_it_inverts_keeps_the_best(job, stage):
    job.grace = 0.0
    job.process.says = [Stage(1, stage, 0.4)]
    job.step()
    job.cancel()
    assert job.process.asked == ["depth", "cancel"]
    job.process.says = [Stage(1, stage, 0.41)]  # was under way when the engine was told
    assert not job.step()  # it is given its time
    assert job.stage == "Finishing with the best so far"
    job.process.says = [Stage(1, "Measuring the volume", 0.7), Done(1, {"warnings": ["stopped early"]})]
    job.step()
    assert job.step()
    assert (job.state, job.built) == (State.DONE, "built")


def test_esc_before_the_inversion_cancels(job):
    job.process.says = [Stage(1, "Fitting the head", 0.1)]
    job.step()
    job.grace = 0.0
    job.cancel()
    time.sleep(0.01)
    assert job.step()
    assert (job.state, job.process.asked) == (State.CANCELLED, ["depth", "cancel", "kill"])


def test_esc_twice_while_it_inverts_cancels(job):
    job.process.says = [Stage(1, "Finding the latent", 0.4)]
    job.step()
    job.cancel()
    job.grace = 0.0
    job.cancel()
    time.sleep(0.01)
    assert job.step()
    assert job.state is State.CANCELLED
    assert job.process.asked[-1] == "kill"


def test_an_undo_does_not_wait_for_the_best(job):
    job.process.says = [Stage(1, "Finding the latent", 0.4)]
    job.step()
    job.grace = 0.0
    job.cancel(wait=True)
    assert job.state is State.CANCELLED
