"""Made-up takes with all 52 units, and ways to look at what a head does with them."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
from likeness.engine.tracking.take import Take
from likeness.engine.tracking.turns import to_matrix

from tests.engine.tracking.toy_take import toy_take
from tests.operators.build.measure import to_blender
from tests.operators.build.sphere_head import ARKIT


def performance(frames: int = 10, fps: float = 25.0) -> Take:
    """Random weights; small random turns, all of them such as the bones allow; a head that moves before the camera."""
    take = toy_take(frames, fps, ARKIT)
    rng = np.random.default_rng(5)
    phase = np.arange(frames)[:, None] / fps * np.array([1.0, 1.7, 2.3])
    neck = (0.3 * np.sin(phase)).astype(np.float32)
    jaw = np.abs(take.jaw) * np.array([1.0, 0.1, 0.3], np.float32)
    facing = np.diag([1.0, -1.0, -1.0])
    return replace(
        take,
        neck=neck,
        jaw=jaw,
        right_eye=take.left_eye * np.float32(0.7),
        head_rotation=(facing @ to_matrix(neck + np.array([0.1, 0.2, 0.05]))).astype(np.float32),
        head_translation=np.array([0.02, -0.03, 0.7]) + 0.05 * rng.random((frames, 3)),
    )


def set_rate(fps: int, base: float = 1.0) -> None:
    """Give the scene a rate."""
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = fps, base


def key_values(head: bpy.types.Object) -> dict[str, float]:
    """Shape keys as they are evaluated now."""
    evaluated = head.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return {block.name: block.value for block in evaluated.data.shape_keys.key_blocks}


def bone_turn(rig: bpy.types.Object, bone: str, parent: str = "") -> np.ndarray:
    """(3,3) how far a bone is turned from rest, in the armature's axes; from where its parent has it, if given."""
    evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())

    def turned(name: str) -> np.ndarray:
        rest = np.array(rig.data.bones[name].matrix_local.to_3x3())
        return np.array(evaluated.pose.bones[name].matrix.to_3x3()) @ rest.T

    return turned(parent).T @ turned(bone) if parent else turned(bone)


def expected_turn(axis_angle: np.ndarray) -> np.ndarray:
    """(3,3) a take's turn in Blender's axes."""
    return to_matrix(to_blender(np.asarray(axis_angle, float)))
