"""Light: sRGB conversion and order-2 spherical harmonics.

Ramamoorthi and Hanrahan, "An Efficient Representation for Irradiance Environment Maps", SIGGRAPH 2001: nine numbers per
colour channel describe diffuse light to about one per cent. Here `illumination` (9,3) holds irradiance over pi, so that

    shaded_linear = albedo_linear * sum_k illumination[k] * H_k(normal)

with H_k the real orthonormal harmonics in the order below. Light of radiance coefficients L has
illumination[k] = TRANSFER[k] * L[k]. Directions are in the head's frame: x to the head's left, y up, z to the front.

Every function takes NumPy arrays or torch tensors and returns the same kind.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Real orthonormal spherical harmonics: sqrt(1/4pi); sqrt(3/4pi); sqrt(15/4pi); sqrt(5/16pi); sqrt(15/16pi).
C0, C1, C2, C3, C4 = (
    0.28209479177387814,
    0.4886025119029199,
    1.0925484305920792,
    0.31539156525252005,
    0.5462742152960396,
)
# The clamped cosine's own coefficients over pi, for bands 0, 1, 2 (equation 8 of the paper: pi, 2pi/3, pi/4).
TRANSFER = np.array([1.0] + [2 / 3] * 3 + [1 / 4] * 5)
TABLE_BLOCK = 1 << 16


def sh_basis(normals: Any) -> Any:
    """H_0..H_8 at unit directions (...,3): (...,9), in the order 1, y, z, x, xy, yz, 3z²-1, xz, x²-y²."""
    x, y, z = normals[..., 0], normals[..., 1], normals[..., 2]
    one = x * 0 + 1
    terms = [
        C0 * one, C1 * y, C1 * z, C1 * x,
        C2 * x * y, C2 * y * z, C3 * (3 * z * z - 1), C2 * x * z, C4 * (x * x - y * y),
    ]  # fmt: skip
    if isinstance(normals, np.ndarray):
        return np.stack(terms, -1)
    import torch

    return torch.stack(terms, -1)


def irradiance(normals: Any, illumination: Any) -> Any:
    """Light arriving at unit normals (...,3) under illumination (9,3): (...,3) linear RGB, not clamped."""
    return sh_basis(normals) @ illumination


def srgb_to_linear(colour: Any) -> Any:
    """sRGB 0..1 to linear light (IEC 61966-2-1). uint8 arrays are taken as 0..255."""
    if isinstance(colour, np.ndarray):
        if colour.dtype == np.uint8:
            return _LINEAR_OF_BYTE[colour]
        return np.where(colour <= 0.04045, colour / 12.92, ((np.maximum(colour, 0) + 0.055) / 1.055) ** 2.4)
    import torch

    return torch.where(colour <= 0.04045, colour / 12.92, ((colour.clamp_min(1e-6) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(colour: Any) -> Any:
    """Linear light to sRGB 0..1 (values above 1 stay above 1; negative ones follow the linear piece)."""
    if isinstance(colour, np.ndarray):
        return np.where(colour <= 0.0031308, colour * 12.92, 1.055 * np.maximum(colour, 1e-6) ** (1 / 2.4) - 0.055)
    import torch

    return torch.where(colour <= 0.0031308, colour * 12.92, 1.055 * colour.clamp_min(1e-6) ** (1 / 2.4) - 0.055)


def linear_to_bytes(colour: NDArray) -> NDArray[np.uint8]:
    """Linear light to sRGB 0..255, by a table of 2^16 steps: at most one step off where rounding is a near tie."""
    flat = colour.reshape(-1)
    out = np.empty(flat.shape, np.uint8)
    for start in range(0, len(flat), TABLE_BLOCK):  # blocks stay in the processor's cache
        part = slice(start, start + TABLE_BLOCK)
        steps = np.clip(flat[part], 0.0, 1.0) * (len(_BYTE_OF_LINEAR) - 1) + 0.5
        out[part] = np.take(_BYTE_OF_LINEAR, steps.astype(np.uint16))
    return out.reshape(colour.shape)


_LINEAR_OF_BYTE = srgb_to_linear(np.arange(256) / 255.0).astype(np.float32)
_BYTE_OF_LINEAR = np.round(linear_to_srgb(np.arange(1 << 16) / 65535.0) * 255).astype(np.uint8)


def ambient(level: float = 1.0) -> NDArray[np.float32]:
    """Illumination (9,3) that is the same from everywhere: shaded = level * albedo."""
    light = np.zeros((9, 3), np.float32)
    light[0] = level / C0
    return light


def directional(direction: NDArray, colour: NDArray | float = 1.0) -> NDArray[np.float32]:
    """Illumination (9,3) of one distant light; a surface facing it squarely is lit by about `colour`.

    Args:
        direction: (3,) towards the light, any length.
        colour: (3,) or a number, linear.
    """
    unit = np.asarray(direction, np.float64) / np.linalg.norm(direction)
    # The order-2 clamped cosine peaks at 17/16 of the true one; H(d)·TRANSFER·H(d) = (1 + 2 + 5/4) / 4pi.
    weights = TRANSFER * sh_basis(unit) * (4 * np.pi / 4.25)
    return (weights[:, None] * np.broadcast_to(np.asarray(colour, np.float64), 3)).astype(np.float32)


def studio() -> NDArray[np.float32]:
    """The soft three-point light in which results are shown."""
    light = ambient(0.42)
    light += directional(np.array([-0.7, 0.6, 0.8]), np.array([0.56, 0.54, 0.52]))
    light += directional(np.array([0.9, 0.1, 0.7]), np.array([0.17, 0.18, 0.20]))
    light += directional(np.array([0.3, 0.6, -1.0]), np.array([0.16, 0.16, 0.17]))
    return light


def rotate_illumination(illumination: NDArray, rotation: NDArray) -> NDArray[np.float32]:
    """The illumination (9,3) after the light is turned by `rotation` (3,3): new(R n) = old(n)."""
    directions = sphere_directions(64)
    solution, *_ = np.linalg.lstsq(sh_basis(directions @ rotation.T), sh_basis(directions) @ illumination, rcond=None)
    return solution.astype(np.float32)


def sphere_directions(count: int) -> NDArray:
    """(count,3) unit vectors spread evenly (Fibonacci lattice)."""
    index = np.arange(count, dtype=np.float64) + 0.5
    z = 1 - 2 * index / count
    angle = np.pi * (1 + 5**0.5) * index
    radius = np.sqrt(1 - z * z)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], -1)


def solve_illumination(
    normals: NDArray,
    albedo_linear: NDArray,
    observed_linear: NDArray,
    weights: NDArray | None = None,
    regularisation: float = 0.02,
    floor: float = 0.05,
    iterations: int = 8,
) -> NDArray[np.float32]:
    """The illumination under which `albedo` looks like `observed`.

    Iteratively reweighted least squares (Cauchy) per channel, so that highlights, cast shadows and wrong albedo pull
    little; ridge on bands 1 and 2; positive light from every direction.

    Args:
        normals: (N,3) unit, head frame.
        albedo_linear, observed_linear: (N,3) linear RGB.
        weights: (N,) confidence of each sample, or None.
        regularisation: strength of the ridge relative to the samples.
        floor: least light from any direction, as a fraction of the mean light.
        iterations: reweighting rounds.
    Returns:
        (9,3) float32.
    """
    basis = sh_basis(np.asarray(normals, np.float64))
    weights = np.ones(len(basis)) if weights is None else np.asarray(weights, np.float64)
    sphere = sh_basis(sphere_directions(256))
    result = np.empty((9, 3))
    for channel in range(3):
        albedo = np.asarray(albedo_linear[:, channel], np.float64)
        observed = np.asarray(observed_linear[:, channel], np.float64)
        result[:, channel] = _solve_channel(
            basis * albedo[:, None], observed, weights, sphere, regularisation, floor, iterations
        )
    return result.astype(np.float32)


def _solve_channel(
    design: NDArray, observed: NDArray, weights: NDArray, sphere: NDArray, ridge: float, floor: float, iterations: int
) -> NDArray:
    """One channel's nine coefficients."""
    robust = weights
    solution = np.zeros(9)
    dark = np.zeros(len(sphere), bool)
    for _ in range(iterations):
        normal = design.T @ (design * robust[:, None])
        right = design.T @ (robust * observed)
        level = np.trace(normal) / 9 + 1e-12
        normal += level * ridge * np.diag([0.0] + [1.0] * 3 + [2.0] * 5) + level * 1e-9 * np.eye(9)
        # Directions that came out darker than the floor are asked to sit on it.
        rows = sphere[dark]
        mean_light = max(solution[0] * C0, 0.0)
        pull = 20 * level / max(len(sphere), 1)
        normal += pull * rows.T @ rows
        right += pull * rows.sum(0) * (1.5 * floor * mean_light)
        solution = np.linalg.solve(normal, right)
        dark |= sphere @ solution < floor * max(solution[0] * C0, 0.0)
        residual = observed - design @ solution
        scale = 2.4 * 1.4826 * np.median(np.abs(residual)[weights > 0]) + 1e-4 if (weights > 0).any() else 1.0
        robust = weights / (1 + (residual / scale) ** 2)
    return _keep_positive(solution, sphere, floor)


def _keep_positive(solution: NDArray, sphere: NDArray, floor: float) -> NDArray:
    """Shrink bands 1 and 2 just enough for every direction to be lit by `floor` of the mean."""
    mean = np.zeros(9)
    mean[0] = max(solution[0], 1e-6)
    variation = sphere @ (solution - mean)
    allowed = (1 - floor) * mean[0] * C0
    return mean + (solution - mean) * min(1.0, allowed / max(float(-variation.min()), 1e-12))
