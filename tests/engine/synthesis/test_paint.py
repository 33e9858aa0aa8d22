"""From what a fit found to a head's texture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.heads.loader import load_head
from engine.synthesis.paint import facial_hair, first_guess, levelled, small_view, whole_skin
from engine.texture.build import Canvas, make_canvas
from engine.texture.models.choose import texture_model
from engine.texture.project import Projection

SIZE = 256
SKIN = np.array([0.5, 0.3, 0.2], np.float32)


@pytest.fixture(scope="module")
def canvas() -> Canvas:
    return make_canvas(load_head(), SIZE)


@pytest.fixture
def plain(canvas: Canvas) -> np.ndarray:
    """(N,3) the same skin everywhere."""
    return np.broadcast_to(SKIN, (len(canvas.on_skin), 3)).copy()


def region(canvas: Canvas, name: str) -> np.ndarray:
    return canvas.surface.flat(canvas.base.regions[name]) > 0.9


def test_where_the_model_paints_the_skin_is_its_own(canvas: Canvas) -> None:
    albedo = np.full((SIZE, SIZE, 3), 0.5, np.float32)

    skin = whole_skin(canvas, albedo, np.ones((SIZE, SIZE), np.float32))

    linear = ((0.5 + 0.055) / 1.055) ** 2.4
    np.testing.assert_allclose(skin[canvas.on_skin], linear, rtol=1e-3)


def test_around_it_the_base_skin_takes_its_colour(canvas: Canvas) -> None:
    """Half the face is painted green: the other half turns green too, and is the base skin all the same."""
    albedo = np.zeros((SIZE, SIZE, 3), np.float32)
    albedo[..., 1] = 0.5
    coverage = np.zeros((SIZE, SIZE), np.float32)
    coverage[:, : SIZE // 2] = 1

    skin = whole_skin(canvas, albedo, coverage)

    bare = canvas.face_texels & (canvas.surface.flat(coverage) < 0.01)
    assert np.all(skin[bare, 1] > 2 * skin[bare, 0])
    assert np.std(skin[bare, 1]) > 0.001


def test_dark_brows_are_kept(canvas: Canvas, plain: np.ndarray) -> None:
    photo = plain.copy()
    photo[region(canvas, "brow")] *= 0.4

    kept = facial_hair(canvas, photo, plain)

    assert kept[region(canvas, "brow")].mean() > 0.7
    assert kept[region(canvas, "lips")].max() < 0.05


def test_folds_as_red_as_the_skin_are_no_beard(canvas: Canvas, plain: np.ndarray) -> None:
    """A shadow darkens without a change of hue; a beard is grey."""
    beard = region(canvas, "beard") & canvas.on_skin
    shadow, hair = plain.copy(), plain.copy()
    shadow[beard] *= 0.4
    hair[beard] = 0.08

    assert facial_hair(canvas, shadow, plain)[beard].max() < 0.05
    assert facial_hair(canvas, hair, plain)[beard].mean() > 0.6


def test_photos_are_brought_to_the_modelled_skins_level(canvas: Canvas, plain: np.ndarray) -> None:
    one = np.ones(len(plain), np.float32)
    seen = Projection(plain * [2.0, 1.0, 0.5], one, one, one, one, 0 * one, one)

    np.testing.assert_allclose(levelled(canvas, seen, plain).color, plain, rtol=1e-3)


def test_a_large_photo_is_reduced_and_its_fit_is_not(world) -> None:
    large = np.kron(world.pixels, np.ones((8, 8, 1), np.uint8))
    masks = replace(
        world.masks,
        **{name: np.kron(getattr(world.masks, name), np.ones((8, 8), np.float32)) for name in
           ("person", "skin", "hair", "eyes", "inner_mouth")},
    )  # fmt: skip
    fit = world.shifted(camera=world.fit.camera.scaled(8))

    view = small_view(world.head, fit, large, masks, world.light, np.full(3, 0.3, np.float32))

    assert view.scale < 0.6
    assert view.pixels.shape[0] == pytest.approx(large.shape[0] * view.scale, abs=1)
    assert view.masks.skin.shape == view.pixels.shape[:2]
    assert view.fit.camera.width == 1600


@pytest.mark.parametrize(("choice", "latent"), [("linear", 29), ("ganfit", 40)])
def test_there_is_a_regressor_for_each_bundled_texture_model(world, choice: str, latent: int) -> None:
    model = texture_model(choice, None, world.head)

    guess, notices = first_guess(world.head, world.pixels, world.fit.landmarks_model, model)

    assert guess is not None
    assert guess.shape == (latent,)
    assert notices == ()


def test_no_regressor_guesses_for_another_texture_model_or_head(world) -> None:
    points, flame = world.fit.landmarks_model, replace(world.head, name="flame")

    assert first_guess(world.head, world.pixels, points, world.model) == (None, ())
    assert first_guess(flame, world.pixels, points, texture_model("linear", None, world.head)) == (None, ())
