"""A batch of what a regressor says, as tensors; and the answers that an untrained one gives."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn

from ..camera import Camera
from ..heads.model import HeadModel
from ..recognition.load import Recogniser
from ..render.lights import HarmonicLight, Light, PhongLight
from ..render.pinhole import Pinhole, axis_angle_matrix
from .crop import SIDE, FaceCrop, centred, face_crop
from .regressed import FRONTAL, HARMONICS, PHONG, Regressed, usual_light

CAMERA = 7
"""Rotation 3, shift 2, logarithm of the size, logarithm of the distance."""
CAMERA_STEPS = (0.3, 0.3, 0.3, 0.02, 0.02, 0.1, 0.5)
"""What one unit of a camera head's output changes: radians, metres, logarithms. About how much photos vary."""
DISTANCE = 1.4
"""Metres, of the usual camera; `engine.fitting.pose` has the same."""


@dataclass(frozen=True)
class Layout:
    """How many numbers there are of each kind.

    Attributes:
        identity, expression: of the head model. texture: shape of the texture model's latent, (0,) without one.
        light: `HARMONICS` or `PHONG`.
    """

    identity: int
    expression: int
    texture: tuple[int, ...] = (0,)
    light: int = HARMONICS

    def __post_init__(self) -> None:
        if self.light not in (HARMONICS, PHONG):
            raise ValueError(f"light is {HARMONICS} or {PHONG} numbers, not {self.light}")


@dataclass(frozen=True)
class Parameters:
    """What `Regressed` holds, for B faces; differentiable.

    Attributes:
        identity: (B,K). expression: (B,E), not yet kept within 0..1. texture: (B,*latent_shape).
        rotation: (B,3). translation: (B,3). log_focal: (B,). light: (B,27) or (B,9).
        light_change: the light less the usual one.
    """

    identity: Tensor
    expression: Tensor
    texture: Tensor
    rotation: Tensor
    translation: Tensor
    log_focal: Tensor
    light: Tensor
    light_change: Tensor

    def single(self) -> Parameters:
        """The same in float32: geometry does not bear the half precision that networks do."""
        return Parameters(**{entry.name: getattr(self, entry.name).float() for entry in fields(self)})

    def turns(self) -> Tensor:
        """(B,3,3) from the head's axes to the crop camera's."""
        turned = torch.func.vmap(axis_angle_matrix)(self.rotation)
        return turned @ torch.tensor(FRONTAL, dtype=turned.dtype, device=turned.device)

    def project(self, points: Tensor) -> Tensor:
        """(B,N,2) where points (B,N,3), metres, are in the crop, as shares of its side."""
        seen = points @ self.turns().mT + self.translation[:, None]
        return self.log_focal.exp()[:, None, None] * seen[..., :2] / seen[..., 2:].clamp_min(0.05) + 0.5

    def pinhole(self, number: int, side: int) -> Pinhole:
        """The crop's camera of one face, the crop drawn with `side` pixels."""
        turn = axis_angle_matrix(self.rotation[number])
        frontal = torch.tensor(FRONTAL, dtype=turn.dtype, device=turn.device)
        centre = self.translation.new_full((2,), side / 2)
        return Pinhole(turn @ frontal, self.translation[number], side * self.log_focal[number].exp(), centre)

    def lighting(self, number: int) -> Light:
        """The light of one face."""
        return light_of(self.light[number])

    def regressed(self, number: int, crop: FaceCrop) -> Regressed:
        """One face in plain numbers."""

        def plain(values: Tensor) -> np.ndarray:
            return values[number].detach().cpu().double().numpy()

        return Regressed(
            identity=plain(self.identity).astype(np.float32),
            expression=np.clip(plain(self.expression), 0.0, 1.0).astype(np.float32),
            texture=plain(self.texture).astype(np.float32),
            rotation=plain(self.rotation),
            translation=plain(self.translation),
            log_focal=float(self.log_focal[number]),
            light=plain(self.light).astype(np.float32),
            crop=crop,
        )


