"""Camera labels of EG3D, and how they stand to the project's cameras and photos.

A label is 25 numbers: the camera's pose in the generator's space, camera-to-world with OpenCV's axes, row by row, then
the intrinsics of a picture of width and height 1. The generator's space has the project's axes (Y up, face towards +Z)
in units of its own. In the published data a unit is `METRES`: a decimetre of the Basel Face Model, in which the poses
were found, was brought to 0.27. The average camera stands 2.7 units, that is one metre, from the origin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..errors import EngineError, FaceError
from .config import LABEL, Rendering

FOCAL = 2985.29 / 700
"""Of a picture of width 1, in the published labels. Their code calls it 18.837 degrees, through a formula with a root
of two in it; across the picture it is 13.4."""
METRES = 0.1 / 0.27
"""Of one unit."""
FACE_MODEL_OFFSET = (0.0, 0.006, 0.161)
"""Where the origin of the face model of the published labels lies in the generator's space, units."""
ALIGNED_SIDE, CROP_SIDE, PHOTO_SIDE = 1024, 700, 512
"""Published alignment: the photo is scaled about the face to the first, cut to the second, brought to the third ..."""
ALIGNED_SIZE = 300.0
"""... so that a unit of the standard face takes this many pixels of the first."""
LARGEST = 1 << 14
"""Pixels along a side, to which the rule may enlarge a whole photo."""
Array = NDArray[np.float64]


def label_of(camera_to_world: NDArray, intrinsics: NDArray) -> NDArray[np.float32]:
    """(25,) of a pose (4,4) in the generator's space and intrinsics (3,3) of a picture of size 1."""
    return np.concatenate([np.ravel(camera_to_world), np.ravel(intrinsics)]).astype(np.float32)


def parts_of(label: NDArray) -> tuple[Array, Array]:
    """Pose (4,4) and intrinsics (3,3) of a label (25,).

    Raises:
        ValueError: it has not 25 numbers.
    """
    flat = np.asarray(label, np.float64).ravel()
    if flat.shape != (LABEL,):
        raise ValueError(f"a camera label has {LABEL} numbers, not {flat.size}")
    return flat[:16].reshape(4, 4), flat[16:].reshape(3, 3)


def intrinsics(focal: float = FOCAL) -> Array:
    """(3,3) of a picture of size 1, seen straight."""
    return np.array([[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]])


def look_at(position: NDArray, target: NDArray) -> Array:
    """(4,4) camera-to-world of an upright camera at `position` that looks at `target`, OpenCV's axes.

    Raises:
        ValueError: it looks straight up or down, or both are one place.
    """
    position, target = np.asarray(position, np.float64), np.asarray(target, np.float64)
    forward = target - position
    right = np.cross(forward, [0.0, 1.0, 0.0])
    if np.linalg.norm(right) < 1e-9:
        raise ValueError("a camera that looks straight up or down has no upright")
    forward, right = forward / np.linalg.norm(forward), right / np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
    pose[:3, 3] = position
    return pose


def orbit_label(yaw: float = 0.0, pitch: float = 0.0, how: Rendering | None = None, focal: float = FOCAL) -> NDArray:
    """(25,) float32 label of a camera on the published sphere: around the origin, looking at the pivot.

    Args:
        yaw: degrees; positive moves the camera to the head's left, the picture's right. pitch: degrees, upwards.
        how: the generator's radius and pivot; None for the published head generator's.
    """
    how = how or Rendering()
    turn, rise = np.radians(yaw), np.radians(pitch)
    direction = np.array([np.sin(turn) * np.cos(rise), np.sin(rise), np.cos(turn) * np.cos(rise)])
    return label_of(look_at(how.radius * direction, np.array(how.pivot)), intrinsics(focal))


@dataclass(frozen=True, eq=False)
class Register:
    """How the generator's space lies in another: rotation, then scale, then shift.

    Attributes:
        matrix: (4,4), the generator's units to metres.
    """

    matrix: Array

    def points(self, points: NDArray) -> Array:
        """(...,3) points of the generator's space in the other."""
        return np.asarray(points, np.float64) @ self.matrix[:3, :3].T + self.matrix[:3, 3]

    @property
    def scale(self) -> float:
        """Metres of a unit."""
        return float(np.cbrt(np.linalg.det(self.matrix[:3, :3])))

    def camera(self, label: NDArray, side: int) -> Camera:
        """The label's camera in the other space, metres, for pictures of `side` pixels.

        It sees a point of `points` in the very pixel in which the label's camera sees it in the generator's space.
        """
        pose, inner = parts_of(label)
        view = np.linalg.inv(pose) @ np.linalg.inv(self.matrix)
        view[:3] *= self.scale
        return Camera(inner * [[side], [side], [1.0]], view, side, side)


