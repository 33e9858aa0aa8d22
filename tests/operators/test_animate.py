"""Animate from Video in Blender, with a real engine process that pretends; takes in and out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from likeness.engine.tracking.chunks import FOLDER
from likeness.engine.tracking.take import Take
from likeness.operators import animate
from likeness.operators.heads import FOLDER_KEY, head_rig
from likeness.operators.job import State
from likeness.operators.session import SESSION

from tests.blender_fixtures import counts
from tests.operators.build.performance import key_values, performance


@pytest.fixture
def take(tmp_path: Path) -> Take:
    take = performance(30, 25.0)
    (tmp_path / "take").mkdir()
    take.save(tmp_path / "take")
    return take


@pytest.fixture
def clip(tmp_path: Path) -> Callable[[str], Path]:
    """clip("good"): a file whose name tells the pretending engine what to do; no video to Blender."""

    def make(act: str) -> Path:
        path = tmp_path / "clips" / f"{act}.mp4"
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            path.write_bytes(b"not looked at")
        return path

    return make


@pytest.fixture
def engine(extension: SimpleNamespace, take: Take, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The extension with an engine that tracks."""
    environment = {**extension.launch.environment, "LIKENESS_TEST_TAKE": str(tmp_path / "take" / "take.npz")}
    launch = replace(extension.launch, environment=environment)
    monkeypatch.setattr(SESSION, "make_launch", lambda: launch)
    extension.takes = extension.results.parent / "takes"
    return extension


def run(clip: Path, **choices: object) -> set[str]:
    return bpy.ops.likeness.animate(filepath=str(clip), background=False, sound=False, **choices)


def test_a_clip_becomes_a_new_head_with_an_action(engine, clip, take) -> None:
    assert run(clip("good")) == {"FINISHED"}
    head = bpy.context.view_layer.objects.active
    assert head[FOLDER_KEY] == str(engine.takes / "good")
    assert engine.session.job.result["options"]["head"] is None
    scene = bpy.context.scene
    assert (scene.render.fps, scene.render.fps_base) == (25, 1.0)
    assert (scene.frame_start, scene.frame_end) == (1, 30)
    scene.frame_set(12)
    assert key_values(head)["jawOpen"] == pytest.approx(float(take.unit("jawOpen")[11]), abs=1e-5)
    assert head.data.shape_keys.animation_data.action.name.startswith("good")


def test_the_selected_head_acts(engine, clip, photo) -> None:
    bpy.ops.likeness.reconstruct(filepath=str(photo("good")))
    head = bpy.context.view_layer.objects.active
    before = len(bpy.data.objects)
    run(clip("good"), motion="NONE", gaze="BONES")
    assert engine.session.job.result["options"]["head"] == str(engine.results / "good")
    assert len(bpy.data.objects) == before
    assert head.data.shape_keys.animation_data.action is not None
    bpy.context.scene.frame_set(10)
    assert key_values(head)["eyeLookUpLeft"] == 0.0
    assert head_rig(head).animation_data.action is not None


def test_choices_reach_engine_and_builder(engine, clip) -> None:
    run(
        clip("good"), start=1.5, end=4.0, face="SECOND", start_from="SMIRK", smoothing="STREAMING", smooth_amount=0.5,
        texture_size="512", start_frame=101, nla=True,
    )  # fmt: skip
    options = engine.session.job.result["options"]
    expected = {"start": 1.5, "end": 4.0, "face_index": 1, "smoothing": "streaming", "smooth_amount": 0.5}
    assert expected.items() <= options.items()
    assert (options["start_from"], options["texture_size"]) == ("smirk", 512)
    head = bpy.context.view_layer.objects.active
    (track,) = head.data.shape_keys.animation_data.nla_tracks
    assert (track.strips[0].frame_start, track.strips[0].frame_end) == (101, 130)


def test_a_failure_leaves_the_scene_as_it_was(engine, clip, monkeypatch) -> None:
    scene = bpy.context.scene
    scene.render.fps, before = 30, counts()
    with pytest.raises(RuntimeError, match="No face"):
        run(clip("noface"))
    from likeness.operators.build import action

    monkeypatch.setattr(action, "_make", lambda *arguments: 1 / 0)
    with pytest.raises(RuntimeError, match="could not be built: ZeroDivisionError"):
        run(clip("good"))
    assert counts() == before
    assert (scene.render.fps, scene.frame_end) == (30, 250)
    assert not list(engine.takes.iterdir())


