"""Learning latents from generated pictures: L1 on w of every layer (thesis "eg3d_supervised", equations 4.3 to 4.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...eg3d.generator import TriplaneGenerator
from ...eg3d.regression import l1_loss, network_from
from ...eg3d.views import as_bytes
from ...media.write import write_jpeg
from ...perception.networks.weights import channels_last, take_over
from ..eg3d.shards import Samples
from ..synthetic.lens import spoil

LEAST_SPOILT = 128
"""Pixels of the smallest pictures that a camera's faults can be put on."""
AT_ONCE = 8
"""Held-out pictures looked at together."""


@dataclass(frozen=True)
class LatentLearning:
    """What a regressor learns from.

    Attributes:
        batch: pictures in a step, 5 as published. seed: of every draw.
        spoilt: how strong the camera's faults are, see `synthetic.lens.spoil`; 0 as published, where the networks were
            good on generated pictures and poor on photos. Cut and pose are left alone: the latent would be another.
    """

    batch: int = 5
    seed: int = 0
    spoilt: float = 0.0

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError("a batch has at least one picture")


@dataclass(frozen=True)
class LatentBatch:
    """B pictures (B,S,S,3) uint8 and their latents (B,layers,w)."""

    images: Tensor
    ws: Tensor


class LatentTask:
    """See `engine.training.perception.loop.Task`.

    Args:
        description: of the network. start: weights to begin with; None begins at the mean latent.
        sheet: file for the sample sheet, drawn at every validation where there is a `generator`: held-out pictures, and
            below them what the generator draws from the answers.
    """

    def __init__(
        self,
        train: Sequence[Samples],
        held_out: Sequence[Samples],
        description: dict[str, Any],
        learning: LatentLearning,
        device: str = "cpu",
        start: Path | None = None,
        sheet: Path | None = None,
        generator: TriplaneGenerator | None = None,
    ) -> None:
        self.sheet, self.generator = sheet, generator
        self.train, self.held_out, self.learning, self.device = train, held_out, learning, device
        self.places = np.array([(k, n) for k, part in enumerate(train) for n in range(len(part))])
        torch.manual_seed(learning.seed)
        network = network_from(description)
        self.mean = np.concatenate([part.ws.mean(1) for part in train]).mean(0)
        if start:
            take_over(network, start)
        else:
            network.start_at(torch.from_numpy(self.mean))
        self.side = network.side
        self.model: nn.Module = channels_last(network.to(device))

    def batch(self, step: int) -> LatentBatch:
        """Pictures of a step."""
        rng = np.random.default_rng((self.learning.seed, step))
        chosen = self.places[rng.integers(0, len(self.places), self.learning.batch)]
        images = [self._looked_at(self.train[k].image(n), rng) for k, n in chosen]
        ws = np.stack([self.train[k].ws[n] for k, n in chosen])
        return LatentBatch(torch.from_numpy(np.stack(images)), torch.from_numpy(ws))

    def _looked_at(self, image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        image = fitted(image, self.side)
        return spoil(image, rng, self.learning.spoilt) if self.learning.spoilt > 0 else image

    def loss(self, batch: LatentBatch) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Mean absolute difference of w."""
        answer = self.model(as_input(batch.images.to(self.device))).float()
        return l1_loss(answer, batch.ws.to(self.device)).mean(), {}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """L1 on held-out pictures as they were drawn, and that of the mean latent for comparison."""
        errors, plain = [], []
        for part in self.held_out:
            for first in range(0, len(part), AT_ONCE):
                numbers = range(first, min(first + AT_ONCE, len(part)))
                images = np.stack([fitted(part.image(n), self.side) for n in numbers])
                ws = torch.from_numpy(part.ws[first : first + AT_ONCE])
                answer = self.model(as_input(torch.from_numpy(images).to(self.device))).float().cpu()
                if not errors:
                    self._show(part, answer)
                errors += l1_loss(answer, ws).tolist()
                plain += l1_loss(torch.from_numpy(self.mean).expand_as(ws), ws).tolist()
        return {"l1": float(np.mean(errors)), "l1_of_the_mean": float(np.mean(plain))}

    def _show(self, part: Samples, answers: Tensor) -> None:
        if self.sheet is None or self.generator is None:
            return
        labels = torch.from_numpy(part.labels[: len(answers)])
        shown = self.generator.synthesis(answers.to(self.device), labels.to(self.device))
        assert shown.image is not None
        side = part.image(0).shape[0]
        columns = [np.vstack([part.image(n), fitted(as_bytes(shown.image[n]), side)]) for n in range(len(answers))]
        write_jpeg(self.sheet, np.hstack(columns))


def fitted(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """(side,side,3) of a picture (S,S,3)."""
    import cv2

    if image.shape[0] == side:
        return image
    how = cv2.INTER_AREA if image.shape[0] > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (side, side), interpolation=how), np.uint8)


def as_input(images: Tensor) -> Tensor:
    """(B,3,S,S) float32 -1..1, channels last, of (B,S,S,3) uint8 sRGB (section 3.2.2)."""
    return (images.permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
