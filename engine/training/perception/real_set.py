"""The file of real portraits: what is in it, and how it is read. `real` makes it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...camera import Camera
from ...errors import ModelFileError, OutputError
from ...fitting.deform import smooth_deformation
from ...fitting.size import growth
from ...heads.model import HeadModel

CROP_SIDE, MASK_SIDE = 320, 160  # pixels
MASKS = ("person", "skin", "hair", "eyes", "inner_mouth", "frames", "teacher_hair", "inside")
"""Layers of `RealPictures.masks`. The first six are the engine's; "teacher_hair" is of the hair network and mostly
the better one: braids, thin hair, bald heads and hats; it misses some white hair and takes a few bald crowns for hair.
"inside" is 0 beyond the photo's border."""


@dataclass(frozen=True)
class RealPictures:
    """N upright crops of 320 px with a face over 0.4 of the side, and what the engine sees in them.

    Attributes:
        names: (N,) paths within the folder of pictures.
        validation: (N,) bool, never to be learnt from: people seen twice, and the photos.
        pairs: (P,2) int32 numbers of two pictures of one person.
        jpeg: bytes of all JPEG files, one after the other. ends: (N,) where each ends.
        windows: (N,4) centre x, y, side (pixels) and roll (radians) in the photo.
        photo_sizes: (N,2) width, height.
        K: (N,3,3), views: (N,4,4) the fitted cameras of the crops.
        identity: (N,K), expression: (N,E), deformation: (N,D) the fitted heads, see `posed`.
        errors: (N,) mean reprojection error of the fit over the inter-ocular distance.
        landmarks: (N,478,3) MediaPipe's points, crop pixels and depth in them.
        masks: (N,M,160,160) uint8, 255 is certain; see `MASKS`.
    """

    names: NDArray[np.str_]
    validation: NDArray[np.bool_]
    pairs: NDArray[np.int32]
    jpeg: NDArray[np.uint8]
    ends: NDArray[np.int64]
    windows: NDArray[np.float64]
    photo_sizes: NDArray[np.int32]
    K: NDArray[np.float64]
    views: NDArray[np.float64]
    identity: NDArray[np.float32]
    expression: NDArray[np.float32]
    deformation: NDArray[np.float32]
    errors: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    masks: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.names)

    def image(self, number: int) -> NDArray[np.uint8]:
        """(320,320,3) uint8 sRGB."""
        import cv2

        start = self.ends[number - 1] if number else 0
        pixels = cv2.imdecode(self.jpeg[start : self.ends[number]], cv2.IMREAD_COLOR)
        return np.ascontiguousarray(pixels[..., ::-1], np.uint8)

    def camera(self, number: int) -> Camera:
        """The fitted camera of the crop."""
        return Camera(self.K[number], self.views[number], CROP_SIDE, CROP_SIDE)

    def posed(self, head: HeadModel, number: int) -> NDArray[np.float32]:
        """(V,3) metres: the fitted head with its expression."""
        identity = self.identity[number]
        refinement = np.tensordot(self.deformation[number], smooth_deformation(head).basis, 1)
        refinement -= growth(head).of(identity, head.vertices)
        return (head.shape(identity, self.expression[number]) + refinement).astype(np.float32)

    def write(self, path: Path) -> None:
        """Store as compressed npz.

        Raises:
            OutputError: the file cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(path, **{entry.name: getattr(self, entry.name) for entry in fields(self)})
        except OSError as error:
            raise OutputError(f"{path} cannot be written ({error}).", "Choose another folder.") from error


def read_real(path: Path) -> RealPictures:
    """Read what `RealPictures.write` wrote.

    Raises:
        ModelFileError: the file is missing, damaged or of another kind.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return RealPictures(**{entry.name: stored[entry.name] for entry in fields(RealPictures)})
    except (OSError, KeyError, ValueError) as error:
        cure = "Make it with `python -m engine.training portraits`."
        raise ModelFileError(f"{path} holds no real pictures ({error}).", cure) from error
