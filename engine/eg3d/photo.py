"""From a photo with a fitted head to what the generator wants: the aligned crop and its camera label.

The published pipeline asks a Deep3D network for both. Here the head that the engine fitted says where its 68 points
are, and its camera what the label is; `camera.published_crop` and `camera.deep3d_label` are the published steps for
users who bring that network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..camera import Camera
from ..regressors.published_crop import five_points
from .camera import (
    FOCAL,
    PHOTO_SIDE,
    Crop,
    Register,
    in_register,
    label_from_camera,
    metres_for,
    origin_in_head,
    published_crop,
    standard_face,
)

MARGIN, FINER = 0.25, 2
"""Around the crop, of its side, and how much finer than the result it is turned: neither is seen in the end."""


@dataclass(frozen=True, eq=False)
class AlignedPhoto:
    """A photo as the generator's pictures are.

    Attributes:
        image: (S,S,3) uint8 sRGB. label: (25,) float32 of its camera.
        crop: where in the photo. warp: (3,3) from places 0..1 in the crop to those in the image, see `centred`.
        camera: of the image in the head's space, metres.
        register: brings the generator's space to the head's.
    """

    image: NDArray[np.uint8]
    label: NDArray[np.float32]
    crop: Crop
    warp: NDArray[np.float64]
    camera: Camera
    register: Register

    def cut(self, picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
        """(side,side,3) the image at another size, from the photo (H,W,3)."""
        return cut_warped(self.crop, self.warp, picture, side)

    def target(self, device: str | torch.device = "cpu") -> tuple[torch.Tensor, torch.Tensor]:
        """Picture (1,3,S,S) of -1..1 and label (1,25) for `inversion.invert`."""
        image = torch.tensor(self.image, device=device).permute(2, 0, 1)[None].float() / 127.5 - 1
        return image, torch.tensor(self.label, device=device)[None]


def align_photo(
    picture: NDArray[np.uint8], camera: Camera, points: NDArray, centre: NDArray, side: int = PHOTO_SIDE
) -> AlignedPhoto:
    """Cut a photo as the generator's training pictures were cut, and say from where it was taken.

    In the published labels the camera looks at the middle of its picture. A face beside the middle of a photo is
    therefore cut out as a camera sees it that was turned towards it on the spot; the published pipeline cuts it
    straight, some hundredths distorted for a face far out.

    Args:
        picture: (H,W,3) sRGB. camera: the photo's, of the fitted head, metres.
        points: (68,3) the head's points of iBUG, metres. centre: (3,) mean of its face region.
        side: pixels of the result.
    Raises:
        FaceError: the face is too small in the photo, or behind the camera. EngineError: its points lie in one place.
    """
    standard = five_points(standard_face(points, centre))
    height, width = picture.shape[:2]
    crop = published_crop(five_points(camera.project(np.asarray(points))), standard, (width, height))
    view, warp = centred(crop.camera(camera, side))
    origin = origin_in_head(centre)
    label = label_from_camera(view, origin, focal=FOCAL)
    register = in_register(label, view, metres_for(label, view, origin))
    return AlignedPhoto(cut_warped(crop, warp, picture, side), label, crop, warp, view, register)


def centred(camera: Camera) -> tuple[Camera, NDArray[np.float64]]:
    """A camera in the same place, turned towards the middle of its square picture, where it sees as large as before.

    Returns:
        It, and (3,3) the homography from places 0..1 in the old picture to those in the new one.
    """
    side, inverse = camera.width, np.linalg.inv(camera.K)
    toward = inverse @ [side / 2, side / 2, 1.0]
    length = float(np.linalg.norm(toward))
    x, y, z = toward / length
    cross = np.array([[0, 0, -x], [0, 0, -y], [x, y, 0]])  # of (y, -x, 0), around which it turns
    turn = np.eye(3) + cross + cross @ cross / (1 + z)
    # Beside the axis a picture is larger by 1/cos across and 1/cos^2 outwards: the same area in the middle.
    focal = float(camera.K[0, 0]) * length**1.5
    K = np.array([[focal, 0, side / 2], [0, focal, side / 2], [0, 0, 1.0]])
    view = camera.world_to_camera.copy()
    view[:3] = turn @ view[:3]
    unit = np.diag([side, side, 1.0])
    return Camera(K, view, side, side), np.linalg.inv(unit) @ K @ turn @ inverse @ unit


def cut_warped(crop: Crop, warp: NDArray, picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """(side,side,3) what a `centred` camera sees of a photo (H,W,3), black outside it.

    Args:
        warp: (3,3) see `centred`.
    """
    import cv2
    from PIL import Image

    fine = FINER * side
    wide = Crop(crop.left - MARGIN * crop.size, crop.top - MARGIN * crop.size, crop.size * (1 + 2 * MARGIN))
    source = wide.cut(picture, round(fine * (1 + 2 * MARGIN)))
    scale = fine * (1 + 2 * MARGIN) / source.shape[0]
    to_places = np.array([[scale / fine, 0, -MARGIN], [0, scale / fine, -MARGIN], [0, 0, 1.0]])
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])  # OpenCV counts from the middle of the first pixel
    matrix = np.linalg.inv(half) @ np.diag([fine, fine, 1.0]) @ warp @ to_places @ half
    turned = cv2.warpPerspective(source, matrix, (fine, fine), flags=cv2.INTER_CUBIC)
    return np.asarray(Image.fromarray(turned).resize((side, side), Image.Resampling.LANCZOS))
