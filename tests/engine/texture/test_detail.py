"""Relief from shading: ridges that are known come back, and nothing else becomes relief."""

import numpy as np
import pytest

from engine.camera import Camera
from engine.fitting.result import HeadFit
from engine.heads.loader import load_head
from engine.perception.observation import Masks
from engine.render.lighting import ambient, directional, irradiance, linear_to_bytes, srgb_to_linear
from engine.texture.detail import LIMIT, TAKEN_OUT, DetailMaps, detail_maps, photo_relief, without_detail_shading
from engine.texture.detail_frame import Frame, LitFrame, lit_frame, log_light_gradient, normal_picture
from engine.texture.detail_solve import solve_height
from engine.texture.result import TextureResult
from engine.texture.surface import uv_surface, vertex_normals

SIDE, TEXEL = 160, 0.4
SKIN = np.array([0.46, 0.285, 0.205], np.float32)
STEEP = 0.7
"""By how much, in logs, brightness changes as the normal tilts by one towards the light of these patches."""


def patch(towards=(STEEP, 0.0)):
    """A flat patch of skin, texels of 0.4 mm, under a light whose brightness changes as the normal tilts to `towards`
    (right, up)."""
    ones = np.ones((SIDE, SIDE), np.float32)
    frame = Frame(TEXEL * ones, 0 * ones, TEXEL * ones)
    return LitFrame(frame, np.broadcast_to(np.float32(towards), (SIDE, SIDE, 2)).copy())


def ridges(angle, wavelength=3.0, amplitude=0.1):
    """(S,S) height of waves that run in a direction (degrees from right, towards up), and their two slopes; mm."""
    rows, columns = np.mgrid[:SIDE, :SIDE] * TEXEL
    a, k = np.radians(angle), 2 * np.pi / wavelength
    phase = k * (columns * np.cos(a) - rows * np.sin(a))
    slope = amplitude * k * np.cos(phase)
    height = amplitude * np.sin(phase)
    return height.astype(np.float32), slope * np.cos(a), slope * np.sin(a)


def photographed(lit, right, up):
    """The skin under the light, without the light on the smooth patch."""
    change = -(lit.towards[..., 0] * right + lit.towards[..., 1] * up)
    return (SKIN * np.exp(change)[..., None]).astype(np.float32)


def trusted():
    trust = np.zeros((SIDE, SIDE), np.float32)
    trust[16:-16, 16:-16] = 1
    return trust


MIDDLE = np.s_[48:-48, 48:-48]


def gain(found, true):
    """Slope of the regression of what was found on what is true, and their correlation, in the middle."""
    a, b = found[MIDDLE].ravel(), true[MIDDLE].ravel()
    return float(a @ b / (b @ b)), float(np.corrcoef(a, b)[0, 1])


@pytest.mark.parametrize("angle", [0, 30, -45, 180])
def test_ridges_across_the_light_come_back_at_half_to_full_height(angle):
    lit = patch()
    true, right, up = ridges(angle)
    height, _ = photo_relief(photographed(lit, right, up), trusted(), lit, TEXEL)
    factor, alike = gain(height, true)
    assert 0.5 < factor < 1.1
    assert alike > 0.95


def test_light_from_the_other_side_gives_the_same_ridges():
    true, right, up = ridges(0)
    found = [photo_relief(photographed(lit, right, up), trusted(), lit, TEXEL)[0]
             for lit in (patch((STEEP, 0.0)), patch((-STEEP, 0.0)))]  # fmt: skip
    for height in found:
        assert gain(height, true)[0] > 0.5


def test_under_even_light_dark_lines_lie_deeper():
    dark, _, _ = ridges(0, amplitude=1.0)
    color = (SKIN * np.exp(0.2 * dark)[..., None]).astype(np.float32)
    height, _ = photo_relief(color, trusted(), patch((0.0, 0.0)), TEXEL)
    factor, alike = gain(height, 0.2 * dark)
    assert alike > 0.98
    assert 0.1 < factor < 0.8  # millimetres a log unit: less than the prior's own, by what smoothness costs


