"""Light for synthetic pictures: soft surroundings as spherical harmonics, and lamps that cast shadows.

Light is drawn as scenes (a room, an overcast sky, sun, sunset, flash, a studio, a window, a dark place) in the head's
frame, and then exposed as a camera would: the face's mean level and colour come near the usual, but rarely meet it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...render.lighting import ambient, directional, irradiance, sphere_directions
from .scene import Lamp

USUAL_ALBEDO = 0.3  # linear, of skin
USUAL_LEVEL, LEVEL_DEVIATION = 0.21, 0.45  # mean linear brightness of a face, and its logarithm's deviation
LEVEL_RANGE = (0.03, 0.65)
ADAPTATION = (0.35, 1.0)  # how much of the light's colour the camera's white balance takes out
FRONT = np.array([0.0, 0.0, 1.0])
SOFTNESS = {"sun": (0.005, 0.02), "bulb": (0.03, 0.12), "flash": (0.02, 0.1), "window": (0.2, 0.6)}  # radians

Light = tuple[NDArray[np.float64], list[Lamp]]


def random_light(
    rng: np.random.Generator, towards_camera: NDArray = FRONT, albedo: float = USUAL_ALBEDO
) -> tuple[NDArray[np.float32], tuple[Lamp, ...]]:
    """Soft light (9,3), see `engine.render.lighting`, and up to three lamps.

    Args:
        towards_camera: (3,) unit, head frame; flashes are there, and what is seen from there is exposed.
        albedo: mean linear brightness of the skin; exposure makes up for half of what it differs from the usual.
    """
    scene = SCENES[rng.choice(len(SCENES), p=SHARES)]
    soft, lamps = scene(rng, towards_camera)
    gain = _exposure(soft, lamps, towards_camera, albedo, rng)
    return (soft * gain).astype(np.float32), tuple(
        replace(lamp, colour=(lamp.colour * gain).astype(np.float32)) for lamp in lamps
    )


def _exposure(
    soft: NDArray, lamps: list[Lamp], towards_camera: NDArray, albedo: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(3,) factor that brings a face in this light to a drawn level and mostly to a neutral colour."""
    normals = sphere_directions(64)
    facing = normals @ (0.6 * FRONT + 0.4 * towards_camera)
    normals, facing = normals[facing > 0], facing[facing > 0]
    light = np.maximum(irradiance(normals, soft), 0.0)
    for lamp in lamps:
        light = light + np.maximum(normals @ lamp.direction, 0.0)[:, None] * lamp.colour
    mean = np.maximum(facing @ light / facing.sum(), 1e-4)
    level = np.clip(USUAL_LEVEL * np.exp(rng.normal(0.0, LEVEL_DEVIATION)), *LEVEL_RANGE)
    brightness = level / USUAL_ALBEDO * (USUAL_ALBEDO / albedo) ** 0.5
    balance = (mean.mean() / mean) ** rng.uniform(*ADAPTATION)
    return brightness / mean.mean() * balance


def kelvin(temperature: float) -> NDArray[np.float64]:
    """(3,) linear RGB of a black body, green 1: Planck's law at 610, 550 and 465 nm, white at 6500 K."""
    wavelengths = np.array([610e-9, 550e-9, 465e-9])

    def radiance(degrees: float) -> NDArray[np.float64]:
        return 1.0 / (np.exp(1.4388e-2 / (wavelengths * degrees)) - 1.0)

    colour = radiance(temperature) / radiance(6500.0)
    return colour / colour[1]


def _temperature(rng: np.random.Generator, low: float, high: float) -> NDArray[np.float64]:
    return kelvin(1.0 / rng.uniform(1.0 / high, 1.0 / low))  # evenly in what the eye sees: the inverse


def _any_colour(rng: np.random.Generator) -> NDArray[np.float64]:
    """(3,) strongly coloured light of mean 1."""
    colour = np.exp(rng.normal(0.0, 0.8, 3))
    return colour / colour.mean()


