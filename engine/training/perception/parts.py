"""What the parts network learns by: losses of depth and regions, and the figures it is judged by.

Depth: L1 over all pixels alike, the background (whose depth is 1) in full, as published; `LossSettings.background`
lowers its share. Regions: cross entropy with class weights, and soft Dice. Real pictures have neither; of them it is
known, roughly, where person, skin, hair, eyes and inner mouth are: for each such group of classes the probabilities of
its members are summed and compared with the soft target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ...perception.networks.parts import split_output
from ...perception.regions import REGIONS, members

UNKNOWN = -1
"""Label of a pixel whose region is not known."""
REAL_GROUPS = ("person", "skin", "hair", "eyes", "inner_mouth")
"""What is known of real pictures, in the order of `PartsLabels.groups`; see `engine.perception.regions.GROUPS`."""
EPSILON = 1e-6


@dataclass(frozen=True)
class PartsLabels:
    """What is known of B pictures of S x S pixels. None where nothing of that kind is known of any.

    Attributes:
        depth: (B,S,S) encoded as in `engine.perception.depth_scale`; NaN where not known.
        regions: (B,S,S) int64 labels, `UNKNOWN` where not known.
        groups: (B,G,S,S) 0..1, how probably a pixel is in each of `REAL_GROUPS`.
        group_weights: (B,G,S,S), or what broadcasts to it, how much each counts: 0 for pictures without, and for places
            where the source means something else (hair on the chin).
    """

    depth: Tensor | None = None
    regions: Tensor | None = None
    groups: Tensor | None = None
    group_weights: Tensor | None = None


@dataclass(frozen=True)
class LossSettings:
    """How much what counts.

    Attributes:
        depth, entropy, dice, groups: factors of the four losses.
        background: weight of a background pixel's depth; 1 as published, 0 leaves the person alone.
        class_weights: of `REGIONS` in the cross entropy; empty for 1 each. See `balanced_weights`.
    """

    depth: float = 1.0
    entropy: float = 1.0
    dice: float = 0.5
    groups: float = 1.0
    background: float = 1.0
    class_weights: Sequence[float] = ()


def parts_loss(output: Tensor, labels: PartsLabels, settings: LossSettings) -> tuple[Tensor, dict[str, Tensor]]:
    """The sum of all losses that the labels allow.

    Args:
        output: (B,1+R,S,S) of the network.
    Returns:
        A scalar, and the single losses before their factors, detached: "depth", "entropy", "dice", "groups".
    """
    depth, logits = split_output(output.float())
    losses: dict[str, Tensor] = {}
    if labels.depth is not None:
        person = None if labels.regions is None else labels.regions != REGIONS.index("background")
        losses["depth"] = depth_loss(depth, labels.depth, person, settings.background)
    if labels.regions is not None:
        weights = logits.new_tensor(settings.class_weights) if settings.class_weights else None
        losses["entropy"] = entropy_loss(logits, labels.regions, weights)
        losses["dice"] = dice_loss(logits, labels.regions)
    if labels.groups is not None:
        losses["groups"] = group_loss(logits, labels.groups, labels.group_weights)
    total = sum((getattr(settings, name) * loss for name, loss in losses.items()), output.new_zeros(()))
    return total, {name: loss.detach() for name, loss in losses.items()}


def depth_loss(depth: Tensor, target: Tensor, person: Tensor | None = None, background: float = 1.0) -> Tensor:
    """Mean absolute difference of encoded depths.

    Args:
        depth, target: (B,S,S); NaN targets are left out.
        person: (B,S,S) bool, False where the background is; None for nowhere.
        background: weight of its pixels.
    """
    known = target.isfinite()
    weights = known.float()
    if person is not None:
        weights = weights * torch.where(person, 1.0, background)
    error = (depth - torch.where(known, target, 0.0)).abs()
    return (error * weights).sum() / weights.sum().clamp(min=EPSILON)


def entropy_loss(logits: Tensor, regions: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Cross entropy of regions, the mean over known pixels weighted by their classes; 0 when none is known.

    Args:
        logits: (B,R,S,S). regions: (B,S,S) labels or `UNKNOWN`. class_weights: (R,).
    """
    summed = functional.cross_entropy(logits, regions, class_weights, ignore_index=UNKNOWN, reduction="sum")
    known = regions != UNKNOWN
    labels = regions.clamp(min=0)
    weights = known.float() if class_weights is None else class_weights[labels] * known
    return summed / weights.sum().clamp(min=EPSILON)


