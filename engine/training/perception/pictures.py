"""Labelled pictures as examples: drawn from shards, moved, mirrored and spoilt anew each time they are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelFileError
from ...heads.model import HeadModel
from ...perception.dense import PointSet
from ...perception.networks.points import SIDE
from ..synthetic.lens import spoil
from ..synthetic.shards import Shard, read_shard


@dataclass(frozen=True)
class Example:
    """One crop and what is true of it, N points.

    Attributes:
        image: (256,256,3) uint8 sRGB.
        points: (N,3) pixels of the crop, and relative depth in the same pixels, zero at the head's origin.
        visible: (N,) 0..1.
    """

    image: NDArray[np.uint8]
    points: NDArray[np.float32]
    visible: NDArray[np.float32]


class PointLabels:
    """The true points of a head's pictures.

    Args:
        head: the model.
        which: the points.
    """

    def __init__(self, head: HeadModel, which: PointSet) -> None:
        self.which, self.points, self.mirror = which, which.vertices, which.mirror
        points = which.vertices
        self.mean = head.vertices[points].astype(np.float32)
        self.identity = np.ascontiguousarray(head.identity_basis[:, points].reshape(len(head.identity_basis), -1))
        self.expression = np.ascontiguousarray(head.expression_basis[:, points].reshape(len(head.expression_basis), -1))

    def places(self, identity: NDArray, expression: NDArray) -> NDArray[np.float32]:
        """(N,3) metres, head space."""
        moved = identity @ self.identity + expression @ self.expression
        return self.mean + moved.reshape(-1, 3).astype(np.float32)

    def seen(self, identity: NDArray, expression: NDArray, K: NDArray, view: NDArray) -> NDArray[np.float32]:
        """(N,3) pixels and relative depth through a camera."""
        points = self.places(identity, expression) @ view[:3, :3].T + view[:3, 3]
        flat = points[:, :2] / points[:, 2:] @ K[:2, :2].T + K[:2, 2]
        depth = (points[:, 2] - view[2, 3]) * (K[0, 0] / view[2, 3])
        return np.column_stack([flat, depth]).astype(np.float32)


class SyntheticPictures:
    """All pictures of some shards.

    Args:
        paths: shards.
        labels: of their head.
    Raises:
        ModelFileError: there are none.
    """

    def __init__(self, paths: Sequence[Path], labels: PointLabels) -> None:
        if not paths:
            raise ModelFileError("There are no synthetic pictures to learn from.", "Draw some: see docs/training.md.")
        self.labels = labels
        self.shards: list[Shard] = [read_shard(path) for path in paths]
        self.places = np.array([(s, n) for s, shard in enumerate(self.shards) for n in range(len(shard))])

    def __len__(self) -> int:
        return len(self.places)

    def example(self, index: int) -> Example:
        """The picture as it was drawn."""
        shard, number = self.shard(index)
        camera = shard.cameras[number]
        seen = self.labels.seen(shard.identity[number], shard.expression[number], camera.K, camera.world_to_camera)
        return Example(shard.image(number), seen, shard.visible[number][self.labels.points].astype(np.float32))

    def shard(self, index: int) -> tuple[Shard, int]:
        """The picture's shard and its number there."""
        shard, number = self.places[index]
        return self.shards[shard], int(number)


def varied(example: Example, labels: PointLabels, rng: np.random.Generator, strength: float = 1.0) -> Example:
    """The example as another crop of another camera would show it.

    Args:
        strength: of the camera's faults, see `spoil`.
    """
    import cv2

    matrix, flipped = random_motion(rng)
    image = cv2.warpAffine(
        example.image, pixel_centred(matrix), (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    points, visible = moved(example.points, matrix), example.visible
    if flipped:
        points, visible = points[labels.mirror], visible[labels.mirror]
    inside = (points[:, :2] >= 0).all(1) & (points[:, :2] < SIDE).all(1)
    return Example(spoil(np.asarray(image, np.uint8), rng, strength), points, visible * inside)


def random_motion(rng: np.random.Generator, side: float = SIDE) -> tuple[NDArray[np.float64], bool]:
    """(2,3) from a picture of some side to a crop of 256 pixels, and whether it mirrors."""
    turn, scale = np.radians(rng.normal(0, 7)), SIDE / side * np.exp(rng.normal(0, 0.08))
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    flipped = bool(rng.random() < 0.5)
    if flipped:
        linear[0] *= -1
    shift = SIDE / 2 + rng.normal(0, 0.02 * SIDE, 2) - linear @ np.array([side / 2, side / 2])
    return np.column_stack([linear, shift]), flipped


def moved(points: NDArray, matrix: NDArray) -> NDArray[np.float32]:
    """Points (N,3) after a motion (2,3) of the picture; depth grows with the picture."""
    scale = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    flat = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    return np.column_stack([flat, points[:, 2] * scale]).astype(np.float32)


def pixel_centred(matrix: NDArray) -> NDArray[np.float64]:
    """The same motion for OpenCV, which counts pixel centres from 0 instead of 0.5."""
    shift = matrix[:, 2] + 0.5 * matrix[:, :2].sum(1) - 0.5
    return np.column_stack([matrix[:, :2], shift])
