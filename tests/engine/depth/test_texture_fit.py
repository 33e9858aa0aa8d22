"""fitMesh: render and compare finds a texture, and cameras, that were known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.camera import Camera
from engine.depth.mesh import MeshOptions, mesh_of
from engine.depth.texture_fit import FitOptions, Shot, fit_texture
from engine.errors import EngineError
from engine.render.differentiable import Topology, render_mesh
from engine.render.lighting import ambient
from engine.render.lights import HarmonicLight
from engine.render.pinhole import Pinhole

from .toy_depth import ball, plane

SIDE = 64


def chequers(side: int = SIDE) -> np.ndarray:
    """(S,S,3) uint8, soft squares."""
    rows, columns = np.mgrid[:side, :side] / side
    wave = 0.5 + 0.4 * np.sin(18 * columns) * np.sin(18 * rows)
    return np.round(255 * np.stack([wave, 1 - wave, 0.5 * wave + 0.2], -1)).astype(np.uint8)


MESH = mesh_of(ball(SIDE, 0.2), MeshOptions(faces=None))


def photographed(camera: Camera) -> Shot:
    texture = torch.tensor(chequers().astype(np.float32) / 255).permute(2, 0, 1)
    topology = Topology.from_arrays(torch.tensor(MESH.faces), torch.tensor(MESH.uv), torch.tensor(MESH.uv_faces))
    light = HarmonicLight(torch.tensor(ambient(), dtype=torch.float32))
    drawn = render_mesh(
        torch.tensor(MESH.vertices), topology, texture, light, Pinhole.of(camera), (camera.height, camera.width)
    )
    pixels = np.clip(np.round(drawn.image.numpy() * 255), 0, 255).astype(np.uint8)
    return Shot(pixels, camera, drawn.face.numpy() >= 0)


def seen_from(yaw: float) -> Camera:
    start = ball(SIDE, 0.2).camera
    a = np.radians(yaw)
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    view = np.eye(4)
    view[:3, :3], view[:3, 3] = turn, np.array([0, 0, 1.0]) - turn @ [0, 0, 1.0]
    return replace(start, world_to_camera=view)


def fitted(shots: list[Shot], options: FitOptions):
    return fit_texture(MESH.vertices, MESH.faces, MESH.uv, MESH.uv_faces, shots, options)


def test_a_black_texture_becomes_the_photos() -> None:
    found = fitted([photographed(seen_from(0))], FitOptions(rounds=40, texture_size=(SIDE, SIDE), camera_after=1.0))
    assert found.losses[0] > 0.3
    assert found.losses[-1] < 0.03
    inner = np.hypot(*(np.mgrid[:SIDE, :SIDE] - 31.5)) < 20
    apart = np.abs(found.texture.astype(float) - chequers())[inner]
    assert apart.mean() < 8
    assert not found.seen[0, 0]
    assert found.texture[0, 0].max() > 30  # filled from around, not black


def test_the_camera_comes_back() -> None:
    true = seen_from(0)
    moved = true.world_to_camera.copy()
    moved[:3, 3] += (0.003, -0.002, 0.0)
    shot = replace(photographed(true), camera=replace(true, world_to_camera=moved))
    still = FitOptions(rounds=40, start=chequers(), texture_rate=0.0, camera_after=0.0, turn_rate=0.0, focal_rate=0.0)
    found = fitted([shot], still)
    assert found.losses[-1] < 0.35 * found.losses[0]
    assert np.abs(found.cameras[0].world_to_camera[:2, 3]).max() < 0.0007


def test_two_photos_show_more_than_one() -> None:
    shots = [photographed(seen_from(yaw)) for yaw in (-60, 60)]
    options = FitOptions(rounds=25, texture_size=(SIDE, SIDE), texture_rate=0.1, camera_after=1.0)
    one, two = fitted(shots[:1], options), fitted(shots, options)
    assert two.seen.sum() > 1.1 * one.seen.sum()
    assert len(two.cameras) == 2
    assert two.losses[-1] < 0.06


def test_the_same_seed_gives_the_same() -> None:
    shots = [photographed(seen_from(yaw)) for yaw in (-10, 10)]
    options = FitOptions(rounds=5, texture_size=(32, 32), seed=3)
    assert np.array_equal(fitted(shots, options).texture, fitted(shots, options).texture)


def test_photos_of_another_size_are_refused() -> None:
    shot = photographed(seen_from(0))
    with pytest.raises(EngineError, match="no photo"):
        fitted([], FitOptions())
    with pytest.raises(EngineError, match="another size"):
        fitted([replace(shot, camera=plane(32).camera)], FitOptions())
