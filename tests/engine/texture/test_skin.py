"""Light, highlights and strange colours are told from the person's skin; hair grows where it was seen."""

import numpy as np
import pytest

from engine.heads.loader import load_head
from engine.heads.skin import load_base_skin
from engine.texture.delight import without_shine
from engine.texture.hair import CONTRAST, grow_hair, strand_contrast, strands
from engine.texture.judge import believable
from engine.texture.project import Projection
from engine.texture.surface import uv_surface

SIZE = 256
SKIN = np.array([0.45, 0.25, 0.16], np.float32)
BLACK = np.array([0.02, 0.015, 0.01], np.float32)


@pytest.fixture(scope="module")
def head():
    return load_head("open")


@pytest.fixture(scope="module")
def surface(head):
    return uv_surface(head, SIZE)


def region(head, surface, name):
    return surface.smooth(head.regions[name][:, None].astype(np.float32), head.faces)[:, 0] > 0.5


def seen_from_the_front(head, surface, hair):
    """What a camera far in front sees, with hair (N,) 0..1 and skin elsewhere."""
    points = surface.gather(head.vertices, head.faces)
    facing = np.where(points[:, 2] > 0.0, 0.9, -0.2).astype(np.float32)
    seen = (facing > 0).astype(np.float32)
    skin = (1 - hair).astype(np.float32)
    return Projection(np.tile(SKIN, (len(seen), 1)), seen, seen, facing, skin, hair.astype(np.float32), skin)


def test_highlights_lose_brightness_and_regain_saturation(head, surface):
    color = np.tile(SKIN, (len(surface.faces), 1))
    color *= np.random.default_rng(0).normal(1, 0.05, (len(color), 1)).astype(np.float32)
    across = np.abs(surface.gather(head.vertices, head.faces)[:, 0])
    shiny = across < 0.01
    color[shiny] += 0.3
    found = without_shine(
        color, np.ones_like(color), np.ones(len(color), np.float32), np.zeros(len(color), np.float32), surface
    )
    np.testing.assert_allclose(found[across > 0.03], color[across > 0.03], atol=0.03)
    taken = (color - found)[shiny].mean(0)
    assert 0.08 < taken.min() < 0.3
    assert np.ptp(taken) < 1e-3  # white, not skin, is what goes
    ratio = (found[shiny] / found[shiny][:, :1]).mean(0)
    assert ratio[2] < (color[shiny] / color[shiny][:, :1]).mean(0)[2] - 0.05


def test_dark_skin_and_lips_are_not_shine(surface):
    color = np.tile(SKIN, (len(surface.faces), 1))
    color[::3] *= 0.5
    color[1::3] = [0.4, 0.12, 0.13]
    found = without_shine(
        color, np.ones_like(color), np.ones(len(color), np.float32), np.zeros(len(color), np.float32), surface
    )
    np.testing.assert_allclose(found, color, atol=0.005)


def test_white_hair_is_no_highlight(surface):
    color = np.tile(SKIN, (len(surface.faces), 1))
    color[::2] = 0.7
    hair = np.zeros(len(color), np.float32)
    hair[::2] = 1
    found = without_shine(color, np.ones_like(color), 1 - hair, hair, surface)
    np.testing.assert_allclose(found[::2], 0.7)


def judged(head, surface, color):
    seen = seen_from_the_front(head, surface, np.zeros(len(color)))
    ones = np.ones(len(color), np.float32)
    return believable(head, surface, seen, color, np.tile(SKIN, (len(color), 1)), ones, 0 * ones)[0]


def test_a_collar_on_the_neck_is_not_skin(head, surface):
    points = surface.gather(head.vertices, head.faces)
    neck = region(head, surface, "neck")
    low = neck & (points[:, 1] < np.median(points[neck, 1]))
    for strange in ([0.02, 0.02, 0.03], [0.8, 0.8, 0.85], [0.2, 0.02, 0.05]):
        color = np.tile(SKIN, (len(points), 1))
        color[low] = strange
        score = judged(head, surface, color)
        assert score[low].mean() < 0.1, strange
        assert score[region(head, surface, "face")].mean() > 0.95, strange


