"""Means under weights and norms, with gradients that stay finite."""

from __future__ import annotations

import torch
from torch import Tensor


def safe_sqrt(squares: Tensor) -> Tensor:
    """The root of what is not negative; at 0 its gradient is 0, where that of `sqrt` is infinite."""
    positive = squares > 0
    return torch.where(positive, squares.where(positive, torch.ones_like(squares)).sqrt(), torch.zeros_like(squares))


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """(B,) mean over all axes but the first, 0 where a batch entry has no weight.

    Args:
        values: (B,...). weights: the same shape, not negative.
    """
    total = weights.flatten(1).sum(1)
    some = total > 0
    return (values * weights).flatten(1).sum(1) / total.where(some, torch.ones_like(total))


def full_weights(weights: Tensor | None, like: Tensor) -> Tensor:
    """Weights in the shape (B,...) of `like`: ones for None; a single entry's are repeated for the batch.

    Raises:
        ValueError: they have another shape.
    """
    if weights is None:
        return torch.ones_like(like)
    if weights.shape not in (like.shape, like.shape[1:]):
        raise ValueError(f"weights are {tuple(like.shape)} or {tuple(like.shape[1:])}, not {tuple(weights.shape)}")
    return weights.to(like).expand(like.shape)


def difference(first: Tensor, second: Tensor, weights: Tensor) -> Tensor:
    """first - second, and 0 where `weights` is 0, so that nothing there can spoil values or gradients.

    Args:
        first, second: of one shape. weights: broadcasts to it.
    Raises:
        ValueError: the shapes differ.
    """
    same_shape(first, second)
    return (first - second).where(weights > 0, first.new_zeros(()))


def same_shape(first: Tensor, second: Tensor) -> None:
    """Refuse what would be broadcast by mistake.

    Raises:
        ValueError: the shapes differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"{tuple(first.shape)} cannot be compared with {tuple(second.shape)}")
