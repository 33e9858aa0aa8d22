"""The GLB, read back by other readers than the writer."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from engine.errors import OutputError
from engine.export import export_glb, read_glb
from engine.render.look import face_materials, gloss, lash_opacity

from .toy_result import box_head


def head_with_lashes():
    """The box with one of its sides called lashes, apart from the rest."""
    head = box_head()
    return replace(
        head,
        polygon_materials=np.array([0, 0, 0, 0, 0, 1], np.int32),
        material_names=("skin", "lashes"),
    )


def test_geometry_texture_and_orientation_survive(tmp_path: Path) -> None:
    head = box_head()
    export_glb(head, tmp_path / "head.glb")
    scene = trimesh.load(tmp_path / "head.glb")
    mesh = scene.geometry["head"]
    assert np.allclose(mesh.bounds, [head.vertices.min(0), head.vertices.max(0)])
    assert mesh.volume > 0
    picture = np.asarray(mesh.visual.material.baseColorTexture)
    front = mesh.faces[mesh.face_normals[:, 2] > 0.9]
    u, v = mesh.visual.uv[front].mean((0, 1))
    assert abs(int(picture[int((1 - v) * 63), int(u * 63), 0]) - 180) <= 2  # JPEG


def test_morph_targets_hold_the_expressions(tmp_path: Path) -> None:
    head = box_head()
    export_glb(head, tmp_path / "head.glb")
    tree, binary = read_glb((tmp_path / "head.glb").read_bytes())
    mesh = tree["meshes"][0]
    assert mesh["extras"]["targetNames"] == ["jawOpen", "still"]
    assert mesh["weights"] == [0, 0]
    base = tree["accessors"][mesh["primitives"][0]["attributes"]["POSITION"]]
    moving, still = (tree["accessors"][target["POSITION"]] for target in mesh["primitives"][0]["targets"])
    assert moving["count"] == base["count"]
    assert np.allclose(moving["max"], [0, 0, 0.05], atol=1e-4)
    view = tree["bufferViews"][moving["sparse"]["values"]["bufferView"]]
    values = np.frombuffer(binary, "<f4", view["byteLength"] // 4, view["byteOffset"]).reshape(-1, 3)
    assert np.allclose(values, [0, 0, 0.05], atol=1e-4)
    assert still["sparse"]["count"] == 1
    assert tree["buffers"][0]["byteLength"] <= len(binary)


def test_lashes_are_a_translucent_piece(tmp_path: Path) -> None:
    head = head_with_lashes()
    export_glb(head, tmp_path / "head.glb")
    tree, _ = read_glb((tmp_path / "head.glb").read_bytes())
    lashes = next(mesh for mesh in tree["meshes"] if mesh["name"] == "lashes")
    material = tree["materials"][lashes["primitives"][0]["material"]]
    assert material["alphaMode"] == "BLEND"
    assert "baseColorTexture" not in material["pbrMetallicRoughness"]
    assert "COLOR_0" in lashes["primitives"][0]["attributes"]


def test_relief_is_the_skins_normal_map(tmp_path: Path) -> None:
    normals = np.full((64, 64, 3), (128, 128, 255), np.uint8)
    normals[:, :32] = (200, 128, 220)
    export_glb(head_with_lashes(), tmp_path / "head.glb", normals)
    tree, binary = read_glb((tmp_path / "head.glb").read_bytes())
    skin, lashes = (next(entry for entry in tree["materials"] if entry["name"] == name) for name in ("skin", "lashes"))
    assert "normalTexture" not in lashes
    image = tree["images"][tree["textures"][skin["normalTexture"]["index"]]["source"]]
    colour = tree["images"][tree["textures"][skin["pbrMetallicRoughness"]["baseColorTexture"]["index"]]["source"]]
    assert image != colour
    view = tree["bufferViews"][image["bufferView"]]
    start = view["byteOffset"]
    with Image.open(BytesIO(binary[start : start + view["byteLength"]])) as picture:
        np.testing.assert_allclose(np.asarray(picture)[8, 8].astype(int), normals[8, 8], atol=4)


def test_without_relief_there_is_no_normal_map(tmp_path: Path) -> None:
    export_glb(box_head(), tmp_path / "head.glb")
    tree, _ = read_glb((tmp_path / "head.glb").read_bytes())
    assert not any("normalTexture" in entry for entry in tree["materials"])


def test_look_of_the_parts() -> None:
    head = replace(head_with_lashes(), material_names=("skin", "eye.L"))
    assert face_materials(box_head()).tolist() == [0] * 12
    assert (gloss(head)[face_materials(head) == 1] > 0).all()
    assert not gloss(head)[face_materials(head) == 0].any()
    assert (lash_opacity(head) == 1).all()


def test_unwritable_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="missing"):
        export_glb(box_head(), tmp_path / "missing" / "head.glb")
