"""A camera that circles a mesh: always as far away, always looking at it, all of it in view."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from likeness.operators.build.orbit import FRAMES, build_orbit
from likeness.operators.build.transaction import Transaction
from mathutils import Vector

from tests.blender_fixtures import counts


@pytest.fixture
def box() -> bpy.types.Object:
    """A box of 0.2 x 0.3 x 0.4 in a scene without cameras, turned and moved."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    corners = [(x, y, z) for x in (-0.1, 0.1) for y in (0.0, 0.3) for z in (0.0, 0.4)]
    mesh = bpy.data.meshes.new("box")
    mesh.from_pydata(corners, [], [(0, 1, 3, 2), (4, 5, 7, 6)])
    item = bpy.data.objects.new("box", mesh)
    bpy.context.scene.collection.objects.link(item)
    item.location, item.rotation_euler = (1.0, -2.0, 0.5), (0.0, 0.0, 0.4)
    bpy.context.view_layer.update()
    return item


def built(item: bpy.types.Object) -> bpy.types.Object:
    scene = bpy.context.scene
    with Transaction() as transaction:
        return build_orbit(scene, scene.collection, item, "Orbit", transaction)


def test_the_camera_goes_round_at_an_even_speed_and_sees_all(box: bpy.types.Object) -> None:
    scene = bpy.context.scene
    scene.frame_start = 11
    view = built(box)
    middle = np.array(box.matrix_world @ Vector((0.0, 0.15, 0.2)))
    angles, distances = [], []
    for frame in range(11, 11 + FRAMES + 1, 10):
        scene.frame_set(frame)
        matrix = np.array(view.matrix_world)
        away = matrix[:3, 3] - middle
        distances.append(np.linalg.norm(away))
        angles.append(np.arctan2(away[1], away[0]))
        assert np.allclose(-matrix[:3, 2], -away / distances[-1], atol=1e-5)  # looks along -z, at the middle
        assert matrix[2, 1] == pytest.approx(1.0, abs=1e-5)  # upright, level
        for corner in box.bound_box:
            seen = world_to_camera_view(scene, view, box.matrix_world @ Vector(corner))
            assert 0 < seen.x < 1
            assert 0 < seen.y < 1
            assert seen.z > view.data.clip_start
    assert np.allclose(distances, distances[0], rtol=1e-5)
    assert np.allclose(np.diff(np.unwrap(angles)), 2 * np.pi * 10 / FRAMES, atol=1e-4)
    assert np.unwrap(angles)[-1] - angles[0] == pytest.approx(2 * np.pi, abs=1e-4)


def test_it_goes_where_the_object_goes(box: bpy.types.Object) -> None:
    view = built(box)
    bpy.context.view_layer.update()
    before = view.matrix_world.translation.copy()
    box.location.x += 3.0
    bpy.context.view_layer.update()
    assert (view.matrix_world.translation - before)[:] == pytest.approx((3.0, 0.0, 0.0), abs=1e-5)


def test_the_scenes_camera_is_left_alone(box: bpy.types.Object) -> None:
    first = built(box)
    assert bpy.context.scene.camera == first
    assert built(box) != first
    assert bpy.context.scene.camera == first


def test_a_failed_build_takes_all_of_it_away(box: bpy.types.Object) -> None:
    before, scene = counts(), bpy.context.scene

    def fail() -> None:
        with Transaction() as transaction:
            build_orbit(scene, scene.collection, box, "Orbit", transaction)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert counts() == before
    assert scene.camera is None
