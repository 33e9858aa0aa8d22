"""Shaded pictures of known shapes."""

from __future__ import annotations

import numpy as np
import torch
import trimesh

from engine.camera import Camera
from engine.hair.shell import HairShell
from engine.render import shade
from engine.render.geometry import vertex_normals
from engine.render.hair import hair_look
from engine.render.lighting import ambient, directional, irradiance, srgb_to_linear
from engine.render.shade import render_clay, render_head
from engine.render.texture import MipTexture, by_level, sample_bilinear

SQUARE = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]])
SQUARE_FACES = np.array([[0, 1, 2], [0, 2, 3]])
SQUARE_UV = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])


def front_camera(size: int, focal: float = 1.0, distance: float = 2.0) -> Camera:
    """Looks along -Z at the origin from `distance`; one metre there is `focal * size / distance` pixels."""
    view = np.diag([1.0, -1, -1, 1])
    view[2, 3] = distance
    return Camera(np.array([[focal * size, 0, size / 2], [0, focal * size, size / 2], [0, 0, 1]]), view, size, size)


def test_texture_is_right_way_round_and_keeps_its_colours() -> None:
    albedo = np.zeros((64, 64, 3), np.uint8)
    albedo[:32, :32], albedo[:32, 32:], albedo[32:, :32], albedo[32:, 32:] = (200, 0, 0), (0, 200, 0), (0, 0, 200), 90
    picture = render_head(
        SQUARE, SQUARE_FACES, SQUARE_UV, SQUARE_FACES, albedo, front_camera(64, 2.0), ambient(), supersample=1
    )
    assert np.abs(picture[5, 5].astype(int) - [200, 0, 0, 255]).max() <= 1
    assert np.abs(picture[5, 60].astype(int) - [0, 200, 0, 255]).max() <= 1
    assert np.abs(picture[60, 5].astype(int) - [0, 0, 200, 255]).max() <= 1
    assert np.abs(picture[60, 60].astype(int) - [90, 90, 90, 255]).max() <= 1


def test_fine_checks_average_instead_of_aliasing() -> None:
    albedo = ((np.indices((512, 512)).sum(0) % 2) * 255).astype(np.uint8)[..., None].repeat(3, 2)
    picture = render_head(SQUARE, SQUARE_FACES, SQUARE_UV, SQUARE_FACES, albedo, front_camera(48, 2.0), ambient())
    inside = picture[4:-4, 4:-4, 0].astype(int)
    assert np.abs(inside - 188).max() <= 3  # half of the light


def test_edge_coverage_is_alpha_and_background_shows_through() -> None:
    # The square's edges fall in the middle of pixels 15 and 48.
    camera = front_camera(64, 1.03125)
    albedo = np.full((4, 4, 3), 255, np.uint8)
    cut_out = render_head(SQUARE, SQUARE_FACES, SQUARE_UV, SQUARE_FACES, albedo, camera, ambient(), supersample=2)
    assert cut_out[32, 15].tolist() == [255, 255, 255, 128]
    assert cut_out[32, 14, 3] == 0
    black = np.zeros((64, 64, 3), np.uint8)
    over = render_head(SQUARE, SQUARE_FACES, SQUARE_UV, SQUARE_FACES, albedo, camera, ambient(), black, supersample=2)
    assert over[32, 15].tolist() == [188, 188, 188, 255]
    assert over[32, 14].tolist() == [0, 0, 0, 255]


def test_sphere_is_lit_by_its_normals() -> None:
    ball = trimesh.creation.icosphere(4, 0.5)
    picture = render_clay(
        ball.vertices, ball.faces, front_camera(128), directional(np.array([1.0, 0, 0])), colours=np.full(3, 0.5)
    )
    linear = srgb_to_linear(picture[..., :3])
    # The ray through column 80's centre meets the ball where the normal leans this far to the right.
    slope = (80.5 - 64) / 128
    along = (2 - np.sqrt(4 - (1 + slope**2) * (4 - 0.25))) / (1 + slope**2)
    normal = np.array([slope * along, 0, 2 - along]) / 0.5
    expected = 0.5 * irradiance(normal, directional(np.array([1.0, 0, 0])))[0]
    assert abs(linear[64, 80, 0] - expected) < 0.005
    assert linear[64, 36, 0] < 0.05


def test_strips_join_without_seam(monkeypatch) -> None:
    ball = trimesh.creation.icosphere(3, 0.5)
    whole = render_clay(ball.vertices, ball.faces, front_camera(90))
    monkeypatch.setattr(shade, "SAMPLES_AT_ONCE", 2000)
    monkeypatch.setattr(shade, "SHADED_AT_ONCE", 100)
    parts = render_clay(ball.vertices, ball.faces, front_camera(90))
    assert np.abs(whole.astype(int) - parts).max() <= 1


def test_inside_of_an_open_surface_is_lit_from_the_viewers_side() -> None:
    light = directional(np.array([0.0, 0, 1]))
    front = render_clay(SQUARE, SQUARE_FACES, front_camera(32), light)
    back = render_clay(SQUARE, SQUARE_FACES[:, ::-1], front_camera(32), light)
    assert np.array_equal(front, back)


