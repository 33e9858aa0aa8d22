"""The skin's fine relief and gloss: the maps of the result folder, where it has them, in the skin's material."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...engine.texture.detail_files import HEIGHT, HEIGHT_SPAN, NORMAL, ROUGHNESS, SPECULAR
from ..surface import DETAIL_NODE, DISPLACEMENT_NODE
from .images import load_picture
from .transaction import Transaction

NO_PIXELS = np.zeros((1, 1), np.uint8)


@dataclass(frozen=True)
class Relief:
    """Images of plain data; None for what the result folder lacks."""

    normal: bpy.types.Image | None = None
    height: bpy.types.Image | None = None
    roughness: bpy.types.Image | None = None
    specular: bpy.types.Image | None = None


NO_RELIEF = Relief()


def load_relief(name: str, folder: Path | None, keep_in: Path | None, transaction: Transaction) -> Relief:
    """The maps that a result folder has; none of a result in memory.

    Args:
        name: of the head.
        keep_in: as in `load_picture`.
    Raises:
        OutputError: `keep_in` cannot be written.
    """
    files = {"normal": NORMAL, "height": HEIGHT, "roughness": ROUGHNESS, "specular": SPECULAR}
    found = {title: folder / file for title, file in files.items() if folder and (folder / file).is_file()}
    return Relief(
        **{
            title: load_picture(f"{name} {title.capitalize()}", path, NO_PIXELS, keep_in, transaction, color=False)
            for title, path in found.items()
        }
    )


def connect_relief(material: bpy.types.Material, relief: Relief, shader: Any, uv_map: Any, scale: float) -> None:
    """Put the maps into a material. Without any, nothing changes.

    The normal map shows at once. Displacement waits at strength 0: it is the same relief once more, for renders that
    divide the mesh finely enough, with the normal map's strength at 0 and the material's setting at displacement.

    Args:
        shader: its Principled BSDF. uv_map: the node that gives the maps' coordinates.
        scale: Blender units a metre.
    """
    tree: Any = material.node_tree
    for image, socket, row in (
        (relief.roughness, "Roughness", -700),
        (relief.specular, "Specular IOR Level", -1000),
    ):
        if image is not None:
            picture = _picture(tree, image, socket.split()[0], uv_map, row)
            tree.links.new(picture.outputs["Color"], shader.inputs[socket])
    if relief.normal is not None:
        picture = _picture(tree, relief.normal, "Normal", uv_map, -1300)
        bend: Any = tree.nodes.new("ShaderNodeNormalMap")
        bend.name = bend.label = DETAIL_NODE
        bend.uv_map = uv_map.uv_map
        bend.location = (-250, -1300)
        tree.links.new(picture.outputs["Color"], bend.inputs["Color"])
        tree.links.new(bend.outputs["Normal"], shader.inputs["Normal"])
    if relief.height is not None:
        _displace(material, _picture(tree, relief.height, "Height", uv_map, -1600), scale)


def _displace(material: bpy.types.Material, picture: Any, scale: float) -> None:
    tree: Any = material.node_tree
    strength: Any = tree.nodes.new("ShaderNodeMath")
    strength.operation, strength.name, strength.label = "MULTIPLY", DISPLACEMENT_NODE, DISPLACEMENT_NODE
    strength.inputs[0].default_value, strength.inputs[1].default_value = 0.0, HEIGHT_SPAN * scale
    move: Any = tree.nodes.new("ShaderNodeDisplacement")
    move.inputs["Midlevel"].default_value = 0.5
    tree.links.new(picture.outputs["Color"], move.inputs["Height"])
    tree.links.new(strength.outputs["Value"], move.inputs["Scale"])
    output = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeOutputMaterial")
    tree.links.new(move.outputs["Displacement"], output.inputs["Displacement"])
    material.displacement_method = "BUMP"
    strength.location, move.location = (-250, -1800), (0, -1600)


def _picture(tree: Any, image: bpy.types.Image, label: str, uv_map: Any, row: float) -> Any:
    node: Any = tree.nodes.new("ShaderNodeTexImage")
    node.image, node.label, node.name = image, label, label
    node.location = (-600, row)
    tree.links.new(uv_map.outputs["UV"], node.inputs["Vector"])
    return node
