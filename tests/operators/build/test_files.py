import bpy
import numpy as np
import pytest
from likeness.engine.errors import OutputError
from likeness.operators.build import BuildOptions, build_head, new_scene, save_blend


def test_a_saved_file_opens_with_everything_in_it(person, tmp_path):
    new_scene()
    build_head(bpy.context, person, None, BuildOptions(world_light=True, match_render=True))
    path = tmp_path / "deep" / "sphere.blend"
    save_blend(path)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(path))
    head = bpy.data.objects["sphere"]
    assert len(head.data.shape_keys.key_blocks) == 61
    assert bpy.context.scene.camera.name == "sphere Camera"
    assert bpy.context.scene.world.name == "sphere World"
    assert head.parent.data.bones["jaw"].parent.name == "head"
    pixels = np.empty(4 * 32 * 32, np.float32)
    bpy.data.images["sphere Albedo"].pixels.foreach_get(pixels)
    assert np.allclose(pixels[:3] * 255, (200, 150, 120), atol=0.5)


def test_the_opened_file_looks_at_the_head_from_close_by(person, tmp_path):
    new_scene()
    build_head(bpy.context, person, None, BuildOptions(location=(1.0, 0.0, 0.0)))
    save_blend(tmp_path / "sphere.blend")
    areas = [area for screen in bpy.data.screens for area in screen.areas if area.type == "VIEW_3D"]
    assert areas
    for area in areas:
        view = area.spaces.active
        assert np.allclose(view.region_3d.view_location, (1.0, 0.0, 0.1), atol=1e-4)
        assert 0.3 < view.region_3d.view_distance < 3.0
        assert view.shading.type == "MATERIAL"


def test_new_scene_is_empty_and_shows_plain_colours():
    bpy.data.meshes.new("leftover")
    new_scene()
    assert not bpy.data.objects
    assert not bpy.data.meshes
    assert bpy.context.scene.view_settings.view_transform == "Standard"


def test_pictures_beside_the_file_are_found_when_both_move(person, tmp_path):
    new_scene()
    folder = tmp_path / "one"
    build_head(bpy.context, person, None, BuildOptions(image_folder=folder / "textures"))
    save_blend(folder / "sphere.blend")
    assert bpy.data.images["sphere Albedo"].filepath.startswith("//textures")
    folder.rename(tmp_path / "two")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "two" / "sphere.blend"))
    image = bpy.data.images["sphere Albedo"]
    assert tuple(image.size) == (32, 32)


def test_a_path_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match=r"sphere\.blend"):
        save_blend(tmp_path / "file" / "sphere.blend")
    (tmp_path / "folder.blend").mkdir()
    with pytest.raises(OutputError, match=r"folder\.blend"):
        save_blend(tmp_path / "folder.blend")
