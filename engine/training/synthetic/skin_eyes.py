"""Pictures of eyes: iris patterns unrolled about the pupil, and the veins of the white."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...render.lighting import srgb_to_linear
from .skin_places import Canvas

IRIS_DISC = 0.5
"""Radius of the iris in the disc into which an eyeball is unwrapped, see `scripts.bake_head.eyes`."""
EYE_CENTRE, EYE_IRIS, EYE_RIM = (724.0, 304.0), 117.0, 280.0
"""In MakeHuman's pictures, texels: centre of the upper eye, radius of its iris and of its painted ball."""
PICTURE_PUPIL = 0.30
"""Their pupils' radius in iris radii."""
RINGS, TURNS = 24, 128
"""Size of an unrolled iris: from the pupil outwards, and around."""
CONTRAST = 100.0
"""Steps of a stored pattern per unit of the natural logarithm."""


@dataclass(frozen=True)
class EyeBank:
    """Eyes in the head's UV. E is the side of an eyeball's window.

    Attributes:
        names: of each pattern.
        iris: (n,RINGS,TURNS) int8 log brightness, `CONTRAST` steps per unit; row 0 is at the pupil.
        veins: (E,E) uint8 how red the white is.
        disc: (E,E,2) float32 place in the eyeball's disc, x right, y up; the pupil at 0, the rim at 1.
        windows: (2,2) int32 first row and column of the left and right eyeball.
    """

    names: tuple[str, ...]
    iris: NDArray[np.int8]
    veins: NDArray[np.uint8]
    disc: NDArray[np.float32]
    windows: NDArray[np.int32]


def build_eyes(canvas: Canvas, folder: Path | None, drawn: int = 8, seed: int = 5) -> EyeBank:
    """Draw irises and unroll MakeHuman's.

    Args:
        canvas: of the head, at the texture size.
        folder: MakeHuman's CC0 assets with `eyes`, or None: drawn ones only.
        drawn: how many to draw.
    """
    rng = np.random.default_rng(seed)
    patterns = {f"drawn{number:02d}": _draw_iris(rng) for number in range(drawn)}
    pictures = sorted((folder / "eyes" / "materials").glob("*_eye.png")) if folder else []
    for path in pictures:
        patterns[path.stem] = _unroll(_read(path))
    windows, disc = _discs(canvas)
    veins = _veins(_read(pictures[0]), disc) if pictures else np.zeros(disc.shape[:2], np.uint8)
    steps = np.round(np.stack(list(patterns.values())) * CONTRAST)
    return EyeBank(tuple(patterns), np.clip(steps, -127, 127).astype(np.int8), veins, disc, windows)


def _read(path: Path) -> NDArray[np.float32]:
    import cv2

    return srgb_to_linear(np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1], np.uint8))


def _discs(canvas: Canvas) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Windows of both eyeballs, and the place of their texels in the disc: the same for both."""
    size, head = len(canvas.covered), canvas.head
    windows, discs = [], []
    rows, columns = np.nonzero(canvas.covered)
    side = max(int(np.ptp(rows[canvas.material(name)])) + 1 for name in ("eye.L", "eye.R"))
    for name in ("eye.L", "eye.R"):
        first = int(np.flatnonzero(head.regions[name])[0])
        chosen = head.face_materials == head.material_names.index(name)
        corners = head.uv[head.uv_faces[chosen]]
        centre = corners[head.faces[chosen] == first][0]
        radius = np.linalg.norm(corners - centre, axis=-1).max()
        row, column = rows[canvas.material(name)].min(), columns[canvas.material(name)].min()
        row, column = min(row, size - side), min(column, size - side)
        x = ((np.arange(side) + column + 0.5) / size - centre[0]) / radius
        y = (1 - (np.arange(side) + row + 0.5) / size - centre[1]) / radius
        windows.append((row, column))
        discs.append(np.stack(np.broadcast_arrays(x, y[:, None]), -1))
    return np.array(windows, np.int32), np.mean(discs, 0).astype(np.float32)


def _unroll(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """(RINGS,TURNS) log brightness of a pictured iris, mean 0."""
    import cv2

    ring = PICTURE_PUPIL + (0.95 - PICTURE_PUPIL) * (np.arange(RINGS) + 0.5) / RINGS
    turn = 2 * np.pi * np.arange(TURNS) / TURNS
    x = EYE_CENTRE[0] + EYE_IRIS * ring[:, None] * np.cos(turn)
    y = EYE_CENTRE[1] - EYE_IRIS * ring[:, None] * np.sin(turn)
    grey = cv2.GaussianBlur(picture.mean(2), (0, 0), 1.5)
    found = np.log(cv2.remap(grey, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR) + 0.01)
    return np.clip(found - np.median(found), -1.2, 1.2).astype(np.float32)


def _draw_iris(rng: np.random.Generator) -> NDArray[np.float32]:
    """(RINGS,TURNS) log brightness: fibres, furrows and a collarette."""
    ring = (np.arange(RINGS) + 0.5)[:, None] / RINGS
    turn = 2 * np.pi * np.arange(TURNS) / TURNS
    total = np.zeros((RINGS, TURNS))
    for _ in range(40):
        waves, phase, twist = rng.integers(6, 60), rng.uniform(0, 2 * np.pi), rng.normal(0, 0.25)
        total += rng.normal(0, 1) * np.sin(waves * (turn + twist * ring) + phase) * (0.4 + ring) / np.sqrt(40)
    collar = np.exp(-(((ring - rng.uniform(0.2, 0.4)) / 0.1) ** 2))
    total = rng.uniform(0.15, 0.4) * total + rng.uniform(0, 0.35) * collar - rng.uniform(0, 0.2) * (1 - ring)
    return (total - np.median(total)).astype(np.float32)


def _veins(picture: NDArray[np.float32], disc: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(E,E) how much redder than its surroundings the white of a pictured eye is, 255 the most."""
    import cv2

    radius = np.linalg.norm(disc, axis=2)
    there = np.interp(radius, [0, IRIS_DISC, 1], [0, EYE_IRIS, EYE_RIM]) / np.maximum(radius, 1e-6)
    at = disc * [1, -1] * there[..., None] + EYE_CENTRE
    redness = np.log((picture[..., 0] + 0.01) / (picture[..., 1] + 0.01))
    redness = cv2.GaussianBlur(redness, (0, 0), 1.2) - cv2.GaussianBlur(redness, (0, 0), 25)
    found = cv2.remap(redness, at.astype(np.float32), None, cv2.INTER_LINEAR)
    found = np.clip(found, 0, None) * (radius > 1.1 * IRIS_DISC)
    return np.clip(255 * found / max(float(np.quantile(found, 0.995)), 1e-6), 0, 255).astype(np.uint8)
