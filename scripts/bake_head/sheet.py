"""Draws random people from the bundled head: `python -m scripts.bake_head.sheet OUT.jpg`. Look at them after a bake."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.camera import Camera
from engine.heads.loader import load_head
from engine.heads.model import HeadModel
from engine.heads.skin import BaseSkin, load_base_skin
from engine.render.lighting import linear_to_bytes, srgb_to_linear, studio
from engine.render.look import gloss, lash_opacity
from engine.render.shade import render_head

COLUMNS, ROWS, SIZE, SEED = 8, 3, 220, 21
DISTANCE, HEIGHT = 1.1, 0.3
"""Of the camera, and how much it sees at the head, metres."""
DARKEST = np.array([0.22, 0.16, 0.13])
"""Skin tones run from the base skin's colour times this to a little lighter than the base."""
BROW = 0.55
BACKGROUND = (150, 150, 150)


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description="Draw random people from the bundled head.")
    parser.add_argument("out", type=Path, help="picture to write")
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    head, skin = load_head(), load_base_skin(1024)
    people = [portrait(head, skin, rng) for _ in range(COLUMNS * ROWS)]
    rows = [np.hstack(people[i : i + COLUMNS]) for i in range(0, len(people), COLUMNS)]
    if not cv2.imwrite(str(arguments.out), np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88]):
        raise SystemExit(f"{arguments.out} cannot be written.")
    print(arguments.out)


def portrait(head: HeadModel, skin: BaseSkin, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(SIZE,SIZE,3) sRGB picture of a random person, turned a little."""
    identity = rng.standard_normal(len(head.identity_basis))
    yaw, tone = np.radians(rng.uniform(-30, 30)), rng.random()
    picture = render_head(
        head.shape(identity),
        head.faces,
        head.uv,
        head.uv_faces,
        toned(head, skin, tone),
        view(yaw),
        studio(),
        background=np.full((SIZE, SIZE, 3), BACKGROUND, np.uint8),
        gloss=gloss(head),
        opacity=lash_opacity(head),
    )
    return picture[..., :3]


def toned(head: HeadModel, skin: BaseSkin, tone: float) -> NDArray[np.uint8]:
    """The base skin between dark (0) and light (1), with soft brows; eyes and mouth as they are."""
    linear = srgb_to_linear(skin.albedo)
    own = skin.regions["iris"] + skin.regions["sclera"]
    factor = DARKEST ** (1 - tone) * 1.15**tone
    upper = np.arange(len(linear))[:, None] < (1 - strip_top(head)) * len(linear)  # parts lie in a strip below the skin
    share = (upper * np.clip(1 - own, 0, 1))[..., None]
    linear = linear * (1 + share * (factor - 1)) * (1 - BROW * skin.regions["brow"][..., None])
    return linear_to_bytes(linear)


def strip_top(head: HeadModel) -> float:
    """Height in UV below which only eyes, mouth and teeth lie."""
    face = head.uv_faces[head.regions["face"][head.faces].all(axis=1)]
    neck = head.uv_faces[head.regions["neck"][head.faces].all(axis=1)]
    return float(min(head.uv[face, 1].min(), head.uv[neck, 1].min()))


def view(yaw: float) -> Camera:
    """A camera in front of the head, which is turned by `yaw` radians."""
    focal = SIZE * DISTANCE / HEIGHT
    K = np.array([[focal, 0, SIZE / 2], [0, focal, SIZE / 2], [0, 0, 1]])
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    world_to_camera = np.eye(4)
    world_to_camera[:3, :3] = np.diag([1.0, -1.0, -1.0]) @ turn
    world_to_camera[:3, 3] = [0, 0.02, DISTANCE]
    return Camera(K, world_to_camera, SIZE, SIZE)


if __name__ == "__main__":
    main()
