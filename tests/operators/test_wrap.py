"""Wrap Head to Depth, on the head of spheres and depth meshes whose surface is known."""

from __future__ import annotations

import json

import bpy
import numpy as np
import pytest
from likeness.engine.depth.boundary import vertex_normals
from likeness.engine.result import Reconstruction
from likeness.operators import heads, wrap
from likeness.operators.build.depth import add_groups, sign_depth
from likeness.operators.build.space import Space

SPACE = Space()
OUTWARDS = 0.005
"""Metres by which the toy's depth mesh is larger than its head."""


@pytest.fixture
def head(extension, photo):
    """A head in the scene, active."""
    bpy.ops.likeness.reconstruct(filepath=str(photo("good")))
    head = bpy.context.view_layer.objects.active
    bpy.context.view_layer.update()
    return head


@pytest.fixture
def person(head):
    return Reconstruction.load(heads.result_folder(head), pictures=False)


def places(points) -> np.ndarray:
    found = np.empty(3 * len(points), np.float32)
    points.foreach_get("co", found)
    return found.reshape(-1, 3)


def depth_mesh(head, vertices, faces, groups, name=None):
    """An object as Depth Mesh from Image leaves it; vertices (V,3) in engine space."""
    mesh = bpy.data.meshes.new("toy Depth")
    mesh.from_pydata(SPACE.to_blender(vertices).tolist(), [], np.asarray(faces).tolist())
    mesh.uv_layers.new(name="UVMap").data.foreach_set(
        "uv", np.asarray(vertices)[np.asarray(faces).ravel(), :2].astype(np.float32).ravel()
    )
    mesh.materials.append(bpy.data.materials.new("photo"))
    item = bpy.data.objects.new("toy Depth", mesh)
    bpy.context.scene.collection.objects.link(item)
    item.matrix_world = head.matrix_world
    add_groups(item, groups)
    item[wrap.DEPTH_KEY] = head[heads.NAME_KEY] if name is None else name
    bpy.context.view_layer.update()
    return item


@pytest.fixture
def larger(head, person):
    """The posed head's skin, `OUTWARDS` outside itself; all of it skin."""
    slot = person.material_names.index("skin")
    own = person.polygons[person.polygon_materials == slot]
    faces = [[c for c in polygon if c >= 0] for polygon in own.tolist()]
    faces = np.array([[f[0], f[k], f[k + 1]] for f in faces for k in range(1, len(f) - 1)])
    grown = person.posed_vertices + OUTWARDS * vertex_normals(person.posed_vertices, person.faces)
    return depth_mesh(head, grown, faces, {"skin": np.ones(len(grown))})


def test_the_skin_moves_to_the_depth_mesh(head, larger):
    basis = places(head.data.shape_keys.key_blocks["Basis"].data)

    assert bpy.ops.likeness.wrap_depth(falloff=1.0) == {"FINISHED"}

    key = head.data.shape_keys.key_blocks["Depth Detail"]
    assert key.value == 1.0
    assert key.relative_key.name == "Basis"
    moved = np.linalg.norm(places(key.data) - basis, axis=1)
    assert np.median(moved[moved > 0.8 * OUTWARDS]) == pytest.approx(OUTWARDS, rel=0.1)  # its spheres are coarse
    assert moved.max() < 1.3 * OUTWARDS
    assert (moved == 0).sum() > len(moved) / 3  # the back of the head, and all that is no skin
    slots = [item.name for item in head.data.materials]
    other = {v for polygon in head.data.polygons if "skin" not in slots[polygon.material_index]
             for v in polygon.vertices}  # fmt: skip
    assert moved[list(other)].max() == 0
    assert np.array_equal(places(head.data.shape_keys.key_blocks["Basis"].data), basis)


def test_the_limit_holds_and_a_second_time_replaces_the_first(head, larger):
    names = [block.name for block in head.data.shape_keys.key_blocks]
    bpy.ops.likeness.wrap_depth()
    bpy.ops.likeness.wrap_depth(limit=2.0)
    keys = head.data.shape_keys.key_blocks
    assert [block.name for block in keys] == [*names, "Depth Detail"]
    moved = np.linalg.norm(places(keys["Depth Detail"].data) - places(keys["Basis"].data), axis=1)
    assert 1.5e-3 < moved.max() < 2.0001e-3


def test_expressions_are_what_they_were(head, larger):
    names = heads.expression_names(head)
    before = places(head.data.shape_keys.key_blocks[names[17]].data)
    bpy.ops.likeness.wrap_depth()
    assert heads.expression_names(head) == names
    assert np.array_equal(places(head.data.shape_keys.key_blocks[names[17]].data), before)


def test_a_neutral_face_keeps_what_was_wrapped(head, larger):
    bpy.ops.likeness.wrap_depth()
    keys = head.data.shape_keys.key_blocks
    keys[1].value = 0.5
    bpy.ops.likeness.neutral()
    assert (keys[1].value, keys["Depth Detail"].value) == (0.0, 1.0)


