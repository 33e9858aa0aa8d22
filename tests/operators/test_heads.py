"""Operators on a head that was built."""

from __future__ import annotations

import bpy
import pytest
from likeness.operators import heads

ARKIT = 52


@pytest.fixture
def head(extension, photo):
    """A head in the scene, active."""
    bpy.ops.likeness.reconstruct(filepath=str(photo("good")))
    return bpy.context.view_layer.objects.active


def values(head):
    """The expression keys' values by name, without those at 0."""
    blocks = head.data.shape_keys.key_blocks[1 : 1 + ARKIT]
    return {block.name: pytest.approx(block.value) for block in blocks if block.value}


def test_head_is_found_from_any_of_its_objects(head):
    family = [head, head.parent, heads.head_camera(head)]
    assert [item.type for item in family] == ["MESH", "ARMATURE", "CAMERA"]
    for item in family:
        bpy.context.view_layer.objects.active = item
        assert heads.active_head(bpy.context) == head


def test_no_head_no_operator(extension):
    bpy.ops.mesh.primitive_cube_add()
    assert heads.active_head(bpy.context) is None
    for name in ("neutral", "photo_expression", "view_key", "select_camera", "open_folder"):
        assert not getattr(bpy.ops.likeness, name).poll()


def test_expression_of_the_photo_and_neutral(head):
    assert values(head) == {}
    bpy.ops.likeness.photo_expression()
    assert head.data.shape_keys.key_blocks["tongueOut"].value == pytest.approx(1.0)
    assert len(values(head)) == ARKIT - 1
    head.data.shape_keys.key_blocks["identity_00"].value = 1.0
    head.parent.pose.bones["jaw"].rotation_euler.x = 0.3
    bpy.ops.likeness.neutral()
    assert values(head) == {}
    assert head.data.shape_keys.key_blocks["identity_00"].value == 0.0
    assert head.parent.pose.bones["jaw"].rotation_euler.x == pytest.approx(0.0)


def test_viewer_shows_one_key_alone(head):
    bpy.ops.likeness.photo_expression()
    bpy.ops.likeness.view_key(key="jawOpen", value=0.5)
    assert values(head) == {"jawOpen": 0.5}
    assert head.active_shape_key.name == "jawOpen"
    bpy.ops.likeness.view_key(key="cheekPuff")
    assert values(head) == {"cheekPuff": 1.0}


def test_viewer_leaves_identity_alone(head):
    head.data.shape_keys.key_blocks["identity_00"].value = 2.0
    bpy.ops.likeness.view_key(key="jawOpen")
    assert head.data.shape_keys.key_blocks["identity_00"].value == 2.0


def test_viewer_steps_round_and_round(head):
    names = heads.expression_names(head)
    assert len(names) == ARKIT
    bpy.ops.likeness.view_key(step=1)
    assert values(head) == {names[0]: 1.0}
    bpy.ops.likeness.view_key(step=1)
    assert values(head) == {names[1]: 1.0}
    bpy.ops.likeness.view_key(step=-2)
    assert values(head) == {names[-1]: 1.0}
    bpy.ops.likeness.neutral()
    bpy.ops.likeness.view_key(step=-1)
    assert values(head) == {names[-1]: 1.0}


def test_bones_are_hidden_at_first_and_shown_on_request(head):
    rig = head.parent
    assert rig.hide_get()
    bpy.ops.likeness.toggle_bones()
    assert not rig.hide_get()
    bpy.ops.likeness.toggle_bones()
    assert rig.hide_get()


def test_hidden_bones_still_move_the_head(head):
    jaw = head.vertex_groups["jaw"].index
    vertex = next(item.index for item in head.data.vertices if any(group.group == jaw for group in item.groups))

    def position():
        bpy.context.view_layer.update()
        return head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.vertices[vertex].co.copy()

    before = position()
    head.parent.pose.bones["jaw"].rotation_euler.x = 0.4
    assert (position() - before).length > 0.001


def test_head_without_bones(extension, photo):
    bpy.ops.likeness.reconstruct(filepath=str(photo("good")), rig=False)
    with pytest.raises(RuntimeError, match="without an armature"):
        bpy.ops.likeness.toggle_bones()


def test_camera_becomes_the_scenes(head):
    other = bpy.data.objects.new("other", bpy.data.cameras.new("other"))
    bpy.context.scene.camera = other
    bpy.ops.likeness.select_camera()
    assert bpy.context.scene.camera == heads.head_camera(head)


def test_head_without_a_camera(extension, photo):
    bpy.ops.likeness.reconstruct(filepath=str(photo("good")), camera=False)
    with pytest.raises(RuntimeError, match="without a camera"):
        bpy.ops.likeness.select_camera()


def test_folder_that_is_gone(head):
    head[heads.FOLDER_KEY] = "/nowhere/at/all"
    with pytest.raises(RuntimeError, match="no longer there"):
        bpy.ops.likeness.open_folder()


def test_folder_is_the_caches_or_beside_the_blend(head, tmp_path):
    folder = heads.result_folder(head)
    assert folder is not None
    assert folder.name == "good"
    del head[heads.FOLDER_KEY]
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "good.blend"))
    assert heads.result_folder(head) is None
    (tmp_path / "head.npz").touch()
    assert heads.result_folder(head) == tmp_path


def test_provenance_is_readable(head):
    assert heads.licences(head) == ["Head: three spheres, CC0"]
    head[heads.PROVENANCE_KEY] = "not JSON"
    assert heads.licences(head) == []


def test_warnings_of_the_engine(head):
    assert heads.warnings(head) == []
    head[heads.REPORT_KEY] = '{"warnings": ["Two faces were found."]}'
    assert heads.warnings(head) == ["Two faces were found."]
    head[heads.REPORT_KEY] = "[1, 2]"
    assert heads.warnings(head) == []


def test_viewer_is_undone(head):
    bpy.ops.ed.undo_push(message="Before")
    bpy.ops.likeness.view_key("EXEC_DEFAULT", True, key="jawOpen")
    bpy.ops.ed.undo()
    assert values(bpy.context.view_layer.objects.active) == {}


def test_hair_is_hidden_and_shown_in_views_and_renders(head):
    hair = heads.head_hair(head)
    assert heads.hair_shown(hair)
    bpy.ops.likeness.toggle_hair()
    assert (hair.hide_viewport, hair.hide_render) == (True, True)
    bpy.ops.likeness.toggle_hair()
    assert (hair.hide_viewport, hair.hide_render) == (False, False)


def test_selected_hair_belongs_to_its_head(head):
    bpy.context.view_layer.objects.active = heads.head_hair(head)
    assert heads.active_head(bpy.context) == head


def test_a_bald_head_has_no_hair_to_show(head):
    bpy.data.objects.remove(heads.head_hair(head))
    with pytest.raises(RuntimeError, match="no hair of its own"):
        bpy.ops.likeness.toggle_hair()
