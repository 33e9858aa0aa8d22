import dataclasses

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from likeness.engine.camera import Camera
from likeness.operators.build import BuildOptions, build_head

from tests.operators.build.sphere_head import photo_camera


def seen_pixels(built, camera):
    """Where Blender's camera sees the vertices, in the photo's pixels."""
    bpy.context.view_layer.update()
    scene, world = bpy.context.scene, built.head.matrix_world
    views = [world_to_camera_view(scene, built.camera, world @ item.co) for item in built.head.data.vertices]
    return np.array([(view.x * camera.width, (1 - view.y) * camera.height) for view in views])


@pytest.mark.parametrize("size", [(600, 800), (800, 600), (512, 512)])
@pytest.mark.parametrize("rig", [True, False])
@pytest.mark.parametrize("scale_length", [1.0, 0.01])
def test_the_head_is_seen_where_the_engine_projects_it(person, size, rig, scale_length):
    bpy.context.scene.unit_settings.scale_length = scale_length
    camera = photo_camera(*size)
    moved = BuildOptions(rig=rig, match_render=True, location=(1.0, -2.0, 0.5))
    built = build_head(bpy.context, dataclasses.replace(person, camera=camera), None, moved)
    assert np.abs(seen_pixels(built, camera) - camera.project(person.vertices)).max() < 0.1


def test_the_match_survives_moving_and_turning_the_rig(person):
    built = build_head(bpy.context, person, None, BuildOptions(match_render=True))
    built.rig.location = (3.0, 1.0, 2.0)
    built.rig.rotation_euler = (0.2, 0.3, 1.0)
    assert np.abs(seen_pixels(built, person.camera) - person.camera.project(person.vertices)).max() < 0.1


@pytest.mark.parametrize("size", [(600, 800), (800, 600), (512, 512), (1600, 400)])
@pytest.mark.parametrize("frame", [(1920, 1080), (1080, 1920)])
def test_head_and_photo_match_in_a_frame_of_another_shape(person, size, frame):
    """Blender shows the photo as large as fits, in the middle of the frame: the head must be seen at that scale."""
    render = bpy.context.scene.render
    render.resolution_x, render.resolution_y = frame
    photo = photo_camera(*size)
    built = build_head(bpy.context, dataclasses.replace(person, camera=photo), None, BuildOptions())
    scale = min(frame[0] / size[0], frame[1] / size[1])
    K = photo.K * [[scale], [scale], [1.0]]
    K[:2, 2] += [(frame[0] - scale * size[0]) / 2, (frame[1] - scale * size[1]) / 2]
    fitted = Camera(K, photo.world_to_camera, *frame)
    assert np.abs(seen_pixels(built, fitted) - fitted.project(person.vertices)).max() < 0.2


def test_a_photos_frame_made_wider_later_still_matches(person):
    built = build_head(bpy.context, person, None, BuildOptions(match_render=True))
    render = bpy.context.scene.render
    render.resolution_x, render.resolution_y = 1600, 800
    wide = Camera(
        person.camera.K + np.array([[0, 0, 500], [0, 0, 0], [0, 0, 0]]), person.camera.world_to_camera, 1600, 800
    )
    assert np.abs(seen_pixels(built, wide) - wide.project(person.vertices)).max() < 0.1


def test_focal_length_reads_as_on_full_frame(built):
    camera = built.camera.data
    assert camera.lens == pytest.approx(900 * 36 / 800)
    assert camera.sensor_fit == "VERTICAL"
    assert (camera.sensor_width, camera.sensor_height) == pytest.approx((27, 36))


def write_photo(path, width, height):
    image = bpy.data.images.new("photo", width, height)
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)


def test_the_photo_stands_behind_the_head(person, tmp_path):
    write_photo(tmp_path / "anna.png", 600, 800)
    built = build_head(bpy.context, person, None, BuildOptions(photo=tmp_path / "anna.png"))
    camera = built.camera.data
    assert camera.show_background_images
    assert camera.background_images[0].image.packed_file is not None
    assert camera.background_images[0].display_depth == "BACK"
    assert built.warnings == []


def test_the_engines_upright_copy_is_preferred(person, tmp_path):
    write_photo(tmp_path / "photo.png", 600, 800)
    write_photo(tmp_path / "sideways.png", 800, 600)
    built = build_head(bpy.context, person, tmp_path, BuildOptions(photo=tmp_path / "sideways.png"))
    assert tuple(built.camera.data.background_images[0].image.size) == (600, 800)


def test_a_photo_blender_would_show_sideways_is_left_out_with_a_warning(person, tmp_path):
    write_photo(tmp_path / "sideways.png", 800, 600)
    images = len(bpy.data.images)
    built = build_head(bpy.context, person, None, BuildOptions(photo=tmp_path / "sideways.png"))
    assert "sideways.png" in built.warnings[0]
    assert len(built.camera.data.background_images) == 0
    assert len(bpy.data.images) == images + 3  # albedo, confidence, hair


def test_the_scenes_camera_and_size_change_only_when_asked_for(person):
    scene = bpy.context.scene
    own = bpy.data.objects.new("Own", bpy.data.cameras.new("Own"))
    scene.collection.objects.link(own)
    scene.camera, scene.render.resolution_x = own, 1234
    build_head(bpy.context, person)
    assert (scene.camera, scene.render.resolution_x) == (own, 1234)
    built = build_head(bpy.context, person, None, BuildOptions(match_render=True))
    assert scene.camera == built.camera
    assert (scene.render.resolution_x, scene.render.resolution_y) == (600, 800)
