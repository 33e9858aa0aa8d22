"""The network that sees dense points of the head's surface, each with its own uncertainty.

A small convolutional backbone of the BlazeFace family (Bazarevsky et al. 2019; Kartynnik et al., "Real-time Facial
Surface Geometry from Monocular Video", 2019), so that it can start from MediaPipe's face mesh, which has seen real
people. Its last features give all points at once, as a low-rank offset from their mean; then every point looks at the
finer features around its place and corrects itself, twice (cascaded regression). Points come with a variance, trained
by the Gaussian likelihood (Wood et al., "3D face reconstruction with dense landmarks", 2022, eq. 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample, max_pool2d, pad

SIDE = 256
"""Pixels of the square crop."""
SCALE = SIDE / 2
"""Pixels per unit of the network's points."""
STEM = 16
STAGES = ((16, 2), (32, 2), (64, 2), (128, 2), (128, 2), (128, 2))
"""Channels, and blocks after the one that halves the picture (the first stage has no such block)."""
MESH_SIDE, MESH_CHANNELS, MESH_NUMBERS = 192, 32, 468 * 3
"""Of MediaPipe's face mesh: pixels of its crop, channels before its last layer, coordinates it gives."""
FINE_LEVELS = (1, 2, 3)
"""Stages whose features a point looks at: 64, 32 and 16 cells a side."""
LOOK = 32
"""Channels that a point gathers from each of them."""
LEAST_LOG_DEVIATION, MOST_LOG_DEVIATION = -7.0, 1.0
"""Of a point, natural logarithm, in the network's units: 0.1 to 350 pixels."""


@dataclass(frozen=True)
class PointsOutput:
    """What the network says of B crops, N points.

    Attributes:
        coarse, points: (B,N,3) before and after the corrections; x, y in pixels of the crop, z relative depth in the
            same pixels, smaller is nearer, zero at the head model's origin.
        log_deviation: (B,N,2) natural logarithm of the standard deviation across the view and along it, pixels.
        visible: (B,N) logit that nothing hides the point.
        face: (B,) logit that the crop shows a face.
    """

    coarse: Tensor
    points: Tensor
    log_deviation: Tensor
    visible: Tensor
    face: Tensor


class BlazeBlock(nn.Module):
    """Depthwise and pointwise convolution with a residual; halving blocks pool and pad the residual."""

    def __init__(self, channels: int, wider: int | None = None) -> None:
        super().__init__()
        self.halving = wider is not None
        out = wider or channels
        self.depthwise = nn.Conv2d(channels, channels, 3, 2 if self.halving else 1, groups=channels)
        self.pointwise = nn.Conv2d(channels, out, 1)
        self.act = nn.PReLU(out)
        self.added = out - channels

    def forward(self, x: Tensor) -> Tensor:
        # TensorFlow's "same" padding: all of it at the far side where the stride is 2.
        padding = (0, 1, 0, 1) if self.halving else (1, 1, 1, 1)
        moved = self.pointwise(self.depthwise(pad(x, padding)))
        kept = max_pool2d(x, 2) if self.halving else x
        if self.added:
            kept = pad(kept, (0, 0, 0, 0, 0, self.added))
        return self.act(kept + moved)


class Backbone(nn.Module):
    """(B,3,S,S) RGB 0..1 to the features of each stage, halved and halved again from S/2 to S/64."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, STEM, 3, 2)
        self.stem_act = nn.PReLU(STEM)
        stages, before = [], STEM
        for number, (channels, blocks) in enumerate(STAGES):
            first = [] if number == 0 else [BlazeBlock(before, channels)]
            stages.append(nn.Sequential(*first, *(BlazeBlock(channels) for _ in range(blocks))))
            before = channels
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem_act(self.stem(pad(x, (0, 1, 0, 1))))
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class MeshHead(nn.Module):
    """The end of MediaPipe's face mesh: (B,128,3,3) features of the crop's middle to its 468 points, (B,1404)."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(STAGES[5][0], MESH_CHANNELS, 1)
        self.act = nn.PReLU(MESH_CHANNELS)
        self.block = BlazeBlock(MESH_CHANNELS)
        self.out = nn.Conv2d(MESH_CHANNELS, MESH_NUMBERS, 3)

    def forward(self, x: Tensor) -> Tensor:
        found = self.out(self.block(self.act(self.narrow(x)))).flatten(1)
        return found / (MESH_SIDE / 2) - 1.0


