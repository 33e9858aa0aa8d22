"""Spherical harmonics against their known integrals."""

from __future__ import annotations

import numpy as np
import torch

from engine.render.lighting import (
    C0,
    TRANSFER,
    ambient,
    directional,
    irradiance,
    linear_to_bytes,
    linear_to_srgb,
    rotate_illumination,
    sh_basis,
    solve_illumination,
    sphere_directions,
    srgb_to_linear,
    studio,
)

SPHERE = sphere_directions(20000)


def test_basis_is_orthonormal() -> None:
    basis = sh_basis(SPHERE)
    assert np.allclose(basis.T @ basis * 4 * np.pi / len(SPHERE), np.eye(9), atol=2e-3)


def test_transfer_is_the_clamped_cosine() -> None:
    """Integrating radiance H_k against the clamped cosine gives pi * TRANSFER[k] * H_k (Ramamoorthi-Hanrahan)."""
    normal = np.array([0.48, 0.6, 0.64])
    cosine = np.clip(SPHERE @ normal, 0, None)
    integral = (sh_basis(SPHERE) * cosine[:, None]).mean(0) * 4 * np.pi
    assert np.allclose(integral / np.pi, TRANSFER * sh_basis(normal), atol=2e-3)


def test_directional_light_peaks_at_its_colour_and_is_dark_behind() -> None:
    light = directional(np.array([0, 3.0, 4.0]), np.array([1.0, 0.5, 0.25]))
    assert np.allclose(irradiance(np.array([0, 0.6, 0.8]), light), [1, 0.5, 0.25], atol=1e-5)
    assert np.abs(irradiance(np.array([0, -0.6, -0.8]), light)).max() < 0.1
    # Close to the clamped cosine everywhere, within the few per cent of order 2.
    assert np.abs(irradiance(SPHERE, light)[:, 0] - np.clip(SPHERE @ [0, 0.6, 0.8], 0, None)).max() < 0.1


def test_ambient_is_flat() -> None:
    assert np.allclose(irradiance(SPHERE[:50], ambient(0.7)), 0.7, atol=1e-6)


def test_studio_light_is_positive_and_bright_in_front() -> None:
    assert irradiance(SPHERE, studio()).min() > 0.02
    assert 0.7 < irradiance(np.array([0.0, 0, 1]), studio()).mean() < 1.1


def test_torch_and_numpy_agree() -> None:
    light = studio()
    directions = SPHERE[:100].astype(np.float32)
    found = irradiance(torch.tensor(directions), torch.tensor(light)).numpy()
    assert np.allclose(found, irradiance(directions, light), atol=1e-6)
    colours = np.linspace(0, 1, 50, dtype=np.float32)
    assert np.allclose(srgb_to_linear(torch.tensor(colours)).numpy(), srgb_to_linear(colours), atol=1e-6)
    assert np.allclose(linear_to_srgb(torch.tensor(colours)).numpy(), linear_to_srgb(colours), atol=1e-6)


def test_srgb_known_values_and_round_trip() -> None:
    assert np.isclose(srgb_to_linear(np.array(0.5)), 0.21404114)
    assert np.isclose(srgb_to_linear(np.array([188], np.uint8))[0], 0.5028864, atol=1e-6)
    values = np.arange(256, dtype=np.uint8)
    assert np.array_equal(np.round(linear_to_srgb(srgb_to_linear(values)) * 255).astype(np.uint8), values)


def test_rotation_turns_the_light() -> None:
    turn = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    light = directional(np.array([0.0, 0, 1]))
    assert np.allclose(rotate_illumination(light, turn), directional(turn @ [0, 0, 1]), atol=1e-4)


def front_half(count: int, seed: int) -> np.ndarray:
    normals = np.random.default_rng(seed).normal(size=(count, 3))
    normals[:, 2] = np.abs(normals[:, 2])
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def test_solves_the_light_it_was_lit_with() -> None:
    normals = front_half(3000, 1)
    albedo = np.random.default_rng(2).uniform(0.2, 0.6, (3000, 3))
    light = studio()
    observed = albedo * irradiance(normals, light)
    found = solve_illumination(normals, albedo, observed, regularisation=1e-5)
    assert np.abs(irradiance(normals, found) / irradiance(normals, light) - 1).max() < 0.01


def test_highlights_and_stickers_pull_little() -> None:
    rng = np.random.default_rng(3)
    normals, light = front_half(3000, 4), studio()
    albedo = np.full((3000, 3), 0.4)
    observed = albedo * irradiance(normals, light) + rng.normal(0, 0.004, (3000, 3))
    observed[rng.random(3000) < 0.15] = 0.9
    found = solve_illumination(normals, albedo, observed, regularisation=1e-4)
    error = np.abs(irradiance(normals, found) / irradiance(normals, light) - 1)
    assert np.median(error) < 0.02


def test_light_is_positive_from_every_side() -> None:
    normals = front_half(2000, 5)
    observed = 0.5 * np.clip(normals @ [1, 0, 0], 0, None)[:, None].repeat(3, 1)
    found = solve_illumination(normals, np.full((2000, 3), 0.5), observed)
    assert (irradiance(SPHERE, found) >= 0.04 * found[0] * C0).all()
    assert irradiance(np.array([1.0, 0, 0]), found)[0] > 0.7


def test_the_table_of_bytes_agrees_with_the_formula() -> None:
    colours = np.linspace(-0.2, 1.3, 200_001, dtype=np.float32)
    exact = np.clip(linear_to_srgb(np.clip(colours, 0, 1)) * 255, 0, 255)
    assert np.abs(linear_to_bytes(colours) - exact).max() < 0.53
