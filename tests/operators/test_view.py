"""Turning a viewport to a new head."""

from __future__ import annotations

from types import SimpleNamespace

import bpy
import pytest
from likeness.operators.view import look_at
from mathutils import Vector


@pytest.fixture
def head():
    """A block as tall as a head, a metre up and rotated."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.mesh.primitive_cube_add(size=0.3, location=(1.0, 2.0, 3.0), rotation=(0.0, 0.0, 0.5))
    bpy.context.view_layer.update()
    return bpy.context.view_layer.objects.active


def viewport(kind="VIEW_3D", shading="SOLID"):
    space = SimpleNamespace(region_3d=SimpleNamespace(), shading=SimpleNamespace(type=shading))
    area = SimpleNamespace(type=kind, spaces=SimpleNamespace(active=space))
    return SimpleNamespace(area=area, view_layer=bpy.context.view_layer), space


def test_viewport_looks_at_the_head_from_the_front(head):
    context, space = viewport()
    assert look_at(context, head)
    view = space.region_3d
    assert (view.view_location - Vector((1.0, 2.0, 3.0))).length < 1e-6
    assert view.view_distance == pytest.approx(2.6 * 0.3)
    eye = view.view_rotation @ Vector((0.0, 0.0, 1.0))
    assert eye.y < -0.8  # heads face -Y
    assert eye.z > 0.1
    assert (space.shading.type, space.shading.color_type) == ("SOLID", "TEXTURE")


def test_rendered_view_stays_rendered(head):
    context, space = viewport(shading="RENDERED")
    look_at(context, head)
    assert space.shading.type == "RENDERED"


def test_no_viewport(head):
    assert not look_at(SimpleNamespace(area=None), head)
    assert not look_at(viewport("CONSOLE")[0], head)
