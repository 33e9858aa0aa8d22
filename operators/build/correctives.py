"""Corrective shape keys that follow the bones, so that a research model deforms in Blender as it is published.

FLAME adds to the surface, before it is skinned, a displacement for each entry of its joints' rotation matrices (Li et
al. 2017, equation 4). Each such displacement is a shape key here, and its value a one-line arithmetic driver on the
bone's rotation, which Blender runs even where Python drivers are not trusted.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...engine.result import Reconstruction
from .keys import add_key
from .space import TO_BLENDER, Space

ENTRIES = 9
"""Of a rotation matrix."""
CHANNELS = ("ROT_W", "ROT_X", "ROT_Y", "ROT_Z")
NAMES = "wxyz"
STILL = 1e-7
"""Metres; keys that move nothing by more are left out."""


def add_correctives(head: bpy.types.Object, rig: bpy.types.Object, reconstruction: Reconstruction, space: Space) -> int:
    """Add the keys `corrective_BONE_RC` for row R and column C of each bone's rotation. Returns how many there are."""
    own = reconstruction.own
    if own is None or not len(own.correctives):
        return 0
    added = 0
    for number, offset in enumerate(own.correctives.astype(np.float32)):
        joint, (row, column) = 1 + number // ENTRIES, divmod(number % ENTRIES, 3)
        if np.abs(offset).max() < STILL:
            continue
        bone = reconstruction.joint_names[joint]
        block = add_key(head, f"corrective_{bone}_{row}{column}", reconstruction.vertices + offset, space)
        block.slider_min, block.slider_max = -2.0, 1.0
        _follow(block, rig, bone, entry_expression(row, column, _axes(rig, bone)))
        added += 1
    return added


def _axes(rig: bpy.types.Object, bone: str) -> NDArray[np.float64]:
    """(3,3) columns are the bone's own axes at rest, in engine space."""
    assert isinstance(rig.data, bpy.types.Armature)
    return TO_BLENDER.T @ np.array(rig.data.bones[bone].matrix_local.to_3x3(), np.float64)


def entry_expression(row: int, column: int, axes: NDArray) -> str:
    """An entry of a joint's rotation matrix in engine space, less the identity's, as arithmetic of w, x, y, z.

    Args:
        row, column: of the entry.
        axes: (3,3) columns are the axes in which the quaternion w, x, y, z is.
    """
    turned = [_sum(axes[axis]) for axis in range(3)]
    if row == column:
        first, second = (turned[axis] for axis in range(3) if axis != row)
        return f"-2*({first}*{first}+{second}*{second})"
    third = 3 - row - column
    sign = "-" if (row, column) in ((0, 1), (1, 2), (2, 0)) else "+"
    return f"2*({turned[row]}*{turned[column]}{sign}w*{turned[third]})"


def _sum(factors: NDArray) -> str:
    """A bracketed linear combination of x, y and z, as short as it can be: drivers hold 255 characters."""
    terms = [f"{factor:+.5g}*{name}" for factor, name in zip(factors, NAMES[1:], strict=True) if abs(factor) > 1e-6]
    return f"({''.join(terms)})" if terms else "0"


def _follow(block: bpy.types.ShapeKey, rig: bpy.types.Object, bone: str, expression: str) -> None:
    driver: Any = block.driver_add("value").driver
    driver.type = "SCRIPTED"
    for name, channel in zip(NAMES, CHANNELS, strict=True):
        if name not in expression:
            continue
        variable = driver.variables.new()
        variable.name, variable.type = name, "TRANSFORMS"
        target = variable.targets[0]
        target.id, target.bone_target = rig, bone
        target.transform_type, target.rotation_mode, target.transform_space = channel, "QUATERNION", "LOCAL_SPACE"
    driver.expression = expression