def light_of(vector: Tensor) -> Light:
    """The light of (27,) or (9,) numbers."""
    return HarmonicLight(vector.reshape(9, 3)) if len(vector) == HARMONICS else PhongLight.of(vector)


@dataclass(frozen=True)
class Usual:
    """Camera and light of a face about which nothing is known: from the front, at `DISTANCE`.

    Attributes:
        shift: (2,) metres, the head's origin across the view.
        log_size: logarithm of how many sides of the crop a metre at the head's origin spans.
    """

    shift: tuple[float, float]
    log_size: float


def usual_view(head: HeadModel, recogniser: Recogniser) -> Usual:
    """Where the mean head is when its own crop's camera sees it from the front. Depends on whose crop it is.

    Raises:
        ValueError: the head lacks points that the crop is made from.
    """
    size, view = 1000, np.eye(4)
    view[:3, :3], view[2, 3] = FRONTAL, DISTANCE
    places = head.embeddings["mediapipe"].positions(head.vertices, head.faces)
    for _ in range(8):  # until the crop is in the middle of the picture
        points = Camera(centred(size, size, size), view, size, size).project(places)
        if not np.isfinite(recogniser.points(points)).all():
            raise ValueError(f"the head {head.name} lacks points that the crop is made from")
        window = face_crop(recogniser, points, size, size).window
        view[:2, 3] += (size / 2 - window.centre) * DISTANCE / size
    return Usual((float(view[0, 3]), float(view[1, 3])), -math.log(DISTANCE / size * window.side))


class Heads(nn.Module):
    """The last layers, one for each kind of number. All start at zero, so that an untrained network answers with the
    mean head, the mean texture, the usual camera and the usual light (Fast-GANFIT, section 5.1: camera and light start
    at zero and have an offset; the others start at zero here, too, which is the models' mean).

    The camera's numbers are not those of `Regressed` but changes that hardly depend on each other: a distance that
    leaves the face as large as it is, and a size.

    Args:
        width: of what comes in. layout: of what goes out. usual: view, of the head and crop.
    """

    camera_offset: Tensor
    camera_steps: Tensor
    light_offset: Tensor

    def __init__(self, width: int, layout: Layout, usual: Usual) -> None:
        super().__init__()
        self.layout = layout
        self.identity = _silent(width, layout.identity)
        self.expression = _silent(width, layout.expression)
        self.texture = _silent(width, math.prod(layout.texture))
        self.camera = _silent(width, CAMERA)
        self.light = _silent(width, layout.light)
        offset = torch.tensor([0.0, 0.0, 0.0, *usual.shift, usual.log_size, math.log(DISTANCE)])
        self.register_buffer("camera_offset", offset)
        self.register_buffer("camera_steps", torch.tensor(CAMERA_STEPS))
        self.register_buffer("light_offset", torch.tensor(usual_light(layout.light)))

    def forward(self, x: Tensor) -> Parameters:
        """(B,width) to parameters."""
        camera = self.camera_offset + self.camera_steps * self.camera(x)
        distance = camera[:, 6].exp()
        change = self.light(x)
        return Parameters(
            identity=self.identity(x),
            expression=self.expression(x),
            texture=self.texture(x).unflatten(1, self.layout.texture),
            rotation=camera[:, :3],
            translation=torch.cat([camera[:, 3:5], distance[:, None]], 1),
            log_focal=camera[:, 5] + camera[:, 6],
            light=self.light_offset + change,
            light_change=change,
        )


def _silent(width: int, count: int) -> nn.Linear:
    """A layer that answers 0. It may have no numbers at all."""
    layer = nn.Linear(width, 1)
    layer.out_features = count
    layer.weight, layer.bias = nn.Parameter(torch.zeros(count, width)), nn.Parameter(torch.zeros(count))
    return layer


def normalised(landmarks: Tensor) -> Tensor:
    """(B,2N) what the last layers see of landmarks (B,N,2) in pixels of the crop: its sides are -1 and 1."""
    return (landmarks * (2.0 / SIDE) - 1.0).flatten(1)
