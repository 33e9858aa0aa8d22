"""From what moves a head in the scene back to a take, for other programs."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...engine.camera import Camera
from ...engine.tracking.take import Take
from ...engine.tracking.turns import to_axis_angle
from ..heads import EXPRESSION_KEY, expression_names, head_keys, head_rig
from .access import scene_of
from .channels import EYE_BONES, HEAD_BONES, JAW_BONE, bone_names, bone_path, rest_matrix, value_path
from .curves import active_sheet, animation_of, evaluated
from .retime import scene_rate
from .space import FLIP_CAMERA, TO_BLENDER
from .take_options import TargetError
from .turns import from_euler

LANDMARKS = 478
AWAY = 1.0  # metres from the camera, where nothing says how far
LENS = 50.0 / 36.0  # focal length in picture widths

Number = tuple[bpy.types.ID, str, int]


def take_from_action(
    head: bpy.types.Object, first: int | None = None, last: int | None = None, scene: bpy.types.Scene | None = None
) -> Take:
    """What the head's shape keys and bones do from one scene frame to another, both included.

    Units and turns are told apart as the scene has them: where bones move the jaw or the eyes, the units that say the
    same are at 0. The head is seen squarely from a metre away; there are no landmarks.

    Args:
        head: a reconstructed head, or any mesh with shape keys.
        first, last: None for where the active action begins and ends, or the scene without one.
    Raises:
        TargetError: it has no shape keys.
    """
    scene = scene or scene_of(bpy.context)
    keys, rig = head_keys(head), head_rig(head)
    if keys is None:
        raise TargetError(f"“{head.name}” has no shape keys.", "Choose a mesh that has.")
    names = expression_names(head) if EXPRESSION_KEY in head else [block.name for block in keys.key_blocks[1:]]
    sheet = active_sheet(keys)
    start, end = sheet.action.frame_range if sheet else (scene.frame_start, scene.frame_end)
    frames = np.arange(round(start) if first is None else first, (round(end) if last is None else last) + 1)
    here = bone_names(rig) if rig else set[str]()
    bones = [bone for bone in (*HEAD_BONES, JAW_BONE, *EYE_BONES) if bone in here]
    numbers: list[Number] = [(keys, value_path(name), -1) for name in names]
    numbers += [(rig, bone_path(bone), axis) for bone in bones for axis in range(3) if rig]
    values = sampled(numbers, frames, scene)
    turns = {
        bone: _in_head_axes(rig, bone, values[:, len(names) + 3 * place : len(names) + 3 * place + 3])
        for place, bone in enumerate(bones)
        if rig
    }
    none, rate, count = np.tile(np.eye(3), (len(frames), 1, 1)), scene_rate(scene), len(frames)
    neck = turns.get("neck", none) @ turns.get("head", none)
    eyes = {field: _angles(turns.get(bone, none)) for bone, field in EYE_BONES.items()}
    return Take(
        times=np.arange(count) / rate,
        fps=rate,
        expression=values[:, : len(names)].astype(np.float32),
        expression_names=tuple(names),
        head_rotation=(FLIP_CAMERA[:3, :3] @ neck).astype(np.float32),
        head_translation=np.tile(np.array([0.0, 0.0, AWAY], np.float32), (count, 1)),
        jaw=_angles(turns.get(JAW_BONE, none)),
        neck=_angles(neck),
        left_eye=eyes["left_eye"],
        right_eye=eyes["right_eye"],
        confidence=np.ones(count, np.float32),
        landmarks_2d=np.full((count, LANDMARKS, 2), np.nan, np.float32),
        camera=_plain_camera(scene),
    )


def sampled(numbers: list[Number], frames: NDArray, scene: bpy.types.Scene) -> NDArray[np.float64]:
    """(T,N) animated numbers at some frames; those that nothing moves as they are.

    Read off the active actions, which is quick; where NLA tracks or drivers have a say, by going through the frames.

    Args:
        numbers: data-block, path, and index in it; -1 where the path leads to a single number.
    """
    if any(_needs_playing(block) for block in {block for block, _, _ in numbers}):
        return _played(numbers, frames, scene)
    columns = []
    for block, path, index in numbers:
        sheet = active_sheet(block)
        curve = sheet.find(path, max(index, 0)) if sheet else None
        columns.append(evaluated(curve, frames) if curve else np.full(len(frames), _now(block, path, index)))
    return np.stack(columns, -1) if columns else np.zeros((len(frames), 0))


def _needs_playing(block: Any) -> bool:
    data = animation_of(block)
    if data is None:
        return False
    driven = (".value", ".rotation_euler")  # constraints have drivers too, which say nothing about the keyed numbers
    return any(curve.data_path.endswith(driven) for curve in data.drivers) or any(
        len(track.strips) for track in data.nla_tracks
    )


def _played(numbers: list[Number], frames: NDArray, scene: bpy.types.Scene) -> NDArray[np.float64]:
    now, part = scene.frame_current, scene.frame_subframe
    values = np.empty((len(frames), len(numbers)))
    try:
        for row, frame in enumerate(frames.tolist()):
            scene.frame_set(frame)
            values[row] = [_now(*number) for number in numbers]
    finally:
        scene.frame_set(now, subframe=part)
    return values


def _now(block: Any, path: str, index: int) -> float:
    value = block.path_resolve(path)
    return float(value if index < 0 else value[index])


def _in_head_axes(rig: bpy.types.Object, bone: str, angles: NDArray) -> NDArray[np.float64]:
    """(T,3) Euler angles of a bone to (T,3,3) turns in head axes (engine's)."""
    rest = TO_BLENDER.T @ rest_matrix(rig, bone)
    return rest @ from_euler(angles) @ rest.T


def _angles(turn: NDArray) -> NDArray[np.float32]:
    return to_axis_angle(turn).astype(np.float32)


def _plain_camera(scene: bpy.types.Scene) -> Camera:
    """A camera of the render's size with an ordinary lens, where the footage's is not known."""
    width, height = scene.render.resolution_x, scene.render.resolution_y
    focal = LENS * width
    K = np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])
    return Camera(K, np.eye(4), width, height)
