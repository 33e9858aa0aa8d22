"""The clip behind the head, its sound, its rate, its camera."""

import wave
from dataclasses import replace

import bpy
import numpy as np
import pytest
from likeness.engine.camera import Camera
from likeness.engine.errors import MediaError
from likeness.engine.tracking.turns import to_matrix
from likeness.operators.build.footage import add_sound, build_clip_camera, clip_start, set_scene_rate, show_clip
from likeness.operators.build.transaction import Transaction

from tests.operators.build.measure import block_counts
from tests.operators.build.performance import performance
from tests.operators.build.test_camera import seen_pixels, write_photo


@pytest.fixture
def clip(tmp_path):
    """Ten frames of a grey video, without sound, written by Blender itself."""
    scene = bpy.data.scenes.new("Writer")
    render = scene.render
    render.resolution_x, render.resolution_y, render.fps = 64, 36, 25
    scene.frame_start, scene.frame_end = 1, 10
    settings = render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    render.ffmpeg.format, render.ffmpeg.codec = "MPEG4", "MPEG4"
    render.filepath, render.use_file_extension = str(tmp_path / "clip.mp4"), False
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    length = {"length": 10} if bpy.app.version >= (5, 0, 0) else {"frame_end": 11}
    strips.new_effect(name="Grey", type="COLOR", channel=1, frame_start=1, **length)
    bpy.ops.render.render(animation=True, scene=scene.name)
    bpy.data.scenes.remove(scene)
    return tmp_path / "clip.mp4"


def test_a_video_plays_behind_the_head_from_its_frame_on(built, clip):
    image = show_clip(built.camera, clip, 101)
    background = built.camera.data.background_images[-1]
    assert image.source == "MOVIE"
    assert background.image == image
    user = background.image_user
    assert (user.frame_start, user.frame_offset, user.frame_duration) == (101, 0, 10)
    assert not user.use_cyclic
    assert (background.display_depth, background.frame_method, background.alpha) == ("BACK", "FIT", 1.0)
    assert built.camera.data.show_background_images


def test_a_second_clip_takes_the_firsts_place_and_the_photo_is_kept_unseen(built, clip, tmp_path):
    write_photo(tmp_path / "photo.png", 64, 36)
    photo = built.camera.data.background_images.new()
    photo.image = bpy.data.images.load(str(tmp_path / "photo.png"))
    show_clip(built.camera, clip, 1)
    show_clip(built.camera, clip, 50, frames=7)
    backgrounds = built.camera.data.background_images
    assert [item.show_background_image for item in backgrounds] == [False, True]
    assert backgrounds[1].image_user.frame_start == 50
    assert backgrounds[1].image_user.frame_duration == 7


@pytest.mark.parametrize("by_folder", [True, False])
def test_numbered_pictures_play_by_their_numbers(built, tmp_path, by_folder):
    for number in range(1001, 1006):
        write_photo(tmp_path / f"shot2_{number}.png", 64, 36)
    image = show_clip(built.camera, tmp_path if by_folder else tmp_path / "shot2_1001.png", 20)
    user = built.camera.data.background_images[-1].image_user
    assert image.source == "SEQUENCE"
    assert (user.frame_start, user.frame_offset, user.frame_duration) == (20, 1000, 5)


@pytest.mark.parametrize("content", [None, b"", b"not a video at all"])
def test_what_blender_cannot_read_is_a_clear_error_and_leaves_nothing(built, tmp_path, content):
    if content is not None:
        (tmp_path / "clip.mp4").write_bytes(content)
    counts = block_counts()
    with pytest.raises(MediaError, match=r"clip\.mp4"):
        show_clip(built.camera, tmp_path / "clip.mp4", 1)
    assert block_counts() == counts
    assert len(built.camera.data.background_images) == 0


