"""The part of a photo that a regressor sees, and cameras as seen from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..perception.crop import Window

if TYPE_CHECKING:
    from ..recognition.load import Recogniser

SIDE = 224
"""Pixels of the crop, as ResNets are built for; twice ArcFace's."""
SHORTEST = 0.3
"""Of the photo's longer side: no lens is taken to have a focal length below."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FaceCrop:
    """The crop of a recognition network, enlarged to `SIDE`: it shows the same, so that activations lie alike.

    A crop has a camera of its own. It stands where the photo's stands and is turned so that it looks at the crop's
    middle, upright there; its principal point is that middle, its focal length is in pixels of the crop. So the same
    face looks the same to a regressor wherever in the photo it is, and what it answers does not depend on the photo's
    size. Off the photo's middle the crop is not quite what that camera would see (a square of the photo is cut
    straight, not turned towards); the difference is a stretch by 1/cos of the angle off the axis, 1.5 % at 10 degrees.

    Attributes:
        window: on the photo.
        width, height: of the photo, pixels. Its principal point is its middle.
    """

    window: Window
    width: int
    height: int

    @property
    def matrix(self) -> Array:
        """(2,3) from pixels of the photo to pixels of the crop, pixel centres at .5 in both."""
        return self.window.matrix(SIDE)

    @property
    def scale(self) -> float:
        """Pixels of the crop in one of the photo."""
        return SIDE / self.window.side

    def cut(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(SIDE,SIDE,3) of a photo (H,W,3)."""
        return np.ascontiguousarray(self.window.cut(pixels, SIDE)[..., :3], np.uint8)

    def points(self, points: NDArray) -> Array:
        """(N,2) pixels of the crop, of points (N,2+) in pixels of the photo."""
        return np.asarray(points, np.float64)[:, :2] @ self.matrix[:, :2].T + self.matrix[:, 2]

    def turn(self, focal: float, middle: NDArray | None = None) -> Array:
        """(3,3) from the photo camera's axes to those of the crop's camera.

        Args:
            focal: of the photo, pixels. middle: (2,) the photo's principal point; its middle where None.
        """
        off = self.window.centre - (self._middle if middle is None else middle)
        ray = np.append(off / focal, 1.0)
        x, y, z = ray / np.linalg.norm(ray)
        cross = np.array([[0.0, 0.0, -x], [0.0, 0.0, -y], [x, y, 0.0]])  # of ray x forward
        straight = np.eye(3) + cross + cross @ cross / (1.0 + z)
        cosine, sine = np.cos(self.window.roll), np.sin(self.window.roll)
        return np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]]) @ straight

    @property
    def _middle(self) -> Array:
        return np.array([self.width, self.height]) / 2.0

    def to_crop(self, camera: Camera) -> Camera:
        """The crop's camera, of the photo's."""
        focal, middle = float(camera.K[0, 0]), camera.K[:2, 2]
        away = float(np.linalg.norm(self.window.centre - middle))
        view = np.eye(4)
        view[:3] = self.turn(focal, middle) @ camera.world_to_camera[:3]
        return Camera(centred(self.scale * float(np.hypot(focal, away)), SIDE, SIDE), view, SIDE, SIDE)

    def to_photo(self, camera: Camera, focal: float | None = None) -> Camera:
        """The photo's camera, of the crop's: the reverse of `to_crop` where the principal point is the middle.

        Args:
            focal: where it is known, pixels of the photo. The head is then moved away or closer, to look as large.
        """
        away = float(np.linalg.norm(self.window.centre - self._middle))
        own = float(camera.K[0, 0]) / self.scale
        view = camera.world_to_camera.copy()
        if focal is None:
            least = SHORTEST * max(self.width, self.height)
            focal = float(np.sqrt(max(own**2 - away**2, least**2)))
        view[2, 3] *= np.hypot(focal, away) / own
        turned = np.eye(4)
        turned[:3] = self.turn(focal).T @ view[:3]
        return Camera(centred(focal, self.width, self.height), turned, self.width, self.height)


def centred(focal: float, width: int, height: int) -> Array:
    """(3,3) intrinsics with the principal point in the picture's middle."""
    return np.array([[focal, 0.0, width / 2.0], [0.0, focal, height / 2.0], [0.0, 0.0, 1.0]])


def face_crop(recogniser: Recogniser, landmarks: NDArray, width: int, height: int) -> FaceCrop:
    """The crop of a face for a recognition network.

    Args:
        landmarks: (478,2+) MediaPipe's points, pixels of the photo.
        width, height: of the photo.
    Raises:
        EngineError: the points lie in one place.
    """
    matrix = recogniser.matrix(landmarks)
    linear = matrix[:, :2] * (SIDE / recogniser.side)
    shift = (matrix @ [-0.5, -0.5, 1.0] + 0.5) * (SIDE / recogniser.side)  # pixel centres from whole numbers to .5
    size = float(np.sqrt(np.linalg.det(linear)))
    centre = np.linalg.solve(linear, SIDE / 2.0 - shift)
    return FaceCrop(Window(centre, SIDE / size, float(np.arctan2(linear[0, 1], linear[0, 0]))), width, height)
