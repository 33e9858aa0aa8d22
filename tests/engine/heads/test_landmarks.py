"""The points of MediaPipe and iBUG lie where their names say, on both sides alike."""

from __future__ import annotations

import numpy as np
import pytest

from engine.heads.loader import load_head
from engine.perception.topology import INNER_LIPS, LEFT_EYE, MIRROR, OUTER_LIPS, RIGHT_EYE

CHIN, NOSE_TIP, FOREHEAD = 152, 4, 10


@pytest.fixture(scope="module")
def head():
    return load_head()


@pytest.fixture(scope="module")
def points(head) -> np.ndarray:
    return head.embeddings["mediapipe"].positions(head.vertices, head.faces)


def material(head, point: int) -> str:
    return head.material_names[head.face_materials[head.embeddings["mediapipe"].faces[point]]]


def test_all_points_exist(head) -> None:
    for name, count in (("mediapipe", 478), ("ibug", 68)):
        embedding = head.embeddings[name]
        assert embedding.faces.shape == (count,)
        assert embedding.valid.all()
        assert np.allclose(embedding.barycentrics.sum(1), 1, atol=1e-5)
        assert embedding.barycentrics.min() >= 0


def test_both_sides_alike(points) -> None:
    assert np.abs(points[MIRROR] * [-1, 1, 1] - points)[:468].max() < 1e-4
    assert np.abs(points[473:] * [-1, 1, 1] - points[[468, 471, 470, 469, 472]]).max() < 3e-4


def test_skin_points_are_on_skin_and_irises_on_eyes(head) -> None:
    assert {material(head, point) for point in range(468)} == {"skin"}
    assert {material(head, point) for point in range(468, 473)} == {"eye.R"}
    assert {material(head, point) for point in range(473, 478)} == {"eye.L"}


def test_extremes_of_the_face(points) -> None:
    surface = points[:468]
    assert surface[:, 1].argmin() == CHIN
    assert surface[:, 1].argmax() == FOREHEAD
    assert surface[NOSE_TIP, 2] > surface[:, 2].max() - 0.004


def test_eye_outlines_run_along_the_lids(head, points) -> None:
    for ring, joint, side in ((LEFT_EYE, "eye.L", 1), (RIGHT_EYE, "eye.R", -1)):
        offset = points[list(ring)] - head.joints[head.joint_names.index(joint)]
        angle = np.unwrap(np.arctan2(offset[:, 1], side * offset[:, 0]))
        assert (np.diff(angle) > 0).all() or (np.diff(angle) < 0).all()
        assert (np.hypot(offset[:, 0], offset[:, 1]) < 0.019).all()
        assert (offset[:, 2] > 0.005).all()


def test_iris_ring_is_as_wide_as_an_iris(points) -> None:
    for centre in (468, 473):
        ring = points[centre + 1 : centre + 5] - points[centre]
        assert np.allclose(np.hypot(ring[:, 0], ring[:, 1]), 0.0059, atol=2e-4)
        # Towards the head's left, up, right, down.
        assert np.array_equal(np.abs(ring[:, :2]).argmax(1), [0, 1, 0, 1])
        assert (ring[[0, 1], [0, 1]] > 0).all()


def test_inner_lips_lie_within_outer_lips_and_part_when_the_jaw_opens(head, points) -> None:
    inner, outer = points[list(INNER_LIPS)], points[list(OUTER_LIPS)]
    assert inner[:, 1].max() < outer[:, 1].max() - 0.002
    assert inner[:, 1].min() > outer[:, 1].min() + 0.002
    assert np.abs(points[13] - points[14]).max() < 0.006
    opened = head.vertices + head.expression_basis[head.expression_names.index("jawOpen")]
    upper, lower = head.embeddings["mediapipe"].positions(opened, head.faces)[[13, 14]]
    assert upper[1] - lower[1] > 0.02


def test_ibug_goes_round_in_its_own_order(head) -> None:
    ibug = head.embeddings["ibug"].positions(head.vertices, head.faces)
    jaw = ibug[:17]
    assert (np.diff(jaw[:9, 1]) < 0).all()
    assert (np.diff(jaw[8:, 1]) > 0).all()
    assert (np.diff(jaw[2:15, 0]) > 0).all()
    assert ibug[36, 0] < ibug[39, 0] < 0 < ibug[42, 0] < ibug[45, 0]
    assert ibug[48, 0] < 0 < ibug[54, 0]
