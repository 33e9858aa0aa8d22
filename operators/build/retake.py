"""A second performance for some frames of an action that is there already."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...engine.tracking.take import Take
from ...engine.tracking.turns import between, to_axis_angle, to_matrix
from ..heads import EXPRESSION_KEY, expression_names, head_keys, head_rig
from .access import scene_of
from .action import mark_gaps, performed_take
from .channels import (
    EYE_BONES,
    GAZE_UNITS,
    HEAD_BONES,
    JAW_BONE,
    JAW_UNITS,
    Channel,
    bone_path,
    eye_channels,
    jaw_channels,
    key_channels,
    match_names,
    neck_channels,
)
from .curves import LINEAR, Sheet, active_sheet, evaluated
from .reduction import kept_frames
from .take_options import BuiltTake, TakeOptions, TargetError
from .transaction import Transaction
from .turns import from_euler, to_euler

NUMBERS = {"co": 2, "handle_left": 2, "handle_right": 2, "back": 1, "amplitude": 1, "period": 1}
CHOICES = ("handle_left_type", "handle_right_type", "interpolation", "type", "easing")
Keyframes = dict[str, NDArray]


def retake(
    head: bpy.types.Object,
    take: Take,
    first: int,
    last: int,
    options: TakeOptions | None = None,
    blend: int = 5,
    additive: bool = False,
    scene: bpy.types.Scene | None = None,
) -> BuiltTake:
    """Change the head's active action between two frames to what another take does there; keys outside stay.

    Whether keys or bones carry gaze, jaw and head is as the action has it, whatever the options say. An object that
    moves through the scene goes on as before.

    Args:
        first, last: scene frames between which the action changes, as far as the take reaches; at these two it does
            not yet.
        options: `start_frame` says where the take's own first frame lies.
        blend: frames over which one goes over into the other, at both ends; at least 1.
        additive: add the take to what is there instead of replacing it.
    Raises:
        TargetError: the head has no active action, or the take does not reach into these frames.
    """
    options, scene = options or TakeOptions(), scene or scene_of(bpy.context)
    keys, rig = head_keys(head), head_rig(head)
    face, body = active_sheet(keys) if keys else None, active_sheet(rig) if rig else None
    if face is None or keys is None:
        raise TargetError(f"“{head.name}” has no active action to retake.", "Choose one in the Action Editor first.")
    performed = performed_take(take, options, scene)
    first, last = max(first, options.start_frame), min(last, options.start_frame + len(performed) - 1)
    if last - first < 2:
        raise TargetError(
            f"The take does not reach into frames {first} to {last}.", "Choose frames that it covers, at least three."
        )
    frames = np.arange(first, last + 1)
    part = performed.part(first - options.start_frame, last + 1 - options.start_frame)
    weight = np.clip(np.minimum(frames - first, last - frames) / max(blend, 1), 0.0, 1.0)
    names = [block.name for block in keys.key_blocks] if EXPRESSION_KEY not in head else expression_names(head)
    matched, missing = match_names(names, part.expression_names)
    still, turns = _bones(rig, body, part)
    with Transaction() as transaction:
        for channel in key_channels(part, {unit: key for unit, key in matched.items() if unit not in still}):
            _mix_number(face, channel, frames, weight, additive, options.reduce, transaction)
        for _, channels in groupby(turns, lambda channel: channel.path):
            assert body is not None
            _mix_turn(body, list(channels), frames, weight, additive, options.reduce, transaction)
        if options.markers:
            mark_gaps(scene, take, options, (first, last), transaction)
    return BuiltTake(list(dict.fromkeys(sheet.action for sheet in (face, body) if sheet)), (first, last), missing)


def _bones(rig: bpy.types.Object | None, sheet: Sheet | None, take: Take) -> tuple[set[str], list[Channel]]:
    """Units that the action leaves to bones, and channels of the bones that it moves."""
    if rig is None or sheet is None:
        return set(), []
    still, channels = set[str](), []
    groups: list[tuple[tuple[str, ...], tuple[str, ...], Callable]] = [
        (HEAD_BONES, (), neck_channels),
        (tuple(EYE_BONES), GAZE_UNITS, eye_channels),
        ((JAW_BONE,), JAW_UNITS, jaw_channels),
    ]
    for bones, units, make in groups:
        if any(sheet.find(bone_path(bone), 0) for bone in bones):
            still |= set(units)
            channels += [channel for channel in make(rig, take) if sheet.find(channel.path, channel.index)]
    return still, channels


def _mix_number(
    sheet: Sheet,
    channel: Channel,
    frames: NDArray,
    weight: NDArray,
    additive: bool,
    error: float,
    transaction: Transaction,
) -> None:
    """One shape key's curve."""
    curve = sheet.find(channel.path, channel.index)
    if curve is None:
        return
    before = evaluated(curve, frames)
    after = before + weight * (channel.values if additive else channel.values - before)
    _replace(curve, frames, np.clip(after, 0.0, 1.0), error, transaction)


