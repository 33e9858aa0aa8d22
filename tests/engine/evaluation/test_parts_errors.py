"""Overlap and depth errors that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from engine.evaluation.parts_errors import compare_parts, depth_table, overlap_table, true_depth
from engine.heads.loader import load_head
from engine.perception.depth_scale import SPAN, decode_depth
from engine.perception.parts import PartsObservation
from engine.perception.regions import REGIONS

from .toy_pictures import picture

SIDE = 128


@pytest.fixture(scope="module")
def head():
    return load_head()


def observation(shown, labels: np.ndarray, encoded: np.ndarray) -> PartsObservation:
    regions = (np.arange(len(REGIONS))[:, None, None] == labels).astype(np.float32)
    return PartsObservation(shown.window, regions, decode_depth(encoded), 0.9)


def test_a_perfect_view_has_no_error(head):
    shown = picture(head, 1, 40.0)
    errors = compare_parts(head, [shown], [observation(shown, shown.regions, true_depth(head, shown))])
    assert errors.depth[0] == pytest.approx(0.0, abs=1e-6)
    overlap = errors.overlap()
    assert overlap[0] == overlap[1] == 1.0
    assert np.isnan(overlap[2:]).all()


def test_overlap_and_depth_by_hand(head):
    shown = picture(head, 1)
    labels = shown.regions.copy()
    labels[:, 32:64] = REGIONS.index("hair")  # a third of the skin
    encoded = true_depth(head, shown)
    encoded[:, 32:80] += 0.2  # half of the person
    encoded[:, :32] = -1.0  # the background does not count
    table = overlap_table(errors := compare_parts(head, [shown], [observation(shown, labels, encoded)]))
    row = {str(row[0]): row for row in table.rows}
    assert row["background"][1] == 100.0
    assert row["skin"][1] == pytest.approx(100 * 2 / 3)
    assert row["hair"][1] == 0.0
    assert row["mean of the regions"][1] == pytest.approx((100 + 200 / 3) / 3)
    first, second = depth_table(errors).rows
    assert first[1] == pytest.approx(0.1, abs=1e-3)
    assert second[1] == pytest.approx(100 * SPAN, abs=0.2)


def test_depth_is_measured_from_the_eyes(head):
    shown = picture(head, 1)
    eyes = head.joint_positions(shown.identity)[[head.joint_names.index(f"eye.{side}") for side in "LR"]]
    inside = shown.regions > 0
    expected = (0.01 + eyes[:, 2].mean()) / SPAN  # the labels say 1 cm behind the origin, the eyes are before it
    assert true_depth(head, shown)[inside] == pytest.approx(min(expected, 1.0), abs=1e-4)
    assert (true_depth(head, shown)[~inside] == 1.0).all()
