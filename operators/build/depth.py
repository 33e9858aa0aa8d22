"""From a depth mesh's folder to an object in the scene."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...engine.depth.glb import StoredMesh, read_mesh
from ..heads import NAME_KEY
from .access import node_tree_of, scene_of, set_color_space, view_layer_of
from .images import COLOR, pack
from .mesh import UV_NAME
from .orbit import build_orbit
from .space import Space
from .transaction import Transaction
from .wrap import add_groups, sign_depth

PICTURE = "texture.jpg"
ROUGHNESS, SPECULAR = 0.8, 0.1
"""The texture is the photo with its light: highlights are in it already."""


@dataclass(frozen=True)
class BuiltDepth:
    """What was made. `beside` is the head in whose frame the mesh stands, or None where there is none of that photo;
    `orbit` the camera that circles it, if one does."""

    item: bpy.types.Object
    beside: bpy.types.Object | None
    orbit: bpy.types.Object | None = None


def build_depth(context: bpy.types.Context, folder: Path, name: str, orbit: bool = False) -> BuiltDepth:
    """Add a depth mesh to the scene: new data-blocks only, or none at all if anything fails.

    It stands where the head of the same photo stands, in register with it; without one at the 3D cursor.

    Args:
        folder: of the result. name: the photo's, without extension.
        orbit: put it in a collection of its own, with a camera that circles it.
    Raises:
        MediaError: the folder holds no depth mesh.
    """
    stored = read_mesh(folder / "mesh.glb")
    scene = scene_of(context)
    scale = scene.unit_settings.scale_length
    space = Space(1.0 / scale if scene.unit_settings.system != "NONE" and scale > 0 else 1.0)
    with Transaction() as transaction:
        mesh = _mesh(stored, space, f"{name} Depth", transaction)
        mesh.materials.append(_material(stored, folder, f"{name} Depth", transaction))
        item = transaction.add(bpy.data.objects.new(f"{name} Depth", mesh))
        home = _collection(scene, f"{name} Depth", transaction) if orbit else scene.collection
        home.objects.link(item)
        add_groups(item, stored.groups)
        sign_depth(item, name, folder)
        head = _head_of(scene, name)
        if head is not None:
            item.matrix_world = head.matrix_world
        else:
            item.location = scene.cursor.location
            item.location.z -= float(space.to_blender(stored.vertices)[:, 2].min())
        view = build_orbit(scene, home, item, f"{name} Orbit", transaction) if orbit else None
        layer = view_layer_of(context)
        for other in layer.objects:
            other.select_set(other == item)
        layer.objects.active = item
    return BuiltDepth(item, head, view)


def _collection(scene: bpy.types.Scene, name: str, transaction: Transaction) -> bpy.types.Collection:
    found = transaction.add(bpy.data.collections.new(name))
    scene.collection.children.link(found)
    return found


def _head_of(scene: bpy.types.Scene, name: str) -> bpy.types.Object | None:
    """The newest head that was made from a photo of that name."""
    heads = [item for item in scene.objects if item.type == "MESH" and item.get(NAME_KEY) == name]
    return heads[-1] if heads else None


def _mesh(stored: StoredMesh, space: Space, name: str, transaction: Transaction) -> bpy.types.Mesh:
    mesh = transaction.add(bpy.data.meshes.new(name))
    mesh.vertices.add(len(stored.vertices))
    mesh.loops.add(stored.faces.size)
    mesh.polygons.add(len(stored.faces))
    mesh.vertices.foreach_set("co", space.to_blender(stored.vertices).ravel())
    mesh.loops.foreach_set("vertex_index", stored.faces.ravel().astype(np.int32))
    mesh.polygons.foreach_set("loop_start", np.arange(0, stored.faces.size, 3, dtype=np.int32))
    uv = stored.uv[stored.faces.ravel()].astype(np.float32)
    mesh.uv_layers.new(name=UV_NAME).data.foreach_set("uv", uv.ravel())
    mesh.update(calc_edges=True)
    mesh.validate()
    mesh.shade_smooth()
    return mesh


def _material(stored: StoredMesh, folder: Path, name: str, transaction: Transaction) -> bpy.types.Material:
    path = folder / PICTURE
    path.write_bytes(stored.picture)
    image = transaction.add(bpy.data.images.load(str(path), check_existing=False))
    image.name = name
    set_color_space(image, COLOR)
    pack(image)
    material = transaction.add(bpy.data.materials.new(name))
    material.use_nodes = True
    tree = node_tree_of(material)
    principled: Any = tree.nodes["Principled BSDF"]
    principled.inputs["Roughness"].default_value = ROUGHNESS
    principled.inputs["Specular IOR Level"].default_value = SPECULAR
    texture: Any = tree.nodes.new("ShaderNodeTexImage")
    texture.image, texture.location = image, (-320, 300)
    tree.links.new(texture.outputs["Color"], principled.inputs["Base Color"])
    tree.nodes.active = texture  # what Solid view shows by its texture
    return material
