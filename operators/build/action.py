"""From a take to an action: F-curves on the shape keys, and on bones or object for the head's motion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import bpy
import numpy as np
from mathutils import Matrix

from ...engine.tracking.take import Take
from ..heads import expression_names, head_keys, head_rig
from .access import scene_of
from .channels import (
    EYE_BONES,
    GAZE_UNITS,
    HEAD_BONES,
    JAW_BONE,
    JAW_UNITS,
    Channel,
    eye_channels,
    head_in_camera,
    jaw_channels,
    key_channels,
    match_names,
    neck_channels,
    object_channels,
)
from .curves import TAKE_KEY, Sheet, activate, active_sheet, new_sheets, push, release, write
from .footage import build_clip_camera
from .home import go_home, home_matrix
from .limits import LIMITS
from .reduction import kept_frames
from .retime import gap_frames, on_scene_frames, scene_rate
from .space import scene_space
from .take_layers import mirrored, strengthened
from .take_options import BuiltTake, TakeOptions, TargetError
from .transaction import Transaction


@dataclass
class Plan:
    """Everything an action will say, before anything is changed.

    Attributes:
        face, body: channels of the shape keys, and of the armature or mesh object.
        rest: bones that go back to rest, because something else does their work now.
    """

    face: list[Channel] = field(default_factory=list)
    body: list[Channel] = field(default_factory=list)
    rest: set[str] = field(default_factory=set)
    missing: tuple[str, ...] = ()
    camera: bpy.types.Object | None = None
    warnings: list[str] = field(default_factory=list)


def build_action(
    head: bpy.types.Object, take: Take, options: TakeOptions | None = None, scene: bpy.types.Scene | None = None
) -> BuiltTake:
    """Let a reconstructed head act a take: a new action on its shape keys and its armature, or nothing if it fails.

    Earlier actions stay in the file. The take is resampled where its rate is not the scene's. Expression keys that it
    says nothing of are at 0; identity keys stay free.

    Raises:
        TargetError: the head has no shape keys of the take's names, or the take is empty.
    """
    options, scene = options or TakeOptions(), scene or scene_of(bpy.context)
    keys = head_keys(head)
    with Transaction() as transaction:
        performed = performed_take(take, options, scene)
        names = expression_names(head)
        matched, missing = _matched(head, names, performed)
        plan = Plan(missing=missing)
        rig, still = head_rig(head), set[str]()
        if rig is None and "bones" in (options.head, options.gaze, options.jaw):
            plan.warnings.append(f"“{head.name}” has no armature: only its shape keys move.")
        if rig is not None:
            still = _plan_bones(plan, rig, performed, options)
        if options.head == "object":
            _plan_object(plan, head, rig or head, performed, options, scene, transaction)
        plan.face = key_channels(performed, matched, still, [name for name in names if name not in matched.values()])
        go_home(rig or head, options.head == "object", transaction)
        _leave_last_take(plan, rig or head, transaction)
        _rest(rig, plan.rest, transaction)
        blocks: list[tuple[bpy.types.ID, list[Channel]]] = [(keys, plan.face)] if keys else []
        blocks += [(rig or head, plan.body)] if plan.body else []
        return _make(blocks, performed, take, plan, options, scene, transaction)


def apply_take_to_mesh(
    mesh_object: bpy.types.Object,
    take: Take,
    options: TakeOptions | None = None,
    scene: bpy.types.Scene | None = None,
) -> BuiltTake:
    """Play a take on any mesh whose shape keys have ARKit's names, in whatever case; only shape keys move.

    Returns:
        What was made; `missing` names the units that the mesh has no key for.
    Raises:
        TargetError: it has none of them, or the take is empty.
    """
    options, scene = options or TakeOptions(), scene or scene_of(bpy.context)
    keys = head_keys(mesh_object)
    with Transaction() as transaction:
        performed = performed_take(take, options, scene)
        matched, missing = _matched(mesh_object, [block.name for block in keys.key_blocks] if keys else [], performed)
        assert keys is not None
        plan = Plan(key_channels(performed, matched), missing=missing)
        return _make([(keys, plan.face)], performed, take, plan, options, scene, transaction)


def performed_take(take: Take, options: TakeOptions, scene: bpy.types.Scene) -> Take:
    """The take as the options want it, one frame for each of the scene's.

    Raises:
        TargetError: it is empty.
    """
    if len(take) == 0:
        raise TargetError("The take is empty.", "Track the clip again.")
    changed = strengthened(take, options.brows, options.eyes, options.mouth)
    return on_scene_frames(mirrored(changed) if options.mirror else changed, scene_rate(scene))


def _matched(item: bpy.types.Object, keys: list[str], take: Take) -> tuple[dict[str, str], tuple[str, ...]]:
    matched, missing = match_names(keys, take.expression_names)
    if not matched:
        raise TargetError(
            f"“{item.name}” has no shape keys of ARKit's names, such as jawOpen.",
            "Choose a mesh that has, or name them.",
        )
    return matched, missing


def _plan_bones(plan: Plan, rig: bpy.types.Object, take: Take, options: TakeOptions) -> set[str]:
    """What the bones do. Returns the units that they do in place of the shape keys."""
    still, body = set[str](), plan.body
    if options.head == "bones":
        body += neck_channels(rig, take)
    elif options.head == "object":
        plan.rest |= set(HEAD_BONES)
    if options.gaze == "bones" and (eyes := eye_channels(rig, take)):
        body += eyes
        still |= set(GAZE_UNITS)
    else:
        plan.rest |= set(EYE_BONES)
    if options.jaw == "bones" and (jaw := jaw_channels(rig, take)):
        body += jaw
        still |= set(JAW_UNITS)
    else:
        plan.rest.add(JAW_BONE)
    for bone in HEAD_BONES:
        held = _beyond(bone, [channel for channel in body if channel.group == bone])
        if held:
            plan.warnings.append(f"The bone “{bone}” does not turn as far as the take in {held} frames.")
    return still


def _beyond(bone: str, channels: Iterable[Channel]) -> int:
    """Frames in which a bone's Euler angles are outside its limits."""
    outside = np.zeros(1, bool)
    for channel in channels:
        low, high = getattr(LIMITS[bone], "xyz"[channel.index])
        degrees = np.degrees(channel.values)
        outside = outside | (degrees < low - 1e-3) | (degrees > high + 1e-3)
    return int(outside.sum())


