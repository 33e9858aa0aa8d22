"""FLAME's coefficients under one set of names, whichever regressor they come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError

Array = NDArray[np.float32]


@dataclass(frozen=True)
class FlameCoefficients:
    """What SMIRK or DECA says of N faces, for a FLAME of the version named in `ImageRegressor.head`.

    Attributes:
        shape: (N,300) SMIRK's, (N,100) DECA's. expression: (N,50).
        pose: (N,3) rotation of the whole head, axis times angle, radians. jaw: (N,3) the jaw's.
        eyelids: (N,2) left, right, how far closed, 0..1; nought with DECA, which has none.
        camera: (N,3) scale, then shift; see `published_crop.crop_points`.
    """

    shape: Array
    expression: Array
    pose: Array
    jaw: Array
    eyelids: Array
    camera: Array


def flame_coefficients(found: dict[str, Array]) -> FlameCoefficients:
    """From the answer of `ImageRegressor.predict`, SMIRK's or DECA's.

    Raises:
        EngineError: it is of another regressor, which knows no FLAME.
    """
    if "shape_params" in found:
        names = ("shape_params", "expression_params", "pose_params", "jaw_params", "eyelid_params", "cam")
        return FlameCoefficients(*(found[name] for name in names))
    if "shape" in found and "pose" in found:
        pose = found["pose"]
        none = np.zeros((len(pose), 2), np.float32)
        return FlameCoefficients(found["shape"], found["exp"], pose[:, :3], pose[:, 3:], none, found["cam"])
    raise EngineError("These coefficients are not FLAME's.", "Use those of SMIRK or DECA.")