def test_hair_becomes_an_object_on_the_head(head):
    """A fan of hair above a patch of cloth: the hair alone is taken, and the hair that was there is hidden."""
    before = heads.head_hair(head)
    vertices = np.array([[0, 0.2, 0], [0.1, 0.2, 0], [0, 0.3, 0], [0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]])
    hair = np.array([1.0, 1, 1, 0, 0, 0])
    depth = depth_mesh(head, vertices, [[0, 1, 2], [3, 4, 5]], {"hair": hair, "cloth": 1 - hair})

    assert bpy.ops.likeness.wrap_depth(mode="HAIR") == {"FINISHED"}

    item = heads.head_hair(head)
    assert item is not before
    assert (before.hide_viewport, before.hide_render) == (True, True)
    assert item.parent == head
    assert np.allclose(places(item.data.vertices), SPACE.to_blender(vertices[:3]), atol=1e-6)
    assert [polygon.vertices[:] for polygon in item.data.polygons] == [(0, 1, 2)]
    assert item.data.materials[0] == depth.data.materials[0]
    uv = np.array([loop.uv for loop in item.data.uv_layers.active.data])
    assert np.allclose(uv, vertices[:3, :2], atol=1e-6)
    assert item.modifiers["Armature"].object == head.parent
    assert item.vertex_groups["head"].weight(2) == 1.0


def test_hair_made_anew_takes_the_old_ones_place(head):
    vertices = np.array([[0, 0.2, 0], [0.1, 0.2, 0], [0, 0.3, 0]])
    depth_mesh(head, vertices, [[0, 1, 2]], {"hair": np.ones(3)})
    bpy.ops.likeness.wrap_depth(mode="HAIR")
    count = len(bpy.data.objects)
    bpy.ops.likeness.wrap_depth(mode="HAIR")
    assert len(bpy.data.objects) == count


def test_the_head_turns_and_its_hair_with_it(head):
    vertices = np.array([[0, 0.2, 0], [0.1, 0.2, 0], [0, 0.3, 0]])
    depth_mesh(head, vertices, [[0, 1, 2]], {"hair": np.ones(3)})
    bpy.ops.likeness.wrap_depth(mode="HAIR")
    item = heads.head_hair(head)

    def tip():
        bpy.context.view_layer.update()
        return item.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.vertices[2].co.copy()

    before = tip()
    head.parent.pose.bones["head"].rotation_mode = "XYZ"
    head.parent.pose.bones["head"].rotation_euler.x = 0.4
    assert (tip() - before).length > 0.01


def test_it_is_found_from_the_depth_mesh_too(head, larger):
    bpy.context.view_layer.objects.active = larger
    assert bpy.ops.likeness.wrap_depth() == {"FINISHED"}
    assert "Depth Detail" in head.data.shape_keys.key_blocks


def test_what_does_not_fit_is_refused(head, person):
    with pytest.raises(RuntimeError, match="no depth mesh in the scene"):
        bpy.ops.likeness.wrap_depth()
    triangle = np.array([[0, 0, 0.2], [0.1, 0, 0.2], [0, 0.1, 0.2]])
    item = depth_mesh(head, triangle, [[0, 1, 2]], {"skin": np.ones(3)}, name="someone")
    with pytest.raises(RuntimeError, match="made from another photo"):
        bpy.ops.likeness.wrap_depth()
    item[wrap.DEPTH_KEY] = head[heads.NAME_KEY]
    with pytest.raises(RuntimeError, match="shows no hair"):
        bpy.ops.likeness.wrap_depth(mode="HAIR")
    head.parent.location.x += 0.3
    bpy.context.view_layer.update()
    with pytest.raises(RuntimeError, match="no longer stands"):
        bpy.ops.likeness.wrap_depth()
    assert "Depth Detail" not in head.data.shape_keys.key_blocks


def test_without_a_camera_it_says_so(head, larger):
    head[heads.REPORT_KEY] = "{}"
    with pytest.raises(RuntimeError, match="taken from"):
        bpy.ops.likeness.wrap_depth()


def test_groups_become_vertex_groups(head):
    triangle = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    item = depth_mesh(head, triangle, [[0, 1, 2]], {"hair": np.array([1, 0.5, 0]), "glasses": np.zeros(3)})
    assert [group.name for group in item.vertex_groups] == ["Hair", "Glasses"]
    assert [[entry.weight for entry in vertex.groups] for vertex in item.data.vertices] == [[1.0], [0.5], []]


def test_a_depth_mesh_knows_its_camera(head, tmp_path):
    item = bpy.data.objects.new("depth", None)
    sign_depth(item, "jo", tmp_path)
    assert item[wrap.DEPTH_KEY] == "jo"
    assert wrap.CAMERA_KEY not in item
    report = {"K": np.eye(3).tolist(), "world_to_camera": np.eye(4).tolist(), "depth_size": [30, 20]}
    (tmp_path / "report.json").write_text(json.dumps(report), encoding="utf-8")
    sign_depth(item, "jo", tmp_path)
    assert json.loads(item[wrap.CAMERA_KEY])["image_size"] == [30, 20]
