"""Materials of a head: one Principled BSDF a slot, all fed by the albedo atlas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

from .access import node_tree_of
from .lashes import LASH_SLOT, LASH_UV
from .mesh import UV_NAME
from .relief import NO_RELIEF, Relief, connect_relief
from .transaction import Transaction

SKIN_SCATTER = (1.0, 0.37, 0.19)  # red, green, blue mean free path of skin over that of red
SKIN_DEPTH = 0.0037  # metres, red (Jensen et al. 2001, "A Practical Model for Subsurface Light Transport", skin1)


@dataclass(frozen=True)
class Surface:
    """Numbers of a Principled BSDF.

    Attributes:
        roughness: of the base.
        ior: index of refraction.
        specular: Specular IOR Level, 0.5 = what the index says.
        scatter: Subsurface Weight.
        depth: how far red light scatters, metres.
        coat: Coat Weight, a wet or polished film.
        coat_roughness: of that film.
        bump: metres of relief read from the albedo's brightness; 0 = none.
        viewport: colour in Solid view.
    """

    roughness: float
    ior: float = 1.4
    specular: float = 0.5
    scatter: float = 0.0
    depth: float = SKIN_DEPTH
    coat: float = 0.0
    coat_roughness: float = 0.03
    bump: float = 0.0
    viewport: tuple[float, float, float] = (0.8, 0.6, 0.5)


WHITE = (0.9, 0.9, 0.88)
PINK = (0.7, 0.3, 0.3)
SURFACES = {
    "skin": Surface(roughness=0.48, scatter=1.0, bump=0.0002),
    "eye": Surface(
        roughness=0.4, ior=1.38, specular=0.0, scatter=0.1, depth=0.001, coat=1.0, viewport=(0.9, 0.9, 0.88)
    ),
    "teeth": Surface(roughness=0.22, ior=1.5, scatter=0.4, depth=0.001, coat=0.5, viewport=(0.9, 0.87, 0.78)),
    "tongue": Surface(
        roughness=0.35, scatter=0.6, depth=0.002, coat=0.5, coat_roughness=0.15, viewport=(0.7, 0.3, 0.3)
    ),
    "lashes": Surface(roughness=0.6, ior=1.55, specular=0.3, viewport=(0.05, 0.04, 0.03)),
}


@dataclass(frozen=True)
class Pictures:
    """Images all materials of a head share; `strands` only where the head has lashes, `relief` for skin only."""

    albedo: bpy.types.Image
    confidence: bpy.types.Image
    strands: bpy.types.Image | None = None
    relief: Relief = NO_RELIEF


def surface_of(slot: str) -> Surface:
    """The surface of a material slot by the first part of its name ("eye.L" is an eye); unknown slots are skin."""
    return SURFACES.get(slot.split(".")[0], SURFACES["skin"])


def build_material(
    name: str,
    slot: str,
    pictures: Pictures,
    scale: float,
    transaction: Transaction,
) -> bpy.types.Material:
    """Make the material of one slot.

    The confidence map is in the node tree, not connected: plug it into Emission Color to see what the photo showed.

    Args:
        slot: the head model's name for it, for example "eye.L".
        scale: Blender units a metre.
    """
    surface = surface_of(slot)
    material = transaction.add(bpy.data.materials.new(name))
    tree = node_tree_of(material)
    shader: Any = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled")
    _set_surface(shader, surface, scale)
    uv_map: Any = tree.nodes.new("ShaderNodeUVMap")
    uv_map.uv_map = UV_NAME
    picture: Any = _image_node(tree, pictures.albedo, "Albedo", uv_map)
    _image_node(tree, pictures.confidence, "Confidence", uv_map)
    tree.links.new(picture.outputs["Color"], shader.inputs["Base Color"])
    if slot == LASH_SLOT and pictures.strands is not None:
        _add_strands(tree, pictures.strands, shader)
    skin = surface is SURFACES["skin"]
    if skin:
        connect_relief(material, pictures.relief, shader, uv_map, scale)
    if surface.bump and not (skin and pictures.relief.normal):
        _add_bump(tree, picture, shader, surface.bump * scale)
    _arrange(tree, shader)
    material.diffuse_color = (*surface.viewport, 1.0)
    material.roughness = surface.roughness
    return material


def _set_surface(shader: Any, surface: Surface, scale: float) -> None:
    shader.subsurface_method = "RANDOM_WALK"
    values = {
        "Roughness": surface.roughness,
        "IOR": surface.ior,
        "Specular IOR Level": surface.specular,
        "Subsurface Weight": surface.scatter,
        "Subsurface Radius": SKIN_SCATTER,
        "Subsurface Scale": surface.depth * scale,
        "Coat Weight": surface.coat,
        "Coat Roughness": surface.coat_roughness,
        "Coat IOR": surface.ior,
    }
    for name, value in values.items():
        shader.inputs[name].default_value = value


def _image_node(tree: Any, image: bpy.types.Image, label: str, uv_map: Any) -> bpy.types.ShaderNodeTexImage:
    node: Any = tree.nodes.new("ShaderNodeTexImage")
    node.image, node.label, node.name = image, label, label
    tree.links.new(uv_map.outputs["UV"], node.inputs["Vector"])
    return node


def _add_strands(tree: Any, strands: bpy.types.Image, shader: Any) -> None:
    """Cut the strips of lashes out to strands, in the strands' own colour."""
    uv_map: Any = tree.nodes.new("ShaderNodeUVMap")
    uv_map.uv_map = LASH_UV
    picture: Any = _image_node(tree, strands, "Strands", uv_map)
    tree.links.new(picture.outputs["Color"], shader.inputs["Base Color"])
    tree.links.new(picture.outputs["Alpha"], shader.inputs["Alpha"])


def _add_bump(tree: Any, picture: Any, shader: Any, distance: float) -> None:
    """Dark spots and pores lie a little lower: relief from brightness, too shallow to notice where that is wrong."""
    bump: Any = tree.nodes.new("ShaderNodeBump")
    bump.inputs["Strength"].default_value = 0.5
    bump.inputs["Distance"].default_value = distance
    tree.links.new(picture.outputs["Color"], bump.inputs["Height"])
    tree.links.new(bump.outputs["Normal"], shader.inputs["Normal"])


def _arrange(tree: Any, shader: Any) -> None:
    """Lay the nodes out to be read from left to right."""
    rows = {"Albedo": 200, "Confidence": -100, "Strands": -400}
    for node in tree.nodes:
        if node.bl_idname == "ShaderNodeUVMap":
            node.location = (-900, -400 if node.uv_map == LASH_UV else 0)
        elif node.bl_idname == "ShaderNodeTexImage":
            node.location = (-600, rows.get(node.name, node.location.y))
        elif node.bl_idname == "ShaderNodeBump":
            node.location = (-250, -200)
    shader.location = (0, 200)
