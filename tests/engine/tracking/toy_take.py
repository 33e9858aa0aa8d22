"""A short made-up take."""

from __future__ import annotations

import numpy as np

from engine.camera import Camera
from engine.tracking.take import Take

NAMES = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "mouthSmileRight")


def toy_take(frames: int = 10, fps: float = 25.0, names: tuple[str, ...] = NAMES) -> Take:
    """Random weights and small random turns, from a seed."""
    rng = np.random.default_rng(0)
    turns = {name: (0.1 * rng.standard_normal((frames, 3))).astype(np.float32) for name in ("jaw", "neck", "left_eye")}
    return Take(
        times=np.arange(frames) / fps,
        fps=fps,
        expression=rng.random((frames, len(names)), np.float32),
        expression_names=names,
        head_rotation=np.tile(np.diag([1.0, -1.0, -1.0]).astype(np.float32), (frames, 1, 1)),
        head_translation=np.tile(np.array([0.0, 0.0, 1.0], np.float32), (frames, 1)),
        right_eye=turns["left_eye"].copy(),
        confidence=np.ones(frames, np.float32),
        landmarks_2d=rng.uniform(0, 300, (frames, 478, 2)).astype(np.float32),
        camera=Camera(np.array([[700.0, 0, 320], [0, 700, 180], [0, 0, 1]]), np.eye(4), 640, 360),
        **turns,
    )
