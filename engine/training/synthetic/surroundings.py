"""What stands around a head and lights it: a small panorama of radiance that shades as given harmonics do.

Order-2 harmonics say how matt surfaces are shaded and nothing more. Eyes, glasses and damp skin mirror what is there,
so the panorama has windows and uneven walls, as far as the harmonics leave room for them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...render.lighting import irradiance, sphere_directions

WIDTH, HEIGHT = 64, 32
NORMALS, ROUNDS = 256, 40
DARKEST = 0.02
"""Of the mean light; harmonics that fit a lamp dip below zero opposite of it."""
UNEVEN = 0.5
"""Deviation of the logarithm of the walls' brightness, before they are fitted."""
WINDOW = (6.0, 30.0)
"""How much brighter than the walls."""
WINDOW_SIDE = (0.12, 0.4)
"""Half a window's side, as the tangent of the angle."""


def panorama(illumination: NDArray, rng: np.random.Generator) -> NDArray[np.float32]:
    """Radiance from all around, nowhere negative, that shades a matt head as `illumination` does.

    From walls and windows drawn at random, each texel is scaled again and again by how much brighter the head should be
    where that texel shines (Daube-Witherspoon and Muehllehner 1986, "An Iterative Image Space Reconstruction Algorithm
    Suitable for Volume ECT").

    Args:
        illumination: (9,3), see `engine.render.lighting`.
    Returns:
        (32,64,3) linear RGB. Row 0 is the BOTTOM and the poles lie on z, as Blender reads it with our axes for its own.
    """
    around, solid_angle = directions()
    around = around.reshape(-1, 3)
    normals = sphere_directions(NORMALS)
    shading = irradiance(normals, np.asarray(illumination, np.float64))
    shading = np.maximum(shading, DARKEST * np.maximum(shading.mean(0), 1e-6))
    spread = np.maximum(normals @ around.T, 0.0) * solid_angle.ravel()
    spread /= spread.sum(1, keepdims=True)  # pi, but for the coarse texels
    light = _room(around, shading @ np.full(3, 1 / 3) @ normals, rng)[:, None] * shading.mean(0)
    wanted = spread.T @ shading
    for _ in range(ROUNDS):
        light *= wanted / np.maximum(spread.T @ (spread @ light), 1e-9)
    return light.reshape(HEIGHT, WIDTH, 3).astype(np.float32)


def directions() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(H,W,3) where the texels look and (H,W) their solid angles."""
    azimuth = np.pi - 2.0 * np.pi * (np.arange(WIDTH) + 0.5) / WIDTH
    level = np.pi * ((np.arange(HEIGHT) + 0.5) / HEIGHT - 0.5)
    azimuth, level = np.meshgrid(azimuth, level)
    around = np.stack([np.cos(level) * np.cos(azimuth), np.cos(level) * np.sin(azimuth), np.sin(level)], axis=-1)
    solid_angle = np.cos(level) * 2.0 * np.sin(np.pi / 2 / HEIGHT) * 2.0 * np.pi / WIDTH
    return np.asarray(around, np.float64), np.asarray(solid_angle, np.float64)


def _room(around: NDArray, brightest: NDArray, rng: np.random.Generator) -> NDArray[np.float64]:
    """(N,) brightness of walls, and of windows mostly towards where the light comes from."""
    waves = rng.normal(0, 2.5, (16, 3))
    noise = np.sqrt(2 / 16) * np.cos(around @ waves.T + rng.uniform(0, 2 * np.pi, 16)).sum(1)
    walls = np.exp(UNEVEN * noise)
    main = brightest / max(float(np.linalg.norm(brightest)), 1e-9)
    for _ in range(rng.integers(1, 4)):
        way = main + rng.normal(0, 0.35, 3) + [0.0, 0.0, 0.15]
        way = way / np.linalg.norm(way)
        side = np.cross([0.0, 1.0, 0.0], way)
        side = side / max(float(np.linalg.norm(side)), 1e-6)
        ahead = around @ way
        across, up = around @ side, around @ np.cross(way, side)
        half = rng.uniform(*WINDOW_SIDE, 2)
        inside = (ahead > 0) & (np.abs(across) < half[0] * ahead) & (np.abs(up) < half[1] * ahead)
        walls[inside] = np.maximum(walls[inside], rng.uniform(*WINDOW))
    return walls
