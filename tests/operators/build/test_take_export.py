"""A take on a head survives Blender's own exporters: names, values, frames."""

import bpy
import numpy as np
import pytest
from likeness.operators.build import BuildOptions, build_head
from likeness.operators.build.action import build_action
from likeness.operators.build.take_options import TakeOptions

from tests.operators.build.performance import bone_turn, expected_turn, key_values, performance, set_rate
from tests.operators.build.sphere_head import ARKIT, sphere_head

FRAMES = 8


@pytest.fixture
def acting(empty_file):
    """A head that acts from frame 1, in a scene with just those frames, selected for export."""
    set_rate(25)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, FRAMES
    built = build_head(bpy.context, sphere_head(), None, BuildOptions(camera=False, subdivision=0))
    take = performance(FRAMES)
    build_action(built.head, take, TakeOptions(name="Clip"))
    for item in bpy.context.scene.objects:
        item.select_set(item in (built.head, built.rig))
    return take


def imported(importer, path, **options):
    """The head and armature of a file, in an empty scene of the same rate."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    set_rate(25)
    importer(filepath=str(path), **options)
    heads = [item for item in bpy.data.objects if item.type == "MESH" and item.data.shape_keys]
    assert len(heads) == 1
    return heads[0], next(item for item in bpy.data.objects if item.type == "ARMATURE")


def angle_of(turn):
    return np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))


def check(head, rig, take, tolerance):
    """Weights, and how far the head turns: other programs lay bones' axes differently."""
    assert {*ARKIT} <= {block.name for block in head.data.shape_keys.key_blocks}
    for frame in range(FRAMES):
        bpy.context.scene.frame_set(1 + frame)
        values = key_values(head)
        found = np.array([values[name] for name in ARKIT])
        assert np.abs(found - take.expression[frame]).max() < tolerance, frame
        assert angle_of(bone_turn(rig, "head")) == pytest.approx(angle_of(expected_turn(take.neck[frame])), abs=2e-3)


def test_gltf_carries_keys_and_bones_frame_by_frame(acting, tmp_path):
    pytest.importorskip("io_scene_gltf2", reason="needs Blender's glTF exporter")
    path = tmp_path / "head.glb"
    bpy.ops.export_scene.gltf(
        filepath=str(path), use_selection=True, export_animation_mode="ACTIVE_ACTIONS", export_morph_animation=True
    )
    check(*imported(bpy.ops.import_scene.gltf, path), acting, 1e-5)


def test_fbx_carries_keys_and_bones_frame_by_frame(acting, tmp_path):
    pytest.importorskip("io_scene_fbx", reason="needs Blender's FBX exporter")
    path = tmp_path / "head.fbx"
    bpy.ops.export_scene.fbx(
        filepath=str(path), use_selection=True, bake_anim_use_nla_strips=False, bake_anim_use_all_actions=False,
        bake_anim_simplify_factor=0.0, add_leaf_bones=False, use_mesh_modifiers=False,
    )  # fmt: skip
    check(*imported(bpy.ops.import_scene.fbx, path, anim_offset=0.0), acting, 1e-3)
