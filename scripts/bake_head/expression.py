"""The 52 ARKit expression units on the baked head."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from . import lips
from .lids import Lids
from .source import HeadSource

GAINS = {
    "eyeBlink": 0.86, "eyeLookUp": 1.4, "browInnerUp": 1.6, "browOuterUp": 1.3, "mouthLowerDown": 1.4,
    "mouthUpperUp": 1.25,
}  # fmt: skip
"""The figure's blink shuts the mean eye at 0.6 already; the others are weaker than what a camera reports as 1."""


LOOKS = {"Down": 20.0, "Up": 17.0, "In": 22.0, "Out": 22.0}
"""Degrees by which the look units turn the eyeballs at weight 1, level or upright. The balls are a third larger than
people's, so that the lids fit them: the iris moves as far as a real one does at 30 degrees."""
CREASED = {"mouthSmile": 6, "cheekPuff": 6}
"""Units whose cheeks are creased like a mask, and how often their displacement is averaged there."""
LIPS, CHEEKS = 3, 7
"""Edges from the lips' line up to which nothing is smoothed, and from which everything is."""


class FaceUnits:
    """The expression units on the figure, made exactly symmetric and matched to the mean head.

    Args:
        source: the figure.
        mean: (N,3) the mean figure.
        unit: millimetres per unit of `mean`.
        sealing: (N,N) as `lips.sealing`; `mouthClose` with `jawOpen` is to shut the mouth as neutral does.
    """

    def __init__(self, source: HeadSource, mean: NDArray[np.float64], unit: float, sealing: sparse.csr_matrix) -> None:
        self._source, self._sealing = source, sealing
        self._lids = Lids(source, mean, unit)
        self._cheeks = np.clip((lips.distance(source) - LIPS) / (CHEEKS - LIPS), 0, 1)
        self._cheeks[source.vertex_groups["body"].max() + 1 :] = 0
        self.displacement = cache(self._displacement)

    def _displacement(self, name: str) -> NDArray[np.float64]:
        """(N,3) displacement at weight 1."""
        unit = self._symmetric(name)
        if name == "mouthClose":
            unit = unit + self._sealing @ (unit + self._symmetric("jawOpen"))
        if name == "eyeBlinkLeft":
            return self._lids.shut(unit)
        if name == "eyeBlinkRight":
            return self._mirrored(self._displacement(other_side(name)))
        unit = self._lids.clear(unit)
        return self._mirrored(self._lids.clear(self._mirrored(unit)))

    def _mirrored(self, unit: NDArray[np.float64]) -> NDArray[np.float64]:
        return unit[self._source.mirror] * [-1, 1, 1]

    def _symmetric(self, name: str) -> NDArray[np.float64]:
        kind = name.removesuffix("Left").removesuffix("Right")
        mirrored = self._mirrored(self._source.face_unit(other_side(name)))
        unit = GAINS.get(kind, 1.0) * (self._source.face_unit(name) + mirrored) / 2
        for _ in range(CREASED.get(kind, 0)):
            unit = unit + self._cheeks[:, None] * (self._source.neighbour_average @ unit - unit)
        return unit


def other_side(name: str) -> str:
    """The unit's name on the other side of the face; its own if it has none."""
    if "Left" in name:
        return name.replace("Left", "Right")
    return name.replace("Right", "Left")


def eyeball_turn(points: NDArray[np.float64], pivot: NDArray[np.float64], unit: str) -> NDArray[np.float64]:
    """(V,3) displacement of points that turn about the eye joint as a look unit says.

    Args:
        points: (V,3) at rest.
        pivot: (3,) the eye joint.
        unit: for example "eyeLookDownLeft".
    """
    way = unit.removeprefix("eyeLook").removesuffix("Left").removesuffix("Right")
    angle = np.radians(LOOKS[way])
    toward = {"Up": 1, "Down": -1, "In": -1, "Out": 1}[way] * (-1 if unit.endswith("Right") and way in "InOut" else 1)
    y, z = np.cos(angle), np.sin(angle) * toward
    if way in ("Up", "Down"):
        rotation = np.array([[1, 0, 0], [0, y, z], [0, -z, y]])
    else:
        rotation = np.array([[y, 0, z], [0, 1, 0], [-z, 0, y]])
    return (points - pivot) @ rotation.T + pivot - points