def _plan_object(
    plan: Plan,
    head: bpy.types.Object,
    mover: bpy.types.Object,
    take: Take,
    options: TakeOptions,
    scene: bpy.types.Scene,
    transaction: Transaction,
) -> None:
    """The armature object, or the mesh without one, moves before the footage's camera."""
    frame = mover.parent.matrix_world @ mover.matrix_parent_inverse if mover.parent else Matrix()
    camera = options.camera
    if camera is None:
        home, name = frame @ home_matrix(mover), f"{options.name} Camera"
        camera = build_clip_camera(scene, head, take, name, home, True, transaction)
        view = camera.matrix_basis
    else:
        view = camera.matrix_world
    place, turn, _ = view.decompose()
    space, to_basis = scene_space(scene), np.array(frame.inverted() @ Matrix.LocRotScale(place, turn, None))
    plan.camera = camera
    plan.body += object_channels(to_basis @ head_in_camera(take, space), space.scale)


def _leave_last_take(plan: Plan, mover: bpy.types.Object, transaction: Transaction) -> None:
    """An earlier take no longer moves bones or object, not even where this one leaves them alone."""
    last = active_sheet(mover)
    if last and TAKE_KEY in last.action:
        release(mover, transaction)
        plan.rest |= set(HEAD_BONES)


def _rest(rig: bpy.types.Object | None, rest: set[str], transaction: Transaction) -> None:
    """Bones in `rest` go to rest; those that turn are to turn by Euler angles."""
    for bone in rig.pose.bones if rig and rig.pose else ():
        if bone.name not in (*HEAD_BONES, JAW_BONE, *EYE_BONES):
            continue
        before, mode = bone.matrix_basis.copy(), bone.rotation_mode
        transaction.on_failure(
            lambda bone=bone, before=before, mode=mode: (
                setattr(bone, "rotation_mode", mode), setattr(bone, "matrix_basis", before)
            )
        )  # fmt: skip
        bone.rotation_mode = "XYZ"
        if bone.name in rest:
            bone.matrix_basis = Matrix()


def _make(
    blocks: list[tuple[bpy.types.ID, list[Channel]]],
    performed: Take,
    take: Take,
    plan: Plan,
    options: TakeOptions,
    scene: bpy.types.Scene,
    transaction: Transaction,
) -> BuiltTake:
    """The action from its channels, assigned, with markers."""
    first = options.start_frame
    frames = (first, first + len(performed) - 1)
    sheets = new_sheets(options.name, [block for block, _ in blocks], transaction)
    for sheet, (_, channels) in zip(sheets, blocks, strict=True):
        fill(sheet, channels, first, options.reduce)
    strips = []
    for sheet in sheets:
        if options.nla:
            strips.append(push(sheet, options.name, frames, transaction))
        else:
            activate(sheet, transaction)
    if options.markers:
        mark_gaps(scene, take, options, frames, transaction)
    actions = list(dict.fromkeys(sheet.action for sheet in sheets))
    return BuiltTake(actions, frames, plan.missing, plan.camera, strips, plan.warnings)


def fill(sheet: Sheet, channels: Iterable[Channel], first: int, error: float) -> None:
    """Make a curve of each channel.

    Args:
        first: scene frame of the first value.
        error: largest error allowed, in weights; 0 keeps a keyframe a frame.
    """
    for channel in channels:
        kept = kept_frames(channel.values, error * channel.unit)
        write(sheet.new(channel.path, channel.index, channel.group), first + kept, channel.values[kept])


def mark_gaps(
    scene: bpy.types.Scene, take: Take, options: TakeOptions, frames: tuple[int, int], transaction: Transaction
) -> None:
    """Timeline markers round every stretch without a face, as far as it lies within some frames."""
    for start, end in gap_frames(take, scene_rate(scene)):
        first, past = max(options.start_frame + start, frames[0]), min(options.start_frame + end, frames[1] + 1)
        for frame, title in ((first, "gap"), (past, "gap ends")) if first < past else ():
            marker = scene.timeline_markers.new(f"{options.name} {title}", frame=frame)
            transaction.on_failure(lambda marker=marker: scene.timeline_markers.remove(marker))
