"""Scenes for Cycles: their light, their files, and (slowly) the pictures themselves."""

from __future__ import annotations

import importlib.util
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from engine.camera import Camera
from engine.devices import single_threaded_torch
from engine.errors import WorkerError
from engine.heads.loader import load_head
from engine.render.lighting import ambient, directional, irradiance, sphere_directions, srgb_to_linear
from engine.training.synthetic.cycles import CyclesRenderer, finish, over, scene_file
from engine.training.synthetic.raster import RasterRenderer
from engine.training.synthetic.scene import REGIONS, Lamp, Prop, Scene
from engine.training.synthetic.scene_file import (
    HeadFile,
    SceneFile,
    read_head,
    read_scene,
    write_head,
    write_scene,
)
from engine.training.synthetic.surroundings import HEIGHT, WIDTH, directions, panorama

SIZE, FINER = 96, 4
FRONT = np.array([0.0, 0.0, 1.0], np.float32)


@pytest.fixture(scope="module")
def labels() -> RasterRenderer:
    with single_threaded_torch():
        return RasterRenderer(load_head())


def _camera() -> Camera:
    """Half a metre in front, turned a little, the principal point off the middle."""
    turn = np.radians(25.0)
    view = np.diag([1.0, -1.0, -1.0, 1.0])
    view[:3, :3] = view[:3, :3] @ np.array(
        [[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]]
    )
    view[:3, 3] = [0.01, 0.02, 0.7]
    return Camera(np.array([[170.0, 0, 54.0], [0, 170.0, 40.0], [0, 0, 1]]), view, SIZE, SIZE)


def _scene(light: np.ndarray, lamps: tuple[Lamp, ...] = (), albedo: float = 0.4) -> Scene:
    head = load_head()
    low, high = np.array([-0.15, 0.05, 0.16]), np.array([-0.11, 0.09, 0.16])
    corners = np.array([low, [high[0], low[1], low[2]], high, [low[0], high[1], low[2]]], np.float32)
    board = Prop(
        "board",
        "other",
        corners,
        np.array([[0, 1, 2], [0, 2, 3]], np.int32),
        np.full((4, 3), albedo, np.float32),
        np.zeros((4, 1), np.int32),
        np.zeros((4, 1), np.float32),
    )
    return Scene(
        vertices=head.vertices,
        albedo=np.full((64, 64, 3), albedo, np.float16),
        classes=np.full((64, 64), REGIONS.index("skin"), np.uint8),
        props=(board,),
        illumination=light,
        lamps=lamps,
        background=np.full((SIZE, SIZE, 3), 200, np.uint8),
        camera=_camera(),
        lashes=0.5,
        identity=np.zeros(head.identity_basis.shape[0], np.float32),
        expression=np.zeros(len(head.expression_names), np.float32),
        angles=np.zeros(3),
    )


def test_surroundings_shade_as_the_harmonics_do() -> None:
    light = ambient(0.3) + directional(np.array([1.0, 0.5, 0.4]), np.array([0.5, 0.4, 0.2]))
    found = panorama(light, np.random.default_rng(1)).reshape(-1, 3)
    around, solid_angle = directions()
    normals = sphere_directions(100)
    facing = np.maximum(normals @ around.reshape(-1, 3).T, 0) * solid_angle.ravel()
    assert found.shape == (HEIGHT * WIDTH, 3)
    assert found.min() > 0
    np.testing.assert_allclose(facing @ found / np.pi, irradiance(normals, light), atol=0.03)


def test_surroundings_have_something_to_mirror() -> None:
    even = panorama(ambient(0.5), np.random.default_rng(2))
    assert even.std() > 0.2 * even.mean()
    np.testing.assert_array_equal(even, panorama(ambient(0.5), np.random.default_rng(2)))
    assert not np.array_equal(even, panorama(ambient(0.5), np.random.default_rng(3)))


def test_texels_look_all_around() -> None:
    around, solid_angle = directions()
    assert solid_angle.sum() == pytest.approx(4 * np.pi, rel=1e-3)
    np.testing.assert_allclose(np.linalg.norm(around, axis=-1), 1)
    assert around[-1, :, 2].min() > 0.99  # the top row looks along z


