"""Lights against what they are defined to be."""

from __future__ import annotations

import numpy as np
import torch

from engine.render.lighting import C0, directional, irradiance, sphere_directions
from engine.render.lights import HarmonicLight, PhongLight

NORMALS = torch.tensor(sphere_directions(50))
EYE = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
NUMBERS = torch.tensor([0.3, 0.5, 1.2, 0.7, 0.6, 0.5, 0.2, 0.3, 0.4], dtype=torch.float64)


def points(count: int = 50) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(1).normal(size=(count, 3)) * 0.1)


def test_harmonic_light_is_irradiance() -> None:
    coefficients = torch.tensor(directional(np.array([0.2, 0.4, 1.0]), np.array([1.0, 0.9, 0.8]))).double()
    diffuse, specular = HarmonicLight(coefficients).shade(NORMALS, points(), EYE)
    assert torch.equal(diffuse, irradiance(NORMALS, coefficients))
    assert not specular.any()


def test_phong_light_of_nine_numbers() -> None:
    light = PhongLight.of(NUMBERS, strength=0.3, shininess=5.0)
    assert torch.equal(light.vector, NUMBERS)
    assert (light.strength, light.shininess) == (0.3, 5.0)


def test_phong_diffuse_is_the_cosine_to_the_light() -> None:
    """Facing the light: its colour and the ambient one; at 60 degrees half of its colour; turned away: none of it."""
    light = PhongLight.of(torch.tensor([0, 0, 2, 0.8, 0.6, 0.4, 0.1, 0.1, 0.2]), strength=0.0)
    normals = torch.tensor([[0.0, 0, 1], [0.75**0.5, 0, 0.5], [0, 0, -1]])
    diffuse, specular = light.shade(normals, torch.zeros(3, 3), torch.tensor([0.0, 0, 1]))
    assert torch.allclose(diffuse, torch.tensor([[0.9, 0.7, 0.6], [0.5, 0.4, 0.4], [0.1, 0.1, 0.2]]))
    assert not specular.any()


def test_phong_highlight_peaks_where_the_mirrored_ray_meets_the_eye() -> None:
    """The light 45 degrees to one side, the eye to the other: a surface between them mirrors it into the eye."""
    light = PhongLight.of(torch.tensor([1, 0, 1, 0.8, 0.6, 0.4, 0, 0, 0]), strength=0.5, shininess=4.0)
    tilt = torch.tensor(30 / 180 * torch.pi)
    normals = torch.stack([torch.tensor([0.0, 0, 1]), torch.stack([tilt.sin(), tilt * 0, tilt.cos()])])
    _, specular = light.shade(normals, torch.zeros(2, 3), torch.tensor([-2.0, 0, 2]))
    colour = torch.tensor([0.4, 0.3, 0.2])
    assert torch.allclose(specular[0], colour)
    assert torch.allclose(specular[1], colour * 0.5**4, atol=1e-6)  # turned by 30 degrees, the ray by 60
    behind = PhongLight.of(torch.tensor([0.1, 0, -1, 1, 1, 1, 0, 0, 0]), strength=0.5, shininess=4.0)
    _, hidden = behind.shade(normals[:1], torch.zeros(1, 3), torch.tensor([-0.1, 0, 1]))
    assert not hidden.any()


def test_phong_gradients() -> None:
    where = points(6).requires_grad_()

    def shade(numbers: torch.Tensor, normals: torch.Tensor, places: torch.Tensor, eye: torch.Tensor):
        return PhongLight.of(numbers).shade(normals, places, eye)

    inputs = (
        NUMBERS.clone().requires_grad_(),
        NORMALS[:6].clone().requires_grad_(),
        where,
        EYE.clone().requires_grad_(),
    )
    assert torch.autograd.gradcheck(shade, inputs)


def test_ambient_light_as_harmonics_is_exact() -> None:
    numbers = NUMBERS.clone()
    numbers[3:6] = 0
    found = PhongLight.of(numbers).illumination()
    expected = torch.zeros(9, 3, dtype=torch.float64)
    expected[0] = numbers[6:] / C0
    assert torch.allclose(found, expected, atol=1e-12)


def test_point_light_as_harmonics() -> None:
    """The series of the clamped cosine c to order 2 is 3/32 + c/2 + 15/32 c², off by at most 3/32, at the terminator.

    Its mean square error over the sphere is 1/6 - (1/16 + 1/12 + 5/256). Least squares agree but for the sampling.
    The light's direction is that from the given point.
    """
    light = PhongLight.of(NUMBERS)
    middle = torch.tensor([0.0, 0.1, 0.0], dtype=torch.float64)
    found = light.illumination(middle)
    diffuse, _ = light.shade(NORMALS, middle.expand(50, -1), EYE)
    error = (irradiance(NORMALS, found) - diffuse) / light.colour
    assert error.abs().max() < 3 / 32 + 0.003
    assert abs(error.square().mean().sqrt() - (1 / 6 - 1 / 16 - 1 / 12 - 5 / 256) ** 0.5) < 0.003
    series = torch.tensor(directional((light.position - middle).numpy(), light.colour.numpy() * 17 / 16)).double()
    series[0] += light.ambient / C0
    assert torch.allclose(found, series, atol=3e-3)


def test_illumination_gradients() -> None:
    assert torch.autograd.gradcheck(lambda p: PhongLight.of(p).illumination(), NUMBERS.clone().requires_grad_())
