"""What the solver found."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera


@dataclass(frozen=True)
class HeadFit:
    """A head model fitted to one photo.

    Attributes:
        camera: intrinsics and head-to-camera transform (head pose is in here).
        identity: (K,) standard deviations.
        expression: (E,) weights 0..1.
        refinement: (V,3) metres, non-rigid offset added to the neutral (likeness beyond the basis).
        neutral: (V,3) metres, neutral vertices, refinement included.
        posed: (V,3) metres, with the fitted expression, without head rotation.
        joints: (J,3) metres, rest joints of this identity.
        landmarks_model: (478,2) the model's own landmarks in pixels.
        errors: reprojection statistics, fractions of the inter-ocular distance ("mean", "p95", ...).
        warnings: sentences for the report.
    """

    camera: Camera
    identity: NDArray[np.float32]
    expression: NDArray[np.float32]
    refinement: NDArray[np.float32]
    neutral: NDArray[np.float32]
    posed: NDArray[np.float32]
    joints: NDArray[np.float32]
    landmarks_model: NDArray[np.float32]
    errors: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
