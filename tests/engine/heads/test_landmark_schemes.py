"""Landmarks of posed heads: FLAME's sliding contour in each published layer's way, and what is missing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.errors import EngineError
from engine.heads.landmarks import FLAME_PYTORCH, SMIRK, SMPLX, contour_row, yaw_degrees
from engine.heads.loader import load_head
from engine.heads.skinning import Controls, pose
from tests.engine.heads.tiny import tiny_head, with_landmarks


def test_rows_of_the_contour_go_out_to_39_and_back_from_minus_1() -> None:
    yaw = torch.tensor([0.0, 0.4, 1.2, 39.0, 80.0, -0.4, -1.2, -39.0, -80.0])
    assert contour_row(yaw).tolist() == [0, 0, 1, 39, 39, 0, 40, 78, 78]


@pytest.mark.parametrize(
    ("convention", "expected"), [(SMIRK, 30.0), (FLAME_PYTORCH, -30.0), (SMPLX, -20.0)], ids=["smirk", "torch", "smplx"]
)
def test_the_yaw_is_that_of_neck_and_root_or_of_the_root_alone(convention, expected) -> None:
    head = tiny_head()
    turn = np.radians([[0, 20, 0], [0, 10, 0]])
    posed = pose(head, Controls(global_pose=turn[0], neck_pose=turn[1]))
    np.testing.assert_allclose(yaw_degrees(head, posed, convention), [expected], atol=1e-4)


def test_the_contour_slides_with_the_yaw_and_comes_first() -> None:
    head = with_landmarks()
    turn = np.radians([[0, 0, 0], [0, 20, 0], [0, -20, 0]])
    found = head.landmarks(global_pose=turn, scheme="ibug68-dynamic")
    assert found.shape == (3, 68, 3)
    np.testing.assert_allclose(found[:, 0, 1], [0, 20 / 78, 59 / 78], atol=1e-6)  # heights do not change with yaw
    swapped = head.landmarks(global_pose=turn, scheme="ibug68-dynamic", convention=FLAME_PYTORCH)
    np.testing.assert_allclose(swapped[:, 0, 1], [0, 59 / 78, 20 / 78], atol=1e-6)
    last = head.landmarks(global_pose=turn, scheme="ibug68-dynamic", convention=SMPLX)
    np.testing.assert_allclose(last[:, 51:, 1], swapped[:, :17, 1], atol=1e-6)


@pytest.mark.parametrize("scheme", ["ibug68-static", "ibug68-dynamic", "mediapipe"])
def test_a_missing_scheme_names_the_file_that_brings_it(scheme: str) -> None:
    with pytest.raises(EngineError, match=r"embedding\.np[yz].*is not beside its file") as caught:
        tiny_head().landmarks(scheme=scheme)
    assert "Put it into the folder" in caught.value.cure


def test_an_unknown_scheme() -> None:
    with pytest.raises(EngineError, match="Choose ibug68-static"):
        tiny_head().landmarks(scheme="dlib")


def test_the_open_head_has_its_478_and_68() -> None:
    head = load_head("open")
    moved = head.landmarks(translation=np.array([0, 1, 0]), scheme="mediapipe")[0]
    still = head.embeddings["mediapipe"].positions(head.vertices, head.faces)
    np.testing.assert_allclose(moved - still, np.tile([0, 1, 0], (478, 1)), atol=1e-6)
    assert head.landmarks().shape == (1, 68, 3)