def _from(rng: np.random.Generator, yaw: float, pitch: float, about: NDArray = FRONT) -> NDArray[np.float32]:
    """(3,) a unit direction so many degrees to the left of the front and up, roughly."""
    y, p = np.radians([rng.normal(yaw, 12.0), rng.normal(pitch, 10.0)])
    base = np.arctan2(about[0], about[2])
    return np.array([np.sin(base + y) * np.cos(p), np.sin(p), np.cos(base + y) * np.cos(p)], np.float32)


def _lamp(direction: NDArray, colour: NDArray, kind: str, rng: np.random.Generator) -> Lamp:
    return Lamp(direction.astype(np.float32), colour.astype(np.float32), float(rng.uniform(*SOFTNESS[kind])))


def _side(rng: np.random.Generator) -> float:
    return float(rng.choice([-1.0, 1.0]))


def _lobes(rng: np.random.Generator, count: int, level: float) -> NDArray[np.float64]:
    """Soft light from a few wide sources anywhere, as walls and things around give."""
    light = np.zeros((9, 3))
    for _ in range(count):
        colour = np.exp(rng.normal(0, 0.12, 3)) * np.exp(rng.normal(0, 0.5))
        light = light + directional(rng.normal([0, 0.3, 0.2]), level / max(count, 1) * colour)
    return light


def room(rng: np.random.Generator, towards_camera: NDArray) -> Light:
    """Warm bulbs above, walls that give much of it back, perhaps a cool window."""
    warm = _temperature(rng, 2600, 4500)
    soft = ambient(0.35) * warm + _lobes(rng, 4, 0.6) * warm
    soft = soft + directional(np.array([0, 1.0, 0.2]), 0.3 * warm)
    lamps = [
        _lamp(_from(rng, rng.uniform(-90, 90), 50), rng.uniform(0.2, 0.7) * warm, "bulb", rng)
        for _ in range(rng.integers(0, 3))
    ]
    if rng.random() < 0.4:
        lamps.append(_lamp(_from(rng, 70 * _side(rng), 15), rng.uniform(0.2, 0.8) * kelvin(7500), "window", rng))
    return soft, lamps


def overcast(rng: np.random.Generator, towards_camera: NDArray) -> Light:
    """A bright sky all over, and what the ground gives back."""
    sky, ground = _temperature(rng, 5800, 9000), np.exp(rng.normal(0, 0.15, 3))
    soft = ambient(0.4) * sky + directional(np.array([0, 1.0, 0.15]), rng.uniform(0.3, 0.8) * sky)
    soft = soft + directional(np.array([0, -1.0, 0.2]), rng.uniform(0.05, 0.3) * ground) + _lobes(rng, 2, 0.25)
    return soft, []


def sunny(rng: np.random.Generator, towards_camera: NDArray) -> Light:
    """A hard sun from anywhere above, blue sky, and bright ground."""
    sky, sun = kelvin(rng.uniform(8000, 12000)), _temperature(rng, 4800, 6000)
    soft = ambient(rng.uniform(0.12, 0.4)) * sky + directional(np.array([0, 1.0, 0]), 0.15 * sky)
    soft = soft + directional(np.array([0, -1.0, 0.4]), rng.uniform(0.05, 0.35) * sun)
    return soft, [_lamp(_from(rng, rng.uniform(-150, 150), rng.uniform(20, 70)), 1.2 * sun, "sun", rng)]


def sunset(rng: np.random.Generator, towards_camera: NDArray) -> Light:
    """A low orange sun against a violet sky."""
    sky = kelvin(rng.uniform(7000, 14000)) * [1.1, 0.9, 1.0]
    soft = ambient(rng.uniform(0.15, 0.5)) * sky + _lobes(rng, 2, 0.2)
    sun = _lamp(
        _from(rng, rng.uniform(-140, 140), 8), rng.uniform(0.4, 1.2) * kelvin(rng.uniform(2200, 3600)), "sun", rng
    )
    return soft, [sun]


def flash(rng: np.random.Generator, towards_camera: NDArray) -> Light:
    """A flash at the camera in a dim place: flat, with a hard shadow beside the nose and chin."""
    soft = _lobes(rng, 3, rng.uniform(0.1, 0.5)) + ambient(rng.uniform(0.05, 0.25)) * _temperature(rng, 2600, 5000)
    way = towards_camera + rng.normal(0, 0.06, 3) + [0, 0.08, 0]
    return soft, [_lamp(way / np.linalg.norm(way), rng.uniform(0.6, 1.2) * kelvin(5800), "flash", rng)]


