"""What synthetic heads and their props are made of, as Cycles materials."""

from __future__ import annotations

from typing import Any

import bpy

from engine.training.synthetic.scene import Prop

ALBEDO, FINISH = "albedo", "finish"
"""Names of the nodes that hold the head's pictures; finish is roughness in red and scattering in green."""
UV, OPACITY, COLOUR = "place", "opacity", "colour"
"""Names of what meshes carry."""
SKIN_SCATTER = (1.0, 0.37, 0.19)
"""Red, green and blue mean free path in skin over that of red."""
SKIN_DEPTH = 0.0014
"""Metres: red's mean free path. Less than the published 3.7 mm (Jensen et al. 2001): the skins are photographs, which
scattered light has blurred once already."""
SKIN_SHINE = 0.3
"""Of what its index of refraction says, 0.5 being all: pores and fine hair take much away at this scale."""
MOUTH = {"teeth": (0.15, 0.0010, 0.35), "tongue": (0.35, 0.0020, 0.5)}
"""Roughness, depth of scattering and wet coat."""
RELIEF = 0.0002
"""Metres that dark spots and pores lie deeper."""
HAIR_THROUGH = 0.25
"""Share of the light that passes through strands."""


def head_surface(slot: str) -> bpy.types.Material:
    """The material of one of the head's slots: skin, eyes, teeth, tongue or lashes. Its pictures are still missing."""
    kind = slot.split(".")[0]
    material, tree, shader = _principled(slot)
    colour = _picture(tree, ALBEDO).outputs["Color"]
    tree.links.new(colour, shader.inputs["Base Color"])
    shader.inputs["Subsurface Radius"].default_value = SKIN_SCATTER
    shader.inputs["Subsurface Scale"].default_value = SKIN_DEPTH
    shader.inputs["IOR"].default_value = 1.4
    if kind == "skin":
        shader.inputs["Specular IOR Level"].default_value = SKIN_SHINE
        _skin(tree, shader, colour, _picture(tree, FINISH))
    elif kind == "eye":
        _set(shader, {"Roughness": 0.4, "Specular IOR Level": 0.0, "Coat Weight": 1.0, "Coat IOR": 1.38})
        _set(shader, {"Coat Roughness": 0.02, "Subsurface Weight": 0.1, "Subsurface Scale": 0.001})
    elif kind == "lashes":
        _set(shader, {"Roughness": 0.6, "Specular IOR Level": 0.3})
        tree.links.new(_attribute(tree, OPACITY).outputs["Fac"], shader.inputs["Alpha"])
    else:
        rough, depth, wet = MOUTH.get(kind, MOUTH["tongue"])
        _set(shader, {"Roughness": rough, "Subsurface Weight": 0.6, "Subsurface Scale": depth, "Coat Weight": wet})
    return material


def prop_surface(prop: Prop) -> bpy.types.Material:
    """The material of hair, glasses, cloth or a thing."""
    material, tree, shader = _principled(prop.name)
    colour = _attribute(tree, COLOUR).outputs["Color"]
    tree.links.new(colour, shader.inputs["Base Color"])
    if prop.opacity < 1:
        _lens(tree, shader, prop)
    elif prop.region == "hair":
        _hair(tree, shader, colour)
    elif prop.region == "clothes":
        _set(shader, {"Roughness": 0.95 - 0.5 * prop.gloss, "Specular IOR Level": 0.25, "Sheen Weight": 0.05})
    else:
        _set(shader, {"Roughness": 0.8 - 0.65 * prop.gloss, "IOR": 1.5})
    return material


def _skin(tree: Any, shader: Any, colour: Any, finish: Any) -> None:
    parts = tree.nodes.new("ShaderNodeSeparateColor")
    tree.links.new(finish.outputs["Color"], parts.inputs["Color"])
    tree.links.new(parts.outputs["Red"], shader.inputs["Roughness"])
    tree.links.new(parts.outputs["Green"], shader.inputs["Subsurface Weight"])
    bump = tree.nodes.new("ShaderNodeBump")
    _set(bump, {"Strength": 0.5, "Distance": RELIEF})
    tree.links.new(colour, bump.inputs["Height"])
    tree.links.new(bump.outputs["Normal"], shader.inputs["Normal"])


def _hair(tree: Any, shader: Any, colour: Any) -> None:
    """Strands shine, and some light goes through them."""
    _set(shader, {"Roughness": 0.4, "IOR": 1.55, "Specular IOR Level": 0.2})
    through, mix = tree.nodes.new("ShaderNodeBsdfTranslucent"), tree.nodes.new("ShaderNodeMixShader")
    tree.links.new(colour, through.inputs["Color"])
    mix.inputs["Fac"].default_value = HAIR_THROUGH
    _lead_out(tree, mix, shader, through)


def _lens(tree: Any, shader: Any, prop: Prop) -> None:
    """Tinted, seen through, and mirroring at grazing angles; thin, so it bends nothing."""
    _set(shader, {"Roughness": 0.3, "Specular IOR Level": 0.0})
    clear, tinted = tree.nodes.new("ShaderNodeBsdfTransparent"), tree.nodes.new("ShaderNodeMixShader")
    tinted.inputs["Fac"].default_value = prop.opacity
    tree.links.new(clear.outputs["BSDF"], tinted.inputs[1])
    tree.links.new(shader.outputs["BSDF"], tinted.inputs[2])
    mirror, grazing = tree.nodes.new("ShaderNodeBsdfGlossy"), tree.nodes.new("ShaderNodeFresnel")
    _set(mirror, {"Roughness": 0.02})
    _set(grazing, {"IOR": 1.12 + 0.3 * prop.gloss})  # coatings take much of the glare away
    coated = tree.nodes.new("ShaderNodeMixShader")
    tree.links.new(grazing.outputs["Fac"], coated.inputs["Fac"])
    _lead_out(tree, coated, tinted, mirror)


def _principled(name: str) -> tuple[bpy.types.Material, Any, Any]:
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree: Any = material.node_tree
    shader = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled")
    shader.subsurface_method = "RANDOM_WALK"
    return material, tree, shader


def _lead_out(tree: Any, mix: Any, first: Any, second: Any) -> None:
    """Connect two shaders to a mix, and the mix to the surface."""
    output = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeOutputMaterial")
    tree.links.new(first.outputs[0], mix.inputs[1])
    tree.links.new(second.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs["Shader"], output.inputs["Surface"])


def _picture(tree: Any, name: str) -> Any:
    node, places = tree.nodes.new("ShaderNodeTexImage"), tree.nodes.new("ShaderNodeUVMap")
    node.name, places.uv_map = name, UV
    tree.links.new(places.outputs["UV"], node.inputs["Vector"])
    return node


def _attribute(tree: Any, name: str) -> Any:
    node = tree.nodes.new("ShaderNodeAttribute")
    node.attribute_name = name
    return node


def _set(node: Any, values: dict[str, float]) -> None:
    for name, value in values.items():
        node.inputs[name].default_value = value
