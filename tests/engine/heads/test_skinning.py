"""Posing a head: rotations, blend shapes and skinning against what can be worked out by hand."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import torch

from engine.errors import EngineError
from engine.heads.loader import load_head
from engine.heads.skinning import Controls, buffers_of, pose, pose_feature, rodrigues
from tests.engine.heads.tiny import JOINTS, VERTICES, tiny_head

QUARTER = float(np.pi / 2)
CPU = torch.device("cpu")


def test_a_quarter_turn_about_z_takes_x_to_y() -> None:
    turn = rodrigues(torch.tensor([[0.0, 0.0, QUARTER]], dtype=torch.float64))
    expected = torch.tensor([[[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]], dtype=torch.float64)
    torch.testing.assert_close(turn, expected, atol=3e-8, rtol=0)  # 1e-8 in each component is part of the definition


def test_no_turn_is_the_identity_and_has_a_gradient() -> None:
    still = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    turn = rodrigues(still)
    torch.testing.assert_close(turn, torch.eye(3, dtype=torch.float64)[None], atol=1e-15, rtol=0)
    turn[0, 1, 0].backward()  # sine of the angle about z
    np.testing.assert_allclose(still.grad, [[0, 0, 1]], atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rotations_are_proper(dtype: torch.dtype) -> None:
    turns = rodrigues(torch.randn(50, 3, dtype=dtype, generator=torch.Generator().manual_seed(1)))
    np.testing.assert_allclose(turns @ turns.mT, np.eye(3)[None].repeat(50, 0), atol=2e-6)
    np.testing.assert_allclose(torch.linalg.det(turns), np.ones(50), atol=2e-6)


def test_a_joint_turns_its_vertices_about_itself() -> None:
    head = tiny_head(np.tile(np.eye(5)[2], (4, 1)))  # the jaw, at (0, 1, 0)
    posed = head.forward(jaw_pose=np.array([0, 0, QUARTER]))[0]
    away = VERTICES - JOINTS[2]
    np.testing.assert_allclose(posed, JOINTS[2] + np.stack([-away[:, 1], away[:, 0], away[:, 2]], 1), atol=1e-6)


def test_turns_add_up_along_the_chain() -> None:
    head = tiny_head()
    both = head.forward(global_pose=np.array([0, 0, 0.3]), neck_pose=np.array([0, 0, 0.2]))[0]
    c, s = np.cos(0.3), np.sin(0.3)
    neck = JOINTS[0] + [-s, c, 0]  # the neck, one above the root
    c, s = np.cos(0.5), np.sin(0.5)
    expected = VERTICES @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + neck
    np.testing.assert_allclose(both, expected, atol=1e-6)


def test_vertices_between_bones_are_blended() -> None:
    weights = np.zeros((4, 5))
    weights[:, 1] = weights[:, 2] = 0.5
    head = tiny_head(weights)
    turned = tiny_head(np.tile(np.eye(5)[2], (4, 1))).forward(jaw_pose=np.array([0.4, 0, 0]))
    np.testing.assert_allclose(head.forward(jaw_pose=np.array([0.4, 0, 0])), (turned + VERTICES) / 2, atol=1e-6)


def test_coefficients_shape_the_head_and_its_joints() -> None:
    moved = np.zeros((1, 5, 3), np.float32)
    moved[0, 1, 0] = 1  # the expression moves the neck's joint sideways
    head = tiny_head(joint_expression_basis=moved)
    shaped = pose(head, Controls(shape=np.array([1.0, 0.5]), expression=np.array([3.0])))
    np.testing.assert_allclose(shaped.vertices[0], VERTICES + 1 + 1 + 3, atol=1e-6)
    np.testing.assert_allclose(shaped.joints[0, 1], JOINTS[1] + [3, 0, 0], atol=1e-6)


def test_pose_correctives_follow_all_turns_but_the_roots() -> None:
    correctives = np.zeros((36, 4, 3), np.float32)
    correctives[9 + 1, :, 2] = 1  # the jaw's element (0, 1): minus the sine of a turn about z
    head = tiny_head(pose_correctives=correctives)
    posed = head.forward(jaw_pose=np.array([0, 0, 0.3]), translation=np.array([0, 0, 5]))
    np.testing.assert_allclose(posed[0, :, 2], VERTICES[:, 2] - np.sin(0.3) + 5, atol=1e-6)
    np.testing.assert_allclose(head.forward(global_pose=np.array([0, 0, 0.3]))[0, :, 2], VERTICES[:, 2], atol=1e-6)
    feature = pose_feature(rodrigues(torch.zeros(5, 3)).view(1, 5, 3, 3))
    np.testing.assert_allclose(feature, np.zeros((1, 36)), atol=1e-12)


def test_eyelids_are_added_after_skinning_left_first() -> None:
    lids = np.zeros((2, 4, 3), np.float32)
    lids[0, 0, 0], lids[1, 1, 1] = 1, 1
    head = tiny_head(eyelid_basis=lids)
    turn = np.array([0.5, 0.2, 0.1])
    difference = head.forward(global_pose=turn, eyelids=np.array([0.3, 0.7])) - head.forward(global_pose=turn)
    expected = np.zeros((1, 4, 3))
    expected[0, 0, 0], expected[0, 1, 1] = 0.3, 0.7
    np.testing.assert_allclose(difference, expected, atol=1e-6)
    with pytest.raises(EngineError, match=r"no eyelids: l_eyelid\.npy"):
        tiny_head().forward(eyelids=np.array([0.3, 0.7]))


def test_rows_are_broadcast_and_coefficients_filled_up() -> None:
    head = tiny_head()
    one = head.forward(shape=np.array([[1.0]]), translation=np.arange(9).reshape(3, 3))
    np.testing.assert_allclose(one, VERTICES + 1 + np.arange(9).reshape(3, 1, 3), atol=1e-6)
    assert head.forward().shape == (1, 4, 3)


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        ({"shape": np.zeros(3)}, "shape has 3 numbers for each head. Give at most 2"),
        ({"expression": np.zeros((1, 2))}, "expression has 2 numbers"),
        ({"jaw_pose": np.zeros(2)}, "jaw_pose has 2 numbers for each head. Give 3"),
        ({"jaw_pose": np.zeros((2, 3, 3))}, r"jaw_pose has the shape \(2, 3, 3\)"),
        ({"shape": np.zeros((2, 1)), "neck_pose": np.zeros((3, 3))}, "shape 2, neck_pose 3"),
    ],
)
def test_wrong_controls_are_named(controls: dict, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        tiny_head().forward(**controls)


def test_a_pose_without_its_bone_is_refused_unless_it_is_none() -> None:
    names = ("root", "neck", "jaw", "other", "eye.R")
    head = tiny_head(joint_names=names)
    np.testing.assert_allclose(head.forward(left_eye_pose=np.zeros(3))[0], VERTICES, atol=1e-6)
    with pytest.raises(EngineError, match=r"no joint “eye\.L”"):
        head.forward(left_eye_pose=np.array([0.1, 0, 0]))


def test_gradients_are_those_of_the_function() -> None:
    random = np.random.default_rng(0)
    head = tiny_head(
        random.dirichlet(np.ones(5), 4),
        pose_correctives=random.normal(size=(36, 4, 3)).astype(np.float32),
        joint_identity_basis=random.normal(size=(2, 5, 3)).astype(np.float32),
    )
    generator = torch.Generator().manual_seed(0)
    values = [torch.randn(2, width, dtype=torch.float64, generator=generator) for width in (2, 1, 3, 3, 3)]
    assert torch.autograd.gradcheck(head.forward, [value.requires_grad_() for value in values])


def test_type_and_device_are_those_of_the_first_tensor() -> None:
    head = tiny_head()
    assert head.forward(neck_pose=torch.zeros(1, 3, dtype=torch.float64)).dtype == torch.float64
    assert head.forward(neck_pose=np.zeros(3)).dtype == torch.float32
    assert buffers_of(head, CPU, torch.float32) is buffers_of(head, CPU, torch.float32)


def test_buffers_go_with_the_model() -> None:
    head = tiny_head()
    kept = weakref.ref(buffers_of(head, CPU, torch.float32).vertices)
    assert kept() is not None
    del head
    gc.collect()
    assert kept() is None


def test_the_open_head_is_posed_by_the_same_names() -> None:
    head = load_head("open")
    identity = np.random.default_rng(2).standard_normal(len(head.identity_basis)).astype(np.float32)
    weights = np.linspace(0, 1, len(head.expression_basis), dtype=np.float32)
    np.testing.assert_allclose(head.forward(identity, weights)[0], head.shape(identity, weights), atol=2e-6)
    eye = head.regions["eye.L"]
    joint = head.joints[head.joint_names.index("eye.L")]
    up = head.forward(left_eye_pose=np.array([-0.2, 0, 0]))[0].numpy()
    c, s = np.cos(-0.2), np.sin(-0.2)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    np.testing.assert_allclose(up[eye], (head.vertices[eye] - joint) @ turn.T + joint, atol=1e-6)
    np.testing.assert_allclose(up[~head.regions["eye"]], head.vertices[~head.regions["eye"]], atol=1e-6)
    neck = head.forward(neck_pose=np.array([0, 0.3, 0]))[0].numpy()
    moved = np.linalg.norm(neck - head.vertices, axis=1)
    assert moved[head.regions["face"]].min() > 0.01
