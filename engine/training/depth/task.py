"""Learning depth: the Attention U-Net by L1 as published, and DPT-Large from the user's file by MiDaS' own loss.

The U-Net keeps the bundled network's maps (depth first, regions after), so that its file takes that one's place. Where
the source knows no regions, the bundled network says what it sees in the clean picture, and they are held to that.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as nnf

from ...depth.dpt import DptShape, load_dpt
from ...media.write import write_jpeg
from ...perception.depth_scale import BACKGROUND
from ...perception.networks.parts import SIDE, build_parts_network, network_input, split_output
from ...perception.networks.weights import channels_last, take_over
from ...perception.parts import load_parts_network
from ..perception.parts import LossSettings, PartsLabels, depth_error, parts_loss
from .losses import aligned_l1, as_taught, inverse_depth, published_error
from .sources import Crop, Source, plain_crop, varied_crop

AT_ONCE = 8
SHOWN = 8
"""Held-out pictures on the sample sheet."""


@dataclass(frozen=True)
class DepthLearning:
    """What a depth network learns from.

    Attributes:
        width: channels of the U-Net's first block; 64 as published, 16 of the bundled one.
        batch: crops in a step, 5 as published. seed: of every draw.
        spoilt: how strong the camera's faults are, see `synthetic.lens.spoil`.
        taught: factor of the regions that the bundled network teaches; 0 leaves them alone, and with them the use of
            the file by the engine.
        losses: of depth and regions.
        side: pixels that DPT is shown.
    """

    width: int = 16
    batch: int = 5
    seed: int = 0
    spoilt: float = 1.0
    taught: float = 1.0
    losses: LossSettings = field(default_factory=LossSettings)
    side: int = 384

    def __post_init__(self) -> None:
        if self.batch < 1 or self.width < 1 or self.side % 32:
            raise ValueError("batch and width are at least 1, and side a multiple of 32")


@dataclass(frozen=True)
class DepthBatch:
    """B crops, see `sources.Crop`: (B,2 SIDE,2 SIDE,3) uint8 twice, (B,SIDE,SIDE) float32 and int64, (B,) float32."""

    image: Tensor
    clean: Tensor
    depth: Tensor
    regions: Tensor
    away: Tensor


def stacked(crops: list[Crop]) -> DepthBatch:
    """Crops as one batch."""
    parts = {name: np.stack([getattr(crop, name) for crop in crops]) for name in DepthBatch.__dataclass_fields__}
    parts["away"] = parts["away"].astype(np.float32)
    return DepthBatch(**{name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in parts.items()})


class _DepthTask:
    """What both networks' tasks have in common; see `engine.training.perception.loop.Task`."""

    model: nn.Module

    def __init__(
        self, train: Source, held_out: Source, learning: DepthLearning, device: str, sheet: Path | None
    ) -> None:
        self.train, self.held_out, self.learning = train, held_out, learning
        self.device, self.sheet = device, sheet

    def batch(self, step: int) -> DepthBatch:
        """Crops of a step."""
        rng = np.random.default_rng((self.learning.seed, step))
        chosen = rng.integers(0, len(self.train), self.learning.batch)
        return stacked([varied_crop(self.train.example(int(n)), rng, self.learning.spoilt) for n in chosen])

    def _held_out(self) -> Iterator[DepthBatch]:
        """Held-out pictures as they were drawn."""
        for first in range(0, len(self.held_out), AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, len(self.held_out)))
            yield stacked([plain_crop(self.held_out.example(number)) for number in numbers])

    def _show(self, batch: DepthBatch, found: Tensor) -> None:
        """Draw picture, true depth and found depth of some held-out pictures, near white."""
        if self.sheet is None:
            return
        rows = []
        for n in range(min(SHOWN, len(found))):
            picture = nnf.interpolate(batch.image[n].permute(2, 0, 1)[None].float(), (SIDE, SIDE), mode="area")[0]
            maps = [as_grey(depth[n].cpu().numpy()) for depth in (batch.depth, found)]
            rows.append(np.vstack([picture.permute(1, 2, 0).round().to(torch.uint8).numpy(), *maps]))
        write_jpeg(self.sheet, np.hstack(rows))


