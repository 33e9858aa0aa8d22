"""F-curves of a data-block in an action, whatever the version of Blender.

From 4.4 an action has slots, and one serves the shape keys and the object; before, each needs an action of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .transaction import Transaction

SLOTS = bpy.app.version >= (4, 4, 0)
TAKE_KEY = "likeness_take"
"""Custom property of actions that come from a take."""
LINEAR = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value  # type: ignore


@dataclass(frozen=True)
class Sheet:
    """What one action says about one data-block.

    Attributes:
        slot: of the action, None where there are none.
    """

    block: bpy.types.ID
    action: bpy.types.Action
    slot: Any = None

    def find(self, path: str, index: int = 0) -> bpy.types.FCurve | None:
        """The curve of one number, if there is one."""
        action: Any = self.action
        if self.slot is None:
            return action.fcurves.find(path, index=index)
        for layer in action.layers:
            for strip in layer.strips:
                bag = strip.channelbag(self.slot)
                curve = bag.fcurves.find(path, index=index) if bag else None
                if curve:
                    return curve
        return None

    def new(self, path: str, index: int, group: str) -> bpy.types.FCurve:
        """A new curve, in a group of that name."""
        bag: Any = self.action
        if self.slot is not None:
            layer = bag.layers[0] if len(bag.layers) else bag.layers.new("Layer")
            strip = layer.strips[0] if len(layer.strips) else layer.strips.new(type="KEYFRAME")
            bag = strip.channelbag(self.slot, ensure=True)
        curve = bag.fcurves.new(path, index=index)
        curve.group = bag.groups.get(group) or bag.groups.new(group)
        return curve


def new_sheets(name: str, blocks: list[bpy.types.ID], transaction: Transaction) -> list[Sheet]:
    """New empty actions for some data-blocks, kept in the file even if nothing uses them."""
    if SLOTS:
        action = _new_action(name, transaction)
        return [Sheet(block, action, action.slots.new(block.id_type, block.name)) for block in blocks]
    sheets = []
    for block in blocks:
        title = name if isinstance(block, bpy.types.Key) else f"{name} Head"
        action = _new_action(title, transaction)
        action.id_root = block.id_type
        sheets.append(Sheet(block, action))
    return sheets


def _new_action(name: str, transaction: Transaction) -> Any:
    action = transaction.add(bpy.data.actions.new(name))
    action.use_fake_user = True
    action[TAKE_KEY] = name
    return action


def active_sheet(block: bpy.types.ID) -> Sheet | None:
    """What the data-block's active action says about it; None without one."""
    data: Any = animation_of(block)
    if data is None or data.action is None:
        return None
    slot = data.action_slot if SLOTS else None
    return None if SLOTS and slot is None else Sheet(block, data.action, slot)


def sheets_of(block: bpy.types.ID) -> Iterator[Sheet]:
    """What the active action and those on NLA tracks say about a data-block."""
    active, data = active_sheet(block), animation_of(block)
    if active:
        yield active
    for track in data.nla_tracks if data else ():
        strips: Any = track.strips
        for strip in strips:
            slot = strip.action_slot if SLOTS else None
            if strip.action and not (SLOTS and slot is None):
                yield Sheet(block, strip.action, slot)


def animation_of(block: Any) -> bpy.types.AnimData | None:
    """A data-block's animation, None if it never had any."""
    return block.animation_data


def activate(sheet: Sheet, transaction: Transaction) -> None:
    """Make the sheet's action the active one of its data-block. What was active stays in the file."""
    release(sheet.block, transaction)
    data: Any = animation_of(sheet.block)
    data.action = sheet.action
    if SLOTS:
        data.action_slot = sheet.slot


def push(sheet: Sheet, name: str, frames: tuple[int, int], transaction: Transaction) -> bpy.types.NlaStrip:
    """Put the sheet's action on a new NLA track above the others, and leave no action active.

    Args:
        frames: first and last scene frame of the strip; the action has it at the same frames.
    """
    release(sheet.block, transaction)
    data: Any = animation_of(sheet.block)
    track = data.nla_tracks.new()
    transaction.on_failure(lambda: data.nla_tracks.remove(track))
    track.name = name
    first, last = frames[0], max(frames[1], frames[0] + 1)
    strip = track.strips.new(name, first, sheet.action)
    strip.name = name  # Blender 4.2 calls it as the action
    if SLOTS:
        strip.action_slot = sheet.slot
    strip.action_frame_start, strip.action_frame_end = first, last
    strip.frame_start, strip.frame_end = first, last
    strip.extrapolation = "NOTHING"
    return strip


def release(block: Any, transaction: Transaction) -> None:
    """See that the data-block has animation data and no active action. What was active stays in the file."""
    if block.animation_data is None:
        transaction.on_failure(block.animation_data_clear)
        block.animation_data_create()
        return
    data, action = block.animation_data, block.animation_data.action
    slot = data.action_slot if SLOTS else None
    fake = action.use_fake_user if action else False

    def restore() -> None:
        data.action = action
        if slot is not None:
            data.action_slot = slot
        if action:
            action.use_fake_user = fake

    transaction.on_failure(restore)
    if action:
        action.use_fake_user = True
    data.action = None


def write(curve: bpy.types.FCurve, frames: ArrayLike, values: ArrayLike) -> None:
    """Fill an empty curve with keyframes joined by straight lines.

    Args:
        frames, values: (N,) each.
    """
    points: Any = curve.keyframe_points
    pairs = np.stack([np.asarray(frames, np.float32), np.asarray(values, np.float32)], -1)
    points.add(len(pairs))
    points.foreach_set("co", pairs.ravel())
    points.foreach_set("interpolation", np.full(len(pairs), LINEAR, np.int32))
    curve.update()


def evaluated(curve: bpy.types.FCurve, frames: ArrayLike) -> NDArray[np.float64]:
    """(N,) a curve's values at some frames."""
    return np.array([curve.evaluate(frame) for frame in np.asarray(frames, float).tolist()])
