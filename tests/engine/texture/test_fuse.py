"""Photos of one skin, each with its own level, light and view, give that skin back: no seam, no blur, no frames."""

from dataclasses import replace

import numpy as np
import pytest

from engine.heads.loader import load_head
from engine.texture.build import make_canvas
from engine.texture.complete import FLOOR
from engine.texture.fuse import Fusion, by_feature, coarse_band
from engine.texture.project import Projection

SIZE = 256
SKIN = np.array([0.45, 0.28, 0.2], np.float32)


@pytest.fixture(scope="module")
def canvas():
    return make_canvas(load_head("open"), SIZE)


@pytest.fixture(scope="module")
def across(canvas):
    """(N,) metres from the face's middle to its left, of each texel."""
    return canvas.surface.gather(canvas.head.vertices, canvas.head.faces)[:, 0]


@pytest.fixture(scope="module")
def skin(canvas):
    """(N,3) the true skin: the base skin's variation in one colour."""
    return canvas.relative * SKIN


def photo(canvas, color, seen):
    """A photo that shows texels `seen` (N,) squarely, all of it skin."""
    shown = (seen * canvas.on_skin).astype(np.float32)
    ones = np.ones_like(shown)
    return Projection(color.astype(np.float32), shown, shown, 2 * shown - 1, ones, 0 * ones, ones)


def fused(canvas, *photos, bald=False):
    fusion = Fusion(canvas, bald)
    for seen in photos:
        fusion.add(seen)
    return fusion, fusion.result()


def front(canvas):
    """(N,) bool, the face without its features' neighbourhood, away from its border."""
    member = canvas.surface.smooth(canvas.head.regions["face"][:, None].astype(np.float32), canvas.head.faces)[:, 0]
    return (member > 0.99) & canvas.on_skin


def test_one_photo_stays_as_it_is(canvas, skin):
    seen = photo(canvas, skin, front(canvas))
    _, result = fused(canvas, seen)
    sure = result.seen > 0.9
    assert sure.mean() > 0.1
    np.testing.assert_allclose(result.color[sure], skin[sure], rtol=0.01)


def test_levels_of_colour_are_brought_to_the_first_photos(canvas, skin, across):
    levels = np.array([1.4, 0.8, 0.6])
    first = photo(canvas, skin, front(canvas) & (across < 0.02))
    second = photo(canvas, skin * levels, front(canvas) & (across > -0.02))
    fusion, result = fused(canvas, first, second)
    np.testing.assert_allclose(fusion.gains[1], 1 / levels, rtol=0.03)
    only_second = (result.seen > 0.9) & (across > 0.03)
    assert only_second.sum() > 200
    np.testing.assert_allclose(result.color[only_second].mean(0), skin[only_second].mean(0), rtol=0.04)


def test_without_common_skin_mean_colours_are_matched(canvas, skin, across):
    first = photo(canvas, skin, front(canvas) & (across < -0.02))
    second = photo(canvas, 0.5 * skin, front(canvas) & (across > 0.02))
    fusion, _ = fused(canvas, first, second)
    np.testing.assert_allclose(fusion.gains[1], 2.0, rtol=0.06)


def test_light_that_is_left_over_leaves_no_seam(canvas, skin, across):
    """Two halves, one darker where they meet: a cut would be a step of 0.3; no step is a quarter of it."""
    ramp = np.clip(across / 0.06, -1, 1)[:, None]
    first = photo(canvas, skin * np.exp(-0.3 * ramp), front(canvas) & (across < 0.03))
    second = photo(canvas, skin * np.exp(0.3 * ramp), front(canvas) & (across > -0.03))
    _, result = fused(canvas, first, second)
    shown = canvas.surface.picture((result.seen > 0.9).astype(np.float32)) > 0
    ratio = canvas.surface.picture(np.log((result.color + FLOOR) / (skin + FLOOR)).mean(1))
    neighbours = shown[:, 1:] & shown[:, :-1]
    assert neighbours.sum() > 5000
    assert np.abs(np.diff(ratio, axis=1))[neighbours].max() < 0.075