class UnetDepthTask(_DepthTask):
    """The Attention U-Net.

    Args:
        start: weights to begin with, of the same width; None to begin at the beginning.
        sheet: file for the sample sheet, drawn at every validation.
    """

    def __init__(
        self, train: Source, held_out: Source, learning: DepthLearning, device: str = "cpu",
        start: Path | None = None, sheet: Path | None = None,
    ) -> None:  # fmt: skip
        super().__init__(train, held_out, learning, device, sheet)
        torch.manual_seed(learning.seed)
        network = build_parts_network(learning.width)
        if start:
            take_over(network, start)
        self.model = channels_last(network.to(device))
        self.teacher = None
        if not train.regions and learning.taught > 0:
            self.teacher = copy.deepcopy(load_parts_network()).to(device)

    def loss(self, batch: DepthBatch) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """See `parts_loss`, and the taught regions."""
        output = self.model(self._input(batch.image)).float()
        labels = PartsLabels(batch.depth.to(self.device), batch.regions.to(self.device) if self.train.regions else None)
        total, figures = parts_loss(output, labels, self.learning.losses)
        if self.teacher is not None:
            with torch.no_grad():
                taught = split_output(self.teacher(self._input(batch.clean)).float())[1].softmax(1)
            taught_loss = as_taught(split_output(output)[1], taught)
            total, figures = total + self.learning.taught * taught_loss, {**figures, "taught": taught_loss.detach()}
        return total, figures

    def _input(self, images: Tensor) -> Tensor:
        small = nnf.avg_pool2d(images.to(self.device).permute(0, 3, 1, 2).float(), 2).permute(0, 2, 3, 1)
        return network_input(small).contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Encoded L1 over the person and over all, and as published (its units), on held-out pictures."""
        person, everywhere, published, counts = [], [], [], []
        for number, batch in enumerate(self._held_out()):
            found = split_output(self.model(self._input(batch.image)).float())[0].cpu().clamp(-1, 1)
            person.append(float(depth_error(found, batch.depth, batch.depth < BACKGROUND)))
            everywhere.append(float((found - batch.depth).abs().mean()))
            published.append(float(published_error(found, batch.depth)))
            counts.append(len(found))
            if number == 0:
                self._show(batch, found)
        means = [float(np.average(values, weights=counts)) for values in (person, everywhere, published)]
        return dict(zip(("depth", "depth_everywhere", "published_l1"), means, strict=True))


class DptDepthTask(_DepthTask):
    """DPT-Large, fine-tuned from the user's file. It gives inverse depth up to scale and offset, before and after.

    Args:
        weights: DPT-Large's file. shape: for smaller networks.
    Raises:
        ModelFileError: see `engine.depth.dpt.load_dpt`.
    """

    def __init__(
        self, train: Source, held_out: Source, learning: DepthLearning, weights: Path, device: str = "cpu",
        sheet: Path | None = None, shape: DptShape | None = None,
    ) -> None:  # fmt: skip
        super().__init__(train, held_out, learning, device, sheet)
        self.model = load_dpt(weights, shape).requires_grad_(True).to(device)

    def loss(self, batch: DepthBatch) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """See `aligned_l1`."""
        wanted = inverse_depth(batch.depth, batch.away).to(self.device)
        return aligned_l1(self._seen(batch.image), wanted), {}

    def _seen(self, images: Tensor) -> Tensor:
        """(B,SIDE,SIDE) inverse depth."""
        side = self.learning.side
        pictures = images.to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        large = nnf.interpolate(pictures, (side, side), mode="bicubic", align_corners=False)
        return nnf.interpolate(self.model(large).float(), (SIDE, SIDE), mode="area")[:, 0]

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """The loss on held-out pictures."""
        errors, counts = [], []
        for number, batch in enumerate(self._held_out()):
            found = self._seen(batch.image).cpu()
            errors.append(float(aligned_l1(found, inverse_depth(batch.depth, batch.away))))
            counts.append(len(found))
            if number == 0:
                self._show(batch, -found / found.flatten(1).amax(1).clamp_min(1e-6)[:, None, None])
        return {"aligned_l1": float(np.average(errors, weights=counts))}


def as_grey(depth: NDArray) -> NDArray[np.uint8]:
    """(S,S,3) of encoded depth (S,S): near white, the background black."""
    grey = np.round(127.5 * (1 - np.clip(depth, -1, 1))).astype(np.uint8)
    return np.repeat(grey[..., None], 3, 2)


def description_of(values: dict[str, Any], source: Source) -> dict[str, Any]:
    """What a file's description also says: what it learnt from."""
    return values | {"source": "synthetic faces" if source.regions else "EG3D"}
