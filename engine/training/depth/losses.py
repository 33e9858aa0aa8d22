"""What depth is learnt by, beside `engine.training.perception.parts`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as nnf

from ...perception.depth_scale import BACKGROUND, SPAN


def as_taught(logits: Tensor, teacher: Tensor) -> Tensor:
    """Cross entropy of regions against another network's probabilities, mean over pixels; least where they agree.

    Args:
        logits: (B,R,S,S). teacher: (B,R,S,S), summing to 1.
    """
    return nnf.cross_entropy(logits, teacher)


def inverse_depth(encoded: Tensor, away: Tensor) -> Tensor:
    """(B,S,S) one over metres, of encoded depth (B,S,S) and the eyes' distances (B,); NaN where it was clipped."""
    metres = away[:, None, None] + SPAN * encoded
    return torch.where(encoded.abs() < BACKGROUND, 1 / metres, torch.nan)


def aligned_l1(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute difference after scale and offset are taken out of both: what MiDaS is trained by.

    Ranftl et al., "Towards Robust Monocular Depth Estimation", TPAMI 2022, section 5, equations 3, 5 and 6: the median
    is taken away, the mean deviation from it is 1.

    Args:
        found: (B,S,S). wanted: (B,S,S), NaN where not known; pictures without any are left out.
    """
    known = wanted.isfinite()
    fair = [_standard(found[n][part]) - _standard(wanted[n][part]) for n, part in enumerate(known) if bool(part.any())]
    if not fair:
        return found.sum() * 0.0
    return torch.stack([difference.abs().mean() for difference in fair]).mean()


def _standard(values: Tensor) -> Tensor:
    centred = values - values.median()
    return centred / centred.abs().mean().clamp_min(1e-8)


def published_error(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute difference over whole pictures in units in which each true one reaches from -1 to 1.

    Args:
        found, wanted: (B,S,S) encoded alike.
    """
    low, high = wanted.flatten(1).amin(1), wanted.flatten(1).amax(1)
    unit = (2 / (high - low).clamp_min(1e-6))[:, None, None]
    return ((found - wanted).abs() * unit).mean()
