"""The hair object: its volume, its opacity, what it moves with."""

from __future__ import annotations

import dataclasses

import bpy
import numpy as np
import pytest
from likeness.engine.errors import OutputError
from likeness.operators import heads
from likeness.operators.build import BuildOptions, build_head

from tests.operators.build.measure import evaluated_positions, to_blender


def test_hair_is_an_object_of_its_own_on_the_head(built, person):
    assert built.hair is not None
    assert built.hair.name == "sphere Hair"
    assert built.hair.parent == built.head
    assert built.hair.users_collection == (built.collection,)
    assert heads.head_hair(built.head) == built.hair
    assert len(built.hair.data.polygons) == len(person.hair.faces)
    assert len(built.head.data.vertices) == len(person.vertices)


def test_volume_leads_from_the_skull_to_the_photo_and_beyond(built, person):
    volume = heads.hair_volume(built.hair)
    assert (volume.slider_min, volume.slider_max, volume.value) == (0.0, 1.5, 1.0)
    for value in (0.0, 1.0, 1.5):
        volume.value = value
        expected = to_blender(person.hair.at_volume(value))
        assert np.allclose(evaluated_positions(built.hair), expected, atol=1e-6), value
    assert person.hair.at_volume(1.5)[0, 1] > person.hair.vertices[0, 1]


def test_hair_turns_with_the_head_bone(built, person):
    before = evaluated_positions(built.hair)
    assert built.rig.pose is not None
    built.rig.pose.bones["head"].rotation_euler.x = 0.3
    moved = evaluated_positions(built.hair) - before
    pivot = to_blender(person.joints[1])
    reach = np.linalg.norm((before - pivot)[:, 1:], axis=1)
    assert np.allclose(np.linalg.norm(moved, axis=1), 2 * np.sin(0.15) * reach, atol=1e-4)


def test_the_picture_cuts_the_hair_out(built):
    shader = next(node for node in built.hair.active_material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    for name, output in {"Base Color": "Color", "Alpha": "Alpha"}.items():
        link = shader.inputs[name].links[0]
        assert (link.from_node.name, link.from_socket.name) == ("Hair", output)
    image = shader.inputs["Alpha"].links[0].from_node.image
    pixels = np.array(image.pixels[:]).reshape(8, 16, 4)
    assert np.allclose(pixels[:, :8, 3], 1)
    assert np.allclose(pixels[:, 8:, 3], 0)
    assert image.packed_file is not None


def test_a_bald_head_has_no_hair(person):
    built = build_head(bpy.context, dataclasses.replace(person, hair=None))
    assert built.hair is None
    assert heads.head_hair(built.head) is None
    assert [item.type for item in built.collection.objects].count("MESH") == 1


def test_without_a_rig_the_hair_hangs_on_the_head_alone(person):
    built = build_head(bpy.context, person, None, BuildOptions(rig=False))
    assert built.hair.parent == built.head
    assert not built.hair.modifiers


def test_a_build_that_fails_leaves_no_hair(person, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        build_head(bpy.context, person, None, BuildOptions(image_folder=tmp_path / "file"))
    assert not [item for item in bpy.data.objects if "Hair" in item.name]