def test_detail_is_taken_not_averaged(canvas, skin):
    rng = np.random.default_rng(0)
    grain = [np.exp(0.2 * rng.standard_normal(len(skin)))[:, None] for _ in range(2)]
    fusion = Fusion(canvas)
    fusion.add(photo(canvas, skin * grain[0], front(canvas)), quality=1.0)
    fusion.add(photo(canvas, skin * grain[1], front(canvas)), quality=0.7)
    result = fusion.result()
    sure = result.seen > 0.9
    found = np.log(result.color[sure] / skin[sure]).mean(1)
    own, other = (np.corrcoef(found, np.log(kind[sure, 0]))[0, 1] for kind in grain)
    assert own > 0.98
    assert abs(other) < 0.05
    assert found.std() == pytest.approx(0.2, rel=0.1)


def test_the_sharper_photo_wins(canvas, skin):
    fusion = Fusion(canvas)
    fusion.add(photo(canvas, skin, front(canvas)), quality=0.3)
    stripes = 1 + 0.2 * (np.arange(len(skin)) % 2)[:, None]
    fusion.add(photo(canvas, skin * stripes, front(canvas)), quality=1.0)
    result = fusion.result()
    sure = result.seen > 0.9
    ratio = (result.color / skin)[sure, 1]
    odd = (np.arange(len(skin)) % 2 == 1)[sure]
    assert ratio[odd].mean() / ratio[~odd].mean() == pytest.approx(1.2, rel=0.02)


@pytest.mark.parametrize(("brightness", "filled"), [(1.0, True), (2.5, False)])
def test_a_gap_is_filled_with_skin_but_not_with_what_hides_it(canvas, skin, across, brightness, filled):
    """The first photo masks a frame over the cheeks; the second shows the skin there, or the frame itself, unmasked."""
    height = canvas.surface.gather(canvas.head.vertices, canvas.head.faces)[:, 1]
    lips = canvas.head.vertices[canvas.head.regions["lips"], 1].max()
    stripe = front(canvas) & (np.abs(height - lips - 0.02) < 0.004) & (np.abs(across) > 0.025)
    assert stripe.sum() > 60
    first = photo(canvas, skin, front(canvas) & ~stripe)
    first = replace(first, visible=photo(canvas, skin, front(canvas)).visible)
    painted = np.where(stripe[:, None], brightness * skin, skin)
    _, result = fused(canvas, first, photo(canvas, painted, front(canvas)))
    middle = stripe & (np.abs(height - lips - 0.02) < 0.002)
    assert (np.median(result.seen[middle]) > 0.5) == filled
    if filled:
        np.testing.assert_allclose(result.color[middle], skin[middle], rtol=0.1)


def test_hair_is_the_first_photos(canvas, skin):
    everywhere = photo(canvas, skin, canvas.on_skin)
    scalp = canvas.surface.flat(canvas.base.regions["scalp"]) > 0.5
    hairy = replace(everywhere, hair=scalp.astype(np.float32), skin=1.0 - scalp, bare=1.0 - scalp)
    for first, second, expected in ((hairy, everywhere, 1.0), (everywhere, hairy, 0.0)):
        _, result = fused(canvas, first, second)
        assert np.median(result.hair[scalp]) == pytest.approx(expected, abs=0.01)
    _, result = fused(canvas, hairy, everywhere, bald=True)
    assert np.median(result.bare[scalp & (result.seen > 0.5)]) == pytest.approx(1.0, abs=0.01)


def test_a_feature_has_one_weight(canvas):
    lips = (
        canvas.surface.smooth(canvas.head.regions["lips"][:, None].astype(np.float32), canvas.head.faces)[:, 0] > 0.95
    )
    weight = np.random.default_rng(1).uniform(0.2, 0.8, len(lips)).astype(np.float32)
    found = by_feature(canvas, weight, np.ones_like(weight))
    assert np.ptp(found[lips]) < 0.01
    far = canvas.surface.smooth(canvas.head.regions["neck"][:, None].astype(np.float32), canvas.head.faces)[:, 0] > 0.95
    np.testing.assert_array_equal(found[far], weight[far])


def test_the_coarse_band_of_one_colour_is_that_colour_everywhere(canvas):
    color = np.tile(SKIN, (len(canvas.surface.texels), 1))
    coarse, _ = coarse_band(canvas, color, front(canvas).astype(np.float32))
    np.testing.assert_allclose(np.exp(coarse) - FLOOR, np.tile(SKIN, (len(coarse), 1)), rtol=0.01)
