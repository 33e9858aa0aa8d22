"""The hair: an object of its own over the head, cut out to strands, with a slider for its volume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...engine.hair.shell import HairShell
from ...engine.result import Reconstruction
from ..heads import HAIR_KEY, VOLUME_KEY
from .access import node_tree_of
from .images import load_picture
from .mesh import UV_NAME
from .space import Space
from .transaction import Transaction

FULLEST = 1.5
ROUGHNESS, SPECULAR = 0.65, 0.2
LEAST_WEIGHT = 1e-4


def build_hair(
    head: bpy.types.Object,
    rig: bpy.types.Object | None,
    reconstruction: Reconstruction,
    folder: Path | None,
    image_folder: Path | None,
    space: Space,
    transaction: Transaction,
) -> bpy.types.Object | None:
    """Make the hair and hang it on the head; None for a bald head.

    It moves with the bones as the scalp under it does. Its one key, `Volume`, leads from close to the skull (0) to as
    full as the photo shows it (1) and beyond. Expressions and identity keys leave the scalp where it is, near enough,
    and do not move the hair.

    Args:
        folder: the result folder; its hair.png is used instead of the array where it exists.
        image_folder: keeps the picture as a file here; None packs it.
    Raises:
        OutputError: `image_folder` cannot be written.
    """
    hair = reconstruction.hair
    if hair is None:
        return None
    name = f"{head.name} Hair"
    source = folder / "hair.png" if folder else None
    picture = load_picture(name, source, hair.albedo, image_folder, transaction)
    mesh = _mesh(hair, space, name, transaction)
    mesh.materials.append(_material(name, picture, transaction))
    item = transaction.add(bpy.data.objects.new(name, mesh))
    for collection in head.users_collection:
        collection.objects.link(item)
    item.parent = head
    item[HAIR_KEY] = True
    _add_volume(item, hair, space)
    if rig is not None:
        _bind(item, rig, hair, reconstruction)
    return item


def _mesh(hair: HairShell, space: Space, name: str, transaction: Transaction) -> bpy.types.Mesh:
    mesh = transaction.add(bpy.data.meshes.new(name))
    count = len(hair.faces)
    mesh.vertices.add(len(hair.vertices))
    mesh.loops.add(3 * count)
    mesh.polygons.add(count)
    mesh.vertices.foreach_set("co", space.to_blender(hair.close).ravel())
    mesh.loops.foreach_set("vertex_index", hair.faces.astype(np.int32).ravel())
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * count, 3, dtype=np.int32))
    mesh.uv_layers.new(name=UV_NAME).data.foreach_set("uv", hair.uv[hair.uv_faces].astype(np.float32).ravel())
    mesh.update(calc_edges=True)
    mesh.shade_smooth()
    return mesh


def _material(name: str, picture: bpy.types.Image, transaction: Transaction) -> bpy.types.Material:
    material = transaction.add(bpy.data.materials.new(name))
    tree = node_tree_of(material)
    shader: Any = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled")
    shader.inputs["Roughness"].default_value = ROUGHNESS
    shader.inputs["Specular IOR Level"].default_value = SPECULAR
    uv_map: Any = tree.nodes.new("ShaderNodeUVMap")
    uv_map.uv_map, uv_map.location = UV_NAME, (-600, 0)
    image: Any = tree.nodes.new("ShaderNodeTexImage")
    image.image, image.name, image.label, image.location = picture, "Hair", "Hair", (-350, 200)
    tree.links.new(uv_map.outputs["UV"], image.inputs["Vector"])
    tree.links.new(image.outputs["Color"], shader.inputs["Base Color"])
    tree.links.new(image.outputs["Alpha"], shader.inputs["Alpha"])
    material.diffuse_color = (0.12, 0.08, 0.06, 1.0)
    material.roughness = ROUGHNESS
    return material


def _add_volume(item: bpy.types.Object, hair: HairShell, space: Space) -> None:
    item.shape_key_add(name="Basis", from_mix=False)
    volume = item.shape_key_add(name=VOLUME_KEY, from_mix=False)
    volume.points.foreach_set("co", space.to_blender(hair.vertices).ravel())
    volume.slider_min, volume.slider_max = 0.0, FULLEST
    volume.value = 1.0
    item.active_shape_key_index = 1


def _bind(item: bpy.types.Object, rig: bpy.types.Object, hair: HairShell, reconstruction: Reconstruction) -> None:
    """Vertex groups with the weights of the scalp beneath, and an Armature modifier."""
    weights = hair.follow(reconstruction.skin_weights)
    for index, bone in enumerate(reconstruction.joint_names):
        moved = np.flatnonzero(weights[:, index] > LEAST_WEIGHT)
        if len(moved):
            group = item.vertex_groups.new(name=bone)
            for vertex in moved.tolist():
                group.add([vertex], float(weights[vertex, index]), "REPLACE")
    modifier = item.modifiers.new("Armature", "ARMATURE")
    assert isinstance(modifier, bpy.types.ArmatureModifier)
    modifier.object = rig
