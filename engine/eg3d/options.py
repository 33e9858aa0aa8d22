"""What a user may choose about a depth mesh by EG3D. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Inversion = Literal["regress", "optimise", "tune"]
INVERSIONS: tuple[Inversion, ...] = get_args(Inversion)
GRIDS = (128, 256, 512)
"""Voxels a side that are offered; the published script takes the last."""
COLD_STEPS, WARM_STEPS, TUNING_STEPS = 500, 200, 350
"""Steps for the latent from the mean latent (thesis, section 3.2.4) and from a regressor's (ours); for the generator
(PTI)."""
LEVEL = 10.0
"""Raw density of the published surface."""
FEWEST_FRAMES, MOST_FRAMES = 2, 2000
AUTO = "auto"
LOOKING, TUNING = "Finding the latent", "Tuning the generator"
"""Titles of the inversion's stages, in which cancelling may keep the best."""


@dataclass(frozen=True)
class Eg3dOptions:
    """Options of the method "eg3d".

    Attributes:
        inversion: "regress" takes the regressor's latent as it is, "optimise" looks for the latent, "tune" tunes the
            generator to the photo as well.
        steps: for the latent; None takes 500, or 200 where a regressor's latent is the start. tuning_steps: for the
            generator.
        grid: voxels along the volume's side. level: raw density of the surface.
        turntable: frames of a film of the head from all sides that hold; 0 for none. views: keep the pictures that the
            mesh was painted from.
        keep_best: cancelling the inversion finishes with the best so far.
        resume: where an inversion's state is written and gone on from: a file, a folder, in which photo and options
            name the file, or "auto", beside the result; empty for nowhere.
    """

    inversion: Inversion = "optimise"
    steps: int | None = None
    tuning_steps: int = TUNING_STEPS
    grid: int = 256
    level: float = LEVEL
    turntable: int = 0
    views: bool = False
    keep_best: bool = False
    resume: str = ""
