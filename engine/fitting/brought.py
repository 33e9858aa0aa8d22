"""What a regressor that the user brings says of a photo before the head is fitted: SMIRK's shape and expression.

SMIRK (Retsinas et al., CVPR 2024) answers in FLAME's coefficients. On FLAME its shape is the prior of the fit; on any
head its expression, as weights of ARKit's units, joins the detector's scores. Taken alone it is the quickest head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..heads.arkit_names import ARKIT_NAMES
from ..heads.loader import load_head
from ..heads.model import HeadModel
from ..models.registry import SMIRK
from ..options import ReconstructOptions
from .points import Coefficients

if TYPE_CHECKING:
    from ..regressors.image_regressor import Arrays, ImageRegressor

DEVIATION = 0.5
"""Standard deviations by which SMIRK's shape is believed to err: a default, without its weights not measured."""
UNSEEN = ("eyeLook", "tongueOut")
"""Units that SMIRK does not look for."""
BLINKS = ("eyeBlinkLeft", "eyeBlinkRight")


@dataclass(frozen=True)
class Start:
    """Where a fit starts.

    Attributes:
        identity: (K,) of the head, None where the regressor is of another head model.
        scores: weight 0..1 of each ARKit unit that the regressor looks for.
    """

    identity: NDArray[np.float64] | None
    scores: dict[str, float]

    def belief(self) -> Coefficients | None:
        """Prior of the identity."""
        if self.identity is None:
            return None
        return Coefficients.normal(np.full(len(self.identity), DEVIATION), self.identity)

    def with_scores(self, detected: Mapping[str, float]) -> dict[str, float]:
        """A detector's scores, replaced where the regressor knows better."""
        return {**detected, **self.scores}


def look(head: HeadModel, pixels: NDArray[np.uint8], landmarks: NDArray, options: ReconstructOptions) -> Start | None:
    """What the regressor of the user's choice says of a face, or None where the choice is to start from points.

    Args:
        pixels: (H,W,3) sRGB. landmarks: (478,2+) MediaPipe's points.
        options: `start`, `model_folder` and `device` are used.
    Raises:
        ModelFileError: SMIRK's file is missing, damaged or another network's; or FLAME's is, in whose coefficients it
            answers.
        FaceError: the face is too small.
    """
    if options.start == "points":
        return None
    from ..devices import choose_device
    from ..regressors.published_crop import cut, smirk_matrix

    path = SMIRK.require(options.model_folder)
    flame = head if head.name == "flame" else load_head("flame", options.model_folder)
    regressor = _regressor(path, path.stat().st_mtime_ns, choose_device(options.device))
    crop = cut(pixels, smirk_matrix(landmarks))
    return start_of(regressor.predict(crop[None]), head, flame)


def start_of(found: Arrays, head: HeadModel, flame: HeadModel) -> Start:
    """SMIRK's answer (1,...) for a head; `flame` is the model in whose coefficients it is."""
    weights = weights_of(found, flame)[0]
    scores = {name: float(w) for name, w in zip(ARKIT_NAMES, weights, strict=True) if np.isfinite(w)}
    identity = None
    if head is flame:
        identity = np.zeros(len(head.identity_basis))
        identity[: found["shape_params"].shape[1]] = found["shape_params"][0, : len(identity)]
    return Start(identity, scores)


def weights_of(found: Arrays, flame: HeadModel) -> NDArray[np.float64]:
    """(T,52) weights 0..1 of ARKit's units in SMIRK's answers (T,...); NaN of units that it does not look for."""
    from ..heads.retarget import Performance, retarget_of

    retarget = retarget_of(flame)
    known = found["expression_params"]
    expression = np.zeros((len(known), len(retarget.units[0]) - 9))
    known = known[:, : expression.shape[1]]
    expression[:, : known.shape[1]] = known
    none = np.zeros((len(known), 3))
    weights = retarget.to_arkit(Performance(expression, found["jaw_params"].astype(np.float64), none, none))
    blinks = [ARKIT_NAMES.index(name) for name in BLINKS]
    weights[:, blinks] = np.maximum(weights[:, blinks], found["eyelid_params"])
    weights[:, [name.startswith(UNSEEN) for name in ARKIT_NAMES]] = np.nan
    return weights


@lru_cache(maxsize=1)
def _regressor(path: Path, state: int, device: str) -> ImageRegressor:
    from ..regressors.smirk import load_smirk

    return load_smirk(path, device)


def as_given(head: HeadModel, values: NDArray, groups: Mapping[str, slice], start: Start) -> NDArray[np.float64]:
    """The coefficients (P,) of a fit, with the regressor's identity and expression."""
    values = np.array(values, np.float64)
    if start.identity is not None:
        values[groups["identity"]] = start.identity
    weights = [start.scores.get(name, 0.0) for name in head.expression_names]
    values[groups["expression"]] = np.clip(weights, 0, 1)
    return values
