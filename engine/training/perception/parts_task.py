"""Training the parts network: regions and depth of synthetic faces, soft masks of real portraits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...heads.model import HeadModel
from ...perception.depth_scale import BACKGROUND, encode_depth, reference_depth
from ...perception.networks.parts import SIDE, build_parts_network, network_input, split_output
from ...perception.networks.weights import channels_last, take_over
from ...perception.regions import REGIONS
from ..synthetic.lens import spoil
from .parts import (
    REAL_GROUPS,
    UNKNOWN,
    LossSettings,
    PartsLabels,
    balanced_weights,
    depth_error,
    parts_loss,
    region_overlap,
)
from .pictures import SyntheticPictures, pixel_centred, random_motion
from .portraits import Portraits

PERSON = REAL_GROUPS.index("person")
NOBODY = 0.04
"""A portrait's pixels that are less probably a person teach the background's depth."""
COUNTED = 40
"""Pictures of a shard whose regions are counted."""


@dataclass(frozen=True)
class PartsConfig:
    """What the parts network learns from.

    Attributes:
        width: channels of the network's first block.
        batch: crops in a step. real: share of them from portraits.
        seed: of every draw.
        balance: how much more small regions count, see `balanced_weights`; 0 not at all.
        losses: see `LossSettings`.
    """

    width: int = 16
    batch: int = 16
    real: float = 0.25
    seed: int = 0
    balance: float = 0.5
    losses: LossSettings = field(default_factory=LossSettings)


@dataclass(frozen=True)
class PartsBatch:
    """B crops: images (B,128,128,3) uint8 and what is known of them; the labels are those of the losses."""

    images: Tensor
    depth: Tensor
    regions: Tensor
    groups: Tensor
    group_weights: Tensor


class PartsTask:
    """See `engine.training.perception.loop.Task`."""

    def __init__(
        self,
        head: HeadModel,
        pictures: SyntheticPictures,
        held_out: SyntheticPictures,
        portraits: Portraits | None,
        config: PartsConfig,
        device: str = "cpu",
        start: Path | None = None,
    ) -> None:
        self.pictures, self.held_out, self.config, self.device = pictures, held_out, config, device
        self.portraits = portraits if config.real > 0 else None
        self.losses = replace(config.losses, class_weights=self._class_weights()) if config.balance else config.losses
        eyes = [head.joint_names.index(name) for name in ("eye.L", "eye.R")]
        self.eyes, self.eye_basis = head.joints[eyes], head.joint_identity_basis[:, eyes]
        torch.manual_seed(config.seed)
        network = build_parts_network(config.width)
        if start:
            take_over(network, start)
        self.model: nn.Module = channels_last(network.to(device))

    def batch(self, step: int) -> PartsBatch:
        """Crops of a step."""
        config = self.config
        rng = np.random.default_rng((config.seed, step))
        real = round(config.batch * config.real) if self.portraits else 0
        count = config.batch - real
        images = np.zeros((config.batch, SIDE, SIDE, 3), np.uint8)
        depth = np.full((config.batch, SIDE, SIDE), np.nan, np.float32)
        regions = np.full((config.batch, SIDE, SIDE), UNKNOWN, np.int64)
        groups = np.zeros((config.batch, len(REAL_GROUPS), SIDE, SIDE), np.float32)
        weights = np.zeros_like(groups)
        for number, index in enumerate(rng.integers(0, len(self.pictures), count)):
            images[number], depth[number], regions[number] = self._varied(int(index), rng)
        for number in range(count, config.batch):
            assert self.portraits is not None
            images[number], groups[number], weights[number] = self.portraits.masks(rng, SIDE)
            nobody = (groups[number, PERSON] < NOBODY) & (weights[number, PERSON] > 0.5)
            depth[number][nobody] = BACKGROUND
        tensors = map(torch.from_numpy, (images, depth, regions, groups, weights))
        return PartsBatch(*tensors)

    def loss(self, batch: PartsBatch) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """See `parts_loss`."""
        on = {name: getattr(batch, name).to(self.device) for name in batch.__dataclass_fields__}
        output = self.model(network_input(on.pop("images")).contiguous(memory_format=torch.channels_last))
        return parts_loss(output, PartsLabels(**on), self.losses)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Depth error of the person (encoded, as published), and intersection over union by region, held out."""
        both, either = torch.zeros(len(REGIONS)), torch.zeros(len(REGIONS))
        depths = []
        for start in range(0, len(self.held_out), 32):
            found = [self.labelled(self.held_out, n) for n in range(start, min(start + 32, len(self.held_out)))]
            images, depth, regions = (torch.from_numpy(np.stack(parts)) for parts in zip(*found, strict=True))
            output = self.model(network_input(images.to(self.device))).cpu()
            seen, logits = split_output(output)
            depths.append(float(depth_error(seen, depth, regions > 0)))
            inside, outside = region_overlap(logits.argmax(1), regions.long())
            both, either = both + inside, either + outside
        overlap = {f"iou_{name}": float(both[n] / either[n]) for n, name in enumerate(REGIONS) if either[n] > 0}
        return {"depth": float(np.mean(depths)), "iou": float(np.mean(list(overlap.values()))), **overlap}

    def labelled(
        self, pictures: SyntheticPictures, index: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]:
        """Image (128,128,3), encoded depth (128,128) and regions (128,128) of a picture as it was drawn."""
        import cv2

        shard, number = pictures.shard(index)
        image = np.asarray(cv2.resize(shard.image(number), (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
        camera = shard.cameras[number]
        eyes = self.eyes + np.tensordot(shard.identity[number], self.eye_basis, 1)
        reference = reference_depth(camera, eyes) - float(camera.world_to_camera[2, 3])
        return image, encode_depth(shard.depth[number].astype(np.float32), reference), shard.regions[number]

    def _class_weights(self) -> list[float]:
        """Small regions count more."""
        pixels = np.zeros(len(REGIONS))
        for shard in self.pictures.shards:
            pixels += np.bincount(shard.regions[:: max(1, len(shard) // COUNTED)].ravel(), minlength=len(REGIONS))
        return balanced_weights(pixels.tolist(), self.config.balance)

    def _varied(
        self, index: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]:
        """The same as another crop of another camera would show it."""
        import cv2

        _, depth, regions = self.labelled(self.pictures, index)
        shard, number = self.pictures.shard(index)
        matrix, _ = random_motion(rng)
        small = np.diag([0.5, 0.5]) @ matrix
        how = {"borderMode": cv2.BORDER_REPLICATE}
        image = cv2.warpAffine(shard.image(number), pixel_centred(matrix), (2 * SIDE, 2 * SIDE), **how)
        image = cv2.resize(spoil(np.asarray(image, np.uint8), rng), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        maps = pixel_centred(np.column_stack([small[:, :2] * 2, small[:, 2]]))
        near = {"flags": cv2.INTER_NEAREST, **how}
        moved_depth = cv2.warpAffine(depth, maps, (SIDE, SIDE), **near)
        moved_regions = cv2.warpAffine(regions, maps, (SIDE, SIDE), **near)
        return np.asarray(image, np.uint8), np.asarray(moved_depth, np.float32), moved_regions.astype(np.int64)
