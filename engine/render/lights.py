"""Lights for the differentiable renderer: order-2 harmonics, and GANFit's point light with ambient light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from .lighting import irradiance, sh_basis, sphere_directions

DIRECTIONS = 512
"""Directions over which a light is matched by harmonics."""
STRENGTH, SHININESS = 0.08, 12.0
"""A broad, faint highlight, as skin has."""


class Light(Protocol):
    """What falls on a surface: its picture is albedo * diffuse + specular, linear RGB, not clamped above."""

    def shade(self, normals: Tensor, points: Tensor, eye: Tensor) -> tuple[Tensor, Tensor]:
        """Light of surface points.

        Args:
            normals: (P,3) unit, world.
            points: (P,3) metres, world.
            eye: (3,) the camera's optical centre, metres.
        Returns:
            diffuse (P,3), to be multiplied by the albedo, and specular (P,3), to be added.
        """
        ...


@dataclass(frozen=True)
class HarmonicLight:
    """Distant light of order-2 spherical harmonics, see `engine.render.lighting`; nothing specular.

    It stays linear in the coefficients: directions that came out darker than black are not cut off.

    Attributes:
        coefficients: (9,3) illumination.
    """

    coefficients: Tensor

    def shade(self, normals: Tensor, points: Tensor, eye: Tensor) -> tuple[Tensor, Tensor]:
        """See `Light`."""
        diffuse = irradiance(normals, self.coefficients)
        return diffuse, torch.zeros_like(diffuse)


@dataclass(frozen=True)
class PhongLight:
    """GANFit's illumination of nine numbers (Fast-GANFIT, section 3.2: p_l = position, colour, ambient colour).

    The paper names Phong shading and no more. As in the renderer that it follows (its reference 20, Genova et al.,
    CVPR 2018), light does not fall off with distance, and the highlight is the mirrored ray's cosine to a power, in the
    light's colour, with none where the surface is turned away from the light. How strong and how sharp the highlight is
    stands outside the nine numbers: both are fixed here at what suits skin; strength 0 leaves Lambert's shading.

    Attributes:
        position: (3,) of the light, metres, world.
        colour: (3,) linear; a surface facing the light squarely is lit by so much.
        ambient: (3,) linear, the same from everywhere.
        strength: of the highlight, as a fraction of the light's colour.
        shininess: the highlight's exponent.
    """

    position: Tensor
    colour: Tensor
    ambient: Tensor
    strength: float = STRENGTH
    shininess: float = SHININESS

    @classmethod
    def of(cls, vector: Tensor, strength: float = STRENGTH, shininess: float = SHININESS) -> PhongLight:
        """From the nine numbers (9,) in the paper's order."""
        return cls(vector[0:3], vector[3:6], vector[6:9], strength, shininess)

    @property
    def vector(self) -> Tensor:
        """(9,) in the paper's order."""
        return torch.cat([self.position, self.colour, self.ambient])

    def shade(self, normals: Tensor, points: Tensor, eye: Tensor) -> tuple[Tensor, Tensor]:
        """See `Light`."""
        toward_light = normalize(self.position - points, dim=-1)
        facing = (normals * toward_light).sum(-1, keepdim=True)
        diffuse = self.ambient + facing.clamp_min(0) * self.colour
        if not self.strength:
            return diffuse, torch.zeros_like(diffuse)
        mirrored = 2 * facing * normals - toward_light
        peak = (mirrored * normalize(eye - points, dim=-1)).sum(-1, keepdim=True).clamp_min(0) ** self.shininess
        return diffuse, self.strength * (peak * (facing > 0)) * self.colour

    def illumination(self, at: Tensor | None = None) -> Tensor:
        """The order-2 harmonics that come nearest to the diffuse light at a point, by least squares over the sphere.

        Args:
            at: (3,) metres; the origin, which is inside the head, where None.
        Returns:
            (9,3), as `engine.render.lighting` has it. Differentiable.
        """
        where = torch.zeros_like(self.position) if at is None else at
        directions, solver = (torch.tensor(part).to(self.position) for part in _sphere())
        toward_light = normalize(self.position - where, dim=-1)
        return solver @ (self.ambient + (directions @ toward_light).clamp_min(0)[:, None] * self.colour)


@lru_cache(maxsize=1)
def _sphere() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit directions (N,3) and the least-squares solution (9,N) of harmonics for values at them."""
    directions = sphere_directions(DIRECTIONS)
    return directions, np.linalg.pinv(sh_basis(directions))
