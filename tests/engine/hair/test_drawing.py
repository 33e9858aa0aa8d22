"""Hair in pictures, in the result folder and in the GLB: cut out, hidden by what is nearer, read back as written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import trimesh

from engine.export import export_glb, read_glb
from engine.hair.shell import HairShell
from engine.render.hair import hair_look
from engine.render.lighting import ambient
from engine.render.shade import render_head
from engine.result import HAIR_ARRAYS, Reconstruction

from ..toy_result import box_head


def curtain(z: float) -> HairShell:
    """A square of hair, 8 cm each way, its left half transparent, at a depth z of the box."""
    corners = np.array([[-0.04, -0.04, z], [0.04, -0.04, z], [0.04, 0.04, z], [-0.04, 0.04, z]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    albedo = np.zeros((32, 32, 4), np.uint8)
    albedo[..., 2] = 200
    albedo[:, 16:, 3] = 255
    anchors = np.repeat(np.arange(4, 8, dtype=np.int32)[:, None], 3, 1)
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    return HairShell(corners, corners * 0.5, faces, uv, faces, albedo, anchors, np.full((4, 3), 1 / 3, np.float32))


def drawn(hair: HairShell | None):
    head = box_head()
    look = None if hair is None else hair_look(hair)
    return render_head(
        head.vertices, head.faces, head.uv, head.uv_faces, head.albedo, head.camera, ambient(), hair=look
    )


def test_hair_is_drawn_where_its_texture_is_opaque():
    plain, picture = drawn(None), drawn(curtain(0.15))
    right, left = (100, 120 + 10), (100, 120 - 10)
    assert np.abs(picture[right].astype(int) - (0, 0, 200, 255)).max() <= 1
    assert np.array_equal(picture[left], plain[left])
    changed = (picture != plain).any(-1)
    half = 0.04 * 400 / 0.85  # pixels
    assert changed.sum() == round(half) * 2 * round(half) or abs(changed.sum() - 2 * half * half) < 4 * half


def test_hair_behind_the_head_is_hidden():
    assert np.array_equal(drawn(curtain(-0.15)), drawn(None))


def test_hair_beyond_the_head_widens_the_picture():
    wide = curtain(0.0)
    wide = replace(wide, vertices=wide.vertices + np.array([0.15, 0, 0], np.float32))
    assert drawn(None)[100, 190, 3] == 0
    assert drawn(wide)[100, 190, 3] == 255


def test_the_result_folder_keeps_it(tmp_path):
    head = replace(box_head(), hair=curtain(0.15))
    head.save(tmp_path)
    loaded = Reconstruction.load(tmp_path)
    assert loaded.hair is not None
    for name in (*HAIR_ARRAYS, "albedo"):
        assert np.array_equal(getattr(loaded.hair, name), getattr(head.hair, name)), name
    bald = tmp_path / "bald"
    box_head().save(bald)
    assert Reconstruction.load(bald).hair is None
    assert not (bald / "hair.png").exists()


def test_the_glb_cuts_it_out(tmp_path):
    hair = curtain(0.15)
    export_glb(replace(box_head(), hair=hair), tmp_path / "head.glb")
    tree, _ = read_glb((tmp_path / "head.glb").read_bytes())
    material = next(entry for entry in tree["materials"] if entry["name"] == "hair")
    assert (material["alphaMode"], material["alphaCutoff"], material["doubleSided"]) == ("MASK", 0.5, True)
    scene: Any = trimesh.load(tmp_path / "head.glb")
    meshes = scene.geometry
    assert np.allclose(meshes["hair"].bounds, [hair.vertices.min(0), hair.vertices.max(0)])
    assert np.array_equal(np.asarray(meshes["hair"].visual.material.baseColorTexture), hair.albedo)
    assert np.asarray(meshes["head"].visual.material.baseColorTexture).shape == (64, 64, 3)
