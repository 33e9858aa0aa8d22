"""Held-out pictures whose labels are known by construction, and what a network with known faults sees in them."""

from __future__ import annotations

import numpy as np

from engine.camera import Camera
from engine.evaluation.held_out import HeldOut, true_points
from engine.heads.model import HeadModel
from engine.perception.crop import Window
from engine.perception.dense import DensePoints

SIDE = 256
METRE = 800.0
"""Pixels at the head's depth."""
DISTANCE = 1.5


def picture(head: HeadModel, seed: int = 0, yaw: float = 0.0, person: int | None = None) -> HeldOut:
    """A grey picture of some head seen from the front, turned by an angle; the background is its left quarter."""
    rng = np.random.default_rng(seed)
    who = rng if person is None else np.random.default_rng((person, 1))
    turn = np.radians(yaw)
    view = np.eye(4)
    about = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    view[:3, :3] = np.diag([1.0, -1.0, -1.0]) @ about
    view[2, 3] = DISTANCE
    K = np.array([[METRE * DISTANCE, 0, SIDE / 2], [0, METRE * DISTANCE, SIDE / 2], [0, 0, 1.0]])
    regions = np.ones((SIDE // 2, SIDE // 2), np.uint8)
    regions[:, : SIDE // 8] = 0
    return HeldOut(
        name=f"toy/{seed}",
        image=np.full((SIDE, SIDE, 3), 128, np.uint8),
        camera=Camera(K, view, SIDE, SIDE),
        identity=who.normal(size=len(head.identity_basis)).astype(np.float32),
        expression=np.zeros(len(head.expression_names), np.float32),
        angles=np.array([yaw, 0, 0], np.float32),
        visible=rng.random(len(head.vertices)) < 0.6,
        regions=regions,
        depth=np.where(regions > 0, 0.01, np.inf).astype(np.float32),
    )


def seen(
    head: HeadModel, shown: HeldOut, vertices: np.ndarray, off: float, stated: float, seed: int = 0
) -> DensePoints:
    """The true points with Gaussian errors of a standard deviation in pixels; another may be stated."""
    rng = np.random.default_rng((seed, 5))
    points = true_points(head, shown, vertices) + rng.normal(0, off, (len(vertices), 3))
    deviation = np.full((len(vertices), 2), stated, np.float32)
    visible = shown.visible[vertices].astype(np.float32)
    window = Window(np.full(2, SIDE / 2), float(SIDE))
    return DensePoints(vertices, points.astype(np.float32), deviation, visible, 0.9, window)