def test_a_scene_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    lamp = Lamp(FRONT, np.array([0.5, 0.25, 0.125], np.float32), 0.1)
    written = scene_file(_scene(ambient(0.5), (lamp,)))
    write_scene(tmp_path / "a.npz", written)
    found = read_scene(tmp_path / "a.npz")
    for name in (field.name for field in fields(SceneFile)):
        if name not in ("props", "lamps"):
            np.testing.assert_array_equal(getattr(found, name), getattr(written, name))
    np.testing.assert_array_equal(found.lamps[0].colour, lamp.colour)
    np.testing.assert_allclose(found.props[0].vertices, written.props[0].vertices, atol=1e-5)
    assert (found.lamps[0].softness, found.props[0].region) == (pytest.approx(0.1), "other")


def test_an_empty_scene_and_the_head_are_read_as_written(tmp_path: Path) -> None:
    write_scene(tmp_path / "a.npz", replace(scene_file(_scene(ambient(0.5))), props=(), lamps=()))
    bare = read_scene(tmp_path / "a.npz")
    assert (bare.props, bare.lamps, bare.size) == ((), (), SIZE)
    head = HeadFile(
        np.array([[0, 1, 2]], np.int32),
        np.random.default_rng(0).random((1, 3, 2), np.float32),
        np.zeros(1, np.int32),
        ("skin", "eye.L"),
        np.ones(3, np.float32),
    )
    write_head(tmp_path / "head.npz", head)
    found = read_head(tmp_path / "head.npz")
    np.testing.assert_array_equal(found.uv, head.uv)
    assert found.names == head.names


def test_lips_are_wetter_than_skin_and_cloth_scatters_nothing() -> None:
    classes = np.array([[REGIONS.index(name) for name in ("skin", "lip", "clothes")]], np.uint8)
    found = finish(classes, np.random.default_rng(0))[0]
    assert found[1, 0] < found[0, 0] < found[2, 0]
    assert found[:, 1].tolist() == [1, 1, 0]


def test_pictures_are_laid_over_their_background() -> None:
    rgba = np.zeros((1, 3, 4), np.float16)
    rgba[0, 1] = 1.0
    rgba[0, 2] = [0.25, 0.25, 0.25, 0.5]
    found = over(rgba, np.full((1, 3, 3), 255, np.uint8))
    assert found[0, :, 0].tolist() == [255, 255, pytest.approx(225, abs=1)]  # 0.25 + 0.5 in linear light


def test_a_missing_interpreter_is_named() -> None:
    renderer = CyclesRenderer(load_head(), interpreter="no-such-python")
    with pytest.raises(WorkerError, match="no-such-python"):
        renderer.colours([_scene(ambient(0.5))])


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="needs the bpy module")
def test_cycles_draws_what_the_quick_renderer_labels(labels: RasterRenderer) -> None:
    first = _scene(ambient(0.5), (Lamp(FRONT, np.full(3, 0.4, np.float32)),))
    other = _scene(ambient(0.2) * np.array([1.0, 0.6, 0.3], np.float32), albedo=0.1)
    renderer = CyclesRenderer(load_head(), labels, samples=16)
    drawn = renderer.colours([first, other, first])
    [large] = labels(
        [
            replace(
                first, camera=first.camera.scaled(FINER), background=np.zeros((FINER * SIZE, FINER * SIZE, 3), np.uint8)
            )
        ]
    )
    expected = (large.regions > 0).reshape(SIZE, FINER, SIZE, FINER).mean((1, 3)) > 0.5
    seen = drawn[0][..., 3] > 0.5
    assert (seen & expected).sum() / (seen | expected).sum() > 0.985
    np.testing.assert_array_equal(drawn[0], drawn[2])  # the seed is the scene's, and nothing stays of the one between
    [quick] = labels([first])
    inside = seen & expected
    bright = [srgb_to_linear(image)[inside].mean() for image in (over(drawn[0], first.background), quick.image)]
    assert bright[0] == pytest.approx(bright[1], rel=0.2)
    assert drawn[1][inside, :3].mean() < 0.3 * drawn[0][inside, :3].mean()
