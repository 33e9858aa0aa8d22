"""The best renderer: Blender's Cycles, in an interpreter of its own, with the quick renderer's exact labels."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelFileError, WorkerError
from ...heads.model import HeadModel
from ...render.lighting import linear_to_bytes, srgb_to_linear
from ...render.look import lash_opacity
from .raster import Picture, RasterRenderer
from .scene import REGIONS, Scene
from .scene_file import HEAD_FILE, HeadFile, SceneFile, describe, host, write_head, write_scene
from .surroundings import panorama

SCRIPT = Path(__file__).parents[3] / "scripts" / "render_scenes.py"
LABELLED_AT_ONCE = 4
ROUGHNESS = {"skin": 0.5, "lip": 0.4, "brow": 0.65, "hair": 0.7, "inner_mouth": 0.3, "clothes": 0.9}
"""Of what is painted on the head; other regions are skin."""
DULL = ("hair", "clothes", "other")
"""Painted regions below whose surface no light scatters."""
OILY = 0.07
"""Deviation of the skin's roughness between people."""


class CyclesRenderer:
    """Draws scenes of one head model with subsurface scattering, real reflections and soft shadows.

    Args:
        head: the model that all scenes pose.
        labels: what gives the labels; the quick renderer on the CPU if None.
        interpreter: a Python that can import bpy.
        samples: at most so many a pixel, before noise is taken out.
        threads: of Cycles; 0 takes all cores.
    """

    def __init__(
        self,
        head: HeadModel,
        labels: RasterRenderer | None = None,
        interpreter: str | Path = sys.executable,
        samples: int = 16,
        threads: int = 1,
    ) -> None:
        self._given, self._model = labels, head
        self.interpreter, self.samples, self.threads = str(interpreter), samples, threads
        self.head = HeadFile(
            head.faces, head.uv[head.uv_faces], head.face_materials, head.material_names, lash_opacity(head)
        )

    @cached_property
    def labels(self) -> RasterRenderer:
        """What gives the labels, made when first needed."""
        return self._given or RasterRenderer(self._model)

    def __call__(self, scenes: Sequence[Scene]) -> list[Picture]:
        """Draw scenes whose pictures have one size; one start of Blender for all of them.

        Raises:
            ModelFileError: the script that Blender runs is not there.
            WorkerError: Blender's module is missing or failed.
        """
        pictures: list[Picture] = []
        for start in range(0, len(scenes), LABELLED_AT_ONCE):
            pictures += self.labels(scenes[start : start + LABELLED_AT_ONCE])
        images = [over(rgba, scene.background) for rgba, scene in zip(self.colours(scenes), scenes, strict=True)]
        return [replace(picture, image=image) for picture, image in zip(pictures, images, strict=True)]

    def colours(self, scenes: Sequence[Scene]) -> list[NDArray[np.float16]]:
        """(S,S,4) linear colours of each scene, multiplied by their alpha, without background or labels."""
        with TemporaryDirectory(prefix="scenes") as name:
            folder = Path(name)
            write_head(folder / HEAD_FILE, self.head)
            for number, scene in enumerate(scenes):
                write_scene(folder / f"{number:06d}.scene.npz", scene_file(scene))
            self._run(folder)
            try:
                return [np.load(folder / f"{number:06d}.npy", allow_pickle=False) for number in range(len(scenes))]
            except (OSError, ValueError) as error:
                raise WorkerError(f"Blender left a picture out ({error}).") from error

    def _run(self, folder: Path) -> None:
        if not SCRIPT.exists():
            raise ModelFileError(f"{SCRIPT} is missing.", "Draw with Cycles from a clone of the repository.")
        numbers = ["--samples", str(self.samples), "--threads", str(self.threads)]
        command = [self.interpreter, str(SCRIPT), str(folder), *numbers]
        cure = f"{self.interpreter} must be a Python with the bpy module: pip install bpy"
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise WorkerError(f"Blender could not be started ({error}).", cure) from error
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}").splitlines()[-1]
            raise WorkerError(f"Drawing with Cycles failed ({said}).", cure)


def scene_file(scene: Scene) -> SceneFile:
    """A scene as Blender is given it. What it draws at random depends on the scene alone."""
    seed = zlib.crc32(np.ascontiguousarray(scene.identity, np.float32).tobytes()) & 0x7FFFFFFF
    rng = np.random.default_rng(seed)
    return describe(scene, panorama(scene.illumination, rng), finish(host(scene.classes), rng), seed)


def finish(classes: NDArray, rng: np.random.Generator) -> NDArray[np.float32]:
    """(T,T,2) roughness, and 1 where light scatters below the surface, of painted regions (T,T)."""
    skin = ROUGHNESS["skin"] + float(np.clip(rng.normal(0, OILY), -0.15, 0.15))
    rough = np.array([skin if name == "skin" else ROUGHNESS.get(name, skin) for name in REGIONS], np.float32)
    scatter = np.array([name not in DULL for name in REGIONS], np.float32)
    return np.stack([rough[classes], scatter[classes]], -1)


def over(rgba: NDArray, background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(S,S,3) uint8 sRGB of linear colours (S,S,4), multiplied by their alpha, over a background."""
    rgba = rgba.astype(np.float32)
    return linear_to_bytes(rgba[..., :3] + (1 - rgba[..., 3:].clip(0, 1)) * srgb_to_linear(background))