def in_register(label: NDArray, camera: Camera, metres: float = METRES) -> Register:
    """Brings the generator's volume where the camera of a fitted head sees it in the photo.

    With the same intrinsics in both, `camera` then sees every point where the label's camera sees it. With others, it
    sees the generator's origin there, and as large; nearer parts differ as perspective wants it.

    Args:
        label: (25,) of the picture. camera: of the same square picture in the head's space, metres (`Crop.camera`).
        metres: of a unit; `metres_for` tells the one at which the head is as far away as it was fitted.
    """
    pose, theirs = parts_of(label)
    ours = camera.K / [[camera.width], [camera.height], [1.0]]
    depth = float(np.linalg.inv(pose)[2, 3])
    shift = np.zeros(3)
    shift[2] = metres * depth * (ours[0, 0] / theirs[0, 0] - 1)
    shift[:2] = (theirs[:2, 2] - ours[:2, 2]) * metres * depth / theirs[0, 0]
    scaled = np.diag([metres, metres, metres, 1.0])
    scaled[:3, 3] = shift
    return Register(np.linalg.inv(camera.world_to_camera) @ scaled @ np.linalg.inv(pose))


def metres_for(label: NDArray, camera: Camera, origin: NDArray) -> float:
    """Metres of a unit at which `in_register` puts the generator's origin as far away as a point of the head is.

    Args:
        label, camera: see `in_register`. origin: (3,) the point, metres.
    """
    pose, inner = parts_of(label)
    ours = camera.K[0, 0] / camera.width
    return float(camera.to_camera(np.asarray(origin))[2] * inner[0, 0] / ours / np.linalg.inv(pose)[2, 3])


def label_from_camera(camera: Camera, origin: NDArray, metres: float = METRES, focal: float | None = None) -> NDArray:
    """(25,) float32 label of a picture whose camera in the head's space is known.

    Args:
        camera: of the square picture that the generator is to draw, metres (`crop_camera`).
        origin: (3,) where the generator's origin lies in the head, metres.
        focal: that the generator was trained with, of a picture of size 1; the camera is moved along its axis so that
            the head stays as large. None keeps the camera's own, which the generator may never have seen.
    Raises:
        ValueError: the picture is not square, or the origin not in front of the camera.
    """
    if camera.width != camera.height:
        raise ValueError("labels are of square pictures")
    shift = np.eye(4)
    shift[:3, 3] = origin
    view = camera.world_to_camera @ shift
    if view[2, 3] <= 0:
        raise ValueError("the head is behind the camera")
    inner = camera.K / [[camera.width], [camera.height], [1.0]]
    view[:3, 3] /= metres
    if focal is not None:
        view[2, 3] *= focal / inner[0, 0]  # focal length over distance, and with it the size, stays
        inner = np.array([[focal, 0, inner[0, 2]], [0, focal, inner[1, 2]], [0, 0, 1.0]])
    return label_of(np.linalg.inv(view), inner)


def camera_of(label: NDArray, side: int, metres: float = METRES) -> Camera:
    """The label's camera in the generator's space, in metres, for pictures of `side` pixels."""
    pose, inner = parts_of(label)
    view = np.linalg.inv(pose)
    view[:3, 3] *= metres
    return Camera(inner * [[side], [side], [1.0]], view, side, side)


