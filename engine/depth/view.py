"""What depth is worked out from: the part of a photo around a head, what was seen in it, and the head fitted to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..errors import FaceError
from ..fitting.result import HeadFit
from ..heads.model import HeadModel
from ..media.photo import Photo
from ..perception.observation import FaceObservation, Masks
from ..perception.parts import PartsObservation

Floats = NDArray[np.float32]
BESIDE, ABOVE, BELOW = 1.7, 1.0, 1.7
"""How far around the face's box the depth reaches, times the box's height: the person's hair and shoulders."""
PERSON = 0.5
"""Least probability of a pixel that belongs to the person."""
RAGGED = 0.002
"""Metres: the outline has no finer tatters than these."""
SMALLEST_FACE = 24
"""Pixels of the face's height, as it is worked on, below which there is no depth to tell."""


@dataclass(frozen=True)
class View:
    """A part of a photo at the resolution it is worked on, h x w pixels.

    Attributes:
        pixels: (h,w,3) uint8 sRGB.
        camera: of these pixels; its world is the head's frame.
        person, skin, hair, eyes, mouth: (h,w) 0..1; mouth is what is seen between the lips.
        parts: what the parts network saw, its window in these pixels; None where it cannot be used.
        head: the model. vertices: (V,3) metres, the head as it is in the photo. joints: (J,3) metres, of it.
        origin: (2,) x, y of the part in the photo, pixels. factor: pixels here over the photo's.
        frames: (h,w) 0..1, of glasses; None where there are none.
    """

    pixels: NDArray[np.uint8]
    camera: Camera
    person: Floats
    skin: Floats
    hair: Floats
    eyes: Floats
    mouth: Floats
    parts: PartsObservation | None
    head: HeadModel
    vertices: NDArray[np.float32]
    joints: NDArray[np.float32]
    origin: NDArray[np.int64]
    factor: float
    frames: Floats | None = None

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """(h,w) the piece of the person that the face is in."""
        import cv2

        smooth = cv2.GaussianBlur(self.person, (0, 0), max(RAGGED / self.metres, 0.5))
        _, labels = cv2.connectedComponents((smooth > PERSON).astype(np.uint8), connectivity=4)
        face = (self.skin + self.eyes > PERSON) & (labels > 0)
        if not face.any():
            return np.zeros(labels.shape, bool)
        return np.asarray(labels == np.bincount(labels[face]).argmax())

    @property
    def shape(self) -> tuple[int, int]:
        """(h, w)."""
        return self.camera.height, self.camera.width

    @property
    def reference(self) -> float:
        """Metres from the camera to the middle of the head's face."""
        return float(np.median(self.camera.to_camera(self.vertices[self.head.regions["face"]])[:, 2]))

    @property
    def metres(self) -> float:
        """Across a pixel at the face."""
        return self.reference / float(self.camera.K[0, 0])


@dataclass(frozen=True)
class Frame:
    """The part of a photo that is worked on.

    Attributes:
        rows, columns: of the photo.
        size: (h, w) pixels it is worked on at.
    """

    rows: slice
    columns: slice
    size: tuple[int, int]

    @property
    def factor(self) -> float:
        """Pixels worked on over the photo's."""
        return self.size[1] / (self.columns.stop - self.columns.start)


def frame_around(photo: Photo, face: FaceObservation, resolution: int) -> Frame:
    """Head and shoulders of a face, its longer side no more than `resolution` pixels, nor than the photo has.

    Raises:
        FaceError: the face is too small at that resolution.
    """
    low, high = face.box.reshape(2, 2)
    height = float(high[1] - low[1])
    middle = float(low[0] + high[0]) / 2
    left, right = (int(np.clip(middle + side * (BESIDE + 0.5) * height, 0, photo.width)) for side in (-1, 1))
    top = int(np.clip(low[1] - ABOVE * height, 0, photo.height))
    bottom = int(np.clip(high[1] + BELOW * height, 0, photo.height))
    factor = min(1.0, resolution / max(right - left, bottom - top, 1))
    if right - left < 2 or bottom - top < 2 or height * factor < SMALLEST_FACE:
        raise FaceError(
            f"The face in {photo.path.name} is {height * factor:.0f} pixels high, too small for depth.",
            "Use a larger photo, or a higher resolution.",
        )
    size = max(2, round((bottom - top) * factor)), max(2, round((right - left) * factor))
    return Frame(slice(top, bottom), slice(left, right), size)


def make_view(
    photo: Photo, masks: Masks, parts: PartsObservation | None, head: HeadModel, fit: HeadFit, frame: Frame
) -> View:
    """The part of a photo to work on.

    Raises:
        FaceError: no person is seen around the face.
    """
    origin = np.array([frame.columns.start, frame.rows.start])
    K = fit.camera.K.copy()
    K[:2, 2] -= origin
    K[0] *= frame.factor
    K[1] *= frame.size[0] / (frame.rows.stop - frame.rows.start)
    camera = Camera(K, fit.camera.world_to_camera, frame.size[1], frame.size[0])

    def cut(values: NDArray) -> NDArray:
        return resized(values[frame.rows, frame.columns], frame.size)

    if parts is not None:
        window = parts.window
        window = replace(window, centre=(window.centre - origin) * frame.factor, side=window.side * frame.factor)
        parts = replace(parts, window=window)
    view = View(
        cut(photo.pixels).astype(np.uint8), camera, cut(masks.person), cut(masks.skin), cut(masks.hair),
        cut(masks.eyes), cut(masks.inner_mouth), parts, head, fit.posed, fit.joints, origin, frame.factor,
        None if masks.frames is None else cut(masks.frames),
    )  # fmt: skip
    if not view.mask.any():
        raise FaceError(
            f"The person in {photo.path.name} cannot be told from the background.",
            "Use a photo with more contrast, or with a transparent background.",
        )
    return view


def resized(values: NDArray, size: tuple[int, int]) -> NDArray:
    """A map (H,W) or picture (H,W,3) at another size (h, w), without aliasing."""
    import cv2

    smaller = size[0] <= values.shape[0]
    kind = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(values), (size[1], size[0]), interpolation=kind))
