"""The photo's light for a head that is in the scene already."""

from __future__ import annotations

import math

import bpy
import numpy as np
import pytest
from likeness.operators.build.world import HEIGHT, WIDTH, panorama
from likeness.operators.light import LIGHT_KEY, LIKENESS_OT_photo_light, head_light


@pytest.fixture
def head(extension, photo):
    """A head in the scene, active; the operator is registered."""
    listed = hasattr(bpy.types, "LIKENESS_OT_photo_light")
    if not listed:
        bpy.utils.register_class(LIKENESS_OT_photo_light)
    bpy.ops.likeness.reconstruct(filepath=str(photo("good")))
    yield bpy.context.view_layer.objects.active
    if not listed:
        bpy.utils.unregister_class(LIKENESS_OT_photo_light)


def nodes_of(world):
    return {node.bl_idname: node for node in world.node_tree.nodes}


def light_in(world):
    """(H,W,3) the panorama of a world."""
    pixels = np.empty(4 * WIDTH * HEIGHT, np.float32)
    nodes_of(world)["ShaderNodeTexEnvironment"].image.pixels.foreach_get(pixels)
    return pixels.reshape(HEIGHT, WIDTH, 4)[..., :3]


def test_the_scene_is_lit_as_the_photo_was(head):
    old = bpy.data.worlds.new("Old")
    bpy.context.scene.world = old
    assert bpy.ops.likeness.photo_light() == {"FINISHED"}
    world = bpy.context.scene.world
    assert world != old
    assert old.use_fake_user
    illumination, towards = head_light(head)
    assert illumination.shape == (9, 3)
    assert np.allclose(light_in(world), panorama(illumination, towards), atol=1e-3)
    assert "ShaderNodeMapping" not in nodes_of(world)


def test_it_can_be_undone_and_needs_a_head(head):
    assert {"REGISTER", "UNDO"} <= LIKENESS_OT_photo_light.bl_options
    bpy.context.view_layer.objects.active = None
    assert not bpy.ops.likeness.photo_light.poll()


def test_light_turns_with_the_head(head):
    head.parent.rotation_euler.z = math.pi / 2
    bpy.context.view_layer.update()
    bpy.ops.likeness.photo_light()
    mapping = nodes_of(bpy.context.scene.world)["ShaderNodeMapping"]
    assert np.allclose(mapping.inputs["Rotation"].default_value, (0, 0, -math.pi / 2), atol=1e-5)
    picture = nodes_of(bpy.context.scene.world)["ShaderNodeTexEnvironment"]
    assert picture.inputs["Vector"].links[0].from_node == mapping


def test_heads_of_earlier_versions_ask_their_result_folder(head):
    written = head_light(head)
    del head[LIGHT_KEY]
    read = head_light(head)
    assert np.allclose(read[0], written[0], atol=1e-6)
    assert np.allclose(read[1], written[1], atol=1e-6)
    head["likeness_folder"] = "nowhere"
    assert head_light(head) is None
    with pytest.raises(RuntimeError, match="photo's light"):
        bpy.ops.likeness.photo_light()