def dice_loss(logits: Tensor, regions: Tensor) -> Tensor:
    """1 - soft Dice over the batch, the mean over the regions that are there: small parts count like large ones.

    Args:
        logits: (B,R,S,S). regions: (B,S,S) labels or `UNKNOWN`.
    """
    known = (regions != UNKNOWN)[:, None]
    probable = logits.softmax(dim=1) * known
    truth = functional.one_hot(regions.clamp(min=0), logits.shape[1]).movedim(-1, 1) * known
    both, sizes = (probable * truth).sum((0, 2, 3)), (probable + truth).sum((0, 2, 3))
    there = truth.sum((0, 2, 3)) > 0
    dice = 2.0 * both / sizes.clamp(min=EPSILON)
    return ((1.0 - dice) * there).sum() / there.sum().clamp(min=1)


def group_loss(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
    """How far the groups' probabilities are from soft targets: Kullback-Leibler divergence, 0 where they agree.

    Groups may overlap; each is a question of its own (in or out), answered by the sum of its members' probabilities.

    Args:
        logits: (B,R,S,S). targets: (B,G,S,S) 0..1, groups as in `REAL_GROUPS`. weights: broadcasts to targets.
    """
    total = logits.logsumexp(dim=1)
    within, without = [], []
    for group in REAL_GROUPS:
        inside = members(group)
        outside = [label for label in range(logits.shape[1]) if label not in inside]
        within.append(logits[:, inside].logsumexp(dim=1) - total)
        without.append(logits[:, outside].logsumexp(dim=1) - total)
    entropy = torch.xlogy(targets, targets) + torch.xlogy(1.0 - targets, 1.0 - targets)
    divergence = entropy - targets * torch.stack(within, 1) - (1.0 - targets) * torch.stack(without, 1)
    scale = torch.ones_like(targets) if weights is None else weights.expand_as(targets)
    return (divergence * scale).sum() / scale.sum().clamp(min=EPSILON)


def balanced_weights(pixels: Sequence[float], power: float = 0.5) -> list[float]:
    """Class weights against the regions' unequal areas: one over the area to a power, 1 for the mean pixel.

    Args:
        pixels: (R,) how many each region has in many pictures.
        power: 0 treats pixels alike, 1 regions alike.
    """
    area = torch.tensor(pixels, dtype=torch.float64)
    area = area / area.sum()
    weights = area.clamp(min=1e-4) ** -power
    return (weights / (weights * area).sum()).tolist()


def depth_error(depth: Tensor, target: Tensor, person: Tensor) -> Tensor:
    """Mean absolute difference of encoded depths over the person alone: how the published figures are taken.

    Args:
        depth, target: (B,S,S); NaN targets are left out. person: (B,S,S) bool.
    """
    return depth_loss(depth.clamp(-1.0, 1.0), target, person, background=0.0)


def region_overlap(found: Tensor, truth: Tensor, regions: int = len(REGIONS)) -> tuple[Tensor, Tensor]:
    """(R,) pixels in both and (R,) in either, for intersection over union; sum them over batches, then divide.

    Args:
        found: (B,S,S) labels. truth: (B,S,S) labels or `UNKNOWN`.
    """
    known = truth != UNKNOWN
    pairs = torch.bincount((truth[known] * regions + found[known]).flatten(), minlength=regions**2)
    pairs = pairs.reshape(regions, regions)
    both = pairs.diagonal()
    return both, pairs.sum(0) + pairs.sum(1) - both
