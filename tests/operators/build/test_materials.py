import dataclasses

import bpy
import numpy as np
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


def test_hair_on_the_scalp_is_rough_and_does_not_glow(person):
    offset = np.zeros_like(person.vertices)
    offset[:4, 1] = (0.003, 0.006, 0.02, 0.0)
    built = build_head(bpy.context, dataclasses.replace(person, hair_offset=offset))
    values = [item.value for item in built.head.data.attributes["hair"].data]
    assert values[:5] == pytest.approx([0.5, 1.0, 1.0, 0.0, 0.0], abs=1e-4)
    inputs = shader_of(built.materials[0]).inputs
    for name, on_hair in {"Roughness": 0.75, "Subsurface Weight": 0.0}.items():
        mapped = inputs[name].links[0].from_node
        assert mapped.inputs["To Max"].default_value == pytest.approx(on_hair)
        assert mapped.inputs["To Min"].default_value == pytest.approx(getattr(SURFACES["skin"], FIELDS[name]))
        assert mapped.inputs["Value"].links[0].from_node.attribute_name == "hair"
