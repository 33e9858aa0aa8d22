"""How far a rendered picture's colours lie from the photo's."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .reduce import difference, full_weights, safe_sqrt, weighted_mean


@dataclass(frozen=True)
class RegionWeights:
    """What pixels of each region count (joint-domain paper, section 3.1 (1): eyes, mouth, nose, skin)."""

    eyes: float = 1.5
    mouth: float = 1.2
    nose: float = 1.5
    skin: float = 1.0


def pixel_distance(image: Tensor, render: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean absolute difference (Gecer et al., "Fast-GANFIT", section 3.3.3, equation 11).

    The equation's norm is a sum over pixels and channels, 3HW times this for a full mask. Beside an identity loss of at
    most 2 under a weight of 2, the paper's weight of 1 can only be meant for the mean, which is also independent of the
    picture's size.

    Args:
        image, render: (B,C,H,W), 0..1.
        mask: (B,H,W) or (H,W), 0..1, where they are to be compared: on the face and rendered. None for everywhere.
    Returns:
        (B,).
    Raises:
        ValueError: shapes do not fit.
    """
    mask = full_weights(mask, image[:, 0])
    return weighted_mean(difference(image, render, mask[:, None]).abs().mean(1), mask)


def region_map(eyes: Tensor, mouth: Tensor, nose: Tensor, weights: RegionWeights | None = None) -> Tensor:
    """W of equation 4 of the joint-domain paper: what each pixel counts; 1 (skin's) wherever no region is.

    Args:
        eyes, mouth, nose: (B,H,W) or (H,W) masks, 0..1, soft edges allowed; later ones lie over earlier ones.
        weights: of the regions; None for the paper's.
    Returns:
        The masks' shape.
    """
    weights = weights or RegionWeights()
    result = torch.full_like(eyes, weights.skin)
    for mask, value in ((eyes, weights.eyes), (mouth, weights.mouth), (nose, weights.nose)):
        result = result + mask * (value - result)
    return result


def photometric_loss(
    image: Tensor, render: Tensor, face: Tensor | None = None, weights: Tensor | None = None
) -> Tensor:
    """Mean distance of colours, regions weighted (joint-domain paper, section 3.1 (1), equation 4).

    As printed: a pixel's distance is the Euclidean one of its channels, not squared, and the sum is divided by that of
    the face mask, not by that of the weights. Independent of the picture's size.

    Args:
        image, render: (B,C,H,W), 0..1.
        face: P, (B,H,W) or (H,W), 0..1: pixels of the face that nothing hides, as far as they are rendered (R).
        weights: W, (B,H,W) or (H,W), see `region_map`; None for 1 everywhere.
    Returns:
        (B,). At equal colours the gradient is 0.
    Raises:
        ValueError: shapes do not fit.
    """
    face = full_weights(face, image[:, 0])
    distances = safe_sqrt(difference(image, render, face[:, None]).square().sum(1))
    return weighted_mean(distances * full_weights(weights, face), face)
