"""Synthetic portraits with known truth: random people of a head model, pose, expression, light, lens and skin.

They are for measuring and calibrating. A detector trained on photos sees renders differently than photos (see the
design notes), so numbers from here stand beside numbers from real pictures, never instead of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..heads.model import HeadModel
from ..render.lighting import C0, ambient, directional
from .skins import canvas, find_skins, paint_face, skin_albedo

MOST_DEVIATIONS = 2.5
"""Identity components are drawn from a normal distribution cut here."""
YAW_LIMIT = 40.0
EXPRESSIVE = 0.7
"""Share of samples with an expression."""
MOODS: tuple[dict[str, float], ...] = (
    {"mouthSmile": 1.0, "cheekSquint": 0.5, "eyeSquint": 0.25},
    {"mouthSmile": 1.0, "jawOpen": 0.25, "cheekSquint": 0.5, "mouthUpperUp": 0.4},
    {"jawOpen": 0.9, "browInnerUp": 0.6, "browOuterUp": 0.6, "eyeWide": 0.7},
    {"jawOpen": 0.6},
    {"mouthFrown": 0.9, "browDown": 0.7},
    {"browDown": 1.0, "noseSneer": 0.5, "mouthPress": 0.5},
    {"browInnerUp": 0.9, "browOuterUp": 0.8},
    {"mouthPucker": 0.9},
    {"mouthFunnel": 0.7, "jawOpen": 0.3},
    {"eyeBlink": 0.8},
    {"mouthPress": 0.7, "mouthDimple": 0.6},
    {"mouthStretch": 0.7, "jawOpen": 0.3, "mouthLowerDown": 0.5},
)
"""Weights of ARKit units; a name without side stands for both sides."""


@dataclass(frozen=True)
class SyntheticSample:
    """One portrait and its truth.

    Attributes:
        image: (H,W,3) uint8 sRGB.
        camera: of the picture; head pose is in `world_to_camera`.
        identity: (K,) standard deviations. expression: (E,) weights.
        neutral, posed: (V,3) float32 metres, head space.
        illumination: (9,3), see `engine.render.lighting`.
        albedo: (S,S,3) uint8 sRGB, the head's texture.
        skin: name of the MakeHuman skin, or "base".
        angles: (3,) yaw, pitch, roll of the head, degrees.
    """

    image: NDArray[np.uint8]
    camera: Camera
    identity: NDArray[np.float32]
    expression: NDArray[np.float32]
    neutral: NDArray[np.float32]
    posed: NDArray[np.float32]
    illumination: NDArray[np.float32]
    albedo: NDArray[np.uint8]
    skin: str
    angles: NDArray[np.float64]


def sample_head(
    seed: int,
    head: HeadModel | None = None,
    size: int = 512,
    identity: NDArray | None = None,
    skins: list[Path] | None = None,
    texture_size: int = 1024,
) -> SyntheticSample:
    """Draw one portrait; the same seed gives the same portrait.

    Args:
        seed: of every draw.
        head: the model; None takes the open head.
        size: side of the square picture, pixels.
        identity: (K,) to draw this person again in other circumstances, or None for a random person.
        skins: MakeHuman skins to choose from; None looks for them beside the clone, and takes the bundled base skin
            if there are none.
        texture_size: of the albedo.
    """
    from ..heads.loader import load_head

    head = load_head() if head is None else head
    rng = np.random.default_rng(seed)
    if identity is None:
        identity = random_identity(head, rng)
    expression = random_expression(head.expression_names, rng)
    neutral, posed = head.shape(identity), head.shape(identity, expression)
    camera, angles = random_camera(posed[head.regions["face"]], size, rng)
    light = random_light(rng)
    skin, albedo = random_albedo(head, find_skins() if skins is None else skins, texture_size, rng)
    return SyntheticSample(
        draw(head, posed, expression, camera, light, albedo, rng, lashes=float(rng.uniform(0.2, 0.9))),
        camera,
        np.asarray(identity, np.float32),
        expression,
        neutral,
        posed,
        light,
        albedo,
        skin,
        angles,
    )


def draw(
    head: HeadModel,
    posed: NDArray,
    expression: NDArray,
    camera: Camera,
    illumination: NDArray,
    albedo: NDArray[np.uint8],
    rng: np.random.Generator,
    lashes: float = 0.5,
    background: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """(H,W,3) a picture of a posed head, as a camera would spoil it.

    Args:
        lashes: how dense they are, 0..1.
        background: (H,W,3), None for a random one.
    """
    from ..render.look import gloss
    from ..render.shade import render_head

    picture = render_head(
        posed,
        head.faces,
        head.uv,
        head.uv_faces,
        albedo,
        camera,
        illumination,
        background=random_background(camera.width, rng) if background is None else background,
        gloss=gloss(head),
        opacity=_lashes(head, lashes),
        occlusion=_occlusion(head, bool(expression[head.expression_names.index("jawOpen")] > 0.1)),
    )
    return spoil(picture[..., :3], rng)


def random_identity(head: HeadModel, rng: np.random.Generator) -> NDArray[np.float32]:
    """(K,) a random person in standard deviations."""
    return np.clip(rng.standard_normal(len(head.identity_basis)), -MOST_DEVIATIONS, MOST_DEVIATIONS).astype(np.float32)


def random_expression(names: tuple[str, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """(E,) weights: neutral, or a mood at some strength with slight asymmetry; gaze and blinks on top."""
    weights = dict.fromkeys(names, 0.0)

    def add(unit: str, value: float) -> None:
        for name in (unit, f"{unit}Left", f"{unit}Right"):
            if name in weights:
                weights[name] = float(np.clip(weights[name] + value * rng.uniform(0.8, 1.1), 0, 1))

    if rng.random() < EXPRESSIVE:
        strength = rng.uniform(0.3, 1.0)
        for unit, value in MOODS[rng.integers(len(MOODS))].items():
            add(unit, value * strength)
    for unit in rng.choice(len(names), 3, replace=False):
        name = names[unit]
        if not name.startswith(("eyeLook", "jaw", "mouthLeft", "mouthRight", "mouthClose", "tongue", "cheekPuff")):
            add(name, float(rng.uniform(0, 0.12)))
    sideways, upwards = rng.normal(0, 0.2, 2)
    for unit, value in (
        ("eyeLookOutLeft", sideways), ("eyeLookInRight", sideways), ("eyeLookInLeft", -sideways),
        ("eyeLookOutRight", -sideways), ("eyeLookUp", upwards), ("eyeLookDown", -upwards),
    ):  # fmt: skip
        if value > 0:
            add(unit, float(value))
    return np.array([weights[name] for name in names], np.float32)


def random_camera(
    face: NDArray, size: int, rng: np.random.Generator, yaw_limit: float = YAW_LIMIT
) -> tuple[Camera, NDArray[np.float64]]:
    """A portrait lens and a head pose.

    Args:
        face: (N,3) points of the face that should fill part of the picture.
        size: side of the picture.
        yaw_limit: degrees; yaw is uniform within it.
    Returns:
        The camera, and yaw, pitch, roll in degrees.
    """
    angles = np.array([rng.uniform(-yaw_limit, yaw_limit), rng.normal(0, 8), rng.normal(0, 6)])
    angles[1:] = np.clip(angles[1:], -20, 20)
    focal = size * float(np.exp(rng.uniform(np.log(1.1), np.log(3.5))))
    fill = rng.uniform(0.32, 0.55)
    middle = (face.min(0) + face.max(0)) / 2
    distance = focal * np.ptp(face[:, 1]) / (fill * size)
    rotation = np.diag([1.0, -1, -1]) @ head_rotation(*angles)
    shift = rng.normal(0, 0.035, 2) * size
    place = np.array([shift[0] * distance / focal, shift[1] * distance / focal, distance])
    view = np.eye(4)
    view[:3, :3] = rotation
    view[:3, 3] = place - rotation @ middle
    return Camera(np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1.0]]), view, size, size), angles


def head_rotation(yaw: float, pitch: float, roll: float) -> NDArray:
    """(3,3) float64 turn of a head by degrees: yaw to its left, then pitch downwards, then roll, about its own axes."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def random_light(rng: np.random.Generator) -> NDArray[np.float32]:
    """(9,3) soft surroundings and one to three lamps, mostly from the front and above, at a usual exposure."""
    light = ambient(rng.uniform(0.25, 0.7)) * np.exp(rng.normal(0, 0.05, 3))
    for number in range(rng.integers(1, 4)):
        direction = rng.normal([0, 0.45, 0.9 if number == 0 else 0.1], [0.8, 0.4, 0.4])
        light = light + directional(direction, rng.uniform(0.2, 0.9) * np.exp(rng.normal(0, 0.08, 3)))
    front = float(light[0].mean() * C0)
    return (light * rng.uniform(0.55, 0.95) / front).astype(np.float32)