@dataclass(frozen=True)
class Crop:
    """The published square of a photo.

    Attributes:
        left, top, size: pixels of the photo, fractions included.
    """

    left: float
    top: float
    size: float

    def cut(self, picture: NDArray[np.uint8], side: int = PHOTO_SIDE) -> NDArray[np.uint8]:
        """(side,side,3) of a picture (H,W,3), black outside it; Lanczos (published: cubic, then Lanczos)."""
        from PIL import Image

        height, width = picture.shape[:2]
        edge = int(
            np.ceil(max(0.0, -self.left, -self.top, self.left + self.size - width, self.top + self.size - height))
        )
        padded = np.pad(picture, ((edge, edge), (edge, edge), (0, 0)))
        box = (self.left + edge, self.top + edge, self.left + edge + self.size, self.top + edge + self.size)
        return np.asarray(Image.fromarray(padded).resize((side, side), Image.Resampling.LANCZOS, box))

    def camera(self, camera: Camera, side: int = PHOTO_SIDE) -> Camera:
        """The photo's camera as that of the crop at `side` pixels."""
        factor = side / self.size
        K = camera.K.copy()
        K[0, 2] -= self.left
        K[1, 2] -= self.top
        K[:2] *= factor
        return Camera(K, camera.world_to_camera, side, side)


def published_crop(points: NDArray, standard: NDArray, size: tuple[int, int]) -> Crop:
    """The square that the published pipeline cuts from a photo: Deep3D's alignment, enlarged, then 700 of 1024 pixels.

    A scaled orthographic camera through five points (POS) says how large the face is and where; the photo is scaled so
    that a unit of the standard face takes 300 pixels, and a square of 1024, of which the middle 700 count, is laid
    around the point that the camera sees the standard face's origin at.

    Args:
        points: (5,2) pixels, y down: eyes, tip of the nose, corners of the mouth, left first as seen.
        standard: (5,3) the same of the standard face, x right and y up: Deep3D's `similarity_Lm3D_all.mat`.
        size: width and height of the photo, pixels.
    Raises:
        FaceError: the face is too small in the photo. EngineError: its points lie in one place.
    """
    flat = np.asarray(points, np.float64)[:, :2] * [1, -1] + [0, size[1] - 1]
    solid = np.column_stack([np.asarray(standard, np.float64), np.ones(len(standard))])
    found, *_ = np.linalg.lstsq(solid, flat, rcond=None)
    scale = float(np.linalg.norm(found[:3], axis=0).mean())
    if not np.isfinite(scale) or scale < 1e-9:
        raise EngineError("The face's points lie in one place.", "Use another photo of this person.")
    factor = ALIGNED_SIZE / scale
    wide, high = int(size[0] * factor), int(size[1] * factor)
    if min(wide, high) < 1 or max(wide, high) > LARGEST:
        raise FaceError("The face is too small in its picture.", "Cut the picture to the head and try again.")
    # Whole pixels of the scaled photo, as published.
    left = int(wide / 2 - ALIGNED_SIDE / 2 + (found[3, 0] - size[0] / 2) * factor)
    top = int(high / 2 - ALIGNED_SIDE / 2 + (size[1] / 2 - found[3, 1]) * factor)
    inset = (ALIGNED_SIDE - CROP_SIDE) // 2
    return Crop((left + inset) * size[0] / wide, (top + inset) * size[1] / high, CROP_SIDE / factor)


def standard_face(points: NDArray, centre: NDArray) -> Array:
    """(68,3) decimetres: points of a head (68,3), metres, about its centre (3,), in place of Deep3D's standard face.

    The published one is of the Basel Face Model about the mean of its vertices, and cannot be shipped. With `centre`
    the mean of a head's face region, this is near it; how near was not measured.
    """
    return (np.asarray(points, np.float64) - centre) * 10.0


def origin_in_head(centre: NDArray) -> Array:
    """(3,) metres: the generator's origin in a head whose face region has its mean at `centre` (3,), see above."""
    return np.asarray(centre, np.float64) - METRES * np.array(FACE_MODEL_OFFSET)


def deep3d_label(rotation: NDArray, shift: NDArray) -> NDArray[np.float32]:
    """(25,) the label that the published pipeline makes of a Deep3D network's answer, to go with `published_crop`.

    Args:
        rotation: (3,3) as Deep3D applies it to row vectors, x right, y up, z towards the viewer.
        shift: (3,) decimetres.
    """
    place = -np.asarray(rotation, np.float64) @ (np.asarray(shift, np.float64) - [0, 0, 10]) * 0.27
    pose = np.eye(4)
    pose[:3, :3] = np.asarray(rotation, np.float64) @ np.diag([1.0, -1.0, -1.0])
    pose[:3, 3] = place + FACE_MODEL_OFFSET
    return label_of(pose, intrinsics())
