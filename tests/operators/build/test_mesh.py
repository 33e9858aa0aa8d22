import bpy
import numpy as np
from likeness.operators.build import BuildOptions, build_head

from tests.operators.build.measure import to_blender


def corners(polygons):
    return [[int(corner) for corner in polygon if corner >= 0] for polygon in polygons]


def test_polygons_keep_their_corners_and_triangles_are_triangles(built, person):
    polygons = [list(polygon.vertices) for polygon in built.head.data.polygons]
    assert polygons == corners(person.polygons)
    assert {len(polygon) for polygon in polygons} == {3, 4}


def test_vertices_are_in_blenders_axes_at_real_size(built, person):
    positions = np.array([vertex.co[:] for vertex in built.head.data.vertices])
    assert np.allclose(positions, to_blender(person.vertices), atol=1e-7)
    assert np.isclose(built.head.dimensions.z, 0.2, atol=1e-5)


def test_normals_point_outwards(built, person):
    skin = [polygon for polygon in built.head.data.polygons if polygon.material_index == 0]
    assert all(polygon.normal.dot(polygon.center) > 0 for polygon in skin)


def test_every_corner_has_its_texture_vertex(built, person):
    used = person.uv_polygons[person.uv_polygons >= 0]
    layer = built.head.data.uv_layers["UVMap"]
    assert np.allclose([loop.uv[:] for loop in layer.data], person.uv[used], atol=1e-7)
    assert len(built.head.data.uv_layers) == 1


def test_material_slots_follow_the_model(built, person):
    names = [material.name for material in built.head.data.materials]
    assert names == ["sphere skin", "sphere eye.L", "sphere eye.R"]
    slots = [polygon.material_index for polygon in built.head.data.polygons]
    assert slots == person.polygon_materials.tolist()


def test_the_surface_is_smooth_and_the_face_is_marked(built, person):
    assert all(polygon.use_smooth for polygon in built.head.data.polygons)
    region = [item.value for item in built.head.data.attributes["face_region"].data]
    assert region == person.face_region.tolist()


def test_renders_are_smoothed_and_the_viewport_is_not(built, person):
    modifier = built.head.modifiers["Subdivision"]
    assert (modifier.levels, modifier.render_levels) == (0, 1)
    plain = build_head(bpy.context, person, None, BuildOptions(subdivision=0))
    assert "Subdivision" not in plain.head.modifiers


def test_unit_scale_is_honoured(person):
    bpy.context.scene.unit_settings.scale_length = 0.01
    head = build_head(bpy.context, person).head
    assert np.isclose(head.dimensions.z, 20.0, atol=1e-3)
