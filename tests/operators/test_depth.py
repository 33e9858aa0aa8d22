"""Depth Mesh from Image in Blender, with a real engine process that pretends."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from likeness.engine.depth.glb import read_mesh
from likeness.engine.errors import MediaError

from tests.blender_fixtures import counts
from tests.operators.build.measure import evaluated_positions, to_blender
from tests.operators.square_glb import CORNERS, square_glb


def test_a_photo_becomes_a_textured_mesh_at_the_cursor(extension, photo):
    bpy.context.scene.cursor.location = (1.0, 2.0, 3.0)

    assert bpy.ops.likeness.depth_mesh(filepath=str(photo("good"))) == {"FINISHED"}

    item = bpy.context.view_layer.objects.active
    assert item.name == "good Depth"
    assert np.allclose(evaluated_positions(item), to_blender(CORNERS), atol=1e-6)
    assert tuple(item.location) == pytest.approx((1.0, 2.0, 3.0))
    uv = np.array([loop.uv for loop in item.data.uv_layers.active.data])
    assert np.allclose(uv[:3], [[0, 0], [1, 0], [1, 1]])
    image = next(node for node in item.data.materials[0].node_tree.nodes if node.type == "TEX_IMAGE").image
    assert image.packed_file is not None
    assert image.pixels[:3] == pytest.approx([1, 0, 0])


def test_it_stands_in_register_with_the_head_of_the_same_photo(extension, photo):
    bpy.ops.likeness.reconstruct(filepath=str(photo("good")))
    head = bpy.context.view_layer.objects.active
    head["likeness_name"] = "good"  # the pretended result is another's
    head.parent.location = (0.4, 0.1, 1.2)
    bpy.context.view_layer.update()

    bpy.ops.likeness.depth_mesh(filepath=str(photo("good")))

    item = bpy.context.view_layer.objects.active
    assert np.allclose(item.matrix_world, head.matrix_world, atol=1e-6)


def test_choices_reach_the_engine(extension, photo):
    bpy.ops.likeness.depth_mesh(
        filepath=str(photo("good")), method="INFLATE", resolution="2048", faces=5000, close_back=True
    )

    options = extension.session.job.result["options"]
    assert options["method"] == "inflate"
    assert options["resolution"] == 2048
    assert options["faces"] == 5000
    assert options["close_back"] is True


def test_a_failed_job_leaves_nothing(extension, photo):
    before = counts()

    with pytest.raises(RuntimeError, match="No face was found"):
        bpy.ops.likeness.depth_mesh(filepath=str(photo("noface")))

    assert counts() == before
    assert not list(extension.results.glob("*"))


def test_without_a_photo_it_says_what_to_do(extension, tmp_path):
    with pytest.raises(RuntimeError, match="No photo was chosen"):
        bpy.ops.likeness.depth_mesh()
    with pytest.raises(RuntimeError, match="There is no photo"):
        bpy.ops.likeness.depth_mesh(filepath=str(tmp_path / "gone.jpg"))


def test_files_that_hold_no_mesh_are_named(tmp_path):
    path = tmp_path / "mesh.glb"
    with pytest.raises(MediaError, match=r"mesh\.glb"):
        read_mesh(path)
    for content in (b"", b"glTF nothing of the kind", square_glb()[:300]):
        path.write_bytes(content)
        with pytest.raises(MediaError, match=r"mesh\.glb holds no depth mesh"):
            read_mesh(path)
