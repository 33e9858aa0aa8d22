"""The 52 ARKit expression units on the baked head."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from . import lips
from .source import HeadSource

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


GAINS = {
    "eyeBlink": 0.86, "eyeLookUp": 1.4, "browInnerUp": 1.6, "browOuterUp": 1.3, "mouthLowerDown": 1.4,
    "mouthUpperUp": 1.25,
}  # fmt: skip
"""The figure's blink shuts the mean eye at 0.6 already; the others are weaker than what a camera reports as 1."""


CREASED = {"mouthSmile": 6, "cheekPuff": 6}
"""Units whose cheeks are creased like a mask, and how often their displacement is averaged there."""
LIPS, CHEEKS = 3, 7
"""Edges from the lips' line up to which nothing is smoothed, and from which everything is."""


class FaceUnits:
    """The expression units on the figure, made exactly symmetric and matched to the mean head.

    Args:
        source: the figure.
        sealing: (N,N) as `lips.sealing`; `mouthClose` with `jawOpen` is to shut the mouth as neutral does.
    """

    def __init__(self, source: HeadSource, sealing: sparse.csr_matrix) -> None:
        self._source, self._sealing = source, sealing
        self._cheeks = np.clip((lips.distance(source) - LIPS) / (CHEEKS - LIPS), 0, 1)
        self._cheeks[source.vertex_groups["body"].max() + 1 :] = 0
        self.displacement = cache(self._displacement)

    def _displacement(self, name: str) -> NDArray[np.float64]:
        """(N,3) displacement at weight 1."""
        unit = self._symmetric(name)
        if name == "mouthClose":
            unit = unit + self._sealing @ (unit + self._symmetric("jawOpen"))
        return unit

    def _symmetric(self, name: str) -> NDArray[np.float64]:
        kind = name.removesuffix("Left").removesuffix("Right")
        mirrored = self._source.face_unit(other_side(name))[self._source.mirror] * [-1, 1, 1]
        unit = GAINS.get(kind, 1.0) * (self._source.face_unit(name) + mirrored) / 2
        for _ in range(CREASED.get(kind, 0)):
            unit = unit + self._cheeks[:, None] * (self._source.neighbour_average @ unit - unit)
        return unit


def other_side(name: str) -> str:
    """The unit's name on the other side of the face; its own if it has none."""
    if "Left" in name:
        return name.replace("Left", "Right")
    return name.replace("Right", "Left")


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
