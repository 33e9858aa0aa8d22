"""What is believed about a face before it is seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .points import Coefficients

Array = NDArray[np.float64]
USUAL_DEVIATION = 0.25
DEVIATIONS = {
    "eyeBlink": 0.3, "eyeSquint": 0.3, "eyeWide": 0.2, "eyeLook": 0.3,
    "jawOpen": 0.25, "jawForward": 0.12, "jawLeft": 0.08, "jawRight": 0.08,
    "mouthClose": 0.1, "mouthFunnel": 0.15, "mouthPucker": 0.2, "mouthLeft": 0.1, "mouthRight": 0.1,
    "mouthSmile": 0.4, "mouthFrown": 0.2, "mouthDimple": 0.2, "mouthStretch": 0.2, "mouthRoll": 0.2,
    "mouthShrug": 0.2, "mouthPress": 0.2, "mouthLowerDown": 0.25, "mouthUpperUp": 0.25,
    "browDown": 0.3, "browInnerUp": 0.3, "browOuterUp": 0.3,
    "cheekPuff": 0.08, "cheekSquint": 0.25, "noseSneer": 0.15, "tongueOut": 0.02,
}  # fmt: skip
"""Root mean square weight of each ARKit unit (left and right alike) in portraits and everyday talk."""
SIDE_DEVIATION = 0.35  # how far left and right differ, as a share of a unit's deviation
GAZE_SIDE_DEVIATION = 0.15  # both eyes look the same way
OPPOSED = (("eyeLookIn", "eyeLookOut"), ("eyeLookUp", "eyeLookDown"), ("jawLeft", "jawRight"),
           ("mouthLeft", "mouthRight"), ("eyeWide", "eyeBlink"))  # fmt: skip
OPPOSED_CORRELATION = -0.8  # keeps opposite units from working against each other
SCORE_DEVIATION = 0.25  # of a detector's blendshape score about the weight it stands for


def expression_prior(names: tuple[str, ...], scores: dict[str, float] | None = None) -> Coefficients:
    """Prior of bounded expression weights: most are near zero, left and right go together.

    Args:
        names: (E,) units, ARKit's by name; others get a usual deviation and no partner.
        scores: blendshape scores 0..1 a detector gave, taken as further evidence.
    """
    count = len(names)
    deviation = np.array([_deviation(name) for name in names])
    precision = np.diag(deviation**-2.0)
    index = {name: i for i, name in enumerate(names)}
    for first, second in _pairs(index):
        share = GAZE_SIDE_DEVIATION if names[first].startswith("eyeLook") else SIDE_DEVIATION
        _tie(precision, first, second, (share * deviation[first]) ** -2.0)
    for first, second in _opposites(index):
        energy = -OPPOSED_CORRELATION / (deviation[first] * deviation[second])
        precision[first, second] += energy
        precision[second, first] += energy
    information = np.zeros(count)
    for name, score in (scores or {}).items():
        if name in index:
            precision[index[name], index[name]] += SCORE_DEVIATION**-2.0
            information[index[name]] += score * SCORE_DEVIATION**-2.0
    mean = np.linalg.solve(precision, information)
    return Coefficients(mean, precision, np.zeros(count), np.ones(count))


def _deviation(name: str) -> float:
    for stem, value in DEVIATIONS.items():
        if name.startswith(stem):
            return value
    return USUAL_DEVIATION


def _pairs(index: dict[str, int]) -> list[tuple[int, int]]:
    """Left and right units that move together: the same unit, but gaze goes in on one side and out on the other."""
    pairs = []
    for name, i in index.items():
        if not name.endswith("Left"):
            continue
        partner = name.removesuffix("Left") + "Right"
        if name.startswith("eyeLookIn"):
            partner = partner.replace("In", "Out")
        elif name.startswith("eyeLookOut"):
            partner = partner.replace("Out", "In")
        if partner in index and name not in ("jawLeft", "mouthLeft"):
            pairs.append((i, index[partner]))
    return pairs


def _opposites(index: dict[str, int]) -> list[tuple[int, int]]:
    pairs = []
    for first, second in OPPOSED:
        for side in ("", "Left", "Right"):
            if first + side in index and second + side in index:
                pairs.append((index[first + side], index[second + side]))
    return pairs


def _tie(precision: Array, first: int, second: int, strength: float) -> None:
    """Add strength * (x_first - x_second)^2 / 2 to the prior's energy."""
    precision[first, first] += strength
    precision[second, second] += strength
    precision[first, second] -= strength
    precision[second, first] -= strength
