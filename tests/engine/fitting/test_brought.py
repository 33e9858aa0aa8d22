"""Fits that start from what SMIRK says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.fitting import brought
from engine.fitting.brought import Start, as_given, start_of
from engine.fitting.points import Coefficients
from engine.heads import retarget
from engine.heads.arkit_names import ARKIT_NAMES
from engine.heads.loader import load_head
from engine.heads.retarget import Retarget
from engine.options import ReconstructOptions

OPEN = load_head()


@pytest.fixture
def flame(monkeypatch: pytest.MonkeyPatch):
    """The open head under another name, whose 52 units are 50 expressions and a jaw of three more."""
    head = replace(OPEN, name="flame")
    units = np.zeros((52, 50 + 9))
    units[np.arange(50), np.arange(50)] = 1.0
    units[ARKIT_NAMES.index("jawOpen")] = 0.0
    units[ARKIT_NAMES.index("jawOpen"), 50] = 0.4
    monkeypatch.setattr(retarget, "retarget_of", lambda model: Retarget(units, np.eye(59), ridge=1e-9))
    return head


def answer(**parts: np.ndarray) -> dict[str, np.ndarray]:
    """SMIRK's answer, zero where nothing is said."""
    sizes = {"shape_params": 300, "expression_params": 50, "jaw_params": 3, "eyelid_params": 2}
    return {name: parts.get(name, np.zeros((1, size), np.float32)) for name, size in sizes.items()}


def test_expression_and_jaw_become_weights_of_units(flame) -> None:
    smile = ARKIT_NAMES.index("mouthSmileLeft")
    expression = np.zeros((1, 50), np.float32)
    expression[0, smile] = 0.7

    start = start_of(answer(expression_params=expression, jaw_params=np.array([[0.2, 0, 0]])), flame, flame)

    assert start.scores["mouthSmileLeft"] == pytest.approx(0.7, abs=1e-3)
    assert start.scores["jawOpen"] == pytest.approx(0.5, abs=1e-3)
    assert start.scores["browInnerUp"] == pytest.approx(0, abs=1e-3)


def test_closed_lids_are_blinks(flame) -> None:
    start = start_of(answer(eyelid_params=np.array([[0.9, 0.1]])), flame, flame)

    assert start.scores["eyeBlinkLeft"] == pytest.approx(0.9)
    assert start.scores["eyeBlinkRight"] == pytest.approx(0.1)


def test_what_it_does_not_look_for_stays_the_detectors(flame) -> None:
    start = start_of(answer(), flame, flame)

    scores = start.with_scores({"eyeLookUpLeft": 0.6, "mouthSmileLeft": 0.5})

    assert scores["eyeLookUpLeft"] == 0.6
    assert scores["mouthSmileLeft"] == pytest.approx(0, abs=1e-6)


def test_its_shape_is_believed_on_its_own_model_alone(flame) -> None:
    shape = np.zeros((1, 300), np.float32)
    shape[0, :3] = 1.0, -0.5, 2.0

    own, other = (start_of(answer(shape_params=shape), head, flame) for head in (flame, OPEN))

    belief = own.belief()
    assert isinstance(belief, Coefficients)
    assert belief.mean[:4] == pytest.approx([1.0, -0.5, 2.0, 0.0])
    assert len(belief.mean) == len(flame.identity_basis)
    assert other.belief() is None
    assert other.scores.keys() == own.scores.keys()


def test_a_head_taken_as_given_has_its_numbers() -> None:
    groups = {"identity": slice(0, 3), "expression": slice(3, 55), "detector": slice(55, 57)}
    start = Start(np.array([1.0, 2.0, 3.0]), {"jawOpen": 0.4, "mouthSmileLeft": 1.7})

    values = as_given(OPEN, np.full(57, 9.0), groups, start)

    assert values[:3] == pytest.approx([1, 2, 3])
    assert values[3 + OPEN.expression_names.index("jawOpen")] == 0.4
    assert values[3 + OPEN.expression_names.index("mouthSmileLeft")] == 1.0
    assert values[3:55].sum() == pytest.approx(1.4)
    assert values[55:] == pytest.approx([9, 9])


def test_starting_from_points_asks_for_no_file() -> None:
    assert brought.look(OPEN, np.zeros((9, 9, 3), np.uint8), np.zeros((478, 2)), ReconstructOptions()) is None


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    options = ReconstructOptions(start="smirk", model_folder=tmp_path)

    with pytest.raises(ModelFileError, match="SMIRK"):
        brought.look(OPEN, np.zeros((9, 9, 3), np.uint8), np.zeros((478, 2)), options)
