"""Cameras made of tensors, for fitting by gradient descent: the project's own, and GANFit's of ten numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..camera import Camera
from ..errors import EngineError

CENTRE_TOLERANCE = 1e-3
"""Fraction of the picture's longer side by which a principal point may miss the middle and still count as there."""
NEAREST_TARGET = 1e-3
"""Metres: the least distance of a target in front of its camera."""


@dataclass(frozen=True)
class Pinhole:
    """The camera of `engine.camera.Camera` as tensors: OpenCV axes, square pixels, no skew. Differentiable throughout.

    Attributes:
        rotation: (3,3) world to camera.
        translation: (3,) world to camera, metres.
        focal: () pixels.
        centre: (2,) principal point x, y, pixels.
    """

    rotation: Tensor
    translation: Tensor
    focal: Tensor
    centre: Tensor

    @classmethod
    def of(cls, camera: Camera, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Pinhole:
        """The tensors of a camera; of its two focal lengths, which are equal, the first."""
        K = torch.tensor(camera.K, dtype=dtype, device=device)
        view = torch.tensor(camera.world_to_camera, dtype=dtype, device=device)
        return cls(view[:3, :3], view[:3, 3], K[0, 0], K[:2, 2])

    def camera(self, width: int, height: int) -> Camera:
        """The camera of these numbers for pictures of that size; cut off from gradients."""
        view, K = np.eye(4), np.eye(3)
        view[:3, :3] = self.rotation.detach().cpu().numpy()
        view[:3, 3] = self.translation.detach().cpu().numpy()
        K[0, 0] = K[1, 1] = float(self.focal)
        K[:2, 2] = self.centre.detach().cpu().numpy()
        return Camera(K, view, width, height)

    def project(self, vertices: Tensor) -> Tensor:
        """World vertices (...,V,3), metres, to (...,V,3): x, y in pixels and the camera depth, metres."""
        seen = vertices @ self.rotation.T + self.translation
        depth = seen[..., 2:]
        safe = torch.where(depth.abs() < 1e-9, torch.full_like(depth, 1e-9), depth)
        return torch.cat([self.focal * (seen[..., :2] / safe) + self.centre, depth], -1)

    @property
    def position(self) -> Tensor:
        """(3,) optical centre in the world, metres."""
        return -self.rotation.T @ self.translation

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Pinhole:
        """The same on another device or of another type."""
        parts = (self.rotation, self.translation, self.focal, self.centre)
        return Pinhole(*(part.to(device=device, dtype=dtype or part.dtype) for part in parts))


@dataclass(frozen=True)
class LookAt:
    """GANFit's camera of ten numbers (Fast-GANFIT, section 3.2: p_c = position, target, up direction, focal length).

    The paper leaves open the unit of the focal length, where the principal point is, and which way the axes run. Here
    the focal length is a multiple of the picture's height, so that the ten numbers hold at every resolution (the
    vertical field of view is 2 atan(1 / 2f)); the principal point is the middle of the picture; pixels are square; axes
    are the project's. `up` need not stand on the line of sight, but must not run along it, or the view has no
    orientation.

    Attributes:
        position: (3,) optical centre in the world, metres.
        target: (3,) a point on the line of sight, metres.
        up: (3,) direction that is upwards in the picture, any length.
        focal: () focal length over the picture's height.
    """

    position: Tensor
    target: Tensor
    up: Tensor
    focal: Tensor

    @classmethod
    def of(cls, vector: Tensor) -> LookAt:
        """From the ten numbers (10,) in the paper's order."""
        return cls(vector[0:3], vector[3:6], vector[6:9], vector[9])

    @property
    def vector(self) -> Tensor:
        """(10,) in the paper's order."""
        return torch.cat([self.position, self.target, self.up, self.focal[None]])

    @classmethod
    def from_camera(
        cls, camera: Camera, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> LookAt:
        """The ten numbers of a camera. The target is the point of the line of sight that is nearest to the origin.

        Raises:
            EngineError: the principal point is not the middle of the picture, which ten numbers cannot say.
        """
        K, rotation, position = camera.K, camera.world_to_camera[:3, :3], camera.position
        off = np.abs(K[:2, 2] - [camera.width / 2, camera.height / 2]).max() / max(camera.width, camera.height)
        if off > CENTRE_TOLERANCE:
            raise EngineError(
                f"This camera's principal point {K[0, 2]:.1f}, {K[1, 2]:.1f} is not the middle of its"
                f" {camera.width} x {camera.height} pixels.",
                "Use a Pinhole, or crop the picture about the principal point.",
            )
        forward = rotation[2]
        target = position + forward * max(float(-forward @ position), NEAREST_TARGET)
        numbers = np.concatenate([position, target, -rotation[1], [K[1, 1] / camera.height]])
        return cls.of(torch.tensor(numbers, dtype=dtype, device=device))

    def to_pinhole(self, width: int, height: int) -> Pinhole:
        """The camera for pictures of that size. Differentiable in all ten numbers."""
        forward = normalize(self.target - self.position, dim=0)
        right = normalize(torch.linalg.cross(forward, self.up), dim=0)
        rotation = torch.stack([right, torch.linalg.cross(forward, right), forward])
        centre = self.position.new_tensor([width / 2, height / 2])
        return Pinhole(rotation, -rotation @ self.position, self.focal * height, centre)


def axis_angle_matrix(vector: Tensor) -> Tensor:
    """Rotation matrix (3,3) about `vector` (3,) by its length in radians (Rodrigues). Smooth, also at zero."""
    x, y, z = vector.unbind()
    none = torch.zeros_like(x)
    cross = torch.stack([none, -z, y, z, none, -x, -y, x, none]).reshape(3, 3)
    square = vector @ vector
    small = square < 1e-3
    # The root has no derivative at zero: series there, with the other branch kept away from it.
    angle = torch.where(small, torch.ones_like(square), square).sqrt()
    sine = torch.where(small, 1 - square / 6 * (1 - square / 20 * (1 - square / 42)), angle.sin() / angle)
    half = torch.where(small, 1 - square / 12 * (1 - square / 30 * (1 - square / 56)), 2 * (1 - angle.cos()) / angle**2)
    return torch.eye(3, dtype=vector.dtype, device=vector.device) + sine * cross + half / 2 * (cross @ cross)
