"""Regularisers against the papers' equations and numbers."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck

from engine.losses.regularise import (
    GanfitWeights,
    JointDomainWeights,
    ganfit_regulariser,
    joint_domain_regulariser,
    squares,
)

SHAPE, EXPRESSION, TEXTURE = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0]]), torch.tensor([[2.0, 2.0, 1.0]])
LIGHT = torch.tensor([[[1.0, 1.0], [2.0, 0.0]]])


def test_squares_are_added_up_for_each_entry():
    torch.testing.assert_close(squares(torch.tensor([[3.0, 4.0], [0.0, 1.0]])), torch.tensor([25.0, 1.0]))


def test_ganfit_holds_shape_and_expression_harder_than_light():
    assert ganfit_regulariser(SHAPE, EXPRESSION, LIGHT).item() == pytest.approx(0.05 * (5 + 9) + 0.01 * 6)
    own = GanfitWeights(shape=1.0, light=2.0)
    assert ganfit_regulariser(SHAPE, EXPRESSION, LIGHT, own).item() == pytest.approx(14 + 12)


def test_joint_domain_is_equation_7():
    wanted = 1e-4 * 5 + 0.8e-4 * 9 + 1e-1 * 9 + 1e-2 * 6
    assert joint_domain_regulariser(SHAPE, EXPRESSION, TEXTURE, LIGHT).item() == pytest.approx(wanted)
    own = JointDomainWeights(identity=1.0, expression=2.0, texture=3.0, light=4.0)
    assert joint_domain_regulariser(SHAPE, EXPRESSION, TEXTURE, LIGHT, own).item() == pytest.approx(5 + 18 + 27 + 24)


def test_weights_are_the_papers():
    assert GanfitWeights() == GanfitWeights(2.0, 2.0, 50.0, 1.0, 0.001, 0.05, 0.01)
    assert JointDomainWeights() == JointDomainWeights(3.0, 2.4e-3, 0.24, 4e-4, 1.0, 1e-4, 0.8e-4, 1e-1, 1e-2)


def test_gradients():
    parts = [part.double().requires_grad_() for part in (SHAPE, EXPRESSION, TEXTURE, LIGHT)]
    assert gradcheck(joint_domain_regulariser, tuple(parts))
    assert gradcheck(ganfit_regulariser, (parts[0], parts[1], parts[3]))
