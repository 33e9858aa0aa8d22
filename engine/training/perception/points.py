"""Training the dense-points network: on synthetic faces, and on real portraits as far as they can teach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import log, pi
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as nnf

from ...perception.networks.points import SIDE, PointsNetwork, PointsOutput
from ...perception.networks.weights import channels_last, take_over
from ..synthetic.background import random_background
from ..synthetic.lens import spoil
from .pictures import Example, PointLabels, SyntheticPictures, varied
from .portraits import Portraits
from .start import fit_mesh, start_network

STATISTICS_OF = 2000
"""Examples whose points give the mean and the principal components to start from."""
MESH_FITTED_TO = 1200
"""Examples on which MediaPipe's points are turned into the coarse answer to start from."""
YAW_BINS = (0.0, 30.0, 60.0, 90.0)


@dataclass(frozen=True)
class PointsConfig:
    """What the points network learns from.

    Attributes:
        batch: crops in a step.
        real: share of them from portraits, in pairs of one portrait; 0 without portraits.
        empty: share of them without a face.
        spoil: how strongly cameras spoil the pictures, see `engine.training.synthetic.lens`.
        frozen: first stages of the backbone that stay as MediaPipe has them: most of the time goes there.
        coarse, absolute, visible, face, agree: weights of the losses beside the likelihood, see `points_loss`.
        seed: of every draw.
    """

    batch: int = 32
    real: float = 0.25
    empty: float = 0.04
    spoil: float = 1.0
    frozen: int = 0
    coarse: float = 0.02
    absolute: float = 0.02
    visible: float = 0.2
    face: float = 0.2
    agree: float = 0.05
    seed: int = 0


@dataclass(frozen=True)
class PointsBatch:
    """B crops, the last 2R of which are pairs of crops of one portrait each.

    Attributes:
        images: (B,256,256,3) uint8. points: (B,N,3) pixels.
        doubt: (B,N,2) standard deviation of the labels across the view and along it, pixels; infinite: no label.
        visible: (B,N) 0..1, NaN where nobody knows.
        face: (B,) 1 where there is a face.
        back: (2R,2,3) from the crops of portraits back to what they were cut from.
        order: (2R,N) where each point stands among the network's, which differs in mirrored crops.
    """

    images: Tensor
    points: Tensor
    doubt: Tensor
    visible: Tensor
    face: Tensor
    back: Tensor
    order: Tensor


