"""A head rendered with a known skin and light gives that skin and light back."""

import numpy as np
import pytest

from engine.camera import Camera
from engine.heads.loader import load_head
from engine.perception.observation import Masks
from engine.render.lighting import ambient, directional, irradiance, srgb_to_linear
from engine.render.shade import render_head
from engine.texture.delight import delight
from engine.texture.project import (
    BLOCK,
    LASHES,
    head_view,
    mix,
    project_photo,
    sample,
    smoothstep,
    unfolding,
    weighted,
    with_lash_line,
)
from engine.texture.surface import uv_surface, vertex_normals

SIZE, SIDE = 256, 384
SKIN = np.array([190, 140, 115], np.uint8)


@pytest.fixture(scope="module")
def head():
    return load_head("open")


@pytest.fixture(scope="module")
def camera():
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[2, 3] = 1.2
    return Camera(np.array([[3 * SIDE, 0, SIDE / 2], [0, 3 * SIDE, SIDE / 2], [0, 0, 1.0]]), pose, SIDE, SIDE)


def photograph(head, camera, albedo, light):
    view = render_head(head.vertices, head.faces, head.uv, head.uv_faces, albedo, camera, light)
    ones, zeros = np.ones((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32)
    person = (view[..., 3] > 0).astype(np.float32)
    return view[..., :3], Masks(person, ones * person, zeros, zeros, zeros)


def project(head, camera, albedo, light):
    surface = uv_surface(head, SIZE)
    pixels, masks = photograph(head, camera, albedo, light)
    return surface, project_photo(head, head.vertices, camera, np.ascontiguousarray(pixels), masks, surface)


def test_each_texel_gets_its_own_color_back(head, camera):
    rows, columns = np.mgrid[:SIZE, :SIZE]
    albedo = np.stack([40 + columns * 0.7, 40 + rows * 0.7, np.full((SIZE, SIZE), 90)], -1).astype(np.uint8)
    surface, seen = project(head, camera, albedo, ambient())
    skin = head.face_materials[surface.faces] == head.material_names.index("skin")
    sure = (seen.seen > 0.9) & skin
    assert sure.mean() > 0.1
    difference = np.abs(seen.color - srgb_to_linear(albedo[surface.mask]))[sure]
    assert np.percentile(difference, 95) < 0.02


def test_the_back_of_the_head_is_not_seen(head, camera):
    surface, seen = project(head, camera, np.full((SIZE, SIZE, 3), 128, np.uint8), ambient())
    points = surface.gather(head.vertices, head.faces)
    skull = (points[:, 1] > 0.02) & (points[:, 2] < -0.04)
    assert skull.mean() > 0.02
    assert seen.seen[skull].max() == 0


def test_lips_and_lids_are_believed_up_to_their_border_and_frames_closely(head, camera):
    """Teeth behind lips are no occluding edge, and only what is masked near eyes, mouth and frames is lost."""
    opened = head.vertices + head.expression_basis[head.expression_names.index("jawOpen")]
    surface = uv_surface(head, SIZE)
    gray = np.full((SIDE, SIDE, 3), 128, np.uint8)
    _, masks = photograph(head, camera, np.full((SIZE, SIZE, 3), 128, np.uint8), ambient())
    lips = surface.smooth(head.regions["lips"][:, None].astype(np.float32), head.faces)[:, 0] > 0.9
    seen = project_photo(head, opened, camera, gray, masks, surface)
    squarely = lips & (seen.facing > 0.6) & (seen.visible > 0)
    assert squarely.sum() > 50
    assert np.median(seen.seen[squarely]) > 0.95
    shut = project_photo(head, head.vertices, camera, gray, masks, surface)
    mouth = np.zeros((SIDE, SIDE), np.float32)
    x, y = camera.project(head.vertices[head.regions["lips"]]).mean(0).astype(int)
    mouth[y - 4 : y + 5, x - 12 : x + 13] = 1
    for covered in (
        Masks(masks.person, masks.skin * (1 - mouth), masks.hair, masks.eyes, mouth),
        Masks(masks.person, masks.skin * (1 - mouth), masks.hair, masks.eyes, masks.eyes, True, mouth),
    ):
        trust = project_photo(head, head.vertices, camera, gray, covered, surface).seen
        places = camera.project(surface.gather(head.vertices, head.faces)).astype(np.float32)
        near = (np.abs(places[:, 0] - x) < 8) & (shut.facing > 0.7) & (shut.visible > 0)
        assert trust[near & (np.abs(places[:, 1] - y) < 3)].max() < 0.05
        beyond = near & (places[:, 1] > y + 8) & (places[:, 1] < y + 12)
        assert np.median(trust[beyond]) > 0.9


def test_the_lashes_line_in_the_eyes_mask_belongs_to_the_lid(head, camera):
    """Detectors count the dark line to the eye: its upper rim is given back to the skin, the rest stays the eye's."""
    _, masks = photograph(head, camera, np.full((SIZE, SIZE, 3), 128, np.uint8), ambient())
    eyes = np.zeros((SIDE, SIDE), np.float32)
    eyes[100:112, 150:170] = 1
    found = with_lash_line(Masks(masks.person, 1 - eyes, masks.hair, eyes, masks.hair), camera, 2 / LASHES)
    assert (found.skin[100:102, 152:168] == 1).all()
    np.testing.assert_allclose(found.eyes[103:112, 152:168], 1)
    np.testing.assert_allclose(found.skin[103:112, 152:168], 0, atol=1e-6)
    np.testing.assert_allclose(found.skin + found.eyes, 1, atol=1e-6)


def test_a_collar_is_kept_away_from(head, camera):
    surface = uv_surface(head, SIZE)
    view, masks = photograph(head, camera, np.full((SIZE, SIZE, 3), 128, np.uint8), ambient())
    chin = camera.project(head.vertices[head.regions["face"]])[:, 1].max()
    rows = np.arange(SIDE)[:, None]
    skin = masks.skin * (rows < chin - 20)
    pixels = np.ascontiguousarray(view)
    trust = project_photo(
        head, head.vertices, camera, pixels, Masks(masks.person, skin, masks.hair, masks.eyes, masks.eyes), surface
    ).seen
    places = camera.project(surface.gather(head.vertices, head.faces))
    assert trust[places[:, 1] > chin - 21].max() < 0.1


def test_only_lids_unfold_in_a_blink(head):
    growth = unfolding(head, head.vertices)
    assert growth[head.regions["eyelids"]].max() > 1.5
    assert growth[head.regions["lips"] | head.regions["scalp"] | head.regions["neck"]].max() < 1.05


def test_light_and_skin_come_apart(head, camera):
    light = ambient(0.5) + directional(np.array([0.6, 0.5, 0.7]), 0.6)
    surface, seen = project(head, camera, np.tile(SKIN, (SIZE, SIZE, 1)), light)
    normals = vertex_normals(head.vertices, head.faces)
    weights = seen.seen * (head.face_materials[surface.faces] == 0)
    bald = np.zeros_like(weights)
    lit = delight(seen.color, np.ones_like(seen.color), weights, normals, normals[:, 2], bald, surface, head)
    found = lit.color[weights > 0.5]
    assert (found.std(0) / found.mean(0)).max() < 0.06
    front = normals[head.regions["face"] & (normals[:, 2] > 0.3)]
    truth, solved = irradiance(front, light)[:, 0], irradiance(front, lit.illumination)[:, 0]
    assert np.corrcoef(truth, solved)[0, 1] > 0.97


def test_the_cropped_view_sees_the_same_picture(head, camera):
    view = head_view(camera, head.vertices, 200)
    scale = view.K[0, 0] / camera.K[0, 0]
    moved = view.project(head.vertices) - camera.project(head.vertices) * scale
    np.testing.assert_allclose(moved - moved[0], 0, atol=1e-6)
    assert max(view.width, view.height) == 200


def test_smoothstep_is_its_polynomial_whatever_the_size_and_the_kind_of_numbers():
    values = np.linspace(-1, 2, BLOCK + 77)
    t = np.clip((values - 0.2) / 0.5, 0, 1)
    np.testing.assert_allclose(smoothstep(values, 0.2, 0.7), t * t * (3 - 2 * t), atol=1e-6)
    pictures = values[: BLOCK // 256 * 256].astype(np.float32).reshape(-1, 256)
    assert np.array_equal(smoothstep(pictures.T, 0.2, 0.7), smoothstep(pictures, 0.2, 0.7).T)
    assert np.array_equal(smoothstep(np.arange(5), 0, 4), np.array([0, 0.15625, 0.5, 0.84375, 1], np.float32))
    assert smoothstep(np.array(0.45), 0.2, 0.7).shape == ()


@pytest.mark.parametrize("count", [0, 5, BLOCK, BLOCK + 3])
def test_colours_times_weights_and_mixed(count):
    rng = np.random.default_rng(0)
    colors, others = rng.random((2, count, 3), np.float32)
    share = rng.random(count, np.float32)
    assert np.array_equal(weighted(colors, share), colors * share[:, None])
    mixed = colors.copy()
    mix(mixed, others, share)
    assert np.array_equal(mixed, colors + share[:, None] * (others - colors))


@pytest.mark.parametrize("count", [1, 4096, 10_000])
def test_samples_of_a_ramp_are_its_values(count):
    rows, columns = np.mgrid[:40, :50].astype(np.float32)
    places = np.random.default_rng(0).uniform([1, 1], [49, 39], (count, 2)).astype(np.float32)
    found = sample(np.dstack([columns, rows, 2 * rows, columns + rows]), places)
    assert found.shape == (count, 4)
    x, y = (places - 0.5).T  # in steps of a thirty-second of a pixel
    np.testing.assert_allclose(found, np.stack([x, y, 2 * y, x + y], 1), atol=2 / 32)
    np.testing.assert_allclose(sample(rows, places), y, atol=1 / 32)