def test_a_clip_that_blender_would_show_sideways_is_refused(built, clip):
    counts = block_counts()
    with pytest.raises(MediaError, match="sideways"):
        show_clip(built.camera, clip, 1, size=(1080, 1920))
    assert block_counts() == counts
    show_clip(built.camera, clip, 1, size=(1920, 1080))


def test_an_empty_folder_is_a_clear_error(built, tmp_path):
    with pytest.raises(MediaError, match="no pictures"):
        show_clip(built.camera, tmp_path, 1)


def test_the_clip_begins_before_a_take_of_its_middle():
    take = performance(50, 25.0)
    assert clip_start(take, 1, 25.0) == pytest.approx(1)
    assert clip_start(take.part(30, 50), 101, 25.0) == pytest.approx(71)
    assert clip_start(take.part(30, 50), 101, 24.0) == pytest.approx(101 - 1.2 * 24)


def test_sound_lies_in_the_sequencer_where_the_clip_begins(tmp_path):
    scene = bpy.context.scene
    scene.render.fps = 25
    scene.sequence_editor_clear()
    with wave.open(str(tmp_path / "voice.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 16000, "NONE", ""))
        file.writeframes((9000 * np.sin(np.arange(16000))).astype("<i2").tobytes())
    counts = block_counts()
    strip = add_sound(scene, tmp_path / "voice.wav", 71.25, "Clip")
    if not bpy.app.build_options.audaspace:
        assert strip is None
        assert block_counts() == counts
        assert scene.sequence_editor is None
        return
    assert strip.name == "Clip"
    assert strip.frame_start == 71
    assert strip.sound_offset == pytest.approx(0.25 / 25)
    assert strip.frame_final_duration == 50
    second = add_sound(scene, tmp_path / "voice.wav", 1, "Clip")
    assert second.channel == 2


def test_a_silent_clip_changes_nothing(clip, tmp_path):
    scene, counts = bpy.context.scene, block_counts()
    scene.sequence_editor_clear()
    write_photo(tmp_path / "frame_001.png", 8, 8)
    for path in (clip, tmp_path / "missing.mp4", tmp_path, tmp_path / "frame_001.png"):
        assert add_sound(scene, path, 1, "Clip") is None
    assert block_counts() == counts
    assert scene.sequence_editor is None


@pytest.mark.parametrize(
    ("fps", "whole", "base"),
    [(25.0, 25, 1.0), (29.97, 30, 1.001), (24000 / 1001, 24, 1.001), (59.94, 60, 1.001), (12.5, 12, 0.96), (0.5, 1, 2)],
)
def test_a_scene_takes_over_the_clips_rate(fps, whole, base):
    scene = bpy.context.scene
    set_scene_rate(scene, fps, 101, 350)
    assert scene.render.fps == whole
    assert scene.render.fps_base == pytest.approx(base, abs=1e-6)
    assert scene.render.fps / scene.render.fps_base == pytest.approx(fps, rel=2e-6)
    assert (scene.frame_start, scene.frame_end) == (101, 350)


@pytest.mark.parametrize("fps", [0.0, -25.0, float("nan"), 1e9])
def test_an_impossible_rate_is_an_error(fps):
    with pytest.raises(ValueError, match="frames a second"):
        set_scene_rate(bpy.context.scene, fps, 1, 2)


def test_a_camera_for_bones_sees_the_head_at_rest_as_the_footage_in_the_middle(built, person):
    take, scene = performance(11), bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 640, 360
    built.rig.location, built.rig.rotation_euler = (1.0, 2.0, 3.0), (0.1, 0.2, 0.3)
    bpy.context.view_layer.update()
    with Transaction() as transaction:
        view = build_clip_camera(scene, built.head, take, "Clip", built.rig.matrix_world, False, transaction)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = take.head_rotation[5] @ to_matrix(take.neck[5]).T, take.head_translation[5]
    camera = Camera(take.camera.K, pose, 640, 360)
    seen = seen_pixels(replace(built, camera=view), camera)
    assert np.abs(seen - camera.project(person.vertices)).max() < 0.1