def studio(rng: np.random.Generator, towards_camera: NDArray) -> Light:
    """Key, fill and perhaps a rim light; all neutral."""
    side = _side(rng)
    soft = ambient(rng.uniform(0.1, 0.4)) + directional(
        _from(rng, -40 * side, 5, towards_camera), rng.uniform(0.1, 0.4)
    )
    tint = _temperature(rng, 4800, 6500)
    lamps = [_lamp(_from(rng, 40 * side, 30, towards_camera), rng.uniform(0.5, 1.0) * tint, "window", rng)]
    if rng.random() < 0.6:
        lamps.append(_lamp(_from(rng, -150 * side, 30), rng.uniform(0.3, 1.2) * tint, "bulb", rng))
    if rng.random() < 0.3:
        lamps.append(_lamp(_from(rng, 120 * side, 20), rng.uniform(0.2, 0.8) * tint, "bulb", rng))
    return soft, lamps


def window(rng: np.random.Generator, towards_camera: NDArray) -> Light:
    """One large window at the side, the room's far side dark."""
    side, day = _side(rng), _temperature(rng, 5500, 8500)
    soft = ambient(rng.uniform(0.04, 0.25)) * kelvin(rng.uniform(3500, 6000)) + _lobes(rng, 2, 0.15)
    at = _from(rng, rng.uniform(30, 100) * side, 15)
    return soft + directional(at, 0.35 * day), [_lamp(at, rng.uniform(0.4, 0.9) * day, "window", rng)]


def against_the_light(rng: np.random.Generator, towards_camera: NDArray) -> Light:
    """The brightest light comes from behind."""
    soft = ambient(rng.uniform(0.15, 0.4)) * _temperature(rng, 4500, 8000) + _lobes(rng, 2, 0.2)
    soft = soft + directional(np.array([0, 0.4, -1.0]), rng.uniform(0.3, 0.8))
    behind = _from(rng, rng.uniform(120, 170) * _side(rng), 30)
    return soft, [_lamp(behind, rng.uniform(0.8, 2.2) * _temperature(rng, 4000, 6500), "sun", rng)]


def night(rng: np.random.Generator, towards_camera: NDArray) -> Light:
    """Little light, strongly coloured: signs, screens, street lamps."""
    soft = ambient(rng.uniform(0.05, 0.2)) * _any_colour(rng) + _lobes(rng, 3, 0.2) * _any_colour(rng)
    lamps = [
        _lamp(
            _from(rng, rng.uniform(-120, 120), rng.uniform(-10, 50)),
            rng.uniform(0.2, 0.9) * _any_colour(rng),
            "bulb",
            rng,
        )
        for _ in range(rng.integers(1, 4))
    ]
    return soft, lamps


def anything(rng: np.random.Generator, towards_camera: NDArray) -> Light:
    """No scene at all: soft light from random directions, perhaps a lamp from anywhere, below too."""
    soft = ambient(rng.uniform(0.1, 0.5)) * np.exp(rng.normal(0, 0.2, 3)) + _lobes(rng, int(rng.integers(2, 7)), 0.9)
    lamps = []
    for _ in range(rng.integers(0, 3)):
        colour = rng.uniform(0.1, 0.8) * np.exp(rng.normal(0, 0.2, 3))
        at = _from(rng, rng.uniform(-110, 110), rng.uniform(-50, 70))
        lamps.append(_lamp(at, colour, str(rng.choice(list(SOFTNESS))), rng))
    return soft, lamps


SCENES: tuple[Callable[[np.random.Generator, NDArray], Light], ...] = (
    room, overcast, sunny, sunset, flash, studio, window, against_the_light, night, anything,
)  # fmt: skip
SHARES = (0.22, 0.12, 0.12, 0.06, 0.10, 0.12, 0.08, 0.06, 0.04, 0.08)