def random_albedo(
    head: HeadModel, skins: list[Path], size: int, rng: np.random.Generator
) -> tuple[str, NDArray[np.uint8]]:
    """A skin's name and the head's albedo (size,size,3) with random tint, lips, brows, eyes and clothes."""
    place = canvas(head, size)
    if skins:
        path = skins[rng.integers(len(skins))]
        name, linear = path.stem, skin_albedo(place, path)
    else:
        name, linear = "base", skin_albedo(place, None) * np.float32(np.exp(rng.normal(0, 0.5)))
    return name, place.picture(paint_face(head, place, linear, rng))


def random_background(size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(size,size,3) smooth blotches of a few colours."""
    import cv2

    cells = int(rng.integers(2, 7))
    coarse = (
        rng.uniform(30, 210)
        + rng.normal(0, 18, 3)
        + rng.normal(0, 28, (cells, cells, 1))
        + rng.normal(0, 8, (cells, cells, 3))
    )
    smooth = np.asarray(cv2.resize(coarse.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC))
    return np.clip(smooth, 0, 255).astype(np.uint8)


def spoil(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Add a camera's blur, noise and JPEG."""
    import cv2

    soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 0.9)).astype(np.float32)
    soft += rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(0.5, 4.0))
    noisy = np.clip(np.round(soft), 0, 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", noisy[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(75, 97))])
    return np.array(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], np.uint8)


def _lashes(head: HeadModel, density: float) -> NDArray[np.float32]:
    """(V,) opacity with lashes of some density."""
    opacity = _full_lashes(head)
    return np.where(opacity < 1, opacity * density, 1.0).astype(np.float32)


@lru_cache(maxsize=2)
def _full_lashes(head: HeadModel) -> NDArray[np.float32]:
    from ..render.look import lash_opacity

    return lash_opacity(head)


@lru_cache(maxsize=4)
def _occlusion(head: HeadModel, open_mouth: bool) -> NDArray[np.float32]:
    """(V,) share of the surroundings each vertex sees on the mean head, mouth shut or half open."""
    from ..render.occlusion import ambient_occlusion

    vertices = head.vertices
    if open_mouth and "jawOpen" in head.expression_names:
        vertices = vertices + 0.5 * head.expression_basis[head.expression_names.index("jawOpen")]
    return ambient_occlusion(vertices, head.faces)
