"""What tests read back from Blender."""

from __future__ import annotations

import bpy
import numpy as np


def evaluated_positions(head: bpy.types.Object) -> np.ndarray:
    """(V,3) vertices after shape keys and modifiers, in the object's space."""
    depsgraph = bpy.context.evaluated_depsgraph_get()
    depsgraph.update()
    evaluated = head.evaluated_get(depsgraph)
    mesh = evaluated.to_mesh()
    positions = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", positions)
    evaluated.to_mesh_clear()
    return positions.reshape(-1, 3)


def key_positions(block: bpy.types.ShapeKey) -> np.ndarray:
    """(V,3) of one shape key."""
    positions = np.empty(3 * len(block.points), np.float32)
    block.points.foreach_get("co", positions)
    return positions.reshape(-1, 3)


def block_counts() -> dict[str, int]:
    """How many data-blocks of each kind the file holds."""
    kinds = [item.identifier for item in bpy.data.bl_rna.properties if item.type == "COLLECTION"]
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


def to_blender(points: np.ndarray) -> np.ndarray:
    """Engine axes to Blender axes, written out: x stays, -z becomes y, y becomes z."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1)