def test_plain_skin_and_broad_shading_stay_flat():
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    height, explained = photo_relief(np.tile(SKIN, (SIDE, SIDE, 1)), trusted(), patch(), TEXEL)
    assert np.abs(height).max() == 0
    assert np.abs(explained).max() == 0
    broad = SKIN * np.exp(0.3 * np.sin(2 * np.pi * columns) + 0.2 * rows)[..., None]
    height, _ = photo_relief(broad.astype(np.float32), trusted(), patch(), TEXEL)
    assert np.abs(height).max() < 0.005  # a twentieth of the ridges above, from 30 % of brightness


def spots(change, radius=1.0, count=40):
    """Skin with round spots in which red, green and blue change by so much, in logs."""
    rng = np.random.default_rng(3)
    places = rng.uniform(24, SIDE - 24, (count, 2)) * TEXEL
    points = np.stack(np.mgrid[:SIDE, :SIDE] * TEXEL, -1)
    distance = np.linalg.norm(points[:, :, None] - places, axis=-1).min(-1)
    inside = 1 / (1 + np.exp((distance - radius) / 0.2))
    return (SKIN * np.exp(inside[..., None] * np.array(change))).astype(np.float32)


def test_freckles_are_no_bumps():
    freckles = photo_relief(spots([-0.25, -0.4, -0.62]), trusted(), patch(), TEXEL)[0]
    lines = ridges(30)
    wrinkles = photo_relief(photographed(patch(), *lines[1:]), trusted(), patch(), TEXEL)[0]
    assert np.abs(freckles).max() < 0.02
    assert freckles.std() < 0.03 * wrinkles.std()


def test_moles_without_colour_are_spots_not_lines():
    moles = photo_relief(spots([-0.5, -0.5, -0.5], radius=0.7), trusted(), patch(), TEXEL)[0]
    assert np.abs(moles).max() < 0.06


def test_grain_is_no_relief():
    noise = np.random.default_rng(0).normal(0, 0.06, (SIDE, SIDE, 1))
    color = (SKIN * np.exp(noise)).astype(np.float32)
    assert photo_relief(color, trusted(), patch(), TEXEL)[0].std() < 0.006


def test_the_border_of_a_shadow_is_no_ridge():
    shadow = 1 / (1 + np.exp(-(np.mgrid[:SIDE, :SIDE][1] - SIDE / 2) * TEXEL / 0.5))
    color = (SKIN * np.exp(-shadow)[..., None]).astype(np.float32)
    assert np.abs(photo_relief(color, trusted(), patch(), TEXEL)[0]).max() < 0.03


