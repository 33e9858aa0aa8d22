"""What the regressor is trained to make small: GANFit's losses, and the truth where it is known.

The phases are the paper's (Fast-GANFIT, section 4): first camera, shape and expression by landmarks and regulariser,
then the full objective (equation 15), in which pictures are drawn from what the network answers. Beside it, in both
phases, stands what the paper had not: synthetic people whose shape, expression and camera are known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ...heads.skin import load_base_skin
from ...losses.identity import content_distance, cosine_distance, random_view
from ...losses.landmarks import PAPER_POINTS, landmark_distance
from ...losses.photometric import pixel_distance
from ...losses.reduce import weighted_mean
from ...losses.regularise import GanfitWeights
from ...recognition.load import Recogniser
from ...regressors.crop import SIDE
from ...regressors.networks import reduced
from ...regressors.parameters import Parameters
from ...regressors.regressed import PHONG
from ...render.differentiable import Rendering, render_mesh
from ...render.lighting import ambient, directional, linear_to_srgb, srgb_to_linear
from ...render.lights import HarmonicLight, Light
from ...render.pinhole import Pinhole, axis_angle_matrix
from ...texture.models.model import TextureModel
from .shapes import Shapes

SKIN = 256
"""Texels of the side of textures that are drawn: no picture here shows more."""
UNIT_DEVIATION = 0.15
"""Of an expression's weights, about, in the pictures that are learnt from: the paper's standard deviation."""
BEHIND = 0.2
"""Linear grey behind a head in a random view."""


@dataclass(frozen=True)
class Weights:
    """Factors of the losses.

    Attributes:
        ganfit: the paper's, for what is drawn: identity, random_identity, content, pixel; and light.
        landmark: of the root mean square distance in pixels of the crop. The paper's 0.001 (of 8.2 times that) stands
            beside a fit that runs until nothing moves; a network that sees each face a few times needs more.
        prior: of the mean square of identity and expression of photos, for which nothing else holds them.
        shape: of the squared error of the face's vertices over that of the mean head's. expression: the same.
        camera: of the Huber distance of rotation, shift, size and distance in the steps of `TOLERANCES`.
        coefficients: of the mean squared error of the identity's coefficients, beside that of vertices.
        texture: of the texture model's penalty.
        tint: of the squared differences between the light's channels. Ours: without it, colours of skin that the
            texture model lacks become lamps of many colours.
    """

    ganfit: GanfitWeights = field(default_factory=GanfitWeights)
    landmark: float = 0.1
    prior: float = 0.03
    shape: float = 2.0
    expression: float = 1.0
    camera: float = 0.2
    coefficients: float = 0.3
    texture: float = 0.05
    tint: float = 0.3


TOLERANCES = {"rotation": 0.1, "shift": 0.005, "size": 0.03, "distance": 0.4}
"""Radians, metres, logarithms: errors that count alike."""


@dataclass(frozen=True)
class Batch:
    """B faces to learn from; the first D of them are drawn, with what is needed for that.

    Attributes:
        seen: what the network is given, see `Regressor.see`. landmarks: (B,478,2) pixels of the crop.
        wanted, known, identity, expression, rotation, translation, log_focal: as in `Examples`.
        images: (D,3,SIDE,SIDE) sRGB 0..1. masks: (D,M,M) 0..1. D is 0 in the first phase.
        seed: of the random views.
    """

    seen: tuple[Tensor, ...]
    landmarks: Tensor
    wanted: Tensor
    known: Tensor
    identity: Tensor
    expression: Tensor
    rotation: Tensor
    translation: Tensor
    log_focal: Tensor
    images: Tensor
    masks: Tensor
    seed: int


def within(expression: Tensor) -> Tensor:
    """Weights kept within 0..1, as `Regressed` has them, with the gradient of those that were not."""
    return expression + (expression.clamp(0, 1) - expression).detach()


def alignment(shapes: Shapes, found: Parameters, batch: Batch, weights: Weights) -> dict[str, Tensor]:
    """Landmarks and regulariser (section 4, before equation 15), for all faces: terms to be added up."""
    expression = within(found.expression)
    points = shapes.points(found.identity, expression)
    points = points + (~batch.known)[:, None, None] * shapes.points_error
    distance = landmark_distance(found.project(points) * SIDE, batch.wanted, shapes.weights)
    photos = (~batch.known).float()
    prior = found.identity.square().mean(1) + (found.expression / UNIT_DEVIATION).square().mean(1)
    outside = (found.expression - expression.detach()).square().mean(1)
    return {
        "landmark": weights.landmark / math.sqrt(PAPER_POINTS) * distance.mean(),
        "prior": weights.prior * (prior * photos).mean() + outside.mean(),
    }


def supervised(shapes: Shapes, found: Parameters, batch: Batch, weights: Weights) -> dict[str, Tensor]:
    """Distance from the truth, for faces of which it is known: terms to be added up."""
    known = batch.known.float()
    count = known.sum().clamp_min(1.0)
    identity, expression = found.identity - batch.identity, found.expression - batch.expression

    def spread(error: Tensor, gram: Tensor) -> Tensor:
        return ((error @ gram) * error).sum(1)

    typical = float(shapes.identity_gram.diagonal().sum())
    moved = weighted_mean(spread(batch.expression, shapes.expression_gram)[None], known[None]).squeeze(0).clamp_min(0.1)
    terms = {
        "shape": weights.shape * spread(identity, shapes.identity_gram) / typical,
        "coefficients": weights.coefficients * identity.square().mean(1),
        "expression": weights.expression * spread(expression, shapes.expression_gram) / moved,
        "camera": weights.camera * camera_error(found, batch),
    }
    return {name: (values * known).sum() / count for name, values in terms.items()}


def camera_error(found: Parameters, batch: Batch) -> Tensor:
    """(B,) Huber distances from the true camera, in `TOLERANCES`, added up."""
    size = [camera[0] - camera[1].log() for camera in _depths(found, batch)]
    parts = [
        (found.rotation - batch.rotation) / TOLERANCES["rotation"],
        (found.translation - batch.translation)[:, :2] / TOLERANCES["shift"],
        (size[0] - size[1])[:, None] / TOLERANCES["size"],
        (found.translation[:, 2].log() - batch.translation[:, 2].clamp_min(0.05).log())[:, None]
        / TOLERANCES["distance"],
    ]
    return sum(
        (torch.nn.functional.huber_loss(part, torch.zeros_like(part), reduction="none").mean(1) for part in parts),
        torch.zeros_like(found.log_focal),
    )


def _depths(found: Parameters, batch: Batch) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    return (found.log_focal, found.translation[:, 2]), (batch.log_focal, batch.translation[:, 2].clamp_min(0.05))


def tint(light: Tensor) -> Tensor:
    """(B,) squared differences of the channels from their mean, of lights (B,27) or (B,9), or changes of them."""
    colours = light.unflatten(1, (-1, 3))
    if light.shape[1] == PHONG:
        colours = colours[:, 1:]  # the first row is where the lamp is
    return (colours - colours.mean(-1, keepdim=True)).square().sum((1, 2))


class Pictures:
    """The losses of the second phase that need pictures (equations 9 to 11, and the second identity loss).

    A picture is composed like the photo: the head where the face is seen, the photo everywhere else (ours: our head has
    no hair, and glasses and hands are nobody's fault).

    Args:
        texture: the model; None draws all faces with the base skin, and light has to explain the rest.
        side: of the pictures; the recogniser's crop.
    """

    def __init__(self, shapes: Shapes, recogniser: Recogniser, texture: TextureModel | None, weights: Weights) -> None:
        self.shapes, self.recogniser, self.texture, self.weights = shapes, recogniser, texture, weights
        device = shapes.mean.device
        self.skin = torch.tensor(load_base_skin(SKIN).albedo, device=device).permute(2, 0, 1).float() / 255
        self.coverage = None if texture is None else reduced(texture.coverage[None, None].to(device), SKIN)[0, 0]

    def terms(self, found: Parameters, batch: Batch, recognised: int, again: int) -> dict[str, Tensor]:
        """Losses of the batch's first faces, to be added up.

        Args:
            recognised: of so many faces the identity is compared too. again: so many are drawn in a random view.
        """
        ganfit, side, count = self.weights.ganfit, self.recogniser.side, len(batch.images)
        vertices = self.shapes.posed(found.identity[:count], within(found.expression[:count]))
        photos = reduced(batch.images, side)
        skins = [self.albedo(found.texture[number]) for number in range(count)]
        masks = reduced(batch.masks[:, None], side)[:, 0]
        drawn, cover = [], []
        for number in range(count):
            pinhole, light = found.pinhole(number, side), found.lighting(number)
            picture = self.draw(vertices[number], skins[number], light, pinhole, side)
            drawn.append(linear_to_srgb(picture.image).clamp(0, 1).permute(2, 0, 1))
            cover.append(masks[number] * picture.coverage)
        rendered, where = torch.stack(drawn), torch.stack(cover)
        terms = {
            "pixel": ganfit.pixel * pixel_distance(photos, rendered, where.detach()).mean(),
            "light": ganfit.light * found.light_change[:count].square().sum(1).mean(),
            "tint": self.weights.tint * tint(found.light_change[:count]).mean(),
        }
        if self.texture is not None:
            terms["texture"] = self.weights.texture * self.texture.penalty(found.texture[:count]).mean()
        if recognised:
            shown = photos + where[:, None] * (rendered - photos)
            with torch.no_grad():
                wanted, layers = self.recogniser.network(photos[:recognised])
            embedding, activations = self.recogniser.network(shown[:recognised])
            terms["identity"] = ganfit.identity * cosine_distance(wanted, embedding).mean()
            terms["content"] = ganfit.content * content_distance(layers, activations).mean()
            again = min(again, recognised)
            if again:
                views = [self.view(found, number, skins[number], (batch.seed, number)) for number in range(again)]
                terms["random_identity"] = (
                    ganfit.random_identity * cosine_distance(wanted[:again], torch.cat(views)).mean()
                )
        return terms

    def albedo(self, latent: Tensor) -> Tensor:
        """(3,S,S) linear RGB: the model's where it says something, the base skin elsewhere."""
        if self.texture is None or self.coverage is None:
            return srgb_to_linear(self.skin)
        said = reduced(self.texture.albedo(latent[None]), SKIN)[0]
        return srgb_to_linear(self.skin + self.coverage * (said - self.skin))

    def draw(self, vertices: Tensor, skin: Tensor, light: Light, pinhole: Pinhole, side: int) -> Rendering:
        """The head (V,3) on nothing. Contours are blended where they can be learnt from."""
        edges = vertices.requires_grad or pinhole.translation.requires_grad
        return render_mesh(vertices, self.shapes.topology, skin, light, pinhole, (side, side), edges=edges)

    def view(self, found: Parameters, number: int, skin: Tensor, seed: tuple[int, int]) -> Tensor:
        """(1,D) embedding of a face with another expression, camera and light (section 3.2, before equation 8)."""
        view = random_view(np.random.default_rng(seed), found.expression.shape[1])
        like, side = found.identity, self.recogniser.side

        def tensor(values: object) -> Tensor:
            return torch.as_tensor(np.asarray(values, np.float32), device=like.device)

        expression = tensor(view.expression * UNIT_DEVIATION).clamp(0, 1)[None]
        vertices = self.shapes.posed(found.identity[number : number + 1], expression)[0]
        turn = axis_angle_matrix(tensor([view.pitch, view.yaw, view.roll]))
        distance = 1.4 * view.distance
        frontal = turn @ torch.diag(tensor([1.0, -1.0, -1.0]))
        focal, centre = tensor(distance * side / 0.26), tensor([side / 2, side / 2])
        pinhole = Pinhole(frontal, tensor([0.0, 0.0, distance]), focal, centre)
        light = HarmonicLight(tensor(ambient() * view.ambient + directional(view.direction, view.direct)))
        picture = self.draw(vertices, skin, light, pinhole, side)
        image = picture.image + (1 - picture.coverage)[..., None] * BEHIND
        points = self.shapes.points(found.identity[number : number + 1].detach(), expression)[0]
        matrix = tensor(self.recogniser.matrix(pinhole.project(points)[:, :2].cpu().numpy()))[None]
        return self.recogniser.features(linear_to_srgb(image).clamp(0, 1).permute(2, 0, 1)[None], matrix)[0]