def test_gloss_adds_a_highlight_only_where_asked() -> None:
    ball = trimesh.creation.icosphere(4, 0.5)
    uv, uv_faces = np.full((1, 2), 0.5), np.zeros_like(ball.faces)
    look = (ball.vertices, ball.faces, uv, uv_faces, np.full((4, 4, 3), 60, np.uint8), front_camera(96))
    light = directional(np.array([0.0, 0, 1]))
    matt = render_head(*look, light)
    left_only = (ball.vertices[ball.faces].mean(1)[:, 0] < -0.2).astype(float)
    assert np.array_equal(render_head(*look, light, gloss=left_only), matt)
    shiny = render_head(*look, light, gloss=np.ones(len(ball.faces)))
    assert shiny[48, 48, 0] > matt[48, 48, 0] + 60
    assert abs(int(shiny[48, 68, 0]) - int(matt[48, 68, 0])) <= 2


def test_head_outside_the_picture_gives_an_empty_picture() -> None:
    assert not render_clay(SQUARE + np.array([9, 0, 0]), SQUARE_FACES, front_camera(16)).any()


def test_vertex_normals_of_a_sphere_and_of_a_lone_vertex() -> None:
    ball = trimesh.creation.icosphere(3)
    vertices = torch.tensor(np.vstack([ball.vertices, [[5.0, 5, 5]]]))
    normals = vertex_normals(vertices, torch.tensor(ball.faces)).numpy()
    assert np.abs(normals[:-1] - ball.vertices).max() < 0.02
    assert normals[-1].tolist() == [0, 0, 1]


def test_bilinear_sampling_hits_texel_centres() -> None:
    texture = torch.arange(12.0).reshape(3, 4, 1)
    uv = torch.tensor([[0.125, 1 - 0.5 / 3], [0.25, 1 - 0.5 / 3], [0.875, 0.5 / 3], [-1.0, 2.0]])
    assert torch.allclose(sample_bilinear(texture, uv)[:, 0], torch.tensor([0.0, 0.5, 11.0, 0.0]), atol=1e-5)


def test_mip_levels_average() -> None:
    texture = MipTexture(torch.arange(16.0).reshape(4, 4, 1))
    assert texture.level(2).shape == (1, 1, 1)
    assert texture.sample(torch.tensor([[0.5, 0.5]]), torch.tensor([2.0]))[0, 0] == 7.5
    between = texture.sample(torch.tensor([[0.25, 0.75]]), torch.tensor([0.5]))
    assert torch.isclose(between[0, 0], torch.tensor(2.5))


def test_points_read_their_own_two_levels_in_whatever_order_they_come() -> None:
    generator = torch.Generator().manual_seed(0)
    texture = MipTexture(torch.rand((33, 20, 3), generator=generator))
    uv = torch.rand((500, 2), generator=generator) * 1.2 - 0.1
    detail = torch.rand(500, generator=generator) * 8 - 1  # beyond both ends too
    detail[:20] = torch.arange(20.0) % 6
    found = texture.sample(uv, detail)
    for place, level, colour in zip(uv, detail.clamp(0, 5), found, strict=True):
        low = int(level)
        one, two = (sample_bilinear(texture.level(index), place) for index in (low, low + 1))
        assert torch.allclose(colour, one + (level - low) * (two - one), atol=1e-6)


def test_points_in_the_order_of_levels_change_level_as_rarely_as_can_be() -> None:
    detail = torch.rand(1000, generator=torch.Generator().manual_seed(1)) * 9 - 2
    order = by_level(detail)
    assert order.sort().values.equal(torch.arange(1000))
    levels = detail[order].clamp(0, 5).floor()
    assert levels.equal(levels.sort().values)
    assert (order.diff()[levels.diff() == 0] > 0).all()  # as before within a level


def test_what_hair_hides_is_what_was_there_without_it() -> None:
    """Skin under hair is not shaded; beside it every pixel is as without."""
    hair = HairShell(
        vertices=np.array([[-0.4, -0.4, 0.2], [0.4, -0.4, 0.2], [0.4, 0.4, 0.2], [-0.4, 0.4, 0.2]], np.float32),
        close=np.zeros((4, 3), np.float32),
        faces=SQUARE_FACES.astype(np.int32),
        uv=np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32),
        uv_faces=SQUARE_FACES.astype(np.int32),
        albedo=np.dstack([np.full((16, 16, 3), 60, np.uint8), np.repeat([[0], [255]], 8, 0).repeat(16, 1)]).astype(
            np.uint8
        ),
        anchors=np.zeros((4, 3), np.int32),
        anchor_weights=np.full((4, 3), 1 / 3, np.float32),
    )
    albedo = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    camera, opacity = front_camera(64), np.array([1, 1, 0.5, 1])
    faces = np.concatenate([SQUARE_FACES, SQUARE_FACES + 4])
    vertices = np.concatenate([SQUARE, SQUARE * 0.5 + [0, 0, 0.1]])
    everything = (vertices, faces, np.concatenate([uv, uv]), faces, albedo, camera, ambient())
    bald = render_head(*everything, opacity=np.concatenate([np.ones(4), opacity]))
    haired = render_head(*everything, opacity=np.concatenate([np.ones(4), opacity]), hair=hair_look(hair))
    changed = (bald != haired).any(-1)
    assert 200 < changed.sum() < 64 * 64 // 2
    covered = np.abs(haired[..., :3].astype(int) - 60).max(-1) <= 1
    assert (covered | ~changed)[2:-2].mean() > 0.97  # but for the seam, where both share a pixel
