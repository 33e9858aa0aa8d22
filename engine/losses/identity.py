"""Whether a render shows the same person: embeddings and activations of a recognition network, and random views."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .reduce import safe_sqrt, same_shape


def cosine_distance(first: Tensor, second: Tensor) -> Tensor:
    """1 minus the cosine of the angle between embeddings, 0 to 2.

    Gecer et al., "Fast-GANFIT", section 3.3.1, equation 9; joint-domain paper, section 3.1 (3), equation 6. With the
    render of a `random_view` as `second` it is the former's second identity loss. The same scale as in both papers.

    Args:
        first, second: (B,D), not necessarily normalised.
    Returns:
        (B,); 1, with gradient 0, where an embedding is zero.
    Raises:
        ValueError: the shapes differ.
    """
    same_shape(first, second)
    lengths = safe_sqrt(first.square().sum(-1)) * safe_sqrt(second.square().sum(-1))
    some = lengths > 0
    product = (first * second).sum(-1).where(some, torch.zeros_like(lengths))
    return 1 - product / lengths.where(some, torch.ones_like(lengths))


def content_distance(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    """Euclidean distances of activations over their height, width and channels, added up.

    Gecer et al., "Fast-GANFIT", section 3.3.2, equation 10, as printed, that is the root of the sum of squares over
    H x W x C: a root mean square difference of r adds r / sqrt(HWC), so that small maps count most. The paper adds up
    all n convolutions of its network; four layers' worth, as `engine.recognition` gives them, is accordingly smaller.

    Args:
        first, second: activations (B,C,H,W) of two pictures, layer by layer.
    Returns:
        (B,).
    Raises:
        ValueError: other layers or shapes, or no layer at all.
    """
    if not first:
        raise ValueError("there are no activations to compare")
    terms = []
    for one, other in zip(first, second, strict=True):
        same_shape(one, other)
        terms.append(safe_sqrt((one - other).square().flatten(1).sum(1)) / math.prod(one.shape[1:]))
    return sum(terms[1:], start=terms[0])


@dataclass(frozen=True)
class ViewSpread:
    """Standard deviations (and means, where they are not 0) of the views that `random_view` draws.

    Only the expression's is the paper's (section 3.2). Its cameras and lights follow the means and deviations of the
    300W-3D data, which were not published; these here are this project's choice: portraits, mostly from the front, in
    room or day light from above.

    Attributes:
        expression: standard deviations of the expression model.
        yaw, pitch, roll: of the head, degrees.
        distance: of the natural logarithm of the camera's distance, whose mean is 0.
        azimuth, elevation, mean_elevation: of the light, degrees from straight ahead, the head upright.
        ambient, mean_ambient, direct, mean_direct: linear light on white.
        tint: of the natural logarithm of each channel of both lights.
    """

    expression: float = 0.5
    yaw: float = 25.0
    pitch: float = 10.0
    roll: float = 5.0
    distance: float = 0.2
    azimuth: float = 40.0
    elevation: float = 20.0
    mean_elevation: float = 25.0
    ambient: float = 0.12
    mean_ambient: float = 0.45
    direct: float = 0.15
    mean_direct: float = 0.5
    tint: float = 0.06


@dataclass(frozen=True)
class RandomView:
    """Another expression, camera and light in which the same person is to be recognised (equation 8).

    Attributes:
        expression: (E,) standard deviations of the expression model; bounds are the model's business.
        yaw, pitch, roll: of the head against the camera, radians; as likely one way as the other.
        distance: of the camera, as a multiple of the usual one.
        direction: (3,) unit, towards the light, head's frame: x to the head's left, y up, z to the front.
        direct, ambient: (3,) linear RGB, not negative, of that light (on a white surface facing it) and of the rest.
    """

    expression: NDArray[np.float64]
    yaw: float
    pitch: float
    roll: float
    distance: float
    direction: NDArray[np.float64]
    direct: NDArray[np.float64]
    ambient: NDArray[np.float64]


def random_view(rng: np.random.Generator, expressions: int, spread: ViewSpread | None = None) -> RandomView:
    """Draw a view for the second identity loss (Gecer et al., "Fast-GANFIT", section 3.2, before equation 8).

    All numbers are drawn from normal distributions, as in the paper: the expression from N(0, 0.5); camera and light
    from `ViewSpread`. Levels of light are cut off at 0. The paper's light is a point light with Phong shading; here it
    is a direction and two colours, which any lighting model can take.

    Args:
        rng: the source of chance; the same state gives the same view.
        expressions: E, how many expression components there are.
        spread: None for the defaults.
    """
    spread = spread or ViewSpread()
    turns = np.deg2rad([spread.yaw, spread.pitch, spread.roll]) * rng.standard_normal(3)
    azimuth, elevation = np.deg2rad([spread.azimuth, spread.elevation]) * rng.standard_normal(2)
    elevation += np.deg2rad(spread.mean_elevation)
    levels = [spread.mean_direct, spread.mean_ambient] + np.array(
        [spread.direct, spread.ambient]
    ) * rng.standard_normal(2)
    direct, ambient = np.maximum(levels, 0.0)[:, None] * np.exp(spread.tint * rng.standard_normal((2, 3)))
    return RandomView(
        expression=spread.expression * rng.standard_normal(expressions),
        yaw=float(turns[0]),
        pitch=float(turns[1]),
        roll=float(turns[2]),
        distance=float(np.exp(spread.distance * rng.standard_normal())),
        direction=np.array(
            [np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)]
        ),
        direct=direct,
        ambient=ambient,
    )
