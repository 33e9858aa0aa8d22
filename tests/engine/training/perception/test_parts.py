"""Losses have the values that can be worked out by hand, and a network learns by them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.devices import single_threaded_torch
from engine.perception.networks.parts import build_parts_network, split_output
from engine.perception.regions import REGIONS
from engine.training.perception.loop import TrainingConfig, train
from engine.training.perception.parts import (
    REAL_GROUPS,
    UNKNOWN,
    LossSettings,
    PartsLabels,
    balanced_weights,
    depth_error,
    depth_loss,
    dice_loss,
    entropy_loss,
    group_loss,
    parts_loss,
    region_overlap,
)

COUNT = len(REGIONS)
SKIN, HAIR = REGIONS.index("skin"), REGIONS.index("hair")


def sure_of(labels: Tensor) -> Tensor:
    """Logits of a network that is certain."""
    return 50.0 * nn.functional.one_hot(labels, COUNT).movedim(-1, 1).float()


def test_depth_counts_all_pixels_as_published_or_the_person_alone():
    target = torch.tensor([[[0.5, 1.0], [1.0, 1.0]]])
    depth = torch.tensor([[[0.1, 1.0], [0.4, 1.0]]])
    person = torch.tensor([[[True, False], [False, False]]])
    assert float(depth_loss(depth, target)) == pytest.approx((0.4 + 0.6) / 4)
    assert float(depth_loss(depth, target, person)) == pytest.approx((0.4 + 0.6) / 4)
    assert float(depth_loss(depth, target, person, background=0.5)) == pytest.approx((0.4 + 0.3) / 2.5)
    assert float(depth_error(depth, target, person)) == pytest.approx(0.4)
    assert float(depth_error(3 + depth, target, person)) == pytest.approx(0.5)  # beyond the scale's end


def test_unknown_depth_teaches_nothing():
    depth = torch.zeros(1, 1, 3, requires_grad=True)
    depth_loss(depth, torch.tensor([[[torch.nan, 0.5, torch.inf]]])).backward()
    assert depth.grad is not None
    assert depth.grad.flatten().tolist() == [0.0, -1.0, 0.0]
    assert float(depth_loss(depth.detach(), torch.full((1, 1, 3), torch.nan))) == 0.0


def test_entropy_of_a_clueless_network_and_class_weights():
    regions = torch.tensor([[[SKIN, HAIR, UNKNOWN, UNKNOWN]]])
    logits = torch.zeros(1, COUNT, 1, 4)
    assert float(entropy_loss(logits, regions)) == pytest.approx(math.log(COUNT))
    logits[0, SKIN, 0, 0] = 2.0
    first, second = math.log(COUNT - 1 + math.e**2) - 2.0, math.log(COUNT)
    weights = torch.ones(COUNT)
    weights[HAIR] = 3.0
    assert float(entropy_loss(logits, regions)) == pytest.approx((first + second) / 2, rel=1e-5)
    assert float(entropy_loss(logits, regions, weights)) == pytest.approx((first + 3 * second) / 4, rel=1e-5)
    assert float(entropy_loss(logits, torch.full_like(regions, UNKNOWN), weights)) == 0.0


def test_dice_of_right_wrong_and_half_right():
    regions = torch.tensor([[[SKIN, SKIN, HAIR, UNKNOWN]]])
    assert float(dice_loss(sure_of(regions.clamp(min=0)), regions)) == pytest.approx(0.0, abs=1e-6)
    assert float(dice_loss(sure_of(torch.full_like(regions, 7)), regions)) == pytest.approx(1.0)
    found = torch.tensor([[[SKIN, HAIR, HAIR, SKIN]]])  # both regions: 2 * 1 / (1 + 2)
    assert float(dice_loss(sure_of(found), regions)) == pytest.approx(1 / 3)
    assert float(dice_loss(sure_of(found), torch.full_like(regions, UNKNOWN))) == 0.0


def test_groups_agree_when_their_members_sum_to_the_target():
    probable = torch.full((COUNT,), 0.0)
    for name, share in {"background": 0.1, "skin": 0.3, "lip": 0.2, "hair": 0.3, "clothes": 0.1}.items():
        probable[REGIONS.index(name)] = share
    logits = probable.log().clamp(min=-60.0).reshape(1, COUNT, 1, 1)
    target = torch.tensor([0.9, 0.5, 0.3, 0.0, 0.0]).reshape(1, len(REAL_GROUPS), 1, 1)
    assert float(group_loss(logits, target)) == pytest.approx(0.0, abs=1e-6)
    target[0, 2] = 0.6
    expected = 0.6 * math.log(0.6 / 0.3) + 0.4 * math.log(0.4 / 0.7)
    assert float(group_loss(logits, target)) == pytest.approx(expected / 5, rel=1e-4)
    only_hair = torch.tensor([0.0, 0, 1, 0, 0]).reshape(1, -1, 1, 1)
    assert float(group_loss(logits, target, only_hair)) == pytest.approx(expected, rel=1e-4)
    assert float(group_loss(logits, target, 0 * only_hair)) == 0.0


def test_groups_leave_the_choice_among_members_free():
    logits = torch.randn(2, COUNT, 3, 3, requires_grad=True)
    target = torch.zeros(2, len(REAL_GROUPS), 3, 3)
    target[:, :2] = 1.0  # person and skin
    weights = torch.tensor([1.0, 0.0]).reshape(2, 1, 1, 1)
    group_loss(logits, target, weights).backward()
    assert logits.grad is not None
    assert float(logits.grad[1].abs().max()) == 0.0  # a picture without labels
    pull = -logits.grad[0]
    free = [REGIONS.index(name) for name in ("skin", "brow", "lip", "ear", "neck")]
    assert float(pull[free].min()) > 0
    share = logits.detach()[0].softmax(0)[free]  # all members rise alike, in proportion to what they have
    torch.testing.assert_close(pull[free] / pull[free].sum(0), share / share.sum(0), atol=1e-4, rtol=1e-3)
    assert bool((pull[REGIONS.index("background")] < 0).all())


def test_losses_are_added_as_told():
    torch.manual_seed(0)
    output = torch.randn(2, 1 + COUNT, 4, 4)
    regions = torch.randint(0, COUNT, (2, 4, 4))
    labels = PartsLabels(torch.rand(2, 4, 4), regions, torch.rand(2, 5, 4, 4))
    settings = LossSettings(depth=2.0, entropy=3.0, dice=0.25, groups=0.5)
    total, single = parts_loss(output, labels, settings)
    assert set(single) == {"depth", "entropy", "dice", "groups"}
    expected = 2 * single["depth"] + 3 * single["entropy"] + 0.25 * single["dice"] + 0.5 * single["groups"]
    torch.testing.assert_close(total, expected)
    _, person_only = parts_loss(output, labels, replace(settings, background=0.0))
    depth, _ = split_output(output)
    assert labels.depth is not None
    torch.testing.assert_close(person_only["depth"], depth_loss(depth, labels.depth, regions != 0, 0.0))
    assert set(parts_loss(output, PartsLabels(regions=regions), settings)[1]) == {"entropy", "dice"}


def test_class_weights_balance():
    assert balanced_weights([3.0, 3.0, 3.0]) == pytest.approx([1.0] * 3)
    assert balanced_weights([9.0, 1.0], power=1.0) == pytest.approx([0.5 / 0.9, 5.0])
    weights = balanced_weights([0.81, 0.01, 0.18])
    assert weights[1] / weights[0] == pytest.approx(9.0)
    assert sum(w * s for w, s in zip(weights, (0.81, 0.01, 0.18), strict=True)) == pytest.approx(1.0)


def test_overlap():
    truth = torch.tensor([[[0, 0, 1, 2, UNKNOWN]]])
    found = torch.tensor([[[0, 1, 1, 1, 2]]])
    both, either = region_overlap(found, truth, regions=3)
    assert both.tolist() == [1, 1, 0]
    assert either.tolist() == [2, 3, 1]


class Discs:
    """Toy: discs of skin, nearer in the middle, on a background; half of the pictures have only group labels."""

    def __init__(self) -> None:
        torch.manual_seed(5)
        self.model: nn.Module = build_parts_network(4)

    def picture(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(step)
        middle = 10 + 12 * torch.rand(6, 2, 1, 1, generator=generator)
        grid = torch.stack(torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij"))
        away = (grid - middle).square().sum(1).sqrt() / 8
        skin = away < 1
        noise = 0.3 * torch.randn(6, 3, 32, 32, generator=generator)
        return skin[:, None] * 1.0 + noise, skin * SKIN, torch.where(skin, away - 0.5, 1.0)

    def batch(self, step: int) -> tuple[Tensor, PartsLabels]:
        pictures, regions, depth = self.picture(step)
        groups = torch.zeros(6, 5, 32, 32)
        groups[:, :2] = (regions == SKIN)[:, None].float()
        real = torch.tensor([0.0, 0, 0, 1, 1, 1]).reshape(6, 1, 1)
        regions = torch.where(real > 0, UNKNOWN, regions)
        return pictures, PartsLabels(torch.where(real > 0, torch.nan, depth), regions, groups, real[:, None])

    def loss(self, batch: tuple[Tensor, PartsLabels]) -> tuple[Tensor, Mapping[str, Tensor]]:
        return parts_loss(self.model(batch[0]), batch[1], LossSettings())

    def validate(self) -> dict[str, float]:
        pictures, regions, depth = self.picture(9_999)
        found, logits = split_output(self.model(pictures))
        both, either = region_overlap(logits.argmax(1), regions)
        return {
            "overlap": float(both[SKIN] / either[SKIN]),
            "depth": float(depth_error(found, depth, regions == SKIN)),
        }


def test_a_network_learns_by_these_losses(tmp_path: Path):
    config = TrainingConfig(steps=120, learning_rate=0.01, warm_up=10, average=0.9, save_every=1000)
    with single_threaded_torch():
        figures = train(Discs(), config, tmp_path).figures
    assert figures["overlap"] > 0.9
    assert figures["depth"] < 0.12