class PointsTask:
    """See `engine.training.perception.loop.Task`.

    Args:
        labels: of the head.
        pictures, held_out: to learn from, and to measure on.
        portraits: real ones, or None.
        device: where torch runs.
        start: weights to go on from; None: MediaPipe's.
    """

    def __init__(
        self,
        labels: PointLabels,
        pictures: SyntheticPictures,
        held_out: SyntheticPictures,
        portraits: Portraits | None,
        config: PointsConfig,
        device: str = "cpu",
        start: Path | None = None,
    ) -> None:
        self.labels, self.pictures, self.held_out, self.config = labels, pictures, held_out, config
        self.portraits = portraits if config.real > 0 else None
        torch.manual_seed(config.seed)
        model = PointsNetwork(len(labels.points))
        if start:
            take_over(model, start)
        else:
            start_network(model.backbone, model.mesh)
            model.set_statistics(*self._statistics(model.components.shape[0]))
            self._fit_mesh(model)
        for part in (model.backbone.stem, model.backbone.stem_act, *model.backbone.stages[: config.frozen]):
            part.requires_grad_(config.frozen == 0)
        self.device = device
        self.model: nn.Module = channels_last(model.to(device))

    def batch(self, step: int) -> PointsBatch:
        """Crops of a step."""
        config = self.config
        rng = np.random.default_rng((config.seed, step))
        pairs = round(config.batch * config.real / 2) if self.portraits else 0
        count = config.batch - 2 * pairs
        chosen = rng.integers(0, len(self.pictures), count)
        examples = [varied(self.pictures.example(int(index)), self.labels, rng, config.spoil) for index in chosen]
        face = np.ones(config.batch, np.float32)
        for number in np.flatnonzero(rng.random(count) < config.empty):
            examples[number] = Example(
                _nobody(examples[number].image, rng), examples[number].points, examples[number].visible
            )
            face[number] = 0.0
        doubt = np.where(face[:count, None, None] > 0, 0.0, np.inf) * np.ones((1, len(self.labels.points), 2))
        images = [example.image for example in examples]
        points = [example.points for example in examples]
        visible = [np.where(f > 0, e.visible, np.nan) for e, f in zip(examples, face, strict=False)]
        back, order = [], []
        for _ in range(pairs):
            assert self.portraits is not None
            for crop in self.portraits.pair(rng):
                images.append(crop.image)
                points.append(crop.points)
                visible.append(np.full(len(crop.points), np.nan))
                doubt = np.concatenate([doubt, crop.doubt[None]])
                back.append(crop.back)
                order.append(crop.order)
        return PointsBatch(
            torch.from_numpy(np.stack(images)),
            torch.from_numpy(np.stack(points)).float(),
            torch.from_numpy(doubt).float(),
            torch.from_numpy(np.stack(visible)).float(),
            torch.from_numpy(face),
            torch.from_numpy(np.array(back, np.float32).reshape(-1, 2, 3)),
            torch.from_numpy(np.array(order, np.int64).reshape(-1, len(self.labels.points))),
        )

    def loss(self, batch: PointsBatch) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """See `points_loss`."""
        batch = PointsBatch(*(getattr(batch, name).to(self.device) for name in batch.__dataclass_fields__))
        output = self.model(as_input(batch.images))
        return points_loss(output, batch, self.config)

    def validate(self) -> dict[str, float]:
        """Errors on held-out pictures, see `point_errors`."""
        return point_errors(self.model, self.held_out, self.device)

    def _fit_mesh(self, model: PointsNetwork) -> None:
        """Let the coarse answer start where MediaPipe's points say."""
        rng = np.random.default_rng((self.config.seed, 2 << 40))
        chosen = rng.integers(0, len(self.pictures), MESH_FITTED_TO)
        examples = [varied(self.pictures.example(int(index)), self.labels, rng, self.config.spoil) for index in chosen]
        crops = (
            as_input(torch.from_numpy(np.stack([example.image for example in examples[start : start + 16]])))
            for start in range(0, len(examples), 16)
        )
        fit_mesh(model, crops, np.stack([example.points for example in examples]))

    def _statistics(self, rank: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng((self.config.seed, 1 << 40))
        chosen = rng.integers(0, len(self.pictures), STATISTICS_OF)
        points = [moved_only(self.pictures, int(index), self.labels, rng) for index in chosen]
        flat = np.stack(points).reshape(len(points), -1)
        mean = flat.mean(0)
        _, size, directions = np.linalg.svd(flat - mean, full_matrices=False)
        scaled = directions[:rank] * (size[:rank, None] / np.sqrt(len(flat)))
        return torch.tensor(mean.reshape(-1, 3)), torch.tensor(scaled.reshape(rank, -1, 3))


def as_input(images: Tensor) -> Tensor:
    """(B,256,256,3) uint8 to the network's (B,3,256,256) 0..1."""
    return images.permute(0, 3, 1, 2).float().div(255).contiguous(memory_format=torch.channels_last)


def points_loss(output: PointsOutput, batch: PointsBatch, config: PointsConfig) -> tuple[Tensor, dict[str, Tensor]]:
    """Gaussian likelihood of points whose labels are uncertain themselves, and helpers.

    Per point with error d across the view and e along it, deviations s and t of the network and a and b of the label:
    |d|² / 2(s² + a²) + ln(s² + a²), and e² / 2(t² + b²) + ln(t² + b²) / 2 (Wood et al. 2022, eq. 1, with the label's
    variance added). Beside it: absolute errors (which pull hard while the variance is large) of the first and last
    answers; cross entropy of visibility and of there being a face; and two crops of one portrait must agree.
    """
    known = torch.isfinite(batch.doubt)
    doubt = torch.where(known, batch.doubt, 1.0)
    error = output.points - batch.points
    square = torch.stack([error[..., :2].square().sum(-1), error[..., 2].square()], -1)
    variance = (2 * output.log_deviation).exp() + doubt.square()
    axes = square.new_tensor([2.0, 1.0])
    likelihood = _mean((0.5 * square / variance + 0.5 * axes * variance.log()), known)
    sharp = (known & (doubt < 2.0))[..., :1] * known
    absolute = _mean(_lengths(error), sharp)
    coarse = _mean(_lengths(output.coarse - batch.points), sharp)
    seen = torch.isfinite(batch.visible)
    visible = _mean(
        nnf.binary_cross_entropy_with_logits(output.visible, batch.visible.nan_to_num(), reduction="none"), seen
    )
    face = nnf.binary_cross_entropy_with_logits(output.face, batch.face)
    agree = _disagreement(output, batch)
    total = likelihood + config.absolute * absolute + config.coarse * coarse
    total = total + config.visible * visible + config.face * face + config.agree * agree
    figures = {
        "likelihood": likelihood,
        "absolute": absolute,
        "coarse": coarse,
        "visible": visible,
        "face": face,
        "agree": agree,
    }
    return total, {name: value.detach() for name, value in figures.items()}


def _lengths(error: Tensor) -> Tensor:
    """(...,2) length across the view and along it."""
    return torch.stack([error[..., :2].square().sum(-1).add(1e-6).sqrt(), error[..., 2].abs()], -1)


def _mean(values: Tensor, where: Tensor) -> Tensor:
    return (values * where).sum() / where.sum().clamp_min(1)


def _disagreement(output: PointsOutput, batch: PointsBatch) -> Tensor:
    """Mean distance, pixels, of points in pairs of crops of one portrait."""
    count = len(batch.back)
    if not count:
        return output.points.new_zeros(())
    points = torch.gather(output.points[-count:, :, :2], 1, batch.order[..., None].expand(-1, -1, 2))
    flat = points @ batch.back[:, :, :2].mT + batch.back[:, None, :, 2]
    return (flat[0::2] - flat[1::2]).square().sum(-1).add(1e-6).sqrt().mean()


def moved_only(pictures: SyntheticPictures, index: int, labels: PointLabels, rng: np.random.Generator) -> NDArray:
    """(N,3) points of a picture as one more crop would show them; the picture itself is not looked at."""
    from .pictures import moved, random_motion

    shard, number = pictures.shard(index)
    camera = shard.cameras[number]
    seen = labels.seen(shard.identity[number], shard.expression[number], camera.K, camera.world_to_camera)
    matrix, flipped = random_motion(rng)
    points = moved(seen, matrix)
    return points[labels.mirror] if flipped else points


def _nobody(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A crop without a face: an invented background, or a corner or what is below the face, enlarged."""
    import cv2

    if rng.random() < 0.4:
        return spoil(random_background(SIDE, rng), rng)
    part = int(rng.integers(SIDE // 6, SIDE // 3))
    x, y = rng.choice([0, (SIDE - part) // 2, SIDE - part]), SIDE - part
    if rng.random() < 0.3:
        x, y = rng.choice([0, SIDE - part]), 0
    return spoil(np.asarray(cv2.resize(image[y : y + part, x : x + part], (SIDE, SIDE)), np.uint8), rng)


@torch.no_grad()
def point_errors(model: nn.Module, pictures: SyntheticPictures, device: str) -> dict[str, float]:
    """Figures on pictures as they were drawn.

    Returns:
        `error`: mean distance across the view as a share of the distance of the outer eye corners' vertices in 3D,
        visible points; `error_0_30` and so on by yaw; `depth`: along the view; `calibration`: root mean square of the
        error over the predicted deviation (1 is right); `likelihood`.
    """
    errors, depths, ratios, nll, yaws = [], [], [], [], []
    for start in range(0, len(pictures), 32):
        examples = [pictures.example(n) for n in range(start, min(start + 32, len(pictures)))]
        output = model(as_input(torch.from_numpy(np.stack([e.image for e in examples])).to(device)))
        error = output.points.cpu().numpy() - np.stack([e.points for e in examples])
        deviation = output.log_deviation.exp().cpu().numpy()
        for offset, (example, e, s) in enumerate(zip(examples, error, deviation, strict=True)):
            shard, number = pictures.shard(start + offset)
            camera = shard.cameras[number]
            unit = 0.09 * camera.K[0, 0] / camera.world_to_camera[2, 3]
            seen = example.visible > 0
            length = np.linalg.norm(e[seen, :2], axis=1)
            errors.append(length.mean() / unit)
            depths.append(np.abs(e[seen, 2]).mean() / unit)
            ratios.append(np.mean(length**2 / (2 * s[seen, 0] ** 2)))
            nll.append(np.mean(length**2 / (2 * s[seen, 0] ** 2) + 2 * np.log(s[seen, 0]) + log(2 * pi)))
            yaws.append(abs(shard.angles[number, 0]))
    yaw, values = np.array(yaws), np.array(errors)
    figures = {"error": float(values.mean()), "depth": float(np.mean(depths))}
    figures |= {"calibration": float(np.sqrt(np.mean(ratios))), "likelihood": float(np.mean(nll))}
    for low, high in pairwise(YAW_BINS):
        among = (yaw >= low) & (yaw <= high)
        if among.any():
            figures[f"error_{low:.0f}_{high:.0f}"] = float(values[among].mean())
    return figures
