"""Real portraits as examples: what the engine already sees of them, believed as far as it deserves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelFileError
from ...heads.model import HeadModel
from ...perception.networks.points import SIDE
from ..synthetic.lens import spoil
from .parts import REAL_GROUPS
from .pictures import PointLabels, moved, pixel_centred, random_motion
from .real_set import CROP_SIDE, MASK_SIDE, MASKS, RealPictures, read_real

DOUBT = (("skin", 12.0), ("face", 5.0), ("nose", 3.0), ("brows", 3.0), ("eyelids", 1.5), ("lips", 1.5), ("eye", 1.2))
"""Pixels of the crop by which a fitted point may be off across the view; a later region overrules an earlier one.
MediaPipe settles the contours of eyes and lips; what lies between is what the fit made of them."""
DEPTH_DOUBT = 10.0
"""Pixels along the view."""
GOOD_FIT = 0.03
"""Mean reprojection error over the inter-ocular distance; what is worse teaches nothing."""


@dataclass(frozen=True)
class PortraitCrop:
    """A crop of a portrait, N points.

    Attributes:
        image: (256,256,3) uint8. points: (N,3) pixels. doubt: (N,2) pixels.
        back: (2,3) from the crop back to the portrait.
        order: (N,) where each point stands among the network's, which see a mirrored crop mirrored.
    """

    image: NDArray[np.uint8]
    points: NDArray[np.float32]
    doubt: NDArray[np.float32]
    back: NDArray[np.float32]
    order: NDArray[np.int64]


class Portraits:
    """The portraits of a file that may be learnt from.

    Args:
        path: see `real_set`.
        head: the model that was fitted to them.
        labels: the points.
    Raises:
        ModelFileError: the file is missing or damaged.
        ModelFileError: no portrait in it may be learnt from.
    """

    def __init__(self, path: Path, head: HeadModel, labels: PointLabels) -> None:
        self.real: RealPictures = read_real(path)
        self.labels = labels
        self.chosen = np.flatnonzero(~self.real.validation & (self.real.errors < GOOD_FIT))
        if not len(self.chosen):
            raise ModelFileError(f"No portrait of {path} may be learnt from.", "Prepare more portraits.")
        self.points = np.array([self._points(head, int(number)) for number in self.chosen])
        across = np.full(len(labels.points), DOUBT[0][1], np.float32)
        for name, pixels in DOUBT:
            across[head.regions[name][labels.points]] = pixels
        self.doubt = np.column_stack([across, np.maximum(across, DEPTH_DOUBT)]).astype(np.float32)

    def _points(self, head: HeadModel, number: int) -> NDArray[np.float32]:
        """(N,3) of the fitted head, pixels of the portrait's crop and relative depth in them."""
        camera = self.real.camera(number)
        places = self.real.posed(head, number)[self.labels.points]
        distance = camera.world_to_camera[2, 3]
        depth = (camera.to_camera(places)[:, 2] - distance) * (camera.K[0, 0] / distance)
        return np.column_stack([camera.project(places), depth]).astype(np.float32)

    def pair(self, rng: np.random.Generator) -> tuple[PortraitCrop, PortraitCrop]:
        """Two crops of one portrait, spoilt differently."""
        which = int(rng.integers(len(self.chosen)))
        image = self.real.image(int(self.chosen[which]))
        return self._crop(image, which, rng), self._crop(image, which, rng)

    def _crop(self, image: NDArray[np.uint8], which: int, rng: np.random.Generator) -> PortraitCrop:
        import cv2

        matrix, flipped = random_motion(rng, CROP_SIDE * 0.85)
        matrix[:, 2] -= matrix[:, :2] @ np.full(2, CROP_SIDE * 0.075)
        cut = cv2.warpAffine(
            image, pixel_centred(matrix), (SIDE, SIDE), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
        )
        points, order = moved(self.points[which], matrix), np.arange(len(self.labels.points))
        doubt = self.doubt
        if flipped:
            points, order = points[self.labels.mirror], self.labels.mirror
            doubt = doubt[self.labels.mirror]
        back = cv2.invertAffineTransform(matrix).astype(np.float32)
        return PortraitCrop(spoil(np.asarray(cut, np.uint8), rng, 0.7), points, doubt, back, order)

    def masks(
        self, rng: np.random.Generator, side: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
        """A crop (side,side,3), how probable each of `REAL_GROUPS` is (G,side,side), and how much to believe that."""
        import cv2

        number = int(self.chosen[rng.integers(len(self.chosen))])
        matrix, _ = random_motion(rng, CROP_SIDE * 0.85)
        matrix[:, 2] -= matrix[:, :2] @ np.full(2, CROP_SIDE * 0.075)
        how = {"borderMode": cv2.BORDER_REPLICATE}
        cut = cv2.warpAffine(self.real.image(number), pixel_centred(matrix), (SIDE, SIDE), **how)
        image = cv2.resize(spoil(np.asarray(cut, np.uint8), rng, 0.7), (side, side), interpolation=cv2.INTER_AREA)
        shrink, grow = side / SIDE, CROP_SIDE / MASK_SIDE
        small = np.column_stack([matrix[:, :2] * (shrink * grow), matrix[:, 2] * shrink])
        layers = np.ascontiguousarray(self.real.masks[number].transpose(1, 2, 0))
        cut_layers = cv2.warpAffine(layers, pixel_centred(small), (side, side), **how)
        layer = dict(zip(MASKS, np.asarray(cut_layers, np.float32).transpose(2, 0, 1) / 255, strict=True))
        layer["hair"], agreed = 0.5 * (layer["hair"] + layer["teacher_hair"]), layer["hair"] - layer["teacher_hair"]
        believed = {"hair": 1 - np.abs(agreed), "skin": 1 - layer["frames"]}
        groups = np.stack([layer[name] for name in REAL_GROUPS])
        weights = np.stack([believed.get(name, np.ones_like(agreed)) * layer["inside"] for name in REAL_GROUPS])
        return np.asarray(image, np.uint8), groups, weights
