"""The solver against analytic cases: derivatives, bounds, exact recovery, outliers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.fitting.points import Coefficients, PointModel, embed, identity_points
from engine.fitting.pose import guess_focal, rigid, similarity, yaw_pitch_roll
from engine.fitting.size import growth
from engine.fitting.solver import (
    CAMERA_PARAMETERS,
    Evidence,
    State,
    bounded_step,
    jacobian,
    moved,
    predict,
    rotation_matrix,
    solve_part,
)
from engine.progress import JobCancelled

from .toy import FRONTAL, observe, toy_camera, toy_head

TURN = rotation_matrix(np.radians([8.0, -20.0, 5.0]))


@pytest.fixture(scope="module")
def head():
    return toy_head()


@pytest.fixture(scope="module")
def points(head) -> PointModel:
    """Identity and expression with a prior that is nearly off."""
    basis = embed(head.expression_basis, head.embeddings["mediapipe"], head.faces)
    count = len(basis)
    half = Coefficients(np.zeros(count), np.eye(count) * 1e-4, np.zeros(count), np.ones(count))
    model = identity_points(head)
    model = replace(model, prior=Coefficients.normal(np.full(len(model.basis), 100.0)))
    return model.with_group("expression", half, basis)


def evidence_for(observed: np.ndarray, focal: float = 1500.0, **options) -> Evidence:
    return Evidence(observed, np.full(observed.shape, 1e-4), 1.2 / 1500, np.array([320.0, 400.0]), focal, **options)


def start(model: PointModel, rotation: np.ndarray = FRONTAL, focal: float = 1500.0) -> State:
    return State(rotation, np.array([0.0, 0.0, 1.1]), focal, 0.0, np.zeros(len(model.basis)))


def test_rotation_matrix_is_a_rotation_about_its_vector():
    quarter = rotation_matrix(np.array([0.0, 0.0, np.pi / 2]))
    np.testing.assert_allclose(quarter @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(rotation_matrix(np.zeros(3)), np.eye(3))
    np.testing.assert_allclose(TURN @ TURN.T, np.eye(3), atol=1e-12)


def test_embed_equals_the_model_embedding(head):
    direct = head.embeddings["mediapipe"].positions(head.identity_basis, head.faces)
    np.testing.assert_allclose(embed(head.identity_basis, head.embeddings["mediapipe"], head.faces), direct, atol=1e-7)


def test_jacobian_matches_finite_differences(points):
    rng = np.random.default_rng(1)
    state = State(TURN @ FRONTAL, np.array([0.01, -0.02, 1.1]), 1400.0, 0.003, rng.uniform(0, 0.5, len(points.basis)))
    points = replace(points, error=rng.normal(0, 0.01, (478, 3)), error_basis=rng.normal(0, 1e-3, points.basis.shape))
    evidence = evidence_for(np.zeros((478, 3)))
    _, in_camera = predict(points, evidence, state)
    analytic = jacobian(points, evidence, state, in_camera)
    for column in (*range(CAMERA_PARAMETERS), CAMERA_PARAMETERS + 3, CAMERA_PARAMETERS + 22):
        step = np.zeros(CAMERA_PARAMETERS + len(points.basis))
        step[column] = 1e-5
        plus, minus = (predict(points, evidence, moved(state, sign * step))[0] for sign in (1, -1))
        np.testing.assert_allclose(analytic[:, :, column], (plus - minus) / 2e-5, atol=2e-7)


def test_bounded_step_finds_the_constrained_minimum():
    normal = np.array([[2.0, 0.5], [0.5, 1.0]])
    gradient = np.array([-4.0, -1.0])
    free = bounded_step(normal, gradient, np.full(2, -np.inf), np.full(2, np.inf))
    np.testing.assert_allclose(normal @ free, -gradient)
    held = bounded_step(normal, gradient, np.array([-1.0, -1.0]), np.array([1.0, 1.0]))
    np.testing.assert_allclose(held, [1.0, 0.5])  # first at its wall, second solves 0.5 * 1 + y = 1


def of_mean_size(head, values: np.ndarray) -> np.ndarray:
    return head.shape(values[:20], values[20:]) - growth(head).of(values[:20], head.vertices)


def test_exact_landmarks_give_the_exact_head(head, points):
    rng = np.random.default_rng(2)
    truth = np.concatenate([rng.standard_normal(20), rng.uniform(0, 1, 10) * (rng.random(10) < 0.5)])
    camera = toy_camera(TURN)
    observed = observe(camera, points.positions(truth))
    solution = solve_part(points, evidence_for(observed), start(points), ("identity", "expression"), 60, 1e-12)
    values = solution.state.values
    found, true = (of_mean_size(head, v) for v in (values, truth))
    rotation, translation = rigid(found, true)
    error = np.linalg.norm(found @ rotation.T + translation - true, axis=1)
    scale = np.linalg.norm(true, axis=1).mean() / np.linalg.norm(found, axis=1).mean()
    assert error.mean() * scale < 1e-4  # a tenth of a millimetre
    assert np.abs(values[20:] - truth[20:]).max() < 0.02
    assert (values[20:] >= 0).all()
    assert (values[20:] <= 1).all()
    reprojected = predict(points, evidence_for(observed), solution.state)[0][:, :2] / (1.2 / 1500)
    assert np.abs(reprojected - observed[:, :2]).max() < 0.05


def test_the_focal_length_is_recovered_when_it_may_move(points):
    truth = np.zeros(len(points.basis))
    observed = observe(toy_camera(np.eye(3), distance=0.6, focal=900.0), points.positions(truth))
    rigid_model = replace(points, prior=Coefficients.normal(np.full(30, 1e-3)))
    evidence = evidence_for(observed, 1200.0, focal_deviation=0.5)
    solution = solve_part(rigid_model, evidence, start(rigid_model, focal=1200.0), (), 60, 1e-12)
    assert solution.state.focal == pytest.approx(900, rel=0.02)


@pytest.mark.parametrize("distance", [0.5, 4.0])
def test_the_focal_length_of_a_face_of_unknown_shape_is_found_in_a_few_steps(head, points, distance):
    """A dolly zoom changes perspective alone, so that shape and lens do not have to chase each other."""
    truth = np.concatenate([np.random.default_rng(2).standard_normal(20), np.zeros(10)])
    focal = 1250.0 * distance
    observed = observe(toy_camera(TURN, distance=distance, focal=focal), points.positions(truth))
    evidence = evidence_for(observed, 1700.0, focal_deviation=0.5)
    solution = solve_part(points, evidence, start(points, focal=1700.0), ("identity", "expression"), 12)
    assert solution.state.focal == pytest.approx(focal, rel=0.03)


def test_an_outlier_is_distrusted(points):
    observed = observe(toy_camera(TURN), points.positions(np.zeros(len(points.basis))))
    observed[7, :2] += 60.0
    solution = solve_part(points, evidence_for(observed), start(points), ("identity",))
    assert solution.weights[7] < 0.01 * np.median(solution.weights)
    assert np.abs(solution.state.values).max() < 0.5


def test_groups_that_are_not_named_stay(points):
    observed = observe(toy_camera(TURN), points.positions(np.full(len(points.basis), 0.5)))
    solution = solve_part(points, evidence_for(observed), start(points), ("expression",))
    assert (solution.state.values[:20] == 0).all()
    assert (solution.state.values[20:] != 0).any()


def test_cancel_stops_the_solver(points):
    def cancel() -> None:
        raise JobCancelled

    with pytest.raises(JobCancelled):
        solve_part(points, evidence_for(np.zeros((478, 3))), start(points), ("identity",), check=cancel)


def test_similarity_and_rigid_invert_known_motions():
    rng = np.random.default_rng(3)
    source = rng.standard_normal((20, 3))
    scale, rotation, translation = similarity(source, 2.5 * source @ TURN.T + [1, 2, 3])
    assert scale == pytest.approx(2.5)
    np.testing.assert_allclose(rotation, TURN, atol=1e-12)
    np.testing.assert_allclose(translation, [1, 2, 3], atol=1e-12)
    np.testing.assert_allclose(rigid(source, source @ TURN.T)[0], TURN, atol=1e-12)


def test_similarity_never_mirrors():
    source = np.random.default_rng(4).standard_normal((20, 3))
    _, rotation, _ = similarity(source, source * [-1, 1, 1])
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_pose_angles():
    assert yaw_pitch_roll(FRONTAL) == pytest.approx((0, 0, 0))
    nose_right = rotation_matrix(np.radians([0.0, -30.0, 0.0])) @ FRONTAL  # about the camera's y, which points down
    assert yaw_pitch_roll(nose_right) == pytest.approx((30, 0, 0))
    assert (nose_right @ [0, 0, 1])[0] > 0
    nose_up = rotation_matrix(np.radians([-20.0, 0.0, 0.0])) @ FRONTAL
    assert yaw_pitch_roll(nose_up) == pytest.approx((0, 20, 0))
    assert (nose_up @ [0, 0, 1])[1] < 0
    clockwise = rotation_matrix(np.radians([0.0, 0.0, 10.0])) @ FRONTAL
    assert yaw_pitch_roll(clockwise) == pytest.approx((0, 0, 10))


def test_focal_rule():
    assert guess_focal(480, 600, 1200.0) == pytest.approx(1680)  # a crop: the usual distance decides
    assert guess_focal(4000, 3000, 300.0) == pytest.approx(4800)  # a small face in a wide picture: no wide-angle lens
