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


@dataclass(frozen=True, eq=False)
class AlignedPhoto:
    """A photo as the generator's pictures are.

    Attributes:
        image: (S,S,3) uint8 sRGB. label: (25,) float32 of its camera.
        crop: where in the photo. camera: of the crop in the head's space, metres.
        register: brings the generator's space to the head's.
    """

    image: NDArray[np.uint8]
    label: NDArray[np.float32]
    crop: Crop
    camera: Camera
    register: Register

    def target(self, device: str | torch.device = "cpu") -> tuple[torch.Tensor, torch.Tensor]:
        """Picture (1,3,S,S) of -1..1 and label (1,25) for `inversion.invert`."""
        image = torch.tensor(self.image, device=device).permute(2, 0, 1)[None].float() / 127.5 - 1
        return image, torch.tensor(self.label, device=device)[None]


def align_photo(
    picture: NDArray[np.uint8], camera: Camera, points: NDArray, centre: NDArray, side: int = PHOTO_SIDE
) -> AlignedPhoto:
    """Cut a photo as the generator's training pictures were cut, and say from where it was taken.

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
    view = crop.camera(camera, side)
    origin = origin_in_head(centre)
    label = label_from_camera(view, origin, focal=FOCAL)
    register = in_register(label, view, metres_for(label, view, origin))
    return AlignedPhoto(crop.cut(picture, side), label, crop, view, register)
