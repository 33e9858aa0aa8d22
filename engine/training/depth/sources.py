"""Pictures with depth to learn from: samples of EG3D, or the synthetic faces that everybody can draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...eg3d.camera import METRES, origin_in_head, parts_of
from ...errors import ModelFileError
from ...heads.model import HeadModel
from ...perception.depth_scale import encode_depth, reference_depth
from ...perception.networks.parts import SIDE
from ..eg3d.shards import Samples, read_index, read_set
from ..perception.parts import UNKNOWN
from ..perception.pictures import pixel_centred, random_motion
from ..synthetic.lens import spoil
from ..synthetic.shards import Shard, read_shard

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Example:
    """A picture and how deep it is.

    Attributes:
        image: (S,S,3) uint8 sRGB.
        depth: (R,R) float32 encoded as in `engine.perception.depth_scale`.
        regions: (R,R) int64 labels of `engine.perception.regions`; `UNKNOWN` where not known.
        away: metres from the camera to the midpoint of the eyes, along the optical axis.
    """

    image: Bytes
    depth: NDArray[np.float32]
    regions: NDArray[np.int64]
    away: float


class Source(Protocol):
    """Pictures with depth.

    Attributes:
        regions: whether it is known which pixel is what.
    """

    regions: bool

    def __len__(self) -> int: ...

    def example(self, index: int) -> Example:
        """A picture as it was drawn."""
        ...


class SyntheticFaces:
    """Shards of `engine.training.synthetic`, of a head."""

    regions = True

    def __init__(self, head: HeadModel, shards: Sequence[Shard]) -> None:
        eyes = _eyeballs(head)
        self.eyes, self.eye_basis = head.joints[eyes], head.joint_identity_basis[:, eyes]
        self.places = [(shard, number) for shard in shards for number in range(len(shard))]

    def __len__(self) -> int:
        return len(self.places)

    def example(self, index: int) -> Example:
        """See `Source`."""
        shard, number = self.places[index]
        camera = shard.cameras[number]
        away = reference_depth(camera, self.eyes + np.tensordot(shard.identity[number], self.eye_basis, 1))
        depth = shard.depth[number].astype(np.float32)
        encoded = encode_depth(depth, away - float(camera.world_to_camera[2, 3]))
        return Example(shard.image(number), encoded, shard.regions[number].astype(np.int64), away)


class GeneratedHeads:
    """Samples of EG3D. Their eyes are taken to be where a mean head's are, which lies in the generator's space as the
    head of a photo does (`eg3d.photo.align_photo`); what is not head has the background's depth."""

    regions = False

    def __init__(self, head: HeadModel, samples: Sequence[Samples]) -> None:
        self.eyes = eyes_in_generator(head)
        self.places = [(part, number) for part in samples for number in range(len(part))]

    def __len__(self) -> int:
        return len(self.places)

    def example(self, index: int) -> Example:
        """See `Source`."""
        part, number = self.places[index]
        pose, _ = parts_of(part.labels[number])
        ahead = pose[:3, 2]
        reference = METRES * float(ahead @ self.eyes)
        away = METRES * float(ahead @ (self.eyes - pose[:3, 3]))
        depth = part.metres(number)
        return Example(part.image(number), encode_depth(depth, reference), np.full(depth.shape, UNKNOWN), away)


def eyes_in_generator(head: HeadModel) -> NDArray[np.float64]:
    """(3,) midpoint of a mean head's eyeballs in the generator's space, its units."""
    eyes = head.joints[_eyeballs(head)].mean(0)
    centre = head.vertices[head.regions["face"]].mean(0)
    return (np.asarray(eyes, np.float64) - origin_in_head(centre)) / METRES


def _eyeballs(head: HeadModel) -> list[int]:
    """Their joints."""
    return [head.joint_names.index(name) for name in ("eye.L", "eye.R")]


def open_source(head: HeadModel, folder: Path) -> Source:
    """The pictures of a folder: EG3D's where its index says so, else synthetic faces.

    Raises:
        ModelFileError: there are none, or a file is damaged.
    """
    if read_index(folder) is not None:
        return GeneratedHeads(head, read_set(folder)[1])
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise ModelFileError(
            f"There are no pictures with depth in {folder}.",
            "Draw some with `python -m engine.training synthesize` or `eg3d-dataset`, see docs/training.md.",
        )
    return SyntheticFaces(head, [read_shard(path) for path in paths])


@dataclass(frozen=True, eq=False)
class Crop:
    """What a network is shown of a picture, and what it should say.

    Attributes:
        image: (2 SIDE,2 SIDE,3) uint8 sRGB, with a camera's faults. clean: the same without.
        depth: (SIDE,SIDE) float32. regions: (SIDE,SIDE) int64. away: metres, see `Example`.
    """

    image: Bytes
    clean: Bytes
    depth: NDArray[np.float32]
    regions: NDArray[np.int64]
    away: float


def plain_crop(example: Example) -> Crop:
    """The whole picture as it was drawn."""
    import cv2

    image = np.asarray(cv2.resize(example.image, (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    how = {"dsize": (SIDE, SIDE), "interpolation": cv2.INTER_NEAREST}
    depth = np.asarray(cv2.resize(example.depth, **how), np.float32)
    regions = cv2.resize(example.regions.astype(np.int16), **how).astype(np.int64)
    return Crop(image, image, depth, regions, example.away)


def varied_crop(example: Example, rng: np.random.Generator, spoilt: float) -> Crop:
    """The same as another crop of another camera would show it: turned, scaled, moved, mirrored, spoilt."""
    import cv2

    side, maps = example.image.shape[0], example.depth.shape[0]
    matrix, _ = random_motion(rng, side)  # to 2 SIDE pixels
    how = {"borderMode": cv2.BORDER_REPLICATE}
    clean = cv2.warpAffine(example.image, pixel_centred(matrix), (2 * SIDE, 2 * SIDE), flags=cv2.INTER_AREA, **how)
    clean = np.asarray(clean, np.uint8)
    small = pixel_centred(np.column_stack([matrix[:, :2] * (0.5 * side / maps), 0.5 * matrix[:, 2]]))
    near = {"flags": cv2.INTER_NEAREST, **how}
    depth = cv2.warpAffine(example.depth, small, (SIDE, SIDE), **near)
    regions = cv2.warpAffine(example.regions.astype(np.int16), small, (SIDE, SIDE), **near)
    image = spoil(clean, rng, spoilt) if spoilt > 0 else clean
    return Crop(image, clean, np.asarray(depth, np.float32), regions.astype(np.int64), example.away)
