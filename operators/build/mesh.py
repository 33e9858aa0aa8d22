"""The head's mesh: polygons, UVs, materials, smooth shading."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ...engine.result import Reconstruction
from .lashes import LASH_SLOT, add_lash_uv
from .space import Space
from .transaction import Transaction

UV_NAME = "UVMap"
FACE_ATTRIBUTE = "face_region"


def build_mesh(
    reconstruction: Reconstruction,
    space: Space,
    name: str,
    materials: list[bpy.types.Material],
    transaction: Transaction,
) -> bpy.types.Mesh:
    """Make the neutral head; its hair is an object of its own.

    Args:
        materials: one for each of `reconstruction.material_names`.
    Returns:
        A mesh with quads and triangles, a UV map, smooth shading and the point attribute `face_region`.
    """
    mesh = transaction.add(bpy.data.meshes.new(name))
    polygons = reconstruction.polygons
    used = polygons >= 0
    sides = used.sum(1)
    mesh.vertices.add(len(reconstruction.vertices))
    mesh.loops.add(int(sides.sum()))
    mesh.polygons.add(len(polygons))
    mesh.vertices.foreach_set("co", space.to_blender(reconstruction.vertices).ravel())
    mesh.loops.foreach_set("vertex_index", polygons[used].astype(np.int32))
    mesh.polygons.foreach_set("loop_start", (np.cumsum(sides) - sides).astype(np.int32))
    mesh.polygons.foreach_set("material_index", reconstruction.polygon_materials.astype(np.int32))
    for material in materials:
        mesh.materials.append(material)
    uv = reconstruction.uv[reconstruction.uv_polygons[used]].astype(np.float32)
    mesh.uv_layers.new(name=UV_NAME).data.foreach_set("uv", uv.ravel())
    if LASH_SLOT in reconstruction.material_names:
        add_lash_uv(mesh, reconstruction)
    region: Any = mesh.attributes.new(FACE_ATTRIBUTE, "BOOLEAN", "POINT")
    region.data.foreach_set("value", reconstruction.face_region.astype(bool))
    mesh.update(calc_edges=True)
    mesh.validate()
    mesh.shade_smooth()
    return mesh


def add_subdivision(head: bpy.types.Object, levels: int) -> None:
    """Round off the outline in renders, after the armature. The viewport stays fast, texels stay where they are."""
    modifier = head.modifiers.new("Subdivision", "SUBSURF")
    assert isinstance(modifier, bpy.types.SubsurfModifier)
    modifier.levels, modifier.render_levels = 0, levels
    modifier.uv_smooth = "NONE"
