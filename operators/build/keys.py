"""Shape keys: the neutral face, the expression units, and the identity components."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import numpy as np
from numpy.typing import NDArray

from ...engine.result import Reconstruction
from .access import shape_keys_of
from .space import Space

IDENTITY_RANGE = 3.0  # standard deviations each way


def add_shape_keys(
    head: bpy.types.Object,
    reconstruction: Reconstruction,
    space: Space,
    identity_keys: int,
    keep_expression: bool,
) -> bpy.types.Key:
    """Give the head its keys: Basis (this person, neutral), the expressions in model order, then `identity_00` ...

    Expression keys run 0..1. Identity keys run -3..3 standard deviations away from this person, so all of them at 0
    is the person. A research model has its own parameters instead of these: `shape_000` ... and `expression_000` ...

    Args:
        identity_keys: how many identity components to add, at most as many as the reconstruction carries.
        keep_expression: set the expression keys to the photo's expression instead of 0.
    """
    neutral = reconstruction.vertices
    head.shape_key_add(name="Basis", from_mix=False)
    fitted = np.clip(reconstruction.expression, 0.0, 1.0) * keep_expression
    for index, name in enumerate(reconstruction.expression_names):
        block = add_key(head, name, neutral + reconstruction.expression_basis[index], space)
        block.slider_min, block.slider_max = 0.0, 1.0
        block.value = float(fitted[index])
    for name, offset in _parameters(reconstruction, identity_keys):
        block = add_key(head, name, neutral + offset, space)
        block.slider_max, block.slider_min = IDENTITY_RANGE, -IDENTITY_RANGE
    head.active_shape_key_index = 0
    keys = shape_keys_of(head)
    keys.name = f"{head.name} Keys"
    return keys


def set_expression(keys: bpy.types.Key, weights: dict[str, float]) -> None:
    """Set expression keys by name, each limited to 0..1; keys not named stay as they are, unknown names are ignored."""
    for name, weight in weights.items():
        block = keys.key_blocks.get(name)
        if block is not None:
            block.value = min(max(weight, 0.0), 1.0)


def _parameters(reconstruction: Reconstruction, identity_keys: int) -> Iterator[tuple[str, NDArray]]:
    """Name and displacement (V,3) of every key that runs in standard deviations."""
    own = reconstruction.own
    if own is None:
        for index, offset in enumerate(reconstruction.identity_basis[:identity_keys]):
            yield f"identity_{index:02d}", offset
        return
    for title, basis in (("shape", own.shapes[:identity_keys]), ("expression", own.expressions)):
        for index, offset in enumerate(basis):
            yield f"{title}_{index:03d}", offset


def add_key(head: bpy.types.Object, name: str, positions: NDArray, space: Space) -> bpy.types.ShapeKey:
    """A shape key at 0, of vertices (V,3) in engine space."""
    block = head.shape_key_add(name=name, from_mix=False)
    block.value = 0.0  # Blender 5.0 starts new keys at 1
    block.points.foreach_set("co", space.to_blender(positions).ravel())
    return block
