"""MobileNetV3's backbones: TensorFlow's padding, and the same function with normalisation folded in.

That they are timm's is shown by SMIRK's vectors in `test_smirk.py`.
"""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from engine.regressors.mobilenet import LARGE, SMALL, MobileNetV3, SameConv, folded

from .research import noise


@pytest.mark.parametrize(("side", "first"), [(8, 0), (7, -1), (2, 0), (1, -1)])
def test_halving_pads_as_tensorflow_does(side: int, first: int):
    """Kernels start at pixel 0 of an even side, one before it of an odd one."""
    layer = SameConv(1, 1, 3, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, 0.0, 0.0]).expand(3, 3) * torch.tensor([[1.0], [0.0], [0.0]]))
    row = torch.arange(1.0, side + 1)
    found = layer((row[:, None] * row)[None, None])[0, 0]
    starts = torch.arange(first, side, 2)[: -(-side // 2)]
    wanted = torch.where(starts < 0, 0.0, starts + 1.0)
    torch.testing.assert_close(found, wanted[:, None] * wanted)


@pytest.mark.parametrize(
    ("plan", "shapes"),
    [
        (SMALL, [(16, 32), (16, 16), (24, 8), (48, 4), (576, 2)]),
        (LARGE, [(16, 32), (24, 16), (40, 8), (112, 4), (960, 2)]),
    ],
)
def test_features_at_five_levels(plan, shapes):
    network = noise(MobileNetV3(plan))
    found = network(torch.rand(1, 3, 64, 64))
    assert [(level.shape[1], level.shape[-1]) for level in found] == shapes


@pytest.mark.parametrize("plan", [SMALL, LARGE])
def test_folding_leaves_the_function_as_it_is(plan):
    network = noise(MobileNetV3(plan)).double()
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    wanted = network(images)
    lean = folded(deepcopy(network))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in lean.modules())
    for level, other in zip(lean(images), wanted, strict=True):
        torch.testing.assert_close(level, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("plan", "name"), [(SMALL, "small"), (LARGE, "large")])
def test_same_answer_as_timm(plan, name):
    timm = pytest.importorskip("timm", reason="needs timm, which the engine does without")
    theirs = noise(timm.create_model(f"tf_mobilenetv3_{name}_minimal_100", pretrained=False, features_only=True))
    ours = MobileNetV3(plan).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(3))
    for level, other in zip(ours(images), theirs(images), strict=True):
        torch.testing.assert_close(level, other, rtol=1e-5, atol=1e-5)
