"""What other programs get: the head survives Blender's own glTF exporter."""

import dataclasses
import json
import struct

import bpy
import numpy as np
import pytest
from likeness.operators.build import build_head

from tests.operators.build.sphere_head import ARKIT


def read_glb(path):
    data = path.read_bytes()
    length, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    return json.loads(data[20 : 20 + length])


@pytest.fixture
def glb(built, tmp_path):
    pytest.importorskip("io_scene_gltf2", reason="needs Blender's glTF exporter")
    for item in built.collection.objects:
        item.select_set(item.type != "CAMERA")
    path = tmp_path / "head.glb"
    bpy.ops.export_scene.gltf(filepath=str(path), use_selection=True, export_morph=True, export_skins=True)
    return read_glb(path)


def test_gltf_keeps_the_52_names_in_order(glb):
    mesh = next(item for item in glb["meshes"] if item["name"] == "sphere")
    assert tuple(mesh["extras"]["targetNames"][:52]) == ARKIT
    assert len(mesh["primitives"]) == 3
    assert all(len(primitive["targets"]) == 60 for primitive in mesh["primitives"])
    assert np.allclose(mesh["weights"], 0)


def test_gltf_keeps_the_skin_and_its_joints(glb):
    joints = {glb["nodes"][index]["name"] for index in glb["skins"][0]["joints"]}
    assert {"neck", "head", "jaw", "eye.L", "eye.R"} <= joints
    assert all("JOINTS_0" in primitive["attributes"] for primitive in glb["meshes"][0]["primitives"])


def test_gltf_keeps_the_picture(glb):
    assert len(glb["images"]) >= 1
    assert "baseColorTexture" in glb["materials"][0]["pbrMetallicRoughness"]


def test_gltf_keeps_the_lashes_transparency_on_their_own_map(person, tmp_path):
    slots = ("skin", "lashes", "eye.R")
    built = build_head(bpy.context, dataclasses.replace(person, material_names=slots))
    built.head.select_set(True)
    path = tmp_path / "lashes.glb"
    bpy.ops.export_scene.gltf(filepath=str(path), use_selection=True)
    glb = read_glb(path)
    material = next(item for item in glb["materials"] if item["name"].endswith("lashes"))
    texture = material["pbrMetallicRoughness"]["baseColorTexture"]
    assert material["alphaMode"] != "OPAQUE"
    assert texture["texCoord"] == 1
    assert glb["images"][glb["textures"][texture["index"]]["source"]]["name"] == "sphere Strands"
