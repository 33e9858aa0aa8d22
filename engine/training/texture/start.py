"""Where training starts: the mean skin, and what is linear in the latent, by least squares over the textures."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as nnf

from ...texture.models.small import COARSER, DETAILS, TextureNetwork, density
from ...texture.networks.stylegan2 import ROOT, Mapping
from .codes import Codes

PART = 64
"""Textures that are looked at together."""
LIFT = 3.0
"""Standard deviations that lie above the bend of the mapping's activations, so that it starts as a linear map."""
ADDED = 0.02
"""Part of the usual size that the layers which add to the picture start with: the linear part is right already."""
RIDGE = 1e-6
"""Of the least squares, as a part of the mean square."""


def pictures_of(textures: NDArray[np.uint8]) -> Tensor:
    """(B,3,S,S) float32 0..1 of textures (B,S,S,3)."""
    return torch.tensor(np.asarray(textures)).permute(0, 3, 1, 2).float() / 255


@torch.no_grad()
def prepare(network: TextureNetwork, codes: Codes, textures: NDArray[np.uint8], mirror: bool) -> None:
    """Set the mapping, the mean, the linear part and the spread of what is left to the generator.

    The linear part is found by least squares over the textures.

    Args:
        network: with random weights; changed.
        codes: of the textures (N,side,side,3).
        mirror: the textures count mirrored, too.
    """
    mapping = network.generator.mapping
    straighten(mapping, codes.strength)
    ws = [mapping.through(each) for each in ((codes.own, codes.mirrored) if mirror else (codes.own,))]
    network.origin.copy_(torch.cat(ws).mean(0))
    first = torch.cat([codes.own, codes.mirrored] if mirror else [codes.own])[:, :1]
    network.axis.copy_(_solved(_normal_matrix(torch.cat(ws) - network.origin), torch.cat(ws) - network.origin, first))
    told = [network.told(w) for w in ws]
    total = torch.zeros_like(network.mean)
    coarse = torch.zeros(told[0].shape[1], *network.linear.shape[1:])
    grey = torch.zeros(told[0].shape[1], network.side, network.side)
    for chosen in _parts(len(textures)):
        dense = density(pictures_of(textures[chosen]))
        for turned, each in enumerate(told):
            seen = dense.flip(3) if turned else dense
            total += seen.sum(0)
            coarse += torch.einsum("bk,bchw->kchw", each[chosen], nnf.avg_pool2d(seen, COARSER))
            grey += torch.einsum("bk,bhw->khw", each[chosen], seen.mean(1))
    every = torch.cat(told)
    normal = _normal_matrix(every)
    network.mean.copy_(total / len(every))
    # What the mean explains of the products: the bends' means are not exactly nought.
    middle = every.sum(0)
    coarse -= middle[:, None, None, None] * nnf.avg_pool2d(network.mean[None], COARSER)[0]
    grey -= middle[:, None, None] * network.mean.mean(0)
    network.linear.copy_(torch.linalg.solve(normal, coarse.flatten(1).double()).view_as(network.linear))
    _set_detail(network, normal, torch.linalg.solve(normal, grey.flatten(1).double()).view_as(grey))
    some = next(_parts(len(textures)))
    left = density(pictures_of(textures[some])) - network.broad(ws[0][some])
    network.spread.copy_(left.std())
    _quieten(network)


def _normal_matrix(rows: Tensor) -> Tensor:
    """(K,K) products of columns of (N,K), double, with a ridge."""
    rows = rows.double()
    normal = rows.T @ rows
    return normal + RIDGE * normal.diagonal().mean() * torch.eye(len(normal), dtype=torch.float64)


def _solved(normal: Tensor, rows: Tensor, wanted: Tensor) -> Tensor:
    """(K,) coefficients of (N,K) that give (N,1) by least squares."""
    return torch.linalg.solve(normal, rows.double().T @ wanted.double())[:, 0]


def _set_detail(network: TextureNetwork, normal: Tensor, grey: Tensor) -> None:
    """Keep the strongest patterns of what the coarse part lacks: reduced-rank regression (Izenman 1975).

    Args:
        normal: (K,K) of what is told. grey: (K,side,side) mean of the channels, at full resolution.
    """
    coarse = network.linear.mean(1)[None]
    lacking = grey - nnf.interpolate(coarse, (network.side, network.side), mode="bilinear", align_corners=False)[0]
    root = torch.linalg.cholesky(normal)
    left, sizes, patterns = torch.linalg.svd(root.T @ lacking.flatten(1).double(), full_matrices=False)
    count = min(DETAILS, len(sizes))
    shares = torch.linalg.solve(root.T, left[:, :count] * sizes[:count])
    scale = sizes[:count].clamp_min(1e-9) / np.sqrt(len(patterns[0]))
    network.detail[:count] = (patterns[:count] * scale[:, None]).view(-1, network.side, network.side)
    network.detail_shares[:count] = (shares / scale).T


def straighten(mapping: Mapping, strength: Tensor) -> None:
    """Make a mapping without a label linear for nearly all latents: rotations, lifted over the activations' bend.

    Args:
        strength: (z,) with which each number of z comes in.
    """
    below = torch.zeros(len(strength))
    for number in range(mapping.layers):
        layer = mapping.get_submodule(f"fc{number}")
        weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
        turn = torch.nn.init.orthogonal_(torch.empty_like(weight))
        turn = turn * strength if number == 0 else turn / ROOT
        weight.copy_(turn / layer.gain)  # type: ignore[operator]
        bias.copy_((LIFT - turn @ below) / layer.rate)  # type: ignore[operator]
        below = torch.full((len(bias),), ROOT * LIFT)


def _parts(count: int):
    return (slice(start, min(start + PART, count)) for start in range(0, count, PART))


def _quieten(network: TextureNetwork) -> None:
    """Let the generator start with little to add, and with pixels alike that are channels of one: no chequers."""
    for name, weight in network.generator.synthesis.named_parameters():
        if name.endswith("torgb.weight"):
            together = weight.unflatten(0, (3, -1))
            weight.copy_((ADDED * together[:, :1]).expand_as(together).flatten(0, 1))
