"""How near made textures come to drawn ones: a Fréchet distance on features of the bundled recognition network.

The measure of Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", NeurIPS 2017, equation 6, which
Fast-GANFIT compares its texture models with (table 2). There the features are Inception's; here they are not, and the
numbers are not comparable with those of papers: only with each other.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as nnf

STAGES = (1, 2)
"""Whose activations are taken: from the middle of the network, where texture is seen more than identity."""
TOGETHER = 16
SQUARE = 0.75
"""Width of what is looked at, as a part of the window's; all of its height: about a square of skin."""


@torch.no_grad()
def features(network: nn.Module, side: int, pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N,F) means and deviations over the picture of each channel of `STAGES`.

    Args:
        network: the small recognition network; (B,3,side,side) RGB 0..1 to embeddings and activations.
        pictures: (N,S,S,3) windows of textures; their middle is looked at.
    """
    found = []
    width = pictures.shape[2]
    left = round((1 - SQUARE) / 2 * width)
    for start in range(0, len(pictures), TOGETHER):
        part = torch.tensor(np.asarray(pictures[start : start + TOGETHER, :, left : width - left]))
        images = nnf.interpolate(
            part.permute(0, 3, 1, 2).float() / 255, (side, side), mode="bilinear", align_corners=False, antialias=True
        )
        _, activations = network(images)
        maps = [activations[stage].flatten(2) for stage in STAGES]
        found.append(torch.cat([each for some in maps for each in (some.mean(2), some.std(2))], 1))
    return torch.cat(found).double().numpy()


def frechet(first: NDArray, second: NDArray) -> float:
    """Squared Fréchet distance of the normal distributions of two sets of features (N,F) and (M,F).

    |m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½).
    """
    means = [values.mean(0) for values in (first, second)]
    spreads = [np.cov(values, rowvar=False).reshape(values.shape[1], -1) for values in (first, second)]
    values, vectors = np.linalg.eigh(spreads[0])
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    both = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ spreads[1] @ root), 0)).sum()
    apart = float(((means[0] - means[1]) ** 2).sum())
    return apart + float(np.trace(spreads[0]) + np.trace(spreads[1])) - 2 * float(both)


def linear_samples(textures: NDArray[np.uint8], components: int, count: int, seed: int) -> NDArray[np.uint8]:
    """(count,S,S,3) draws from a linear model of textures (N,S,S,3): what a generator has to be better than.

    Principal components of sRGB with normal coefficients (Fast-GANFIT, section 2.1.1).
    """
    flat = torch.tensor(np.asarray(textures)).flatten(1).float()
    mean = flat.mean(0)
    flat -= mean
    values, vectors = torch.linalg.eigh(flat @ flat.T)
    chosen = slice(len(values) - components, None)
    # Coefficients in the textures' own span: no basis of the size of all pixels is kept.
    drawn = torch.randn(count, components, generator=torch.Generator().manual_seed(seed))
    shares = drawn @ (vectors[:, chosen] / np.sqrt(len(flat))).T
    made: list[Tensor] = [(mean + part @ flat).clamp(0, 255).round() for part in shares.split(TOGETHER)]
    return torch.cat(made).to(torch.uint8).view(count, *textures.shape[1:]).numpy()