def _mix_turn(
    sheet: Sheet,
    channels: list[Channel],
    frames: NDArray,
    weight: NDArray,
    additive: bool,
    error: float,
    transaction: Transaction,
) -> None:
    """The three curves of one bone's turn."""
    curves = [sheet.find(channel.path, channel.index) for channel in channels]
    if len(channels) != 3 or None in curves:
        return
    angles = np.stack([evaluated(curve, frames) for curve in curves if curve], -1)
    before, turn = from_euler(angles), from_euler(np.stack([channel.values for channel in channels], -1))
    after = before @ to_matrix(to_axis_angle(turn) * weight[:, None]) if additive else between(before, turn, weight)
    x, y, z = angles[0].tolist()
    mixed = to_euler(after, (x, y, z))
    mixed[weight == 0] = angles[weight == 0]
    for axis, (curve, channel) in enumerate(zip(curves, channels, strict=True)):
        if curve:
            _replace(curve, frames, mixed[:, axis], error * channel.unit, transaction)


def _replace(curve: bpy.types.FCurve, frames: NDArray, values: NDArray, error: float, transaction: Transaction) -> None:
    """Put new keyframes in place of those from the first to the last frame; all others stay as they are."""
    before = _read(curve)
    transaction.on_failure(lambda: _write(curve, before))
    kept = np.union1d(kept_frames(values, error), [0, len(values) - 1])
    new = {name: np.zeros((len(kept), width), np.float32) for name, width in NUMBERS.items()}
    new |= {name: np.zeros(len(kept), np.int32) for name in CHOICES}
    new["co"][:, 0], new["co"][:, 1] = frames[kept], values[kept]
    new["handle_left"][:], new["handle_right"][:] = new["co"], new["co"]
    new["interpolation"][:] = LINEAR
    items: Any = bpy.types.Keyframe.bl_rna.properties["handle_left_type"]
    for side in ("handle_left_type", "handle_right_type"):
        new[side][:] = items.enum_items["AUTO_CLAMPED"].value
    left, right = before["co"][:, 0] < frames[0], before["co"][:, 0] > frames[-1]
    _write(curve, {name: np.concatenate([before[name][left], new[name], before[name][right]]) for name in new})


def _read(curve: bpy.types.FCurve) -> Keyframes:
    """Everything about a curve's keyframes."""
    points: Any = curve.keyframe_points
    count, found = len(points), {}
    for name, width in NUMBERS.items():
        found[name] = np.empty((count, width), np.float32)
    for name in CHOICES:
        found[name] = np.empty(count, np.int32)
    for name, array in found.items():
        flat = array.ravel()
        points.foreach_get(name, flat)
    return found


def _write(curve: bpy.types.FCurve, keyframes: Keyframes) -> None:
    """Give a curve exactly these keyframes."""
    points: Any = curve.keyframe_points
    points.clear()
    points.add(len(keyframes["co"]))
    for name in (*CHOICES, *NUMBERS):
        points.foreach_set(name, keyframes[name].ravel())
    curve.update()
