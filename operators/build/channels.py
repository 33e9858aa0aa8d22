"""What each F-curve of a take says: on the shape keys, on the bones, on the object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ...engine.tracking.take import Take
from ...engine.tracking.turns import to_matrix
from .space import FLIP_CAMERA, TO_BLENDER, Space
from .take_layers import region_of
from .turns import gaze_euler, to_euler

HEAD_BONES, SHARES = ("neck", "head"), (0.4, 0.6)
EYE_BONES = {"eye.L": "left_eye", "eye.R": "right_eye"}
JAW_BONE = "jaw"
JAW_UNITS = ("jawOpen", "jawLeft", "jawRight")  # what the jaw bone does; it cannot be pushed forward
GAZE_UNITS = tuple(f"eyeLook{way}{side}" for way in ("Up", "Down", "In", "Out") for side in ("Left", "Right"))
TURN_ERROR, PLACE_ERROR = (
    0.4,
    0.1,
)  # radians and metres that weigh as much as a whole weight when keyframes are left out


@dataclass(frozen=True)
class Channel:
    """One F-curve to be.

    Attributes:
        path, index: of the number that moves, from its data-block.
        values: (T,) one a frame; (1,) where it never moves.
        group: heading in the editors.
        unit: how much error counts as much as an error of one in a weight.
    """

    path: str
    index: int
    values: NDArray[np.float64]
    group: str
    unit: float = 1.0


def value_path(key: str) -> str:
    """Data path of a shape key's value, from its Key."""
    return f'key_blocks["{bpy.utils.escape_identifier(key)}"].value'


def bone_path(bone: str) -> str:
    """Data path of a pose bone's Euler angles, from its armature object."""
    return f'pose.bones["{bone}"].rotation_euler'


def match_names(keys: Iterable[str], units: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Which unit moves which shape key, in whatever case they are written, and the units without a key."""
    known = {key.lower(): key for key in reversed(list(keys))}
    units = tuple(units)
    return {unit: known[unit.lower()] for unit in units if unit.lower() in known}, tuple(
        unit for unit in units if unit.lower() not in known
    )


def key_channels(take: Take, keys: dict[str, str], still: Iterable[str] = (), resting: Iterable[str] = ()) -> list:
    """Channels of the shape keys.

    Args:
        keys: the shape key that each unit moves.
        still: units held at 0, because bones say the same.
        resting: shape keys of which the take says nothing: at 0.
    """
    none, still = np.zeros(1), set(still)
    channels = [
        Channel(
            value_path(key),
            0,
            none if unit in still else np.clip(take.unit(unit), 0.0, 1.0).astype(np.float64),
            region_of(unit).capitalize() or "Other",
        )
        for unit, key in keys.items()
    ]
    return channels + [Channel(value_path(key), 0, none, region_of(key).capitalize() or "Other") for key in resting]


def bone_turn(rig: bpy.types.Object, name: str, turn: NDArray) -> NDArray[np.float64]:
    """(...,3,3) turns from rest in head axes (engine's), as turns of a bone in its own axes."""
    rest = rest_matrix(rig, name)
    return rest.T @ TO_BLENDER @ turn @ TO_BLENDER.T @ rest


def rest_matrix(rig: bpy.types.Object, name: str) -> NDArray[np.float64]:
    """(3,3) a bone's axes at rest, in the armature's."""
    assert isinstance(rig.data, bpy.types.Armature)
    return np.array(rig.data.bones[name].matrix_local.to_3x3(), np.float64)


def neck_channels(rig: bpy.types.Object, take: Take) -> list[Channel]:
    """The head's turn, shared between neck and head so that together they make exactly that turn."""
    bones = {bone: share for bone, share in zip(HEAD_BONES, SHARES, strict=True) if bone in bone_names(rig)}
    whole = sum(bones.values())
    return [
        channel
        for bone, share in bones.items()
        for channel in euler_channels(bone, to_euler(bone_turn(rig, bone, to_matrix(take.neck * (share / whole)))))
    ]


def eye_channels(rig: bpy.types.Object, take: Take) -> list[Channel]:
    """The gaze by the eye bones, which look exactly there and do not roll."""
    return [
        channel
        for bone, field in EYE_BONES.items()
        if bone in bone_names(rig)
        for channel in euler_channels(bone, gaze_euler(bone_turn(rig, bone, to_matrix(getattr(take, field)))))
    ]


def jaw_channels(rig: bpy.types.Object, take: Take) -> list[Channel]:
    """The jaw by its bone."""
    if JAW_BONE not in bone_names(rig):
        return []
    return euler_channels(JAW_BONE, to_euler(bone_turn(rig, JAW_BONE, to_matrix(take.jaw))))


def bone_names(rig: bpy.types.Object) -> set[str]:
    """Names of an armature's bones."""
    assert isinstance(rig.data, bpy.types.Armature)
    return {bone.name for bone in rig.data.bones}


def euler_channels(bone: str, angles: NDArray) -> list[Channel]:
    """Channels of a bone's (T,3) Euler angles."""
    return [Channel(bone_path(bone), axis, angles[:, axis], bone, TURN_ERROR) for axis in range(3)]


def object_channels(matrices: NDArray, scale: float) -> list[Channel]:
    """Channels of an object's (T,4,4) rigid matrices, at some Blender units a metre."""
    group, error, angles = "Object Transforms", PLACE_ERROR * scale, to_euler(matrices[:, :3, :3])
    places = [Channel("location", axis, matrices[:, axis, 3], group, error) for axis in range(3)]
    return places + [Channel("rotation_euler", axis, angles[:, axis], group, TURN_ERROR) for axis in range(3)]


def head_in_camera(take: Take, space: Space) -> NDArray[np.float64]:
    """(T,4,4) the head object's matrix in the axes of the footage's Blender camera."""
    matrices = np.tile(np.eye(4), (len(take), 1, 1))
    flip = FLIP_CAMERA[:3, :3]
    matrices[:, :3, :3] = flip @ take.head_rotation.astype(np.float64) @ TO_BLENDER.T
    matrices[:, :3, 3] = take.head_translation.astype(np.float64) @ flip * space.scale
    return matrices
