"""A real portrait becomes a head: close to what was seen, of the mean size, and all its parts agree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.fitting.detector import load_detector
from engine.fitting.pose import similarity
from engine.fitting.result import HeadFit
from engine.fitting.sighting import mesh_sighting
from engine.fitting.solve import fit_head
from engine.heads.loader import load_head
from engine.media.photo import Photo
from engine.options import ReconstructOptions
from engine.perception.landmarks import find_face
from engine.perception.observation import FaceObservation
from engine.perception.topology import INNER_LIPS
from engine.progress import Progress


@pytest.fixture(scope="module")
def head():
    return load_head("open")


@pytest.fixture(scope="module")
def seen() -> tuple[Photo, FaceObservation]:
    from skimage.data import astronaut

    photo = Photo(Path("astronaut.png"), np.ascontiguousarray(astronaut()))
    return photo, find_face(photo)


@pytest.fixture(scope="module")
def fit(head, seen) -> HeadFit:
    photo, face = seen
    return fit_head(head, face, photo, ReconstructOptions(), Progress())


def test_the_landmarks_are_met(fit):
    assert fit.errors["mean"] < 0.015
    assert fit.errors["p95"] < 0.04


def test_lips_and_the_opening_of_the_eyes_are_met_more_closely_than_the_rest(head, fit, seen):
    """A viewer compares them first: the calibration trusts their contours more than other points."""
    photo, face = seen
    bundled = load_detector()
    alike = replace(bundled, deviation=np.broadcast_to(np.median(bundled.deviation, axis=0), bundled.deviation.shape))
    plain = fit_head(head, face, photo, ReconstructOptions(), Progress(), mesh_sighting(head, face, alike))
    points, own, other = face.landmarks[:, :2], fit.landmarks_model, plain.landmarks_model
    lips = list(INNER_LIPS)
    assert np.linalg.norm(own - points, axis=1)[lips].mean() < 0.8 * np.linalg.norm(other - points, axis=1)[lips].mean()
    assert abs(opening(own) - opening(points)) < 0.8 * abs(opening(other) - opening(points))


def opening(points: np.ndarray) -> float:
    """Distance of the lids in the middle of both eyes, pixels."""
    return float(np.linalg.norm(points[[159, 386]] - points[[145, 374]], axis=1).mean())


def test_the_parts_agree(head, fit):
    np.testing.assert_allclose(head.shape(fit.identity) + fit.refinement, fit.neutral, atol=1e-6)
    moved = np.tensordot(fit.expression, head.expression_basis, 1)
    np.testing.assert_allclose(fit.neutral + moved, fit.posed, atol=1e-6)
    for name in ("eye.L", "eye.R"):  # joints keep to their parts, size and refinement included
        ball = head.regions[name]
        before = head.joints[head.joint_names.index(name)] - head.vertices[ball].mean(0)
        after = fit.joints[head.joint_names.index(name)] - fit.neutral[ball].mean(0)
        assert np.linalg.norm(after - before) < 0.0015


def test_the_face_has_the_mean_size(head, fit):
    face = head.regions["face"]
    assert similarity(head.vertices[face], fit.neutral[face])[0] == pytest.approx(1.0, abs=0.015)


def test_a_smile_is_seen(head, fit):
    weight = dict(zip(head.expression_names, fit.expression, strict=True))
    assert min(weight["mouthSmileLeft"], weight["mouthSmileRight"]) > 0.3
    assert max(weight["eyeBlinkLeft"], weight["eyeBlinkRight"]) < 0.3
