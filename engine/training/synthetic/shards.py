"""Synthetic pictures on disk: files of a few hundred, with everything needed to work out any label again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...camera import Camera
from ...errors import ModelFileError
from ...heads.model import HeadModel
from .raster import Picture
from .scene import Scene

QUALITY = 95
MAP_STEP = 2
"""Region and depth maps are kept at every second pixel."""
FIELDS = (
    "jpeg", "ends", "regions", "depth", "visible", "identity", "expression", "K", "world_to_camera", "angles", "seeds",
    "names", "size",
)  # fmt: skip


@dataclass(frozen=True)
class Shard:
    """N pictures of side S and their labels.

    Attributes:
        jpegs: N encoded pictures.
        regions: (N,S/2,S/2) uint8, see `engine.perception.regions`.
        depth: (N,S/2,S/2) float16 metres along the optical axis behind the head's origin; infinite in the background.
        visible: (N,V) bool, head vertices that are seen.
        identity: (N,K). expression: (N,E). angles: (N,3) degrees.
        cameras: N of them.
        seeds: (N,). names: N times what the picture was made of.
    """

    jpegs: list[NDArray[np.uint8]]
    regions: NDArray[np.uint8]
    depth: NDArray[np.float16]
    visible: NDArray[np.bool_]
    identity: NDArray[np.float32]
    expression: NDArray[np.float32]
    angles: NDArray[np.float32]
    cameras: list[Camera]
    seeds: NDArray[np.int64]
    names: list[dict[str, str]]

    def __len__(self) -> int:
        return len(self.jpegs)

    def image(self, number: int) -> NDArray[np.uint8]:
        """(S,S,3) uint8 sRGB."""
        import cv2

        return np.asarray(cv2.imdecode(self.jpegs[number], cv2.IMREAD_COLOR)[..., ::-1], np.uint8)

    def vertices(self, number: int, head: HeadModel) -> NDArray[np.float32]:
        """(V,3) the posed head."""
        return head.shape(self.identity[number], self.expression[number])


def write_shard(path: Path, scenes: Sequence[Scene], pictures: Sequence[Picture], seeds: Sequence[int]) -> None:
    """Write pictures, whole or not at all."""
    import cv2

    encoded = [
        cv2.imencode(".jpg", np.ascontiguousarray(p.image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].ravel()
        for p in pictures
    ]
    behind = np.array([scene.camera.world_to_camera[2, 3] for scene in scenes], np.float32)
    depth = np.stack([p.depth[::MAP_STEP, ::MAP_STEP] for p in pictures]) - behind[:, None, None]
    partial = path.with_suffix(".partial")
    with open(partial, "wb") as file:
        np.savez_compressed(
            file,
            jpeg=np.concatenate(encoded),
            ends=np.cumsum([len(data) for data in encoded]),
            regions=np.stack([p.regions[::MAP_STEP, ::MAP_STEP] for p in pictures]),
            depth=depth.astype(np.float16),
            visible=np.packbits(np.stack([p.visible for p in pictures]), axis=1),
            identity=np.stack([scene.identity for scene in scenes]).astype(np.float32),
            expression=np.stack([scene.expression for scene in scenes]).astype(np.float32),
            K=np.stack([scene.camera.K for scene in scenes]),
            world_to_camera=np.stack([scene.camera.world_to_camera for scene in scenes]),
            angles=np.stack([scene.angles for scene in scenes]).astype(np.float32),
            seeds=np.array(seeds, np.int64),
            names=np.frombuffer(json.dumps([scene.names for scene in scenes]).encode(), np.uint8),
            size=np.array([pictures[0].image.shape[0], len(pictures[0].visible)]),
        )
    partial.replace(path)


def read_shard(path: Path) -> Shard:
    """Read what `write_shard` wrote.

    Raises:
        ModelFileError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            stored = {name: file[name] for name in FIELDS}
    except (OSError, EOFError, KeyError, ValueError) as error:
        raise ModelFileError(
            f"{path} holds no synthetic pictures ({error}).", "Draw them with `python -m engine.training synthesize`."
        ) from error
    side, vertices = (int(value) for value in stored["size"])
    cameras = [Camera(K, view, side, side) for K, view in zip(stored["K"], stored["world_to_camera"], strict=True)]
    return Shard(
        np.split(stored["jpeg"], stored["ends"][:-1]),
        stored["regions"],
        stored["depth"],
        np.unpackbits(stored["visible"], axis=1, count=vertices).astype(bool),
        stored["identity"],
        stored["expression"],
        stored["angles"],
        cameras,
        stored["seeds"],
        json.loads(stored["names"].tobytes()),
    )
