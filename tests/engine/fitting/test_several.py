"""One person from several pictures: exact where all is linear, and better than the mean of single fits."""

from __future__ import annotations

import numpy as np
import pytest

from engine.evaluation.metrics import shape_error
from engine.fitting.deform import smooth_deformation
from engine.fitting.detector import DetectorModel
from engine.fitting.several import (
    Information,
    View,
    average_person,
    combined,
    fit_several,
    marginalised,
    shared_places,
    shared_prior,
)
from engine.fitting.sighting import Sighting
from engine.fitting.solve import Problem, refinement_of, run_stages, state_problem
from engine.fitting.solver import Solution, rotation_matrix
from engine.progress import Progress

from .toy import observe, toy_camera, toy_head

NOISE = 6e-4  # metres
TURNS = (-35.0, -18.0, 0.0, 18.0, 35.0)
SHARED, OWN = np.arange(4), np.arange(4, 9)


def test_linear_pictures_give_the_joint_solution():
    """Four pictures, each looked at from another place, against one system of all unknowns."""
    rng = np.random.default_rng(2)
    mean, precision, count = rng.normal(size=4), np.diag(rng.uniform(0.5, 2, 4)), 4
    whole, target = np.zeros((4 + 5 * count,) * 2), np.zeros(4 + 5 * count)
    whole[:4, :4], target[:4] = precision, precision @ mean
    pieces = []
    for picture in range(count):
        rows, seen = rng.normal(size=(30, 9)), rng.normal(size=30)
        place = np.concatenate([SHARED, OWN + 5 * picture])
        whole[np.ix_(place, place)] += rows.T @ rows
        target[place] += rows.T @ seen
        state = rng.normal(size=9)
        normal, gradient = rows.T @ rows, rows.T @ (rows @ state - seen)
        matrix, slope = marginalised(normal, gradient, SHARED, OWN)
        pieces.append(Information(matrix, matrix @ state[:4] - slope))
    joint = np.linalg.solve(whole, target)[:4]
    np.testing.assert_allclose(combined(pieces, mean, precision), joint, rtol=1e-9)


def test_marginal_precision_is_the_inverse_of_the_covariance_block():
    rng = np.random.default_rng(3)
    root = rng.normal(size=(9, 9)) * np.geomspace(1, 1e4, 9)
    matrix, _ = marginalised(root.T @ root, np.zeros(9), SHARED, OWN)
    expected = np.linalg.inv(np.linalg.inv(root.T @ root)[:4, :4])
    np.testing.assert_allclose(matrix, expected, rtol=1e-5)


@pytest.fixture(scope="module")
def head():
    return toy_head()


def random_person(head, rng: np.random.Generator) -> np.ndarray:
    """(V,3) drawn from what the fit believes of people."""
    identity = rng.normal(size=len(head.identity_basis))
    return head.shape(identity) + refinement_of(head, identity, rng.normal(size=len(smooth_deformation(head).basis)))


def solved_pictures(head, neutral: np.ndarray, rng: np.random.Generator) -> list[tuple[Problem, Solution]]:
    """A person (V,3) seen from five sides, every point off by `NOISE`, each picture solved by itself."""
    embedding, count = head.embeddings["mediapipe"], 478
    none = np.zeros((0, count, 3))
    unbiased = np.zeros((count, 3)), np.zeros((5, count, 3))
    detector = DetectorModel(*unbiased, none, none, none, np.full((count, 3), NOISE))
    pictures = []
    for turn in TURNS:
        expression = rng.uniform(0, 0.4, len(head.expression_names))
        camera = toy_camera(rotation_matrix(np.radians([0.0, turn, 0.0])), focal=1500.0)
        posed = neutral + np.tensordot(expression, head.expression_basis, 1)
        places = embedding.positions(posed, head.faces)
        observed = observe(camera, places) + rng.normal(0, NOISE * 1500 / 1.2, (count, 3))
        problem = state_problem(head, Sighting(embedding, observed, detector), 640, 800, 1500.0)
        pictures.append((problem, run_stages(problem, 12, Progress())))
    return pictures


def alone(head, problem: Problem, solution: Solution) -> np.ndarray:
    """(V,3) the neutral head of one fit."""
    values, groups = solution.state.values, problem.points.groups
    identity, amounts = values[groups["identity"]], values[groups["deformation"]]
    return head.shape(identity) + refinement_of(head, identity, amounts)


def test_one_picture_says_what_its_own_fit_said(head):
    rng = np.random.default_rng(5)
    ((problem, solution),) = solved_pictures(head, random_person(head, rng), rng)[2:3]
    assert shape_error(fit_several(head, [(problem, solution)]), alone(head, problem, solution)).rigid < 0.05


def test_the_mean_of_the_fits_keeps_what_is_each_pictures_own(head):
    rng = np.random.default_rng(7)
    truth = random_person(head, rng)
    solved = solved_pictures(head, truth, rng)
    found = average_person(head, solved)
    expected = np.mean([solution.state.values[problem.points.groups["identity"]] for problem, solution in solved], 0)
    np.testing.assert_allclose(found.identity, expected)
    single = np.mean([shape_error(alone(head, problem, solution), truth).scaled for problem, solution in solved])
    assert shape_error(found.neutral, truth).scaled < single
    for state, (problem, solution) in zip(found.states, solved, strict=True):
        group = problem.points.groups["expression"]
        assert np.abs(state.values[group] - solution.state.values[group]).mean() < 0.1


def test_evidence_is_counted_without_the_prior(head):
    rng = np.random.default_rng(6)
    ((problem, solution),) = solved_pictures(head, random_person(head, rng), rng)[2:3]
    view = View.of(problem, solution)
    mean, precision = shared_prior(view.points)
    piece = view.information()
    assert np.linalg.eigvalsh(piece.matrix)[0] < 0.5  # of directions that no point shows, the prior alone knows
    back = np.linalg.solve(piece.matrix + precision, piece.vector + precision @ mean)
    own = solution.state.values[shared_places(view.points)]
    assert np.abs(back - own).max() < 0.1


def test_several_pictures_beat_the_mean_of_their_fits(head):
    rng = np.random.default_rng(4)
    together, averaged, single = [], [], []
    for _ in range(3):
        truth = random_person(head, rng)
        solved = solved_pictures(head, truth, rng)
        fits = [alone(head, problem, solution) for problem, solution in solved]
        together.append(shape_error(fit_several(head, solved), truth).scaled)
        averaged.append(shape_error(np.mean(fits, axis=0), truth).scaled)
        single.append(np.mean([shape_error(fit, truth).scaled for fit in fits]))
    assert np.mean(together) < 0.95 * np.mean(averaged), (together, averaged)
    assert np.mean(together) < 0.8 * np.mean(single)