class PointsNetwork(nn.Module):
    """Crop to dense points.

    The middle three quarters of the crop are what MediaPipe's mesh looks at; its points, as it gives them, are the
    first half of the coarse answer.

    Args:
        count: N points.
        rank: dimensions of the coarse answer.
        wide: channels of the second path through the coarse stages, which is trained from nothing.
        rounds: of correction.
    """

    def __init__(self, count: int, rank: int = 128, wide: int = 256, rounds: int = 2) -> None:
        super().__init__()
        self.rounds = rounds
        self.backbone = Backbone()
        fine = [STAGES[level][0] for level in FINE_LEVELS]
        beside = [BlazeBlock(STAGES[3][0], wide), BlazeBlock(wide), BlazeBlock(wide), BlazeBlock(wide, wide)]
        beside.append(BlazeBlock(wide))
        self.beside = nn.Sequential(*beside)
        cells = (SIDE // 64) ** 2
        self.gather = nn.Conv2d(STAGES[5][0] + wide, 160, 1)
        self.globally = nn.Sequential(nn.PReLU(160), nn.Flatten(), nn.Linear(160 * cells, 384), nn.PReLU(384))
        self.mesh = MeshHead()
        self.from_mesh = nn.Linear(MESH_NUMBERS, rank)
        self.amounts = nn.Linear(384, rank)
        self.face = nn.Linear(384, 1)
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(count, 3))
        self.components = nn.Parameter(torch.zeros(rank, count, 3))
        self.context = nn.Linear(384, 64)
        self.identity = nn.Parameter(torch.randn(count, 64) * 0.1)
        self.look = nn.ModuleList(nn.Conv2d(channels, LOOK, 1) for channels in fine)
        self.correct = nn.ModuleList(
            nn.Sequential(nn.Linear(LOOK * len(fine) + 67, 96), nn.LeakyReLU(0.1), nn.Linear(96, 96), nn.LeakyReLU(0.1))
            for _ in range(rounds)
        )
        steps = [nn.Linear(96, 3) for _ in range(rounds)]
        self.step = nn.ModuleList(steps)
        self.doubt = nn.Linear(96, 3)
        for layer in (*steps, self.doubt, self.amounts, self.from_mesh):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.doubt.bias[:2], -3.0)
        for block in beside:
            nn.init.normal_(block.pointwise.weight, std=0.5 * block.pointwise.in_channels**-0.5)

    def forward(self, crops: Tensor) -> PointsOutput:
        """Crops (B,3,256,256) RGB 0..1."""
        features = self.backbone(crops)
        top = torch.cat([features[5], self.beside(features[3])], 1)
        overall = self.globally(self.gather(top))
        amounts = self.amounts(overall) + self.from_mesh(self.see_mesh(features[4]))
        coarse = self.mean + torch.tensordot(amounts, self.components, 1)
        maps = [look(features[level]) for look, level in zip(self.look, FINE_LEVELS, strict=True)]
        who = self.context(overall)[:, None] + self.identity
        points = coarse
        seen = coarse.new_zeros((*coarse.shape[:2], 96))
        for correct, step in zip(self.correct, self.step, strict=True):
            places = points.detach()
            around = [_at(layer, places[..., :2]) for layer in maps]
            seen = correct(torch.cat([*around, who, places], -1))
            points = points + 0.1 * step(seen)
        doubt = self.doubt(seen)
        log_deviation = doubt[..., :2].clamp(LEAST_LOG_DEVIATION, MOST_LOG_DEVIATION)
        unit = crops.new_tensor(SCALE)
        middle = crops.new_tensor([SCALE, SCALE, 0.0])
        return PointsOutput(
            coarse * unit + middle,
            points * unit + middle,
            log_deviation + unit.log(),
            doubt[..., 2],
            self.face(overall)[:, 0],
        )

    def see_mesh(self, features: Tensor) -> Tensor:
        """MediaPipe's points (B,1404), -1..1 in the crop's middle, from the features (B,128,8,8) of the fifth stage."""
        return self.mesh(self.backbone.stages[5](features[:, :, 1:7, 1:7]))

    def set_statistics(self, mean: Tensor, components: Tensor) -> None:
        """Start from the mean (N,3) and the principal components (rank,N,3) of the training points, pixels.

        Components are scaled to one standard deviation, so that amounts are about one.
        """
        middle = mean.new_tensor([SCALE, SCALE, 0.0])
        with torch.no_grad():
            self.mean.copy_((mean - middle) / SCALE)
            self.components.copy_(components / SCALE)


def _at(layer: Tensor, places: Tensor) -> Tensor:
    """(B,N,C) of features (B,C,h,w) at places (B,N,2) from -1 to 1, bilinear, held at the border."""
    found = grid_sample(layer, places[:, :, None], mode="bilinear", padding_mode="border", align_corners=False)
    return found[..., 0].mT
