"""The take beside its footage, as a video: what was filmed, the head with its skin, and the head in clay."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..camera import Camera
from ..media.clip import Clip
from ..media.write_clip import ClipWriter
from ..preview import DRAWN_AT_ONCE, Stage
from ..progress import Progress
from ..render.lighting import rotate_illumination
from ..render.shade import render_clay
from ..result import Reconstruction
from .take import Take

SIDE = 288
"""Pixels of each of the three panels."""
MOST_FPS = 15.0
"""Pictures a second: enough to judge, and drawing them takes longer than tracking."""
ROOM = 1.9
"""Side of the shown square over the face's size."""
BACKDROP = (58, 58, 62)
UNSEEN = 0.35
"""How bright frames are in which no face was seen."""


@dataclass(frozen=True)
class Shown:
    """The square of the footage that is shown: centre (2,) and side, pixels."""

    centre: NDArray[np.float64]
    side: float

    def cut(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(SIDE,SIDE,3) of a picture (H,W,3)."""
        from ..perception.crop import Window

        return np.asarray(Window(self.centre, self.side).cut(pixels, SIDE), np.uint8)

    def camera(self, camera: Camera, view: NDArray) -> Camera:
        """The footage's camera through this square, with another pose (4,4)."""
        K = camera.K.copy()
        K[:2, 2] -= self.centre - self.side / 2
        K[:2] *= SIDE / self.side
        return Camera(K, view, SIDE, SIDE)


def write_preview(path: Path, footage: Clip, result: Reconstruction, take: Take, progress: Progress) -> None:
    """Draw the video.

    Args:
        path: .mp4 to write.
        footage: what the take was made from. result: the head that acts.
    """
    every = max(1, int(np.ceil(take.fps / MOST_FPS)))
    rate = take.fps / every
    shown = shown_square(take)
    stage = Stage(result, SIDE, BACKDROP)
    start, end = float(take.times[0]), float(take.times[-1]) + 0.5 / take.fps
    waiting: deque[Future[NDArray[np.uint8]]] = deque()
    with ClipWriter(path, 3 * SIDE, SIDE, rate) as writer, ThreadPoolExecutor(DRAWN_AT_ONCE) as pool:
        for frame in footage.frames(start, end, rate):
            t = min(frame.index * every, len(take) - 1)
            progress.check()
            progress.listener("Drawing the preview", 0.86 + 0.12 * t / len(take))
            waiting.append(pool.submit(draw, stage, shown, frame.pixels, take, t))
            if len(waiting) > DRAWN_AT_ONCE:
                writer.add(waiting.popleft().result())
        for drawn in waiting:
            writer.add(drawn.result())


def draw(stage: Stage, shown: Shown, pixels: NDArray[np.uint8], take: Take, t: int) -> NDArray[np.uint8]:
    """(SIDE,3 SIDE,3) one frame: footage | textured | clay."""
    head = stage.head
    basis = head.expression_basis.astype(np.float32)
    weights = [float(take.unit(name)[t]) if name in take.expression_names else 0.0 for name in head.expression_names]
    vertices = head.vertices + np.tensordot(np.array(weights, np.float32), basis, 1)
    view = np.eye(4)
    view[:3, :3], view[:3, 3] = take.head_rotation[t], take.head_translation[t]
    camera = shown.camera(take.camera, view)
    # The light stays where it was in the picture that the skin was painted from.
    turned = view[:3, :3].T @ head.camera.world_to_camera[:3, :3]
    textured = stage.picture(vertices, camera, rotate_illumination(head.illumination, turned))
    backdrop = np.full((SIDE, SIDE, 3), BACKDROP, np.uint8)
    clay = render_clay(vertices, head.faces, camera, background=backdrop, supersample=1)[..., :3]
    row = np.concatenate([shown.cut(pixels), textured, clay], axis=1)
    return row if take.confidence[t] > 0 else (row * UNSEEN).astype(np.uint8)


def shown_square(take: Take) -> Shown:
    """The square that holds the face in nearly all frames."""
    seen = take.landmarks_2d[take.confidence > 0]
    low, high = seen.min(axis=1), seen.max(axis=1)
    size = float(np.median((high - low).max(axis=1)))
    left, right = np.percentile(low, 3, axis=0), np.percentile(high, 97, axis=0)
    centre = (left + right) / 2 - (0.0, 0.08 * size)
    return Shown(centre, max(ROOM * size, 1.25 * float((right - left).max())))