def test_without_a_clip_it_says_so(engine, tmp_path) -> None:
    with pytest.raises(RuntimeError, match="No clip was chosen"):
        bpy.ops.likeness.animate()
    with pytest.raises(RuntimeError, match="There is no clip at"):
        run(tmp_path / "nothing.mp4")


@pytest.mark.parametrize("keep", [True, False])
def test_a_cancelled_job_is_gone_on_with_if_wanted(engine, clip, keep: bool) -> None:
    settings = bpy.context.scene.likeness_clip
    settings.keep_partial = keep
    path = clip("slow")
    job = animate.start_tracking(bpy.context, str(path), settings)
    end = time.monotonic() + 20
    while job.stage != "Following the face" and time.monotonic() < end:
        job.step()
        time.sleep(0.01)
    time.sleep(0.1)
    job.cancel(wait=True)
    assert job.state is State.CANCELLED
    left = [item.name for folder in engine.takes.iterdir() for item in folder.iterdir()]
    assert left == ([FOLDER] if keep else [])
    assert (animate.take_folder(engine.takes, "slow") / FOLDER).is_dir() == keep


def test_unreadable_footage_is_a_warning(engine, clip) -> None:
    job = animate.start_tracking(bpy.context, str(clip("good")), bpy.context.scene.likeness_clip)
    job.run()
    assert job.state is State.DONE
    assert any("good.mp4" in warning for warning in job.built.warnings)
    assert [item.name for item in bpy.data.objects if item.type == "CAMERA"] == ["portrait Camera"]


def test_footage_stands_behind_the_head(engine, clip, shared: Path) -> None:
    """A real clip; the pretending engine does not look at it."""
    import shutil

    real = shared / "data" / "clips" / "short_hamilton_clip.mp4"
    if not real.is_file():
        pytest.skip("needs the shared clips")
    shutil.copy(real, clip("good"))
    bpy.ops.likeness.animate(filepath=str(clip("good")), start_frame=11)
    camera = bpy.context.scene.camera
    assert camera.name == "good Camera"
    (background,) = camera.data.background_images
    assert background.image.source == "MOVIE"
    assert background.image_user.frame_start == 11


def test_takes_go_out_and_in_again(engine, clip, take, tmp_path) -> None:
    run(clip("good"))
    head = bpy.context.view_layer.objects.active
    path = tmp_path / "out.csv"
    assert bpy.ops.likeness.export_take(filepath=str(path)) == {"FINISHED"}
    for block in head.data.shape_keys.key_blocks:
        block.driver_remove("value")
    head.data.shape_keys.animation_data_clear()
    assert bpy.ops.likeness.import_take(filepath=str(path), fps=25.0) == {"FINISHED"}
    for frame in (1, 9, 30):
        bpy.context.scene.frame_set(frame)
        smile = key_values(head)["mouthSmileLeft"]
        assert smile == pytest.approx(float(take.unit("mouthSmileLeft")[frame - 1]), abs=2e-3)


def test_a_take_plays_on_any_mesh_with_the_names(engine, tmp_path, take) -> None:
    mesh = bpy.data.meshes.new("Stranger")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    stranger = bpy.data.objects.new("Stranger", mesh)
    bpy.context.collection.objects.link(stranger)
    bpy.context.view_layer.objects.active = stranger
    assert not bpy.ops.likeness.import_take.poll()
    for name in ("Basis", "JawOpen", "smirk"):
        stranger.shape_key_add(name=name)
    bpy.context.scene.render.fps = 25
    bpy.ops.likeness.import_take(filepath=str(tmp_path / "take" / "take.npz"))
    bpy.context.scene.frame_set(5)
    assert key_values(stranger)["JawOpen"] == pytest.approx(float(take.unit("jawOpen")[4]), abs=1e-5)
    with pytest.raises(RuntimeError, match="take"):
        bpy.ops.likeness.import_take(filepath=str(tmp_path / "nothing.csv"))


def test_a_range_is_taken_again(engine, clip, take, tmp_path) -> None:
    run(clip("good"))
    head = bpy.context.view_layer.objects.active
    other = replace(take, expression=np.zeros_like(take.expression))
    (tmp_path / "other").mkdir()
    other.save(tmp_path / "other")
    bpy.ops.likeness.retake(filepath=str(tmp_path / "other" / "take.npz"), first=10, last=20, blend=2)
    for frame, share in ((9, 1.0), (15, 0.0), (21, 1.0)):
        bpy.context.scene.frame_set(frame)
        expected = share * float(take.unit("jawOpen")[frame - 1])
        assert key_values(head)["jawOpen"] == pytest.approx(expected, abs=1e-5)
