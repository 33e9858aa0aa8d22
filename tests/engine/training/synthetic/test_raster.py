"""The quick renderer: its labels are those of the geometry, its light and shadow fall where they should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.camera import Camera
from engine.heads.loader import load_head
from engine.render.lighting import ambient
from engine.training.synthetic.raster import RasterRenderer
from engine.training.synthetic.scene import REGIONS, Lamp, Prop, Scene

SIDE = 96
SKIN, OTHER = REGIONS.index("skin"), REGIONS.index("other")


@pytest.fixture(scope="module")
def head():
    return load_head()


@pytest.fixture(scope="module")
def renderer(head):
    return RasterRenderer(head, maps=True)


def front_camera(distance: float = 1.0) -> Camera:
    view = np.diag([1.0, -1.0, -1.0, 1.0])
    view[:3, 3] = 0.0, 0.0, distance
    return Camera(np.array([[300.0, 0, SIDE / 2], [0, 300.0, SIDE / 2], [0, 0, 1]]), view, SIDE, SIDE)


def scene_of(head, **changes) -> Scene:
    plain = Scene(
        vertices=head.vertices,
        albedo=np.full((64, 64, 3), 0.5, np.float16),
        classes=np.full((64, 64), SKIN, np.uint8),
        props=(),
        illumination=ambient(0.8),
        lamps=(),
        background=np.full((SIDE, SIDE, 3), 10, np.uint8),
        camera=front_camera(),
        lashes=0.5,
        identity=np.zeros(len(head.identity_basis), np.float32),
        expression=np.zeros(len(head.expression_names), np.float32),
        angles=np.zeros(3),
    )
    return replace(plain, **changes)


def board(z: float, half: float = 0.03, **changes) -> Prop:
    """A square before the face."""
    corners = np.array([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    plain = Prop(
        "board", "other", corners, faces, np.full((4, 3), 0.9, np.float32), np.zeros((4, 1), np.int32),
        np.zeros((4, 1), np.float32),
    )  # fmt: skip
    return replace(plain, **changes)


def nose_tip(head) -> int:
    middle = np.abs(head.vertices[:, 0]) < 2e-3
    return int(np.flatnonzero(middle)[head.vertices[middle, 2].argmax()])


def pixel(head, camera: Camera, vertex: int) -> tuple[int, int]:
    x, y = camera.project(head.vertices[vertex])
    return int(y), int(x)


def test_depth_is_the_surfaces(head, renderer):
    scene = scene_of(head)
    picture = renderer([scene])[0]
    tip = nose_tip(head)
    assert picture.depth[pixel(head, scene.camera, tip)] == pytest.approx(1 - head.vertices[tip, 2], abs=2e-3)
    assert np.isinf(picture.depth[0, 0])
    assert (np.isinf(picture.depth) == (picture.regions == 0)).all()


def test_normals_and_places_in_the_texture(head, renderer):
    scene = scene_of(head)
    picture = renderer([scene])[0]
    at = pixel(head, scene.camera, nose_tip(head))
    assert picture.normals[at] @ [0, 0, 1] > 0.9
    corner = np.argwhere(head.faces == nose_tip(head))[0]
    np.testing.assert_allclose(picture.uv[at], head.uv[head.uv_faces[tuple(corner)]], atol=0.01)
    assert np.isnan(picture.uv[0, 0]).all()


def test_what_is_seen_is_visible_and_what_is_behind_is_not(head, renderer):
    picture = renderer([scene_of(head)])[0]
    assert picture.visible[nose_tip(head)]
    back = head.vertices[:, 2].argmin()
    assert not picture.visible[back]
    hidden = renderer([scene_of(head, props=(board(0.3, half=0.2),))])[0]
    assert not hidden.visible.any()


def test_a_prop_has_its_region_and_colour(head, renderer):
    picture = renderer([scene_of(head, props=(board(0.3),))])[0]
    middle = (SIDE // 2, SIDE // 2)
    assert picture.regions[middle] == OTHER
    assert picture.depth[middle] == pytest.approx(0.7, abs=1e-4)
    bare = renderer([scene_of(head)])[0]
    assert picture.image[middle].mean() > bare.image[middle].mean() + 20


def test_a_lens_lets_through(head, renderer):
    lens = board(0.3, region="glasses", opacity=0.25, colour=np.zeros((4, 3), np.float32))
    bare, seen = renderer([scene_of(head), scene_of(head, props=(lens,))])
    middle = (SIDE // 2, SIDE // 2)
    assert seen.regions[middle] == SKIN
    assert seen.depth[middle] == pytest.approx(bare.depth[middle], abs=1e-4)
    from engine.render.lighting import srgb_to_linear

    through = srgb_to_linear(seen.image[middle]) / srgb_to_linear(bare.image[middle])
    np.testing.assert_allclose(through, 0.75, atol=0.02)
    dark = renderer([scene_of(head, props=(replace(lens, opacity=0.9),))])[0]
    assert dark.regions[middle] == REGIONS.index("glasses")


def test_a_lamp_lights_its_side_and_casts_shadows(head, renderer):
    lamp = Lamp(np.array([1.0, 0.0, 0.2], np.float32) / np.float32(np.hypot(1, 0.2)), np.full(3, 0.8, np.float32))
    dim = ambient(0.05)
    picture = renderer([scene_of(head, illumination=dim, lamps=(lamp,))])[0]
    at = np.flatnonzero(head.regions["face"] & (head.vertices[:, 0] > 0.045) & picture.visible)
    left = np.mean([picture.image[pixel(head, front_camera(), v)].mean() for v in at])
    right = np.mean([picture.image[pixel(head, front_camera(), v)].mean() for v in head.mirror[at]])
    assert left > 3 * right  # the lamp is at the head's left, +x
    wall = board(0.0, half=0.3)
    wall = replace(wall, vertices=wall.vertices[:, [2, 1, 0]] + np.array([0.2, 0, 0], np.float32))
    shaded = renderer([scene_of(head, illumination=dim, lamps=(lamp,), props=(wall,))])[0]
    assert shaded.image[pixel(head, front_camera(), at[0])].mean() < 0.5 * left


def test_scenes_in_a_batch_do_not_touch_each_other(head, renderer):
    plain, with_board = scene_of(head), scene_of(head, props=(board(0.3),), camera=front_camera(1.2))
    together = renderer([with_board, plain])
    for both, scene in zip(together, (with_board, plain), strict=True):
        alone = renderer([scene])[0]
        np.testing.assert_array_equal(both.image, alone.image)
        np.testing.assert_array_equal(both.regions, alone.regions)
        np.testing.assert_array_equal(both.visible, alone.visible)
