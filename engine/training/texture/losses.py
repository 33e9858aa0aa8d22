"""What generator and discriminator are trained for."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as nnf

COARSE = 8
"""Pixels along each side of what the coarse difference averages over."""


def fooling(judged: Tensor) -> Tensor:
    """The generator's loss: non-saturating logistic (Goodfellow et al. 2014, section 3).

    Args:
        judged: (B,1) what the discriminator says of made pictures.
    """
    return nnf.softplus(-judged).mean()


def telling(real: Tensor, made: Tensor) -> Tensor:
    """The discriminator's loss: logistic, of real (B,1) and made (C,1) pictures."""
    return nnf.softplus(-real).mean() + nnf.softplus(made).mean()


def steepness(judged: Tensor, pictures: Tensor) -> Tensor:
    """R1 without its factor: mean squared length of the gradient at real pictures (Mescheder et al. 2018, eq. 9).

    Args:
        judged: (B,1), of `pictures` (B,C,H,W), which ask for gradients.
    """
    (gradient,) = torch.autograd.grad(judged.sum(), pictures, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()


def difference(made: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference of pictures (B,C,H,W), and that of their means over `COARSE` squares, added."""
    apart = made - real
    return apart.abs().mean() + nnf.avg_pool2d(apart, COARSE).abs().mean()


def coarse_difference(made: Tensor, real: Tensor) -> Tensor:
    """Mean absolute difference of the means over `COARSE` squares: colours and places, not detail."""
    return nnf.avg_pool2d(made - real, COARSE).abs().mean()
