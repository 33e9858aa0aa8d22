"""The three ways to see a face that are compared, and the fit to each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..fitting.detector import DENSE_CALIBRATION, load_detector
from ..fitting.points import Coefficients
from ..fitting.sighting import Sighting, dense_sighting, fused, mesh_sighting
from ..fitting.size import growth
from ..fitting.solve import ITERATIONS, Problem, refinement_of, run_stages, state_problem
from ..fitting.solver import Solution
from ..heads.model import HeadModel
from ..perception.dense import DensePoints, see_points, window_of_mesh
from ..perception.observation import FaceObservation
from ..progress import Progress
from .calibration import RENDER_CALIBRATION

MESH, MESH_RENDERS = "MediaPipe, calibrated for photos", "MediaPipe, calibrated on renders"
DENSE, FUSED, FUSED_RENDERS = "dense points", "fused", "fused, MediaPipe calibrated on renders"
RECOGNISED = "recognition alone"
SOURCES = (MESH, MESH_RENDERS, DENSE, FUSED, FUSED_RENDERS)
Solved = tuple[Problem, Solution]


@dataclass(frozen=True)
class Networks:
    """Which files are measured; None takes the bundled ones."""

    points: Path | None = None
    parts: Path | None = None
    calibration: Path | None = None

    def see(self, pixels: NDArray[np.uint8], face: FaceObservation) -> DensePoints:
        """Dense points of a face that MediaPipe found."""
        return see_points(pixels, window_of_mesh(face.landmarks), self.points)

    def sighting(self, head: HeadModel, source: str, face: FaceObservation, dense: DensePoints | None) -> Sighting:
        """The evidence that one of `SOURCES` gives; the dense points are needed for some."""
        renders = source in (MESH_RENDERS, FUSED_RENDERS)
        mesh = mesh_sighting(head, face, load_detector(RENDER_CALIBRATION) if renders else None)
        if source in (MESH, MESH_RENDERS) or dense is None:
            return mesh
        own = dense_sighting(head, dense, load_detector(self.calibration or DENSE_CALIBRATION))
        return own if source == DENSE else fused(own, mesh)


def solve_sighting(
    head: HeadModel,
    sighting: Sighting,
    width: int,
    height: int,
    focal: float | None = None,
    belief: Coefficients | None = None,
) -> Solved:
    """The fit as `fit_head` does it, before it is described; sizes and focal length in pixels."""
    problem = state_problem(head, sighting, width, height, focal, belief=belief)
    return problem, run_stages(problem, ITERATIONS["standard"], Progress())


def neutral_shape(head: HeadModel, solved: Solved) -> NDArray[np.float64]:
    """(V,3) metres, the neutral head of a fit."""
    problem, solution = solved
    values, groups = solution.state.values, problem.points.groups
    identity = values[groups["identity"]]
    return head.shape(identity) + refinement_of(head, identity, values[groups["deformation"]])


def believed_face(head: HeadModel, belief: Coefficients) -> NDArray[np.float64]:
    """(N,3) metres, the face region of the likeliest head before points are looked at, at the mean size."""
    grown = growth(head).of(belief.mean, head.vertices)
    return (head.shape(belief.mean) - grown)[head.regions["face"]]
