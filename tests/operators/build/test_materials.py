import bpy
import pytest
from likeness.operators.build import build_head
from likeness.operators.build.materials import SURFACES, surface_of

FIELDS = {"Roughness": "roughness", "Subsurface Weight": "scatter"}


def shader_of(material):
    return next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")


def test_every_slot_has_its_surface():
    assert surface_of("eye.L") is surface_of("eye.R") is SURFACES["eye"]
    assert surface_of("teeth") is SURFACES["teeth"]
    assert surface_of("collar") is SURFACES["skin"]


def test_all_slots_share_one_albedo_in_colour_and_one_confidence_map_as_data(built):
    for material in built.materials:
        nodes = material.node_tree.nodes
        assert nodes["Albedo"].image == built.albedo
        assert nodes["Confidence"].image == built.confidence
        link = shader_of(material).inputs["Base Color"].links[0]
        assert link.from_node == nodes["Albedo"]
        assert not nodes["Confidence"].outputs["Color"].is_linked
        assert nodes["Albedo"].inputs["Vector"].links[0].from_node.uv_map == "UVMap"
    assert built.albedo.colorspace_settings.name == "sRGB"
    assert built.confidence.colorspace_settings.name == "Non-Color"


def test_skin_scatters_millimetres_and_eyes_are_wet(built):
    skin, eye = (shader_of(material).inputs for material in built.materials[:2])
    depths = [radius * skin["Subsurface Scale"].default_value for radius in skin["Subsurface Radius"].default_value]
    assert depths == pytest.approx([0.0037, 0.00137, 0.0007], rel=0.02)
    assert SURFACES["skin"].scatter > 0.5
    assert eye["Coat Weight"].default_value == 1.0
    assert eye["Coat Roughness"].default_value < 0.05
    assert eye["IOR"].default_value == pytest.approx(1.38)


def test_scattering_follows_the_scenes_unit_scale(person):
    bpy.context.scene.unit_settings.scale_length = 0.01
    skin = shader_of(build_head(bpy.context, person).materials[0]).inputs
    assert skin["Subsurface Scale"].default_value == pytest.approx(0.37, rel=0.02)
