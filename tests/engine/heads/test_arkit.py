"""ARKit's units on a head with other expressions, and performances there and back."""

from __future__ import annotations

import numpy as np
import pytest

from engine.heads.arkit import arkit_head, arkit_units
from engine.heads.arkit_names import ARKIT_NAMES
from engine.heads.loader import load_head
from engine.heads.model import HeadModel
from engine.heads.retarget import Retarget, UnitFit, box_solve, fit_units
from tests.engine.heads.flame_toy import JAW_TURNS, ToyFlame


@pytest.fixture(scope="module")
def acting_toy(whole_toy: HeadModel) -> HeadModel:
    """The toy with ARKit's units for expressions."""
    return arkit_head(whole_toy)


@pytest.fixture(scope="module")
def fit(whole_toy: HeadModel) -> UnitFit:
    """The units in the toy's coefficients."""
    return fit_units(whole_toy)


def root_mean_square(moves: np.ndarray) -> float:
    return float(np.sqrt((moves**2).sum(-1).mean()))


def test_the_open_head_has_the_52_already() -> None:
    head = load_head("open")
    assert head.expression_names == ARKIT_NAMES
    assert arkit_head(head) is head
    np.testing.assert_array_equal(arkit_units(head), head.expression_basis)


def test_units_arrive_bent_as_the_head_is(acting_toy: HeadModel, toy: ToyFlame) -> None:
    face = acting_toy.regions["face"]
    shares = {}
    for row, name in enumerate(ARKIT_NAMES[:-1]):  # the toy has no tongue
        missed = acting_toy.expression_basis[row, face] - toy.units[row, face]
        shares[name] = root_mean_square(missed) / root_mean_square(toy.units[row, face])
    assert np.median(list(shares.values())) < 0.15
    assert max(shares.values()) < 0.3, shares
    assert not acting_toy.expression_basis[-1].any()


def test_eyes_turn_about_their_own_joints(acting_toy: HeadModel) -> None:
    eye = acting_toy.regions["eye.L"]
    joint = acting_toy.joints[acting_toy.joint_names.index("eye.L")]
    moved = acting_toy.vertices[eye] + acting_toy.expression_basis[ARKIT_NAMES.index("eyeLookUpLeft"), eye]
    before = np.linalg.norm(acting_toy.vertices[eye] - joint, axis=1)
    np.testing.assert_allclose(np.linalg.norm(moved - joint, axis=1), before, atol=1e-6)
    front = np.argmax(acting_toy.vertices[eye, 2])
    assert moved[front, 1] - acting_toy.vertices[eye][front, 1] > 0.002
    assert not acting_toy.expression_basis[ARKIT_NAMES.index("eyeLookUpRight"), eye].any()


def test_units_keep_away_from_what_they_do_not_move(acting_toy: HeadModel) -> None:
    smile = np.linalg.norm(acting_toy.expression_basis[ARKIT_NAMES.index("mouthSmileLeft")], axis=1)
    back = acting_toy.regions["skin"] & (acting_toy.vertices[:, 2] < -0.03)
    assert smile[back].max() < 0.02 * smile.max()


def test_flame_opens_its_jaw_for_jaw_open(fit: UnitFit, whole_toy: HeadModel) -> None:
    count = len(whole_toy.expression_basis)
    for name, turn in JAW_TURNS.items():
        np.testing.assert_allclose(fit.codes[ARKIT_NAMES.index(name), count : count + 3], turn, atol=0.03)
    others = [row for row, name in enumerate(ARKIT_NAMES) if name not in JAW_TURNS]
    assert np.abs(fit.codes[others, count : count + 3]).max() < 0.03
    assert np.abs(fit.codes[:, :count]).max() <= 4.0


def test_what_flame_misses_of_each_unit_is_reported(fit: UnitFit) -> None:
    report = fit.report()
    assert tuple(report) == ARKIT_NAMES
    shares = {name: missed / moved for name, (missed, moved) in report.items() if moved > 0.2}
    assert len(shares) == 51  # all but the tongue
    assert np.median(list(shares.values())) < 0.15
    assert max(shares.values()) < 0.35, shares
    assert report["tongueOut"] == (0.0, 0.0)


def test_gaze_is_found_as_turns_of_the_eyes(fit: UnitFit) -> None:
    up, inwards = (fit.codes[ARKIT_NAMES.index(name), -6:] for name in ("eyeLookUpLeft", "eyeLookInRight"))
    assert up[0] < -0.2
    np.testing.assert_allclose(np.delete(up, 0), 0, atol=0.02)
    assert inwards[4] > 0.2
    np.testing.assert_allclose(np.delete(inwards, 4), 0, atol=0.02)


def test_weights_come_back_from_the_models_coefficients(fit: UnitFit) -> None:
    random = np.random.default_rng(0)
    weights = random.uniform(0, 1, (40, 52)) * (random.random((40, 52)) < 0.2)
    for first, second in (("LookUp", "LookDown"), ("LookIn", "LookOut")):  # no eye looks two ways
        for side in ("Left", "Right"):
            weights[:, ARKIT_NAMES.index(f"eye{second}{side}")] *= (
                weights[:, ARKIT_NAMES.index(f"eye{first}{side}")] == 0
            )
    weights[:, ARKIT_NAMES.index("tongueOut")] = 0
    both = Retarget.of(fit)
    back = both.to_arkit(both.to_model(weights))
    assert back.shape == (40, 52)
    assert back.min() >= 0
    assert back.max() <= 1
    assert np.abs(back - weights).mean() < 0.005
    assert np.abs(back - weights).max() < 0.15


def test_a_models_own_performance_is_followed(fit: UnitFit, whole_toy: HeadModel, acting_toy: HeadModel) -> None:
    both = Retarget.of(fit)
    weights = np.zeros((1, 52))
    weights[0, ARKIT_NAMES.index("jawOpen")] = 0.7
    weights[0, [ARKIT_NAMES.index(f"mouthSmile{side}") for side in ("Left", "Right")]] = 0.5
    acted = both.to_model(weights)
    posed = whole_toy.forward(expression=acted.expression, jaw_pose=acted.jaw)[0].numpy()
    expected = whole_toy.vertices + np.tensordot(weights[0], acting_toy.expression_basis, 1)
    face = whole_toy.regions["face"]
    moved = root_mean_square((expected - whole_toy.vertices)[face])
    assert root_mean_square((posed - expected)[face]) < 0.2 * moved


def test_bounded_least_squares_is_that_of_projected_gradients() -> None:
    random = np.random.default_rng(3)
    system = random.normal(size=(30, 12))
    normal, right = system.T @ system, random.normal(0, 8, (25, 12))
    lower, upper = np.full(12, -0.1), np.full(12, 0.3)
    found = box_solve(normal, right, lower, upper)
    slow = np.zeros((25, 12))
    for _ in range(4000):
        slow = np.clip(slow - (slow @ normal - right) / np.linalg.eigvalsh(normal)[-1], lower, upper)
    np.testing.assert_allclose(found, slow, atol=1e-6)
    assert (found == 0.3).any()
    assert (found == -0.1).any()
    assert ((found > -0.1) & (found < 0.3)).any()
