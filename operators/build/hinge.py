"""How far the jaw turns: read off the `jawOpen` key, so that bone and key open the same mouth."""

from __future__ import annotations

from math import radians

import numpy as np

from ...engine.result import Reconstruction

JAW, JAW_KEY = "jaw", "jawOpen"
DEFAULT_ANGLE = radians(24.0)
LEAST_ANGLE = radians(8.0)  # a key that turns less is no hinge
RIGID = 0.9  # jaw weight from which a vertex moves with the bone


def opening_angle(reconstruction: Reconstruction) -> float:
    """Radians the jaw bone turns about its joint's left-right axis to open the mouth as `jawOpen` at 1 does.

    It is the turn that best explains what the key does to chin, lower teeth and tongue; 24 degrees where the head has
    no jaw or no such key, or the key is no hinge.
    """
    if JAW not in reconstruction.joint_names or JAW_KEY not in reconstruction.expression_names:
        return DEFAULT_ANGLE
    index = reconstruction.joint_names.index(JAW)
    rigid = reconstruction.skin_weights[:, index] > RIGID
    offsets = reconstruction.expression_basis[reconstruction.expression_names.index(JAW_KEY)][rigid]
    before = (reconstruction.vertices[rigid] - reconstruction.joints[index])[:, 1:].astype(np.float64)
    after = before + offsets[:, 1:]
    across = np.sum(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0])
    angle = float(np.arctan2(across, np.sum(before * after)))
    return angle if angle >= LEAST_ANGLE else DEFAULT_ANGLE
