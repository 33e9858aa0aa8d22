"""Errors of albedo, light and shape on synthetic people whose skin, light and shape are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..devices import single_threaded_torch
from ..heads.model import HeadModel
from ..media.write import write_png
from ..render.lighting import directional, linear_to_srgb
from ..result import Reconstruction
from ..texture.build import make_canvas
from ..training.synthetic.people import draw_scenes
from ..training.synthetic.raster import RasterRenderer
from ..training.synthetic.scene import Lamp, Scene
from ..training.synthetic.wardrobe import Wardrobe
from .metrics import ShapeError, shape_error

MOST_YAW = 45.0
"""Degrees of the photos' heads."""
NEAREST = 0.5
"""Metres from the head, at least."""
SIZE = 512
"""Texels and pixels, side."""


@dataclass(frozen=True)
class TruePerson:
    """Somebody whose photos were drawn.

    Attributes:
        photos: files, each 512 px square.
        lights: (3,) towards the brightest side, of each photo, as long as light is directed (`directed`).
        neutral: (V,3) metres. albedo: (S,S,3) linear.
    """

    photos: tuple[Path, ...]
    lights: tuple[NDArray[np.float64], ...]
    neutral: NDArray[np.float32]
    albedo: NDArray[np.float32]


def draw_person(
    head: HeadModel, wardrobe: Wardrobe, renderer: RasterRenderer, number: int, photos: int, folder: Path
) -> TruePerson:
    """Draw photos of a person whose skin and hair training never saw; nothing in front of the face.

    Args:
        number: of the person, their seed.
    """
    scenes: list[Scene] = []
    seed = number * 1000
    with single_threaded_torch():
        while len(scenes) < photos:
            scene = draw_scenes([seed], head, wardrobe, SIZE, True, [number])[0]
            seed += 1
            near = scene.camera.world_to_camera[2, 3] < NEAREST
            hidden = any(prop.region in ("glasses", "other") for prop in scene.props)
            if abs(float(scene.angles[0])) < MOST_YAW and not near and not hidden:
                scenes.append(scene)
            elif hidden and seed % 1000 > 60:
                raise ValueError(f"person {number} always hides the face")
        pictures = renderer(scenes)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for index, picture in enumerate(pictures):
        files.append(folder / f"{number}-{index}.png")
        write_png(files[-1], picture.image)
    albedo = np.asarray(scenes[0].albedo, np.float32)
    albedo = np.asarray(cv2.resize(albedo, (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.float32)
    lights = tuple(directed(scene.illumination, scene.lamps) for scene in scenes)
    return TruePerson(tuple(files), lights, head.shape(scenes[0].identity), albedo)


def directed(illumination: NDArray, lamps: Sequence[Lamp] = ()) -> NDArray[np.float64]:
    """(3,) towards where light is strongest, lamps included: band 1 of the harmonics in units of band 0.

    Its length is zero where light comes from everywhere alike; there, where it comes from is no question.
    """
    total = np.asarray(illumination, np.float64).copy()
    for lamp in lamps:
        total += directional(lamp.direction, lamp.colour)
    main = total[[3, 1, 2]].mean(axis=1)
    return main / max(float(total[0].mean()), 1e-9)


@dataclass(frozen=True)
class AppearanceError:
    """Errors on one person.

    Attributes:
        albedo: mean CIE Delta E 2000 over the face. relative: the same after one gain per channel, which is the share
            of light's brightness and colour that no photo can tell.
        light: degrees between the brightest directions, of the main photo. directed: how directed its light truly is,
            see `directed`; means over people are weighted by it.
        shape: of the face region. usual: the mean head's.
    """

    albedo: float
    relative: float
    light: float
    directed: float
    shape: ShapeError
    usual: ShapeError


def measure_appearance(
    head: HeadModel, person: TruePerson, neutral: NDArray, albedo: NDArray[np.uint8], illumination: NDArray, main: int
) -> AppearanceError:
    """Compare a head with what the photos were drawn from.

    Args:
        neutral: (V,3) metres. albedo: (S,S,3) sRGB.
        illumination: (9,3) of the photo number `main`.
    """
    where = face_texels(head)
    found = cv2.resize(albedo, (SIZE, SIZE), interpolation=cv2.INTER_AREA)[where].astype(np.float64) / 255
    truth = np.clip(linear_to_srgb(person.albedo[where].astype(np.float64)), 0, 1)
    gain = truth.mean(0) / np.maximum(found.mean(0), 1e-3)
    light, truth_light = directed(illumination), person.lights[main]
    strength = float(np.linalg.norm(truth_light))
    cosine = float(light @ truth_light) / max(float(np.linalg.norm(light)) * strength, 1e-9)
    face = head.regions["face"]
    return AppearanceError(
        albedo=delta_e(found, truth),
        relative=delta_e(np.clip(found * gain, 0, 1), truth),
        light=float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))),
        directed=strength,
        shape=shape_error(neutral[face], person.neutral[face]),
        usual=shape_error(head.vertices[face], person.neutral[face]),
    )


def face_texels(head: HeadModel) -> NDArray[np.bool_]:
    """(SIZE,SIZE) texels of the face's skin, without brows and beard, whose hair is no skin."""
    canvas = make_canvas(head, SIZE)
    face = canvas.surface.picture(canvas.face_texels.astype(np.float32)) > 0.5
    hairy = np.maximum(canvas.base.regions["brow"], canvas.base.regions["beard"]) > 0.2
    return face & ~hairy


def delta_e(first: NDArray, second: NDArray) -> float:
    """Mean CIE Delta E 2000 of sRGB colours (N,3), 0..1."""
    from skimage.color import deltaE_ciede2000, rgb2lab

    return float(deltaE_ciede2000(rgb2lab(first[None]), rgb2lab(second[None])).mean())


def measure_result(head: HeadModel, person: TruePerson, result: Reconstruction) -> AppearanceError:
    """Compare a finished reconstruction; see `measure_appearance`."""
    main = _main(person, result)
    return measure_appearance(head, person, result.vertices, result.albedo, result.illumination, main)


def _main(person: TruePerson, result: Reconstruction) -> int:
    """Which photo the result's light is of."""
    names = [path.name for path in person.photos]
    return names.index(Path(str(result.report.get("photo", names[0]))).name)
