"""How well a head explains a photo: the losses of GANFit, and of the joint-domain paper beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..heads.model import LandmarkEmbedding
from ..losses.frequency import frequency_loss
from ..losses.identity import RandomView, content_distance, cosine_distance, random_view
from ..losses.landmarks import landmark_distance
from ..losses.photometric import photometric_loss
from ..losses.regularise import GanfitWeights, squares
from ..recognition.load import Recogniser
from ..render.differentiable import Topology, render_mesh
from ..render.lighting import ambient, directional, linear_to_srgb, srgb_to_linear
from ..render.lights import HarmonicLight
from ..render.pinhole import Pinhole, axis_angle_matrix
from .skin import SkinTexture
from .target import Target
from .unknowns import Body, Unknowns

RENDERED = 0.99
"""Coverage from which a pixel is compared: contours move by landmarks and recognition, not by mixed colours."""


@dataclass(frozen=True)
class Weights(GanfitWeights):
    """The paper's weights (section 5.1), scaled where the loss is defined otherwise, and what is added to them.

    Attributes:
        content: the paper's 50 is for the sum over all convolutions of ArcFace; here are four stages of a network whose
            activations are larger.
        pixel: the joint-domain paper's 3, whose region-weighted loss (equation 4) this is.
        shape: of the mean square of what identity and expression change from the landmark fit, which has its own prior.
        texture: of the latent's mean square; the paper leaves the latent free, at 10,000 real textures.
        tint: of the squares of the light's colour. Skin and light share their colour in any photo; most light is white.
        frequency: of the joint-domain paper's loss (equation 15); 0 leaves it out.
    """

    content: float = 10.0
    pixel: float = 3.0
    texture: float = 0.05
    tint: float = 0.3
    frequency: float = 0.0


@dataclass(frozen=True)
class Drawn:
    """A picture that the unknowns make.

    Attributes:
        image: (1,3,S,S) sRGB, before what lies behind the face in the photo and behind what lies before it.
        coverage: (S,S). posed: (V,3) metres. pinhole: the camera.
    """

    image: Tensor
    coverage: Tensor
    posed: Tensor
    pinhole: Pinhole


class Objective:
    """The losses of one photo.

    Args:
        body: the head. topology: of it, on the device.
        skin: the texture model completed to a whole head. target: the photo.
        light: (9,3) the light that the unknowns change.
        recogniser: on the device.
        weights: of the losses.
    """

    def __init__(
        self,
        body: Body,
        topology: Topology,
        skin: SkinTexture,
        target: Target,
        light: Tensor,
        recogniser: Recogniser,
        weights: Weights | None = None,
    ) -> None:
        self.body, self.topology, self.skin, self.target = body, topology, skin, target
        self.light, self.recogniser, self.weights = light, recogniser, weights or Weights()
        head = body.head
        self.ibug = _Points(head.embeddings["ibug"], head.faces, light.device)
        self.middle = torch.tensor(body.fit.neutral[head.regions["face"]].mean(0), device=light.device)
        self.behind = _to_linear(target.behind)

    def draw(self, unknowns: Unknowns, texture: Tensor | None = None) -> Drawn:
        """The unknowns' picture."""
        texture = self.skin(unknowns.latent) if texture is None else texture
        posed = self.body.posed(unknowns)
        pinhole = self.body.pinhole(unknowns, self.target.camera)
        light = HarmonicLight(self.light + unknowns.light)
        side = self.target.side
        rendering = render_mesh(posed, self.topology, texture, light, pinhole, (side, side), self.behind)
        front = self.target.front
        image = _to_srgb(rendering.image) * (1 - front) + self.target.image * front
        return Drawn(image[None], rendering.coverage, posed, pinhole)

    def terms(self, unknowns: Unknowns, rng: np.random.Generator) -> dict[str, Tensor]:
        """The weighted losses by name, () each. `rng` draws the random view (equation 8)."""
        weights, target = self.weights, self.target
        texture = self.skin(unknowns.latent)
        drawn = self.draw(unknowns, texture)
        terms: dict[str, Tensor] = {}
        mask = target.mask * (drawn.coverage.detach() > RENDERED)
        if weights.pixel:
            terms["pixel"] = weights.pixel * photometric_loss(target.image[None], drawn.image, mask, target.weights)[0]
        if weights.frequency:
            terms["frequency"] = weights.frequency * frequency_loss(target.image[None], drawn.image, mask)[0]
        if weights.identity or weights.content:
            embedding, activations = self.recogniser.features(drawn.image, target.matrix)
            terms["identity"] = weights.identity * cosine_distance(target.embedding, embedding)[0]
            terms["content"] = weights.content * content_distance(target.activations, activations)[0]
        if weights.random_identity:
            view = random_view(rng, len(self.body.weights))
            terms["random identity"] = weights.random_identity * self._elsewhere(unknowns, texture, view)
        if weights.landmark:
            seen = drawn.pinhole.project(self.ibug(drawn.posed))[None, :, :2]
            terms["landmark"] = weights.landmark * landmark_distance(seen, target.landmarks[None])[0]
        change = unknowns.identity.square().mean() + unknowns.expression.square().mean()
        terms["shape"] = weights.shape * change
        tint = unknowns.light - unknowns.light.mean(-1, keepdim=True)
        terms["light"] = weights.light * squares(unknowns.light[None])[0] + weights.tint * squares(tint[None])[0]
        terms["texture"] = weights.texture * self.skin.model.penalty(unknowns.latent[None])[0]
        return terms

    def _elsewhere(self, unknowns: Unknowns, texture: Tensor, view: RandomView) -> Tensor:
        """Distance of identity in a random view, light and expression (section 3.2, equation 8)."""
        device = self.light.device
        posed = self.body.posed(unknowns, torch.tensor(view.expression, device=device).float().clamp(0, 1))
        pinhole = self._facing(view)
        lit = ambient(1.0)[:, :1] * view.ambient + directional(view.direction, view.direct)
        light = HarmonicLight(torch.tensor(lit, device=device).float())
        side = self.target.side
        rendering = render_mesh(posed, self.topology, texture, light, pinhole, (side, side), edges=False)
        head = self.body.head
        points = head.embeddings["mediapipe"].positions(posed.detach().cpu().numpy(), head.faces)
        matrix = self.recogniser.matrix(pinhole.camera(side, side).project(points))
        matrices = torch.tensor(matrix, device=device).float()[None]
        embedding, _ = self.recogniser.features(_to_srgb(rendering.image)[None], matrices)
        return cosine_distance(self.target.embedding, embedding)[0]

    def _facing(self, view: RandomView) -> Pinhole:
        """A camera in front of the head, turned and moved as the view says."""
        camera = self.target.camera
        distance = float(camera.world_to_camera[2, 3]) * view.distance
        front = torch.diag(self.light.new_tensor([1.0, -1.0, -1.0]))
        turned = self.light.new_tensor
        rotation = axis_angle_matrix(turned([0.0, 0.0, view.roll])) @ axis_angle_matrix(turned([view.pitch, 0.0, 0.0]))
        rotation = front @ rotation @ axis_angle_matrix(turned([0.0, view.yaw, 0.0]))
        translation = turned([0.0, 0.0, distance]) - rotation @ self.middle
        centre = turned([self.target.side / 2, self.target.side / 2])
        return Pinhole(rotation, translation, turned(camera.K[0, 0]), centre)


class _Points:
    """Landmarks as tensors: vertices (V,3) to points (N,3); missing ones are left out."""

    def __init__(self, embedding: LandmarkEmbedding, faces: NDArray[np.int32], device: torch.device) -> None:
        valid = embedding.valid
        self.corners = torch.tensor(faces[embedding.faces[valid]], device=device).long()
        self.weights = torch.tensor(embedding.barycentrics[valid], device=device).float()

    def __call__(self, vertices: Tensor) -> Tensor:
        return (vertices[self.corners] * self.weights[..., None]).sum(1)


def _to_srgb(image: Tensor) -> Tensor:
    """(H,W,3) linear to (3,H,W) sRGB 0..1; what is overexposed is white, as in a photo."""
    return linear_to_srgb(image.clamp(0, 1)).permute(2, 0, 1)


def _to_linear(image: Tensor) -> Tensor:
    """(3,H,W) sRGB to (H,W,3) linear."""
    return srgb_to_linear(image).permute(1, 2, 0)