def test_a_beard_is_painted_but_colours_no_other_skin(head, surface):
    color = np.tile(SKIN, (len(surface.faces), 1))
    beard = (surface.flat(load_base_skin(SIZE).regions["beard"]) > 0.5).astype(np.float32)
    color[beard > 0] = [0.1, 0.1, 0.1]
    seen = seen_from_the_front(head, surface, np.zeros(len(color)))
    painted, plain = believable(
        head, surface, seen, color, np.tile(SKIN, (len(color), 1)), np.ones(len(color), np.float32), beard
    )
    shown = (beard > 0) & (seen.facing > 0)
    assert painted[shown].mean() > 0.9
    assert plain[shown].mean() < 0.4


def test_lipstick_brows_and_darker_skin_in_front_are_believed(head, surface):
    color = np.tile(SKIN, (len(surface.faces), 1))
    color[region(head, surface, "lips")] = [0.4, 0.01, 0.05]
    color[region(head, surface, "brows")] = BLACK
    score = judged(head, surface, color)
    for name in ("lips", "brows", "neck"):
        assert score[region(head, surface, name)].mean() > 0.9, name


def test_hair_seen_in_front_covers_the_scalp_behind_but_no_ear(head, surface):
    base = load_base_skin(SIZE)
    scalp = surface.flat(base.regions["scalp"]) > 0.5
    seen = seen_from_the_front(head, surface, (scalp | region(head, surface, "ears")).astype(float))
    color = np.where(seen.hair[:, None] > 0.5, BLACK, SKIN)
    on_skin = head.face_materials[surface.faces] == head.material_names.index("skin")
    hair = grow_hair(head, surface, base, seen, color, on_skin, 0)
    cover = np.zeros(len(color))
    cover[hair.texels] = hair.cover
    behind = surface.gather(head.vertices, head.faces)[:, 2] < -0.06
    assert cover[scalp & behind & on_skin].mean() > 0.9
    assert cover[region(head, surface, "ears")].mean() < 0.1
    assert cover[region(head, surface, "neck")].mean() < 0.1
    assert hair.mean is not None
    np.testing.assert_allclose(hair.mean, BLACK, atol=1e-4)
    assert hair.color[hair.cover > 0.9].mean() < 2 * BLACK.mean()


def test_a_bald_head_stays_bald(head, surface):
    base = load_base_skin(SIZE)
    seen = seen_from_the_front(head, surface, np.zeros(len(surface.faces)))
    on_skin = np.ones(len(surface.faces), bool)
    hair = grow_hair(head, surface, base, seen, np.tile(SKIN, (len(on_skin), 1)), on_skin, 0)
    assert hair.mean is None
    assert len(hair.texels) == 0


def test_strands_have_unit_contrast_and_repeat_with_the_seed(head, surface):
    part = np.nonzero(surface.flat(load_base_skin(SIZE).regions["scalp"]) > 0.5)[0]
    detail = strands(head, surface, part, 3)
    assert detail.std() == pytest.approx(1, abs=1e-3)
    assert abs(detail.mean()) < 0.2
    np.testing.assert_array_equal(detail, strands(head, surface, part, 3))
    assert np.abs(detail - strands(head, surface, part, 4)).mean() > 0.5


def test_contrast_of_strands_follows_the_photo(surface):
    rng = np.random.default_rng(0)
    ones = np.ones(len(surface.faces), np.float32)
    for wanted in (0.0, 0.2, 2.0):
        color = 0.2 * np.exp(wanted * rng.standard_normal((len(ones), 1))) * np.ones(3)
        found = strand_contrast(color.astype(np.float32), ones, surface)
        assert found == pytest.approx(np.clip(wanted, *CONTRAST), abs=0.02)
