"""How far bones turn, and how they share the work with the expression keys.

The expression keys come first: a slider or an ARKit take on `jawOpen` opens the mouth, on `eyeLook...` turns the eyes.
The jaw and eye bones are skinned too, for posing by hand. So that nothing moves twice:

- **Jaw.** What `jawOpen` has opened already is taken off the bone: the mouth opens as far as the larger of the two
  says. The custom property `jaw_layer` of the armature object (0 by default) at 1 adds the bone to the key instead,
  to correct a take by hand, and the bone is then held to the part of its range that the key leaves.
- **Eyes, and the jaw sideways.** The bone adds to the keys, held to what they leave of its range: at `eyeLookUpLeft`
  1, eye.L turns up no further. Untouched bones leave the gaze to the keys.

All of it is constraints on the bones with one-line arithmetic drivers, which Blender runs even where Python drivers
are not trusted. The keys themselves have no drivers: they stay free for sliders, actions and live capture.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import radians
from typing import Any

import bpy

from ...engine.result import Reconstruction
from .hinge import JAW, JAW_KEY, opening_angle

JAW_LAYER = "jaw_layer"


@dataclass(frozen=True)
class TurnLimits:
    """Degrees about a bone's own axes: x forward and back, y twist, z sideways."""

    x: tuple[float, float]
    y: tuple[float, float]
    z: tuple[float, float]


# About half of the neck's whole range each for neck and head (flexion 50, extension 60, turn 80, tilt 45 degrees).
LIMITS = {
    "neck": TurnLimits((-30, 25), (-40, 40), (-22, 22)),
    "head": TurnLimits((-30, 25), (-40, 40), (-22, 22)),
    "jaw": TurnLimits((0, 30), (-3, 3), (-8, 8)),
    "eye.L": TurnLimits((-25, 30), (0, 0), (-35, 35)),
    "eye.R": TurnLimits((-25, 30), (0, 0), (-35, 35)),
}
# The key that turns a bone towards each end of its range: +x looks down, +z turns to the person's right.
SHARED_KEYS = {
    "jaw": {"max_z": "jawRight", "min_z": "jawLeft"},
    "eye.L": {
        "max_x": "eyeLookDownLeft",
        "min_x": "eyeLookUpLeft",
        "max_z": "eyeLookInLeft",
        "min_z": "eyeLookOutLeft",
    },
    "eye.R": {
        "max_x": "eyeLookDownRight",
        "min_x": "eyeLookUpRight",
        "max_z": "eyeLookOutRight",
        "min_z": "eyeLookInRight",
    },
}


def add_limits(rig: bpy.types.Object, keys: bpy.types.Key, reconstruction: Reconstruction) -> None:
    """Give every known bone a Limit Rotation constraint, and tie jaw and eyes to the keys they share work with."""
    assert rig.pose is not None
    rig[JAW_LAYER] = 0.0
    about: Any = rig.id_properties_ui(JAW_LAYER)
    about.update(
        min=0.0, max=1.0, description="0: the mouth opens to the larger of jaw bone and jawOpen. 1: the bone adds to it"
    )
    for bone in rig.pose.bones:
        if bone.name not in LIMITS:
            continue
        if bone.name == JAW and JAW_KEY in keys.key_blocks:
            _yield_to_key(rig, bone, keys, opening_angle(reconstruction))
        limit = _limit_rotation(bone, LIMITS[bone.name])
        for end, key in SHARED_KEYS.get(bone.name, {}).items():
            if key in keys.key_blocks:
                _drive(limit, end, f"{getattr(limit, end):.6f} * (1 - key)", {"key": (keys, _value_path(key))})
        if bone.name == JAW and JAW_KEY in keys.key_blocks:
            sources = {"key": (keys, _value_path(JAW_KEY)), "layer": (rig, f'["{JAW_LAYER}"]')}
            _drive(limit, "max_x", f"{limit.max_x:.6f} * (1 - key * layer)", sources)


def _limit_rotation(bone: bpy.types.PoseBone, limits: TurnLimits) -> bpy.types.LimitRotationConstraint:
    constraint = bone.constraints.new("LIMIT_ROTATION")
    assert isinstance(constraint, bpy.types.LimitRotationConstraint)
    constraint.owner_space = "LOCAL"
    constraint.use_transform_limit = True
    for axis in "xyz":
        low, high = getattr(limits, axis)
        setattr(constraint, f"use_limit_{axis}", True)
        setattr(constraint, f"min_{axis}", radians(low))
        setattr(constraint, f"max_{axis}", radians(high))
    return constraint


def _yield_to_key(rig: bpy.types.Object, bone: bpy.types.PoseBone, keys: bpy.types.Key, angle: float) -> None:
    """Turn the jaw back by what the key has opened; the limit after this constraint cuts off what is below zero."""
    constraint = bone.constraints.new("TRANSFORM")
    assert isinstance(constraint, bpy.types.TransformConstraint)
    constraint.name = "Yield to jawOpen"
    # The constraint maps a range of a target to an offset. An empty range gives its lower end, which the driver sets.
    constraint.target = rig
    constraint.subtarget = bone.parent.name if bone.parent else ""
    constraint.owner_space = constraint.target_space = "LOCAL"
    constraint.map_from, constraint.map_to = "LOCATION", "ROTATION"
    constraint.mix_mode_rot = "ADD"
    sources = {"key": (keys, _value_path(JAW_KEY)), "layer": (rig, f'["{JAW_LAYER}"]')}
    _drive(constraint, "to_min_x_rot", f"{-angle:.6f} * key * (1 - layer)", sources)


def _value_path(key: str) -> str:
    return f'key_blocks["{key}"].value'


def _drive(
    owner: bpy.types.Constraint, property_name: str, expression: str, sources: dict[str, tuple[bpy.types.ID, str]]
) -> None:
    driver = owner.driver_add(property_name).driver
    assert driver is not None
    for name, (block, path) in sources.items():
        variable = driver.variables.new()
        variable.name = name
        target = variable.targets[0]
        target.id_type = "KEY" if isinstance(block, bpy.types.Key) else "OBJECT"
        target.id = block
        target.data_path = path
    driver.expression = expression
