"""One head of the generator: its picture, depth and latent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as nnf

from ...eg3d.camera import orbit_label
from ...eg3d.generator import TriplaneGenerator
from ...eg3d.renderer import rays
from ...eg3d.views import as_bytes
from .poses import TRAINING, Pose, pose_of

TRUNCATION = 0.7
"""The thesis names none; this is what EG3D's authors show their own samples with."""
BORDER = 30 / 256
"""Of the cube, on every side: what the published mesh leaves out is background here, too."""
MET = 0.5
"""Least share of a ray that meets something in the foreground."""


@dataclass(frozen=True)
class Drawing:
    """How samples are drawn.

    Attributes:
        seed: of latents and cameras. stream: `poses.TRAINING` or `poses.HELD_OUT`.
        truncation: of the latents. jitter: see `poses.pose_of`.
        resolution: pixels of a picture; None for the generator's own, which is the largest.
    """

    seed: int = 0
    stream: int = TRAINING
    truncation: float = TRUNCATION
    jitter: float = 0.0
    resolution: int | None = None


@dataclass(frozen=True, eq=False)
class Sample:
    """One head, seen once.

    Attributes:
        image: (S,S,3) uint8 sRGB.
        depth: (R,R) float32 along the optical axis behind the generator's origin, its units; the volume renderer's
            expected depth.
        mask: (R,R) bool, the head: what a ray meets (`MET`) within the `BORDER`.
        ws: (layers,w) float32. pose: of the camera.
    """

    image: NDArray[np.uint8]
    depth: NDArray[np.float32]
    mask: NDArray[np.bool_]
    ws: NDArray[np.float32]
    pose: Pose


def latent_seed(number: int, drawing: Drawing, size: int) -> Tensor:
    """(z,) of a picture."""
    rng = np.random.default_rng((drawing.seed, drawing.stream, 2, number))
    return torch.from_numpy(rng.standard_normal(size).astype(np.float32))


@torch.no_grad()
def draw_samples(network: TriplaneGenerator, numbers: Sequence[int], drawing: Drawing) -> list[Sample]:
    """Draw pictures by their numbers. Latents are conditioned on the camera from the front, as the authors' are.

    Args:
        network: on the device to draw on.
    """
    how, device = network.config.rendering, next(network.parameters()).device
    poses = [pose_of(number, drawing.seed, drawing.stream, how, drawing.jitter) for number in numbers]
    labels = torch.from_numpy(np.stack([pose.label for pose in poses])).to(device)
    z = torch.stack([latent_seed(number, drawing, network.config.z) for number in numbers]).to(device)
    front = torch.from_numpy(orbit_label(how=how)).to(device).expand(len(numbers), -1)
    ws = network.mapping(z, front, drawing.truncation)
    picture = network.synthesis(ws, labels)
    assert picture.image is not None
    image = picture.image.clamp(-1, 1)
    if drawing.resolution is not None and drawing.resolution != image.shape[-1]:
        image = nnf.interpolate(image, (drawing.resolution, drawing.resolution), mode="area")
    depth, inside = axial_depth(picture.depth[:, 0], labels, (0.5 - BORDER) * how.box)
    mask = (inside & (picture.weight[:, 0] > MET)).cpu().numpy()
    return [
        Sample(as_bytes(image[n]), depth[n].cpu().numpy(), mask[n], ws[n].cpu().numpy(), pose)
        for n, pose in enumerate(poses)
    ]


def axial_depth(distance: Tensor, labels: Tensor, reach: float) -> tuple[Tensor, Tensor]:
    """Depth behind the origin along the optical axis, and what lies in the middle of the cube.

    Args:
        distance: (B,R,R) along each ray. labels: (B,25). reach: half a side of the middle.
    Returns:
        (B,R,R) the generator's units; (B,R,R) bool.
    """
    side = distance.shape[-1]
    start, toward = rays(labels, side)
    ahead = labels[:, :16].view(-1, 4, 4)[:, :3, 2]
    flat = distance.flatten(1)
    axial = flat * (toward @ ahead[:, :, None])[..., 0] + (start * ahead).sum(1, keepdim=True)
    places = start[:, None] + flat[..., None] * toward
    return axial.view_as(distance), (places.abs().amax(-1) < reach).view_as(distance)
