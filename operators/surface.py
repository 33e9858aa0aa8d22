"""The sliders of a head's skin: how strong its fine relief is."""

from __future__ import annotations

from typing import Any

import bpy

DETAIL_NODE, DISPLACEMENT_NODE = "Detail", "Displacement Strength"
"""Nodes of the skin's material with the strength of the normal map and of displacement."""


def relief_sockets(head: bpy.types.Object) -> list[tuple[str, Any]]:
    """Labels and node sockets whose `default_value` a panel can show as sliders; empty for a head without relief."""
    mesh = head.data
    found: list[tuple[str, Any]] = []
    for material in mesh.materials if isinstance(mesh, bpy.types.Mesh) else ():
        nodes: Any = material.node_tree.nodes if material and material.node_tree else {}
        if DETAIL_NODE in nodes:
            found.append(("Detail", nodes[DETAIL_NODE].inputs["Strength"]))
        if DISPLACEMENT_NODE in nodes:
            found.append(("Displacement", nodes[DISPLACEMENT_NODE].inputs[0]))
    return found
