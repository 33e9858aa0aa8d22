"""How far landmarks lie from where they were seen."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .reduce import difference, full_weights, safe_sqrt, weighted_mean

PAPER_POINTS = 68
"""Landmarks of both papers (iBUG)."""
WING_WIDTH = 10.0
WING_CURVATURE = 2.0
"""Pixels; Feng et al. 2018, section 4, and section 3.1 (2) of the joint-domain paper."""


def landmark_distance(found: Tensor, wanted: Tensor, weights: Tensor | None = None) -> Tensor:
    """Euclidean distance of all landmarks at once (Gecer et al., "Fast-GANFIT", section 3.3.4, equation 12).

    With 68 points of equal weight this is the paper's norm of the (68,2) difference. With other numbers it is what 68
    points with the same mean squared distance would give, so that the paper's weight holds for any set of landmarks.
    The paper does not say how large its pictures are: pixels of whatever picture is fitted. Ten pixels off everywhere
    give 82.

    Args:
        found, wanted: (B,N,2) pixels.
        weights: (B,N) or (N,) of the landmarks, not negative; 0 for hidden ones. None for all alike.
    Returns:
        (B,) pixels.
    Raises:
        ValueError: shapes do not fit.
    """
    weights = _checked(found, weights)
    squares = difference(found, wanted, weights[..., None]).square().sum(-1)
    return math.sqrt(PAPER_POINTS) * safe_sqrt(weighted_mean(squares, weights))


def wing(errors: Tensor, width: float = WING_WIDTH, curvature: float = WING_CURVATURE) -> Tensor:
    """The wing of each number (Feng et al., "Wing Loss", CVPR 2018, equation 5; joint-domain paper, equation 5).

    width * ln(1 + |x| / curvature) below `width`, |x| - c above, with c such that the two meet.

    Args:
        errors: any shape, pixels.
    Returns:
        The same shape. The gradient at 0 is 0.
    """
    size = errors.abs()
    meeting = width - width * math.log(1 + width / curvature)
    return torch.where(size < width, width * torch.log1p(size / curvature), size - meeting)


def wing_loss(
    found: Tensor,
    wanted: Tensor,
    weights: Tensor | None = None,
    width: float = WING_WIDTH,
    curvature: float = WING_CURVATURE,
) -> Tensor:
    """The mean wing of the coordinates' errors (joint-domain paper, section 3.1 (2), equation 5).

    Feng et al. (equation 1) add up the 2N coordinates, which is 136 times this for 68 points. The joint-domain paper
    does not say; its other weights, and those of Deng et al. 2019 that it starts from (who take the mean over the
    landmarks), ask for the mean. Its pixels are those of a picture of 224: points in one of another size are to be
    scaled by 224 / size, as width and curvature are pixels too.

    Args:
        found, wanted: (B,N,2) pixels.
        weights: (B,N) or (N,) of the landmarks, not negative; 0 for hidden ones. None for all alike.
        width, curvature: pixels.
    Returns:
        (B,).
    Raises:
        ValueError: shapes do not fit.
    """
    weights = _checked(found, weights)
    bent = wing(difference(found, wanted, weights[..., None]), width, curvature)
    return weighted_mean(bent.mean(-1), weights)


def _checked(points: Tensor, weights: Tensor | None) -> Tensor:
    """(B,N) weights of points that are (B,N,2)."""
    if points.ndim != 3 or points.shape[-1] != 2:
        raise ValueError(f"landmarks are (B,N,2), not {tuple(points.shape)}")
    return full_weights(weights, points[..., 0])
