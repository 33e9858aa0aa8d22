import dataclasses
import json

import bpy
import numpy as np
import pytest
from likeness.engine.errors import OutputError
from likeness.operators.build import BuildOptions, build_head, head

from tests.operators.build.measure import block_counts
from tests.operators.build.sphere_head import save_pictures, sphere_head


def test_objects_are_in_a_collection_named_after_the_file(built):
    assert built.collection.name == "sphere"
    assert {item.name for item in built.collection.objects} == {"sphere", "sphere Hair", "sphere Rig", "sphere Camera"}
    assert bpy.context.scene.collection.children["sphere"] == built.collection
    assert bpy.context.view_layer.objects.active == built.head
    assert bpy.context.selected_objects == [built.head]


def test_the_head_stands_upright_on_the_cursor(person):
    bpy.context.scene.cursor.location = (1.0, 2.0, 3.0)
    built = build_head(bpy.context, person)
    bpy.context.view_layer.update()
    corners = np.array([built.head.matrix_world @ vertex.co for vertex in built.head.data.vertices])
    assert np.allclose(corners[:, 2].min(), 3.0, atol=1e-6)
    assert np.allclose(built.rig.location[:2], (1, 2))
    assert np.allclose(built.rig.rotation_euler, 0)


def test_running_again_adds_a_second_head_and_leaves_the_first(person):
    first = build_head(bpy.context, person)
    first.keys.key_blocks["jawOpen"].value = 0.5
    second = build_head(bpy.context, person)
    assert (first.collection.name, second.collection.name) == ("sphere", "sphere.001")
    assert first.keys.key_blocks["jawOpen"].value == 0.5
    assert first.head.data != second.head.data
    assert first.albedo != second.albedo
    names = {"sphere.001", "sphere.001 Hair", "sphere.001 Rig", "sphere.001 Camera"}
    assert {item.name for item in second.collection.objects} == names


def test_a_further_head_stands_beside_those_that_are_there(person):
    bpy.context.scene.cursor.location = (1.0, 2.0, 0.0)
    heads = [build_head(bpy.context, person) for _ in range(3)]
    assert np.allclose([head.rig.location.x for head in heads], [1.0, 1.6, 2.2])
    assert np.allclose([head.rig.location.y for head in heads], 2.0)
    bpy.context.scene.cursor.location = (1.0, 0.0, 0.0)
    assert np.allclose(build_head(bpy.context, person).rig.location.xy, (1.0, 0.0))
    exact = build_head(bpy.context, person, None, BuildOptions(location=(1.0, 2.0, 0.0)))
    assert np.allclose(exact.rig.location.xy, (1.0, 2.0))


def test_options_leave_out_rig_and_camera(person):
    built = build_head(bpy.context, person, None, BuildOptions(rig=False, camera=False))
    assert built.rig is None
    assert built.camera is None
    assert built.head.parent is None
    assert len(built.head.vertex_groups) == 0
    assert [modifier.type for modifier in built.head.modifiers] == ["SUBSURF"]
    assert not bpy.data.armatures
    assert not bpy.data.cameras


def test_where_it_comes_from_is_written_on_it(built, person):
    for block in (built.collection, built.head, built.rig):
        assert json.loads(block["likeness_provenance"]) == {"head": "three spheres, CC0"}
        assert json.loads(block["likeness_report"])["warnings"] == []
        assert block["likeness_name"] == "sphere"
        assert np.allclose(block["likeness_expression"], person.expression)