def test_nothing_is_read_where_nothing_is_trusted():
    lit = patch()
    _, right, up = ridges(0)
    trust = trusted()
    trust[:, SIDE // 2 :] = 0
    height, explained = photo_relief(photographed(lit, right, up), trust, lit, TEXEL)
    assert np.abs(height[:, SIDE // 2 :]).max() == 0
    assert np.abs(explained[:, SIDE // 2 :]).max() == 0
    assert np.abs(height[:, 40 : SIDE // 2 - 20]).max() > 0.03
    none = photo_relief(photographed(lit, right, up), 0 * trust, lit, TEXEL)
    assert not np.any(none)


def test_heights_have_a_limit():
    lit = patch()
    _, right, up = ridges(0, wavelength=5.0, amplitude=4.0)
    height, _ = photo_relief(photographed(lit, right, up), trusted(), lit, TEXEL)
    assert 0.3 < np.abs(height).max() <= LIMIT


def test_the_solver_meets_its_normal_equations():
    """The energy's gradient at the solution, by finite differences along random directions, is zero."""
    rng = np.random.default_rng(1)
    side = 12
    ones = np.ones((side, side), np.float32)
    lit = LitFrame(Frame(0.4 * ones, 0.1 * ones, 0.5 * ones), rng.normal(0, 0.5, (side, side, 2)).astype(np.float32))
    residual = rng.normal(0, 0.1, (side, side)).astype(np.float32)
    trust = rng.uniform(0.2, 1, (side, side)).astype(np.float32)

    def energy(h):
        def cells(x):
            return 0.25 * (x[:-1, :-1] + x[1:, :-1] + x[:-1, 1:] + x[1:, 1:])

        right = 0.5 * (h[:-1, 1:] - h[:-1, :-1] + h[1:, 1:] - h[1:, :-1])
        down = 0.5 * (h[1:, :-1] - h[:-1, :-1] + h[1:, 1:] - h[:-1, 1:])
        a, b = lit.operator()
        shading = (cells(trust) * (cells(a) * right + cells(b) * down + cells(residual)) ** 2).sum()
        prior = 0.1 * (trust * (h - 0.8 * residual) ** 2).sum()
        smooth = 0.02 * ((np.diff(h, axis=1) / 0.4) ** 2).sum() + 0.02 * ((np.diff(h, axis=0) / 0.5) ** 2).sum()
        return shading + prior + smooth + 0.01 * (h**2).sum()

    solution = solve_height(residual, trust, lit).astype(np.float64)
    scale = energy(0 * solution)
    for _ in range(5):
        step = 1e-3 * rng.standard_normal((side, side))
        slope = (energy(solution + step) - energy(solution - step)) / 2
        assert abs(slope) < 1e-3 * scale * 0.05


def test_a_lone_texel_is_as_deep_as_it_is_dark():
    """Without neighbours only the prior is left: 0.1 (h - 0.8 r)^2 + 0.01 h^2."""
    one = np.ones((1, 1), np.float32)
    lit = LitFrame(Frame(one, 0 * one, one), np.ones((1, 1, 2), np.float32))
    np.testing.assert_allclose(solve_height(-0.3 * one, one, lit), [[-0.3 * 0.08 / 0.11]], rtol=1e-5)


def test_normals_of_a_ramp_lean_downhill():
    rows, columns = np.mgrid[:SIDE, :SIDE]
    frame = patch().frame
    rising_right = normal_picture((0.5 * TEXEL * columns).astype(np.float32), frame)[80, 80].astype(float)
    rising_up = normal_picture((-0.5 * TEXEL * rows).astype(np.float32), frame)[80, 80].astype(float)
    lean = 127 * 0.5 / np.sqrt(1.25)
    np.testing.assert_allclose(rising_right, [128 - lean, 128, 128 + 2 * lean], atol=0.51)
    np.testing.assert_allclose(rising_up, [128, 128 - lean, 128 + 2 * lean], atol=0.51)


def test_the_lights_gradient_is_that_of_its_logarithm():
    rng = np.random.default_rng(0)
    light = ambient(0.6) + directional(np.array([0.4, 0.3, 0.8]), 0.5)
    normals = rng.normal(size=(20, 3))
    normals[:, 2] = np.abs(normals[:, 2]) + 0.5
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    step = 1e-4 * rng.normal(size=(20, 3))
    change = [np.log(irradiance(normals + sign * step, light).mean(-1)) for sign in (0.5, -0.5)]
    found = (log_light_gradient(normals, light) * step).sum(1)
    np.testing.assert_allclose(found, change[0] - change[1], rtol=1e-3, atol=1e-8)


SIZE = 512


@pytest.fixture(scope="module")
def head():
    return load_head("open")


@pytest.fixture(scope="module")
def surface(head):
    return uv_surface(head, SIZE)


def side_light():
    return ambient(0.5) + directional(np.array([1.0, 0.2, 0.6]), 0.7)


def fitted(head):
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[2, 3] = 1.2
    camera = Camera(np.array([[1200.0, 0, 200], [0, 1200.0, 200], [0, 0, 1]]), pose, 400, 400)
    still = np.zeros(len(head.expression_names))
    return HeadFit(camera, np.zeros(1), still, 0 * head.vertices, head.vertices, head.vertices,
                   head.joints, np.zeros((478, 2)))  # fmt: skip


def textured(surface, stripes):
    """A head all of skin on which the light of ridges is painted."""
    change = np.zeros((SIZE, SIZE))
    change[:] = stripes
    albedo = linear_to_bytes((SKIN * np.exp(change)[..., None]).astype(np.float32))
    sure = np.full((SIZE, SIZE), 255, np.uint8)
    return TextureResult(albedo, sure, side_light(), SKIN, SKIN)


def stripes(wavelength_texels=6):
    return 0.15 * np.sin(2 * np.pi * np.arange(SIZE) / wavelength_texels)[None, :]


def whole_masks(hair=0.0):
    ones = np.ones((400, 400), np.float32)
    return Masks(ones, ones, hair * ones, 0 * ones, 0 * ones)


def cheek(head, surface):
    """(S,S) face without features and their surroundings, on the side that the light comes from."""
    points = surface.gather(head.vertices, head.faces)
    nose = head.vertices[head.regions["nose"]]
    inside = (np.abs(points[:, 0] - 0.045) < 0.012) & (np.abs(points[:, 1] - nose[:, 1].mean()) < 0.012)
    return surface.picture((inside & (points[:, 2] > 0)).astype(np.float32)) > 0.5


def test_the_frame_on_the_head_is_that_of_its_mesh(head, surface):
    """A height that is a coordinate has that coordinate's axis, seen along the surface, for its slopes."""
    lit = lit_frame(head, head.vertices, side_light(), surface)
    where = cheek(head, surface)
    assert where.sum() > 100
    x = surface.picture(surface.gather(1000 * head.vertices[:, :1], head.faces))[..., 0]
    right, down = 0.5 * (np.roll(x, -1, 1) - np.roll(x, 1, 1)), 0.5 * (np.roll(x, -1, 0) - np.roll(x, 1, 0))
    length = np.hypot(*lit.frame.slopes(right, down))[where]
    normals = surface.picture(surface.gather(vertex_normals(head.vertices, head.faces), head.faces))[where]
    np.testing.assert_allclose(length.mean(), np.sqrt(1 - normals[:, 0] ** 2).mean(), rtol=0.03)


def test_maps_of_a_head(head, surface):
    maps = detail_maps(head, fitted(head), whole_masks(), textured(surface, stripes()), SIZE)
    where = cheek(head, surface)
    assert maps.height.dtype == np.float16
    assert maps.normal.dtype == np.uint8
    assert np.abs(maps.height.astype(float)).max() < 0.0007
    assert maps.height[where].astype(float).std() > 2e-5
    assert (maps.weight[where] > 200).mean() > 0.9
    # Red leans with the slope along u, and blue looks out everywhere.
    slope = np.gradient(maps.height.astype(float), axis=1)[where]
    assert np.corrcoef(slope, maps.normal[where][:, 0])[0, 1] < -0.9
    assert maps.normal[..., 2].min() > 128
    # Nothing but pores where there is no skin to see, and nothing at all off the skin.
    eye = surface.picture((head.face_materials[surface.faces] == 1).astype(np.float32)) > 0.5
    assert np.abs(maps.height[eye].astype(float)).max() == 0
    assert maps.weight[eye].max() == 0


def test_hair_in_front_and_unsure_texels_are_left_out(head, surface):
    texture = textured(surface, stripes())
    bare = detail_maps(head, fitted(head), None, texture, SIZE)
    covered = detail_maps(head, fitted(head), whole_masks(hair=1.0), texture, SIZE)
    assert bare.weight.max() > 250
    assert covered.weight.max() == 0
    assert not np.any(covered.explained)
    assert np.abs(covered.height.astype(float)).max() < 5e-5  # pores


def test_the_same_seed_gives_the_same_maps(head, surface):
    texture = textured(surface, stripes())
    first, again, other = (detail_maps(head, fitted(head), None, texture, SIZE, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.height, again.height)
    np.testing.assert_array_equal(first.normal, again.normal)
    assert np.any(first.height != other.height)
    np.testing.assert_array_equal(first.explained, other.explained)


def test_explained_shading_leaves_the_albedo_and_nothing_else_does(head, surface):
    texture = textured(surface, stripes())
    maps = detail_maps(head, fitted(head), None, texture, SIZE)
    taken = without_detail_shading(texture.albedo, maps)
    explained = maps.explained.astype(float)
    shown = np.abs(explained) > 0.03
    assert shown.sum() > 500
    assert np.abs(explained).max() < 0.16  # never more than the photo shows
    change = np.log(srgb_to_linear(taken[shown]) / srgb_to_linear(texture.albedo[shown]))
    np.testing.assert_allclose(change.mean(-1), -TAKEN_OUT * explained[shown], atol=0.015)
    untouched = maps.explained == 0
    np.testing.assert_array_equal(taken[untouched], texture.albedo[untouched])


def test_an_albedo_without_relief_stays_as_it_is():
    plain = np.full((8, 8, 3), 120, np.uint8)
    none = np.zeros((8, 8))
    maps = DetailMaps(none.astype(np.float16), plain, none.astype(np.uint8), none.astype(np.float16))
    np.testing.assert_array_equal(without_detail_shading(plain, maps), plain)
