"""The 52 ARKit expression units on the baked head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ARKIT_NAMES = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft",
    "eyeWideLeft", "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight", "jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel",
    "mouthPucker", "mouthLeft", "mouthRight", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft",
    "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight",
    "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft",
    "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft",
    "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
"""Apple's order, as in ARFaceAnchor.BlendShapeLocation."""


def rigid_motion(before: NDArray[np.float64], after: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
    """The rotation and translation that best carry one point set to another (Kabsch).

    Args:
        before: (A,3).
        after: (A,3).
    Returns:
        (3,3) rotation R and (3,) translation t with after = before @ R.T + t.
    """
    first, second = before.mean(axis=0), after.mean(axis=0)
    u, _, vt = np.linalg.svd((before - first).T @ (after - second))
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u @ flip @ vt).T
    return rotation, second - rotation @ first


def eyeball_turn(
    points: NDArray[np.float64], pivot: NDArray[np.float64], before: NDArray[np.float64], unit: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(V,3) displacement of points that turn about the eye joint as the figure's eyeball turns in a look unit.

    Args:
        points: (V,3) at rest.
        pivot: (3,) the eye joint.
        before: (A,3) the figure's own eyeball at rest.
        unit: (A,3) its displacement.
    """
    rotation, _ = rigid_motion(before, before + unit)
    return (points - pivot) @ rotation.T + pivot - points
