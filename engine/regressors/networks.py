"""The regressors: FastGANFit's network as published, and a small one that learns on a CPU."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from ..recognition.load import Recogniser
from .crop import SIDE
from .parameters import Heads, Layout, Parameters, Usual, normalised
from .resnet import CHANNELS, ResNet50

Kind = Literal["photos", "renders"]
LANDMARKS = 478
RESOLUTIONS = (56, 28, 14, 7)
"""Of ResNet-50's stages at `SIDE` pixels."""
HIDDEN = 1024
GRID = 4


class Regressor(nn.Module, ABC):
    """What both have in common.

    Attributes:
        heads: the last layers.
    """

    heads: Heads

    @abstractmethod
    def see(self, recogniser: Recogniser, images: Tensor, kind: Kind = "photos") -> tuple[Tensor, ...]:
        """What `forward` wants to know of crops (B,3,SIDE,SIDE), sRGB 0..1. Nothing in it is trained.

        Args:
            recogniser: the one that the regressor was made for.
            kind: photos, or renders of which the recogniser has another opinion as a whole.
        """

    @abstractmethod
    def forward(self, seen: Sequence[Tensor], landmarks: Tensor) -> Parameters:
        """Parameters of faces from what `see` saw and their landmarks (B,478,2), pixels of the crop."""


