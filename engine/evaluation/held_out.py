"""Labelled pictures to measure on, as a camera would have taken them, and the units of their errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..errors import ModelFileError
from ..heads.model import HeadModel
from ..perception.crop import OUTER_CORNERS, Window
from ..training.synthetic.lens import spoil
from ..training.synthetic.shards import Shard, read_shard

SPOILT = 0.5
"""How much a camera's faults are put on the pictures, as in calibration; see `engine.training.synthetic.lens`."""
YAW_EDGES = (0.0, 30.0, 60.0, 90.0)
YAW_BINS = tuple(f"{low:.0f}-{high:.0f}°" for low, high in pairwise(YAW_EDGES))


@dataclass(frozen=True)
class HeldOut:
    """One picture of side S and what is true of it.

    Attributes:
        name: file and number.
        image: (S,S,3) uint8 sRGB.
        camera: of the picture.
        identity: (K,). expression: (E,). angles: (3,) degrees.
        visible: (V,) bool, head vertices that are seen.
        regions: (S/2,S/2) uint8. depth: (S/2,S/2) metres behind the head's origin, infinite in the background.
    """

    name: str
    image: NDArray[np.uint8]
    camera: Camera
    identity: NDArray[np.float32]
    expression: NDArray[np.float32]
    angles: NDArray[np.float32]
    visible: NDArray[np.bool_]
    regions: NDArray[np.uint8]
    depth: NDArray[np.float32]

    @property
    def window(self) -> Window:
        """All of the picture."""
        return Window(np.array([self.camera.width, self.camera.height]) / 2, float(self.camera.width))

    @property
    def metres_per_pixel(self) -> float:
        """At the depth of the head's origin."""
        return float(self.camera.world_to_camera[2, 3] / self.camera.K[0, 0])

    @property
    def yaw_bin(self) -> int:
        """Which of `YAW_BINS`."""
        return yaw_bin(float(self.angles[0]))


def yaw_bin(yaw: float) -> int:
    """Which of `YAW_BINS` an angle in degrees, to either side, belongs to."""
    return int(np.clip(np.searchsorted(YAW_EDGES, abs(yaw), side="right") - 1, 0, len(YAW_BINS) - 1))


def interocular(head: HeadModel, picture: HeldOut) -> float:
    """Pixels: the distance in space of the posed head's outer eye corners, as long as it looks at the depth of the
    head's origin. Turning the head does not shorten it."""
    posed = head.shape(picture.identity, picture.expression)
    corners = head.embeddings["mediapipe"].positions(posed, head.faces)[list(OUTER_CORNERS)]
    return float(np.linalg.norm(corners[0] - corners[1])) / picture.metres_per_pixel


def true_points(head: HeadModel, picture: HeldOut, vertices: NDArray) -> NDArray[np.float64]:
    """(N,3) pixels and relative depth in them, as `engine.perception.dense.DensePoints` has them."""
    places = head.shape(picture.identity, picture.expression)[vertices]
    behind = picture.camera.to_camera(places)[:, 2] - picture.camera.world_to_camera[2, 3]
    return np.column_stack([picture.camera.project(places), behind / picture.metres_per_pixel])


def read_held_out(folder: Path, most: int | None = None, seed: int = 0, spoilt: float = SPOILT) -> list[HeldOut]:
    """Pictures of a folder of shards, spread over all of them; the same every time.

    Args:
        folder: with files that `python -m engine.training synthesize` wrote.
        most: take so many.
        seed: of the camera's faults. spoilt: how strong these are, 0 for none.
    Raises:
        ModelFileError: there are none.
    """
    shards = [(path.stem, read_shard(path)) for path in sorted(folder.glob("*.npz"))]
    places = [(name, shard, number) for name, shard in shards for number in range(len(shard))]
    if not places:
        raise ModelFileError(f"There are no synthetic pictures in {folder}.", "Draw some: see docs/training.md.")
    chosen = np.unique(np.linspace(0, len(places) - 1, min(most or len(places), len(places))).round().astype(int))
    pictures = []
    for index in chosen.tolist():
        name, shard, number = places[index]
        pictures.append(_picture(name, shard, number, np.random.default_rng((seed, index)), spoilt))
    return pictures


def _picture(name: str, shard: Shard, number: int, rng: np.random.Generator, spoilt: float) -> HeldOut:
    image = shard.image(number)
    return HeldOut(
        name=f"{name}/{number}",
        image=spoil(image, rng, spoilt) if spoilt > 0 else image,
        camera=shard.cameras[number],
        identity=shard.identity[number],
        expression=shard.expression[number],
        angles=shard.angles[number],
        visible=shard.visible[number],
        regions=shard.regions[number],
        depth=shard.depth[number].astype(np.float32),
    )


def by_person(pictures: Sequence[HeldOut]) -> list[list[HeldOut]]:
    """Pictures with one and the same identity together, in order of appearance."""
    people: dict[bytes, list[HeldOut]] = {}
    for picture in pictures:
        people.setdefault(picture.identity.tobytes(), []).append(picture)
    return list(people.values())
