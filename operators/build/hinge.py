"""Where and how far the jaw turns: read off the `jawOpen` key, so that bone and key open the same mouth."""

from __future__ import annotations

from dataclasses import dataclass
from math import radians

import numpy as np
from numpy.typing import NDArray

from ...engine.result import Reconstruction

JAW, JAW_KEY = "jaw", "jawOpen"
DEFAULT_ANGLE = radians(24.0)
LEAST_ANGLE, FARTHEST = radians(8.0), 0.05  # radians; metres from the joint: outside of these the key is no hinge
RIGID = 0.9  # jaw weight from which a vertex moves with the bone


@dataclass(frozen=True)
class Hinge:
    """The jaw's hinge, engine space.

    Attributes:
        pivot: (3,) metres.
        angle: radians the jaw bone turns about the left-right axis to open the mouth as `jawOpen` at 1 does.
    """

    pivot: NDArray[np.float64]
    angle: float


def jaw_hinge(reconstruction: Reconstruction) -> Hinge | None:
    """The rotation in the vertical plane that best explains what `jawOpen` does to chin, lower teeth and tongue.

    Returns:
        The jaw's own joint and 24 degrees where the head has no such key or the key is no hinge; None without a jaw.
    """
    if JAW not in reconstruction.joint_names:
        return None
    index = reconstruction.joint_names.index(JAW)
    joint = reconstruction.joints[index].astype(np.float64)
    plain = Hinge(joint, DEFAULT_ANGLE)
    rigid = reconstruction.skin_weights[:, index] > RIGID
    if JAW_KEY not in reconstruction.expression_names or rigid.sum() < 3:
        return plain
    offsets = reconstruction.expression_basis[reconstruction.expression_names.index(JAW_KEY)][rigid]
    before = reconstruction.vertices[rigid, 1:].astype(np.float64)
    after = before + offsets[:, 1:]
    a, b = before - before.mean(0), after - after.mean(0)
    angle = float(np.arctan2(np.sum(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]), np.sum(a * b)))
    if angle < LEAST_ANGLE:
        return plain
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.linalg.solve(np.eye(2) - turn, after.mean(0) - turn @ before.mean(0))
    pivot = np.array([joint[0], *centre])
    return Hinge(pivot, angle) if np.linalg.norm(pivot - joint) < FARTHEST else plain