@torch.no_grad()
def recognise(recogniser: Recogniser, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Embeddings (B,D) and activations of crops (B,3,SIDE,SIDE), which show what the recogniser's own crops show."""
    return recogniser.network(reduced(images, recogniser.side))


def reduced(images: Tensor, side: int) -> Tensor:
    """Crops at another size; each pixel the mean of what it covers."""
    if images.shape[-1] == side:
        return images
    return nnf.interpolate(images, (side, side), mode="bilinear", align_corners=False, antialias=True)


@torch.no_grad()
def activation_shapes(recogniser: Recogniser) -> tuple[int, list[tuple[int, int]]]:
    """Length of the embedding, and channels and side of each stage's activations."""
    device = next(recogniser.network.parameters()).device
    embedding, activations = recogniser.network(torch.zeros(1, 3, recogniser.side, recogniser.side, device=device))
    return embedding.shape[1], [(activation.shape[1], activation.shape[-1]) for activation in activations]


class FastganfitNetwork(Regressor):
    """FastGANFit (Gecer et al., "Fast-GANFIT", section 4 and figure 3): ResNet-50 beside the recognition network, whose
    activations of the same resolution are concatenated to its own; landmarks join before the last layers.

    With ArcFace, whose crops are half as large and whose resolutions are ResNet's, that is all there is to it. What is
    ours, because the paper does not say it or other recognition networks need it: after each concatenation a 1x1
    convolution brings the channels back to what ResNet's next stage takes (it starts by leaving ResNet's own as they
    are); activations of another resolution go to the stage nearest in scale and are resized to it; the embedding joins
    together with the landmarks; two fully connected layers of 1024 before the heads.

    Args:
        layout: of the answer. usual: the mean head's view in the recogniser's crop.
        embedding: length of the recogniser's. stages: channels and side of its activations, see `activation_shapes`.
    """

    def __init__(self, layout: Layout, usual: Usual, embedding: int, stages: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.trunk = ResNet50()
        self.joined = [_nearest(side) for _, side in stages]
        extra = [sum(c for (c, _), at in zip(stages, self.joined, strict=True) if at == k) for k in range(4)]
        self.joins = nn.ModuleList(_join(own, more) for own, more in zip(CHANNELS, extra, strict=True))
        self.last = nn.Sequential(
            nn.Linear(CHANNELS[-1] + embedding + 2 * LANDMARKS, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
        )
        self.heads = Heads(HIDDEN, layout, usual)

    def see(self, recogniser: Recogniser, images: Tensor, kind: Kind = "photos") -> tuple[Tensor, ...]:
        """The crops, embeddings of length 1, and activations."""
        embedding, activations = recognise(recogniser, images)
        return (images, nnf.normalize(embedding), *activations)

    def forward(self, seen: Sequence[Tensor], landmarks: Tensor) -> Parameters:
        """See `Regressor.forward`."""
        images, embedding, *activations = seen
        x = self.trunk.start(images)
        for number, (stage, join) in enumerate(zip(self.trunk.stages, self.joins, strict=True)):
            x = stage(x)
            beside = [_resized(a, x.shape[-1]) for a, at in zip(activations, self.joined, strict=True) if at == number]
            x = join(torch.cat([x, *beside], 1)) if beside else x
        return self.heads(self.last(torch.cat([x.mean((-2, -1)), embedding, normalised(landmarks)], 1)))


def _nearest(side: int) -> int:
    """Which of ResNet's stages is nearest in scale to activations of a side."""
    return min(range(4), key=lambda number: abs(math.log(RESOLUTIONS[number] / side)))


def _join(own: int, more: int) -> nn.Module:
    """Channels back to `own`: its own go through unchanged at first."""
    if not more:
        return nn.Identity()
    layer = nn.Conv2d(own + more, own, 1)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[:, :own, 0, 0] = torch.eye(own)
        assert layer.bias is not None
        layer.bias.zero_()
    return layer


def _resized(activation: Tensor, side: int) -> Tensor:
    if activation.shape[-1] == side:
        return activation
    if activation.shape[-1] > side:
        return nnf.adaptive_avg_pool2d(activation, side)
    return nnf.interpolate(activation, (side, side), mode="bilinear", align_corners=False)


class PooledNetwork(Regressor):
    """A few layers on what the recognition network says at all levels, without a trunk of its own.

    The paper's point, that all levels of recognition know something, kept; its ResNet, which a CPU cannot train, left
    out. Activations are averaged in squares, `GRID` across and down: where something is matters. Renders and photos
    differ in all faces alike, so what is seen is counted from the mean of its own kind (`standardise`).

    Args:
        layout: of the answer. usual: the mean head's view in the recogniser's crop.
        embedding: length of the recogniser's. stages: channels and side of its activations.
        width: of the hidden layers. dropout: of what is seen, in training.
    """

    centres: Tensor
    spread: Tensor

    def __init__(
        self,
        layout: Layout,
        usual: Usual,
        embedding: int,
        stages: Sequence[tuple[int, int]],
        width: int = 256,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        count = embedding + sum(channels * min(GRID, side) ** 2 for channels, side in stages)
        self.register_buffer("centres", torch.zeros(2, count))
        self.register_buffer("spread", torch.ones(count))
        self.register_buffer("usual_points", torch.zeros(2 * LANDMARKS))
        self.register_buffer("points_spread", torch.ones(()))
        self.seen = nn.Sequential(nn.Dropout(dropout), nn.Linear(count, width))
        self.points = nn.Linear(2 * LANDMARKS, width)
        self.both = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, width))
        self.heads = Heads(2 * width, layout, usual)

    def see(self, recogniser: Recogniser, images: Tensor, kind: Kind = "photos") -> tuple[Tensor, ...]:
        """One tensor (B,F), about standard normal."""
        return (self.standard(pooled(recogniser, images), kind),)

    def standard(self, features: Tensor, kind: Kind) -> Tensor:
        """Features (B,F) of `pooled`, counted from the mean of their kind."""
        return ((features - self.centres[int(kind == "photos")]) / self.spread).clamp(-6, 6)

    @torch.no_grad()
    def standardise(self, renders: Tensor, photos: Tensor | None, landmarks: Tensor) -> None:
        """Take means and deviations from examples before training.

        Args:
            renders, photos: (N,F) features. Without photos, renders stand for both.
            landmarks: (N,478,2) pixels of crops.
        """
        self.centres[0] = renders.mean(0)
        self.centres[1] = self.centres[0] if photos is None else photos.mean(0)
        self.spread.copy_(renders.std(0).clamp_min(1e-3))
        points = normalised(landmarks)
        self.get_buffer("usual_points").copy_(points.mean(0))
        self.get_buffer("points_spread").copy_(points.std(0).mean())

    def forward(self, seen: Sequence[Tensor], landmarks: Tensor) -> Parameters:
        """See `Regressor.forward`."""
        points = (normalised(landmarks) - self.get_buffer("usual_points")) / self.get_buffer("points_spread")
        x = torch.cat([self.seen(seen[0]), self.points(points)], 1)
        deep = self.both(nnf.gelu(x))
        return self.heads(torch.cat([nnf.gelu(deep), _halved(x)], 1))


def _halved(x: Tensor) -> Tensor:
    """What is seen and the points, added up: a straight way from these to the heads."""
    first, second = x.chunk(2, 1)
    return (first + second) * math.sqrt(0.5)


def pooled(recogniser: Recogniser, images: Tensor) -> Tensor:
    """(B,F) embeddings of length 1 and activations averaged in squares, of crops (B,3,SIDE,SIDE)."""
    if images.shape[-1] != SIDE:
        raise ValueError(f"crops are {SIDE} pixels wide, not {images.shape[-1]}")
    embedding, activations = recognise(recogniser, images)
    squares = [nnf.adaptive_avg_pool2d(a, min(GRID, a.shape[-1])).flatten(1) for a in activations]
    return torch.cat([nnf.normalize(embedding), *squares], 1)
