"""What the fit takes as evidence: points of the head that some detector saw, and how that detector errs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelFileError
from ..heads.model import HeadModel, LandmarkEmbedding
from ..options import PointsChoice
from ..perception.dense import DensePoints
from ..perception.observation import FaceObservation
from .detector import DENSE_CALIBRATION, DetectorModel, load_detector
from .pose import similarity

Array = NDArray[np.float64]
DENSE_FOCAL_DEVIATION = 0.5
"""With exact points and a guessed focal length, the guess is nearly all of the error (docs/perception.md)."""
MESH_DOUBT, DENSE_DOUBT = 2.0, 4.0
"""Factors of the calibrated errors. Both detectors err more on faces that calibration has not seen: on pairs of
portraits and on Cycles people, shapes get better up to these (docs/perception.md)."""
DOUBT_RANGE = (0.5, 8.0)
"""How far a point's expected error may be from the usual one, as a factor."""


@dataclass(frozen=True)
class Sighting:
    """N points seen in one picture.

    Attributes:
        embedding: where they are on the head.
        observed: (N,3) x, y, relative depth, pixels.
        detector: how they err; infinite deviation where a point says nothing.
        focal_deviation: of the logarithm of a guessed focal length, where the points hold enough perspective to solve
            for it; 0 keeps the guess.
    """

    embedding: LandmarkEmbedding
    observed: Array
    detector: DetectorModel
    focal_deviation: float = 0.0

    @property
    def deep(self) -> NDArray[np.bool_]:
        """(N,) points whose depth is evidence."""
        return self.embedding.valid & np.isfinite(self.detector.deviation[:, 2])


def gather(head: HeadModel, face: FaceObservation, dense: DensePoints | None, choice: PointsChoice) -> Sighting:
    """The evidence of one face.

    Args:
        face: as MediaPipe saw it.
        dense: as the engine's own network did, if it did.
        choice: whose points; MediaPipe's where there are no others, or none for this head model.
    Raises:
        ModelFileError: the network's calibration is missing, or of other points.
    """
    mesh = mesh_sighting(head, face)
    if choice == "mediapipe" or dense is None or head.name != "open":
        return mesh
    own = dense_sighting(head, dense)
    return own if choice == "dense" else fused(own, mesh)


def mesh_sighting(head: HeadModel, face: FaceObservation, detector: DetectorModel | None = None) -> Sighting:
    """MediaPipe's points; None takes their bundled calibration for photos."""
    detector = (load_detector() if detector is None else detector).doubted(MESH_DOUBT)
    return Sighting(head.embeddings["mediapipe"], face.landmarks.astype(np.float64), detector)


def dense_sighting(head: HeadModel, dense: DensePoints, detector: DetectorModel | None = None) -> Sighting:
    """The dense points, each with the doubt that the network has about it in this picture.

    Args:
        detector: None takes the bundled calibration.
    Raises:
        ModelFileError: the calibration is missing, or of other points.
    """
    detector = load_detector(DENSE_CALIBRATION) if detector is None else detector
    if len(detector.bias) != len(dense.vertices):
        raise ModelFileError(
            f"The calibration has {len(detector.bias)} points, the network {len(dense.vertices)}.",
            "Install the add-on again; developers calibrate the network with `python -m engine.training calibrate`.",
        )
    places = head.vertices[dense.vertices].astype(np.float64)
    observed = dense.points.astype(np.float64)
    scale, _, _ = similarity(places, observed)
    deviation = detector.deviation
    if detector.usual is not None:
        doubt = np.clip(dense.deviation / scale / detector.usual, *DOUBT_RANGE)
        deviation = deviation * doubt[:, [0, 0, 1]]
    detector = replace(detector, deviation=deviation).doubted(DENSE_DOUBT)
    return Sighting(at_vertices(head, dense.vertices), observed, detector, DENSE_FOCAL_DEVIATION)


def fused(first: Sighting, second: Sighting) -> Sighting:
    """Both. Where depth starts is each detector's own affair, so only the first's is evidence."""
    flat = second.detector.deviation.copy()
    flat[:, 2] = np.inf
    embedding = LandmarkEmbedding(
        np.concatenate([first.embedding.faces, second.embedding.faces]),
        np.concatenate([first.embedding.barycentrics, second.embedding.barycentrics]),
    )
    detector = first.detector.beside(replace(second.detector, deviation=flat))
    observed = np.concatenate([first.observed, second.observed])
    return Sighting(embedding, observed, detector, max(first.focal_deviation, second.focal_deviation))


def at_vertices(head: HeadModel, vertices: NDArray[np.int32]) -> LandmarkEmbedding:
    """Vertices of the head as an embedding."""
    corner = np.full(len(head.vertices), -1)
    corner[head.faces.ravel()[::-1]] = np.arange(head.faces.size)[::-1]  # the first face of each vertex
    faces, which = np.divmod(corner[vertices], 3)
    return LandmarkEmbedding(faces.astype(np.int32), np.eye(3, dtype=np.float32)[which])
