"""Scenes as files for another program: plain arrays, nothing to unpickle, readable without torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .prop_store import props_from_arrays, props_to_arrays
from .scene import Lamp, Prop, Scene

HEAD_FILE, SCENE_FILES = "head.npz", "*.scene.npz"


@dataclass(frozen=True)
class HeadFile:
    """What all scenes of a folder share.

    Attributes:
        faces: (F,3) int32. uv: (F,3,2) float32 of each corner, origin lower left.
        materials: (F,) int32 slot of each face. names: of the slots.
        opacity: (V,) float32, below 1 on full lashes.
    """

    faces: NDArray[np.int32]
    uv: NDArray[np.float32]
    materials: NDArray[np.int32]
    names: tuple[str, ...]
    opacity: NDArray[np.float32]


@dataclass(frozen=True)
class SceneFile:
    """One picture to draw. World space is the head's: metres, Y up, face to +Z.

    Attributes:
        vertices: (V,3) float32.
        albedo: (T,T,3) float16 linear, row 0 is v = 1.
        finish: (T,T,2) float16 roughness and how much light scatters below the surface.
        props: in place.
        lamps: distant.
        surroundings: (H,W,3) float32 linear radiance, see `engine.training.synthetic.surroundings`.
        K: (3,3). world_to_camera: (4,4). size: side, pixels.
        lashes: how dense, 0..1.
        seed: of the noise.
    """

    vertices: NDArray[np.float32]
    albedo: NDArray[np.float16]
    finish: NDArray[np.float16]
    props: tuple[Prop, ...]
    lamps: tuple[Lamp, ...]
    surroundings: NDArray[np.float32]
    K: NDArray[np.float64]
    world_to_camera: NDArray[np.float64]
    size: int
    lashes: float
    seed: int


def describe(scene: Scene, surroundings: NDArray, finish: NDArray, seed: int) -> SceneFile:
    """A scene with what Cycles needs beyond it."""
    return SceneFile(
        scene.vertices,
        host(scene.albedo).astype(np.float16),
        finish.astype(np.float16),
        scene.props,
        scene.lamps,
        surroundings.astype(np.float32),
        scene.camera.K,
        scene.camera.world_to_camera,
        scene.camera.width,
        scene.lashes,
        seed,
    )


def host(values: Any) -> NDArray:
    """An array, or a torch tensor of any device, as an array."""
    return np.asarray(values if isinstance(values, np.ndarray) else values.cpu().numpy())


def write_head(path: Path, head: HeadFile) -> None:
    """Write what scenes share."""
    names = np.frombuffer(json.dumps(head.names).encode(), np.uint8)
    np.savez(path, faces=head.faces, uv=head.uv, materials=head.materials, names=names, opacity=head.opacity)


def read_head(path: Path) -> HeadFile:
    """Read what `write_head` wrote."""
    with np.load(path, allow_pickle=False) as file:
        names = tuple(json.loads(file["names"].tobytes()))
        return HeadFile(file["faces"], file["uv"], file["materials"], names, file["opacity"])


def write_scene(path: Path, scene: SceneFile) -> None:
    """Write a scene."""
    lamps = np.array([[*lamp.direction, *lamp.colour, lamp.softness] for lamp in scene.lamps], np.float64)
    arrays: dict[str, Any] = {
        "vertices": scene.vertices,
        "albedo": scene.albedo,
        "finish": scene.finish,
        "lamps": lamps.reshape(-1, 7),
        "surroundings": scene.surroundings,
        "K": scene.K,
        "world_to_camera": scene.world_to_camera,
        "numbers": np.array([scene.size, scene.lashes, scene.seed], np.float64),
    }
    if scene.props:
        arrays |= {f"props/{name}": values for name, values in props_to_arrays(scene.props).items()}
    np.savez(path, **arrays)


def read_scene(path: Path) -> SceneFile:
    """Read what `write_scene` wrote."""
    with np.load(path, allow_pickle=False) as file:
        stored = {name: file[name] for name in file.files}
    props = {name.removeprefix("props/"): values for name, values in stored.items() if name.startswith("props/")}
    size, lashes, seed = stored["numbers"].tolist()
    return SceneFile(
        stored["vertices"],
        stored["albedo"],
        stored["finish"],
        tuple(props_from_arrays(props)) if props else (),
        tuple(Lamp(row[:3].astype(np.float32), row[3:6].astype(np.float32), float(row[6])) for row in stored["lamps"]),
        stored["surroundings"],
        stored["K"],
        stored["world_to_camera"],
        int(size),
        lashes,
        int(seed),
    )