STAGES = (
    "load_picture", "build_material", "build_mesh", "add_shape_keys", "build_armature", "bind", "add_limits",
    "build_camera", "match_render", "build_world", "_sign", "_select_only",
)  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("after", [False, True])
def test_a_failure_at_any_stage_leaves_the_file_as_it_was(person, monkeypatch, stage, after):
    scene = bpy.context.scene
    cube = bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube"))
    scene.collection.objects.link(cube)
    bpy.context.view_layer.objects.active = cube
    cube.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    scene.world = bpy.data.worlds.new("World")
    before = block_counts()
    step = getattr(head, stage)

    def fail(*arguments, **options):
        if after:
            step(*arguments, **options)
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr(head, stage, fail)
    with pytest.raises(RuntimeError, match="on fire"):
        build_head(bpy.context, person, None, BuildOptions(world_light=True, match_render=True))
    assert block_counts() == before
    assert scene.world.name == "World"
    assert not scene.world.use_fake_user
    assert scene.camera is None
    assert scene.render.resolution_x == 1920
    assert bpy.context.view_layer.objects.active == cube
    assert cube.select_get()
    assert cube.mode == "EDIT"


def test_a_failure_inside_the_bones_leaves_nothing(person):
    before = block_counts()
    broken = dataclasses.replace(person, joint_parents=np.array([-1, 0, 1, 1, 99], np.int32))
    with pytest.raises(IndexError):
        build_head(bpy.context, broken)
    assert block_counts() == before


def test_pictures_come_from_the_folder_and_are_packed(person, tmp_path):
    save_pictures(person, tmp_path)
    empty = np.zeros((0, 0), np.uint8)
    light = dataclasses.replace(person, albedo=empty, confidence=empty)
    built = build_head(bpy.context, light, tmp_path)
    for image in (built.albedo, built.confidence):
        assert image.packed_file is not None
        assert str(tmp_path) not in image.filepath
        assert tuple(image.size) == (32, 32)


@pytest.mark.parametrize("from_folder", [False, True])
def test_rows_and_colours_of_pictures_survive(person, tmp_path, from_folder):
    albedo = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    person = dataclasses.replace(person, albedo=albedo)
    if from_folder:
        save_pictures(person, tmp_path)
    built = build_head(bpy.context, person, tmp_path if from_folder else None)
    pixels = np.empty(32 * 32 * 4, np.float32)
    built.albedo.pixels.foreach_get(pixels)
    seen = np.round(pixels.reshape(32, 32, 4)[::-1, :, :3] * 255)
    assert np.array_equal(seen, albedo)


@pytest.mark.parametrize("from_folder", [False, True])
def test_pictures_can_be_kept_as_files_and_never_overwrite(person, tmp_path, from_folder):
    folder = None
    if from_folder:
        folder = tmp_path / "job"
        folder.mkdir()
        save_pictures(person, folder)
    options = BuildOptions(image_folder=tmp_path / "textures")
    first = build_head(bpy.context, person, folder, options)
    bpy.data.collections.remove(first.collection)
    bpy.data.images.remove(first.albedo)
    second = build_head(bpy.context, person, folder, options)
    assert second.albedo.packed_file is None
    names = {path.name for path in (tmp_path / "textures").iterdir()}
    assert {"sphere Albedo.png", "sphere Albedo.001.png", "sphere Confidence.png"} <= names
    assert len(names) == 6  # the hair's too


def test_a_picture_folder_that_cannot_be_made_is_a_clear_error(person, tmp_path):
    (tmp_path / "textures").write_text("a file")
    before = block_counts()
    with pytest.raises(OutputError, match="textures"):
        build_head(bpy.context, person, None, BuildOptions(image_folder=tmp_path / "textures"))
    assert block_counts() == before


def test_files_of_a_failed_build_are_taken_away(person, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("no")

    monkeypatch.setattr(head, "build_mesh", fail)
    with pytest.raises(RuntimeError, match="no"):
        build_head(bpy.context, person, None, BuildOptions(image_folder=tmp_path / "textures"))
    assert list((tmp_path / "textures").iterdir()) == []


def test_names_of_any_script_and_length(person):
    for name in ("Zoë 日本 (1)", "x" * 200):
        built = build_head(bpy.context, sphere_head(name))
        assert name.startswith(built.collection.name)
        assert built.rig is not None
        assert built.head.modifiers[0].object == built.rig
