"""Takes the noise out of Cycles pictures and leaves the skin's texture in.

Denoising the finished picture wipes pores, freckles and the lights in eyes away. Here the light on matt surfaces is
smoothed alone and multiplied by their colours after that; what shines keeps a quarter of its noise.
"""

from __future__ import annotations

from typing import Any

KEPT = 0.25
"""Share of the shine's noise that stays: small bright highlights are not noise."""


def take_noise_out(scene: Any) -> None:
    """Set the compositor up for every render of the scene."""
    layer = scene.view_layers[0]
    layer.use_pass_diffuse_direct = layer.use_pass_diffuse_indirect = layer.use_pass_diffuse_color = True
    layer.use_pass_normal = True
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    drawn = tree.nodes.new("CompositorNodeRLayers").outputs
    light = _combine(tree, "ADD", drawn["DiffDir"], drawn["DiffInd"])
    shine = _combine(tree, "SUBTRACT", drawn["Image"], _combine(tree, "MULTIPLY", light, drawn["DiffCol"]))
    matt = _combine(tree, "MULTIPLY", _smooth(tree, light, drawn["Normal"]), drawn["DiffCol"])
    shine = _combine(tree, "MIX", _smooth(tree, shine, drawn["Normal"]), shine, KEPT)
    whole = tree.nodes.new("CompositorNodeSetAlpha")
    whole.mode = "REPLACE_ALPHA"
    tree.links.new(_combine(tree, "ADD", matt, shine), whole.inputs["Image"])
    tree.links.new(drawn["Alpha"], whole.inputs["Alpha"])
    out = tree.nodes.new("CompositorNodeComposite")
    tree.links.new(whole.outputs["Image"], out.inputs["Image"])


def _combine(tree: Any, kind: str, first: Any, second: Any, share: float = 1.0) -> Any:
    node = tree.nodes.new("CompositorNodeMixRGB")
    node.blend_type, node.use_clamp = kind, False
    node.inputs["Fac"].default_value = share
    tree.links.new(first, node.inputs[1])
    tree.links.new(second, node.inputs[2])
    return node.outputs["Image"]


def _smooth(tree: Any, picture: Any, normals: Any) -> Any:
    node = tree.nodes.new("CompositorNodeDenoise")
    node.use_hdr, node.prefilter = True, "FAST"
    tree.links.new(picture, node.inputs["Image"])
    tree.links.new(normals, node.inputs["Normal"])
    return node.outputs["Image"]
