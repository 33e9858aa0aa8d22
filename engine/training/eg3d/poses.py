"""From where the generated heads are seen: the mix of the thesis "eg3d_supervised", section 4.2, table 4.1."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...eg3d.camera import FOCAL, orbit_label
from ...eg3d.config import Rendering

KINDS = ("frontal", "side", "profile", "neck")
"""Frontal, turned by up to `SIDE`, turned further, and frontal with the neck in the picture."""
SIDE, PROFILE = 70.0, 90.0
"""Degrees of yaw at which side views end and profiles begin, and the furthest of these."""
NECK_FOCAL = 0.65 * FOCAL
"""Of the views with the neck: nearly the whole cube is seen. The thesis shows such pictures and gives no number."""
CYCLE = 100
"""So many pictures in a row have exactly the mix, in an order of their own."""
TRAINING, HELD_OUT = 0, 1
"""Streams of random numbers: held-out pictures share none with those that training sees."""


@dataclass(frozen=True)
class Mix:
    """How many pictures in a hundred are of each of `KINDS`."""

    frontal: int = 70
    side: int = 12
    profile: int = 6
    neck: int = 12

    def __post_init__(self) -> None:
        if sum(self.shares) != CYCLE or min(self.shares) < 0:
            raise ValueError(f"the shares {self.shares} do not add up to {CYCLE}")

    @property
    def shares(self) -> tuple[int, ...]:
        """In the order of `KINDS`."""
        return self.frontal, self.side, self.profile, self.neck


PUBLISHED = (Mix(), Mix(80, 5, 5, 10))
"""Of the training and of the validation set, by stream."""


@dataclass(frozen=True, eq=False)
class Pose:
    """A camera.

    Attributes:
        kind: index in `KINDS`. yaw, pitch: degrees. label: (25,) float32.
    """

    kind: int
    yaw: float
    pitch: float
    label: NDArray[np.float32]


@lru_cache(maxsize=8)
def _order(mix: Mix, seed: int, stream: int, cycle: int) -> tuple[int, ...]:
    kinds = np.repeat(np.arange(len(KINDS)), mix.shares)
    return tuple(np.random.default_rng((seed, stream, 0, cycle)).permutation(kinds).tolist())


def kind_of(number: int, seed: int, stream: int) -> int:
    """Index in `KINDS` of a picture, see `pose_of`."""
    return _order(PUBLISHED[stream], seed, stream, number // CYCLE)[number % CYCLE]


def pose_of(number: int, seed: int, stream: int, how: Rendering, jitter: float = 0.0) -> Pose:
    """The camera of a picture.

    Args:
        number: of the picture, from 0. stream: `TRAINING` or `HELD_OUT`.
        how: the generator's radius and pivot.
        jitter: degrees, standard deviation of yaw and pitch added to every camera; none as published.
    """
    kind = kind_of(number, seed, stream)
    rng = np.random.default_rng((seed, stream, 1, number))
    yaw = rng.uniform(-SIDE, SIDE)
    if KINDS[kind] == "profile":
        yaw = np.copysign(rng.uniform(SIDE, PROFILE), yaw)
    elif KINDS[kind] != "side":
        yaw = 0.0
    more, pitch = jitter * rng.standard_normal(2)
    focal = NECK_FOCAL if KINDS[kind] == "neck" else FOCAL
    return Pose(kind, float(yaw + more), float(pitch), orbit_label(yaw + more, pitch, how, focal))
