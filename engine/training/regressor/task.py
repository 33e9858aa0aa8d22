"""The regressor as a task for the training loop: what a step learns from, by which losses, and how it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...heads.model import HeadModel
from ...perception.networks.weights import read_weights
from ...recognition.load import Recogniser
from ...regressors.networks import PooledNetwork, Regressor, pooled
from ...regressors.trained import build_regressor
from ...texture.models.model import TextureModel
from .examples import Examples
from .measure import errors, mean_figures
from .objective import Batch, Pictures, Weights, alignment, supervised
from .shapes import Shapes

CHUNK = 32
"""Crops looked at together when features are made."""


@dataclass(frozen=True)
class Learning:
    """How the regressor learns.

    Attributes:
        batch: faces a step. real: share of photos among them.
        alignment: steps of the first phase.
        drawn: faces drawn in a step of the second. recognised: of these, also compared by identity and content.
            again: of these, also drawn in a random view. photos_drawn: share of photos among the drawn.
        jitter: pixels of the crop by which landmarks are shifted at random, each.
        only: names of the heads to train, with everything else left as it is; empty for all.
        weights: of the losses.
        seed: of the first weights and of what each step learns from.
    """

    batch: int = 128
    real: float = 0.2
    alignment: int = 3000
    drawn: int = 6
    recognised: int = 2
    again: int = 1
    photos_drawn: float = 0.5
    jitter: float = 0.7
    only: tuple[str, ...] = ()
    weights: Weights = field(default_factory=Weights)
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.drawn <= self.batch or min(self.recognised, self.again, self.alignment) < 0:
            raise ValueError("a batch has at least the faces that are drawn, and counts are not negative")
        if self.recognised > self.drawn:
            raise ValueError("only faces that are drawn can be recognised")


class RegressorTask:
    """See `engine.training.perception.loop.Task`.

    Args:
        description: of the network, see `describe_regressor`.
        train: renders and photos; held_out: renders never learnt from.
        features: of `train` and of `held_out`, for a pooled network, see `features_of`; None for others.
        start: weights to begin with; heads of other shapes (another texture model's) begin at zero.
    """

    model: nn.Module

    def __init__(
        self,
        head: HeadModel,
        recogniser: Recogniser,
        texture: TextureModel | None,
        description: Mapping[str, object],
        train: Examples,
        held_out: Examples,
        features: tuple[Tensor, Tensor] | None,
        learning: Learning,
        device: str = "cpu",
        start: Path | None = None,
    ) -> None:
        torch.manual_seed(learning.seed)
        self.head, self.learning, self.device = head, learning, device
        self.recogniser = recogniser.to(device)
        self.train, self.held_out = train, held_out
        self.network = build_regressor(dict(description)).to(device)
        self.model = self.network
        self.photos, self.renders = np.flatnonzero(~train.known), np.flatnonzero(train.known)
        self.features = features
        if isinstance(self.network, PooledNetwork) and features is not None:
            photos = features[0][self.photos].float() if len(self.photos) else None
            points = torch.tensor(train.landmarks)
            self.network.standardise(features[0][self.renders].float(), photos, points)
        if start is not None:
            begin_with(self.network, start)
        if learning.only:
            for name, weight in self.network.named_parameters():
                weight.requires_grad_(name.split(".")[1] in learning.only and name.startswith("heads."))
        self.shapes = Shapes(head, device)
        self.pictures = Pictures(
            self.shapes, self.recogniser, None if texture is None else texture.to(device), learning.weights
        )

    def batch(self, step: int) -> Batch:
        """See `Task.batch`."""
        learning, rng = self.learning, np.random.default_rng((self.learning.seed, step))
        drawn = learning.drawn if step >= learning.alignment else 0
        real = round(learning.real * (learning.batch - drawn)) if len(self.photos) else 0
        first = round(learning.photos_drawn * drawn) if len(self.photos) else 0
        counts = ((self.photos, first), (self.renders, drawn - first), (self.photos, real))
        rest = learning.batch - drawn - real
        rows = np.concatenate([rng.choice(of, count) for of, count in (*counts, (self.renders, rest))])
        rows[:drawn] = rng.permutation(rows[:drawn])
        return self._batch(self.train, rows, drawn, int(rng.integers(1 << 31)), rng)

    def _batch(
        self, examples: Examples, rows: NDArray[np.intp], drawn: int, seed: int, rng: np.random.Generator | None
    ) -> Batch:
        """Examples as tensors; with chance, their landmarks jittered."""

        def tensor(values: NDArray) -> Tensor:
            return torch.tensor(values).to(self.device)

        landmarks = examples.landmarks[rows]
        if rng is not None:
            landmarks = landmarks + rng.normal(0, self.learning.jitter, landmarks.shape).astype(np.float32)
        return Batch(
            seen=self._seen(examples, rows),
            landmarks=tensor(landmarks),
            wanted=tensor(examples.wanted[rows]),
            known=tensor(examples.known[rows]),
            identity=tensor(examples.identity[rows]),
            expression=tensor(examples.expression[rows]),
            rotation=tensor(examples.rotation[rows]),
            translation=tensor(examples.translation[rows]),
            log_focal=tensor(examples.log_focal[rows]),
            images=images_of(examples, rows[:drawn]).to(self.device),
            masks=tensor(examples.masks[rows[:drawn]]).float() / 255,
            seed=seed,
        )

    def _seen(self, examples: Examples, rows: NDArray[np.intp]) -> tuple[Tensor, ...]:
        known = torch.tensor(examples.known[rows])
        if isinstance(self.network, PooledNetwork):
            if self.features is None:
                features = pooled(self.recogniser, images_of(examples, rows).to(self.device))
            else:
                features = self.features[0 if examples is self.train else 1][rows].float().to(self.device)
            known = known.to(self.device)[:, None]
            kinds = (self.network.standard(features, "renders"), self.network.standard(features, "photos"))
            return (torch.where(known, *kinds),)
        return self.network.see(self.recogniser, images_of(examples, rows).to(self.device))

    def loss(self, batch: Batch) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """See `Task.loss`."""
        learning = self.learning
        found = self.network(batch.seen, batch.landmarks).single()
        with torch.autocast(torch.device(self.device).type, enabled=False):
            terms = alignment(self.shapes, found, batch, learning.weights)
            terms |= supervised(self.shapes, found, batch, learning.weights)
            if len(batch.images):
                terms |= self.pictures.terms(found, batch, learning.recognised, learning.again)
        total = torch.stack(list(terms.values())).sum()
        return total, {name: value.detach() for name, value in terms.items()}

    def validate(self) -> Mapping[str, float]:
        """See `Task.validate`."""
        found = []
        for start in range(0, len(self.held_out), CHUNK):
            rows = np.arange(start, min(start + CHUNK, len(self.held_out)))
            batch = self._batch(self.held_out, rows, 0, 0, None)
            answers = self.network(batch.seen, batch.landmarks)
            found += [errors(self.head, answers, number, self.held_out, int(row)) for number, row in enumerate(rows)]
        return mean_figures(found)


def images_of(examples: Examples, rows: NDArray[np.intp]) -> Tensor:
    """(B,3,SIDE,SIDE) sRGB 0..1."""
    if not len(rows):
        return torch.zeros(0, 3, 1, 1)
    images = np.stack([examples.image(int(row)) for row in rows])
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def features_of(recogniser: Recogniser, examples: Examples) -> Tensor:
    """(N,F) float16 what `PooledNetwork` sees of examples, for training that does not look at pictures anew."""
    device = next(recogniser.network.parameters()).device
    parts = []
    for start in range(0, len(examples), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(examples)))
        parts.append(pooled(recogniser, images_of(examples, rows).to(device)).half().cpu())
    return torch.cat(parts)


def begin_with(network: Regressor, path: Path) -> None:
    """Take over weights of a file; a head of another shape, or that the file has not, stays as it is.

    Raises:
        ModelFileError: the file is missing or damaged.
    """
    state, own = read_weights(path)[1], network.state_dict()
    same = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
    network.load_state_dict(own | same)
