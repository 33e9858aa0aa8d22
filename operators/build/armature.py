"""The head's armature: bones from the joints, vertex groups from the skinning weights.

Every bone's X axis is the person's left-right hinge, pointing to their left, so that turning about +X nods the neck
and head forward, opens the jaw and looks down with the eyes. `limits` adds how far each may turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from ...engine.result import Reconstruction
from .access import vector, view_layer_of
from .hinge import JAW
from .space import Space
from .transaction import Transaction

SHORTEST_BONE = 0.01  # metres
EYE_PREFIX = "eye"
UP, FORWARD = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class BonePlan:
    """One bone before it is made. Positions in engine space, metres."""

    name: str
    parent: int
    head: NDArray[np.float64]
    tail: NDArray[np.float64]


def plan_bones(reconstruction: Reconstruction) -> list[BonePlan]:
    """Heads and tails of all bones.

    The neck ends at the head's joint, the head at the crown, the jaw at the chin, an eye just in front of the cornea;
    any other bone at its children or straight up.
    """
    heads = reconstruction.joints.astype(np.float64)
    return [
        BonePlan(name, int(reconstruction.joint_parents[index]), heads[index], _bone_tail(reconstruction, heads, index))
        for index, name in enumerate(reconstruction.joint_names)
    ]


def _bone_tail(reconstruction: Reconstruction, heads: NDArray, index: int) -> NDArray[np.float64]:
    name, start = reconstruction.joint_names[index], heads[index]
    owned = reconstruction.vertices[reconstruction.skin_weights[:, index] > 0.5].astype(np.float64)
    children = heads[reconstruction.joint_parents == index]
    tail = start + UP * 0.05
    if name.startswith(EYE_PREFIX) and len(owned):
        radius = np.linalg.norm(owned - start, axis=1).mean()
        tail = start + FORWARD * 2.0 * radius
    elif name == JAW and len(owned):
        chin = owned[np.argmax((owned - start) @ (0.0, -0.6, 0.8))]
        tail = np.array([start[0], chin[1], chin[2]])
    elif name == "head" and len(owned):
        tail = np.array([start[0], owned[:, 1].max(), start[2]])
    elif len(children):
        tail = children[0] if name == "neck" else children.mean(0)
    if np.linalg.norm(tail - start) < SHORTEST_BONE:
        tail = start + UP * SHORTEST_BONE
    return tail


def build_armature(
    context: bpy.types.Context,
    collection: bpy.types.Collection,
    reconstruction: Reconstruction,
    space: Space,
    name: str,
    transaction: Transaction,
) -> bpy.types.Object:
    """Make the armature object with its bones, linked to the collection, in Object Mode."""
    data = transaction.add(bpy.data.armatures.new(name))
    rig = transaction.add(bpy.data.objects.new(name, data))
    collection.objects.link(rig)
    rig.show_in_front = True
    data.display_type = "STICK"  # bones in front of the face, without hiding it
    view_layer_of(context).objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        _add_bones(data, plan_bones(reconstruction), space)
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
    assert rig.pose is not None
    for bone in rig.pose.bones:
        bone.rotation_mode = "XYZ"
    return rig


def _add_bones(data: bpy.types.Armature, plans: list[BonePlan], space: Space) -> None:
    bones = []
    for plan in plans:
        bone = data.edit_bones.new(plan.name)
        bone.head = vector(space.to_blender(plan.head))
        bone.tail = vector(space.to_blender(plan.tail))
        direction = (bone.tail - bone.head).normalized()
        bone.align_roll(Vector((1.0, 0.0, 0.0)).cross(direction))
        bones.append(bone)
    for bone, plan in zip(bones, plans, strict=True):
        if plan.parent >= 0:
            bone.parent = bones[plan.parent]
            bone.use_connect = bool((bones[plan.parent].tail - bone.head).length < 1e-6)


def bind(head: bpy.types.Object, rig: bpy.types.Object, reconstruction: Reconstruction) -> None:
    """Parent the head to the rig, with one vertex group a bone and an Armature modifier after the shape keys."""
    head.parent = rig
    for index, name in enumerate(reconstruction.joint_names):
        group = head.vertex_groups.new(name=name)
        weights = reconstruction.skin_weights[:, index]
        for vertex in np.flatnonzero(weights > 1e-4).tolist():
            group.add([vertex], float(weights[vertex]), "REPLACE")
    modifier = head.modifiers.new("Armature", "ARMATURE")
    assert isinstance(modifier, bpy.types.ArmatureModifier)
    modifier.object = rig
