"""Identities and expressions of synthetic people."""

from __future__ import annotations

import numpy as np
import pytest

from engine.heads.loader import load_head
from engine.training.synthetic.acting import WHOLE_UNITS, random_expression, random_identity, resolve
from engine.training.synthetic.faces import EXTREMES, MOODS, SMILES, SPEECH

HEAD = load_head()
NAMES = HEAD.expression_names
COUNT = 1500


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.array([random_expression(NAMES, rng) for _ in range(COUNT)])


def of(drawn: np.ndarray, name: str) -> np.ndarray:
    return drawn[:, NAMES.index(name)]


def test_same_seed_same_person_and_face() -> None:
    first, second = (np.random.default_rng(8) for _ in range(2))
    assert np.array_equal(random_identity(HEAD, first), random_identity(HEAD, second))
    assert np.array_equal(random_expression(NAMES, first), random_expression(NAMES, second))


def test_identities_are_normal_with_some_near_the_mean_and_some_beyond() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([random_identity(HEAD, rng) for _ in range(600)])
    assert abs(drawn).max() <= 3.0
    assert abs(drawn.mean()) < 0.02
    spread = drawn.std(axis=1)
    assert 0.05 < (spread < 0.6).mean() < 0.16
    assert 0.10 < (spread > 1.2).mean() < 0.21


def test_weights_are_within_bounds_and_every_unit_is_used(drawn: np.ndarray) -> None:
    assert drawn.min() >= 0.0
    assert drawn.max() <= 1.0
    assert np.all((drawn > 0.15).sum(axis=0) >= 8)


def test_all_faces_name_units_of_the_head() -> None:
    for face in SPEECH + SMILES + MOODS + EXTREMES:
        for unit, value in face.items():
            assert unit in NAMES or f"{unit}Left" in NAMES, unit
            assert (unit in WHOLE_UNITS) == (unit in NAMES and not unit.endswith(("Left", "Right"))), unit
            assert 0 < value <= 1


def test_both_eyes_look_the_same_way(drawn: np.ndarray) -> None:
    left = of(drawn, "eyeLookOutLeft") - of(drawn, "eyeLookInLeft")
    right = of(drawn, "eyeLookInRight") - of(drawn, "eyeLookOutRight")
    assert np.corrcoef(left, right)[0, 1] > 0.9
    assert np.corrcoef(of(drawn, "eyeLookUpLeft"), of(drawn, "eyeLookUpRight"))[0, 1] > 0.95


def test_sides_go_together_but_not_always(drawn: np.ndarray) -> None:
    for unit in ("mouthSmile", "browDown", "eyeBlink"):
        correlation = np.corrcoef(of(drawn, f"{unit}Left"), of(drawn, f"{unit}Right"))[0, 1]
        assert 0.75 < correlation < 0.99


def test_smiles_raise_cheeks_and_blinks_end_stares(drawn: np.ndarray) -> None:
    smiling = of(drawn, "mouthSmileLeft") > 0.4
    assert of(drawn, "cheekSquintLeft")[smiling].mean() > 3 * of(drawn, "cheekSquintLeft")[~smiling].mean()
    shut = of(drawn, "eyeBlinkLeft") > 0.8
    assert shut.mean() > 0.04
    assert of(drawn, "eyeWideLeft")[shut].max() == 0.0


def test_lips_close_no_further_than_the_jaw_opens(drawn: np.ndarray) -> None:
    assert np.all(of(drawn, "mouthClose") <= of(drawn, "jawOpen") + 1e-6)
    assert np.all(of(drawn, "tongueOut")[of(drawn, "jawOpen") < 0.01] < 0.1)


def test_opposites_cancel() -> None:
    weights = {"mouthLeft": 0.5, "mouthRight": 0.2, "eyeBlinkLeft": 1.0, "eyeWideLeft": 0.9, "mouthClose": 0.7}
    resolve(weights)
    assert weights["mouthLeft"] == pytest.approx(0.3)
    assert weights["mouthRight"] == weights["eyeWideLeft"] == weights["mouthClose"] == 0.0


def test_heads_with_other_units_get_what_they_have() -> None:
    drawn = random_expression(("jawOpen", "unheard"), np.random.default_rng(1))
    assert drawn.shape == (2,)
    assert drawn[1] == 0.0
