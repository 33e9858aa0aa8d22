"""Skins of synthetic people: bank, recipes and textures. Most use the bundled base skin in a small texture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.heads.loader import load_head
from engine.training.synthetic.pigment import density, typology_angle
from engine.training.synthetic.scene import REGIONS
from engine.training.synthetic.skin import compose
from engine.training.synthetic.skin_bank import SkinBank, build_skin_bank
from engine.training.synthetic.skin_fields import SHARP, SOFT
from engine.training.synthetic.skin_recipe import SkinRecipe, draw_recipe

SIZE = 256


@pytest.fixture(scope="module")
def bank() -> SkinBank:
    return build_skin_bank(load_head(), None, SIZE, drawn_brows=4)


@pytest.fixture
def recipe(bank: SkinBank) -> SkinRecipe:
    """A plain one: nothing varies, nothing is worn."""
    drawn = draw_recipe(np.random.default_rng(3), bank)
    look, hair = drawn.complexion, drawn.hair
    return replace(
        drawn,
        complexion=replace(
            look,
            broad=np.zeros(3, np.float32),
            fine=np.zeros(3, np.float32),
            tone=density(np.array([0.4, 0.25, 0.18])),
            fields=np.zeros_like(look.fields),
            lips=np.zeros(3, np.float32),
            pores=0.0,
            freckles=np.zeros(3, np.float32),
            mark_density=np.zeros_like(look.mark_density),
        ),
        makeup=replace(drawn.makeup, lipstick_cover=0.0, liner_cover=0.0, shadow_cover=0.0),
        hair=replace(hair, brow_cover=0.0, beard_cover=0.0, beard_shadow=np.zeros(3, np.float32), scalp_cover=0.0),
        rest=replace(drawn.rest, collar=-0.12, slope=0.0, vee=0.0, stripe_period=0.0),
    )


def _picture(bank: SkinBank, recipe: SkinRecipe) -> tuple[np.ndarray, np.ndarray]:
    albedo, classes = compose(bank, [recipe])
    return albedo[0].float().numpy(), classes[0].numpy()


def _mask(bank: SkinBank, name: str) -> np.ndarray:
    return bank.sharp[SHARP.index(name)].numpy()


def test_what_is_stored_gives_the_same_textures(bank: SkinBank):
    arrays = bank.to_arrays()
    again = SkinBank.from_arrays(arrays)
    recipes = [draw_recipe(np.random.default_rng(k), bank) for k in range(2)]
    for one, other in zip(compose(bank, recipes), compose(again, recipes), strict=True):
        assert torch.equal(one, other)
    assert {array.dtype for array in arrays.values()} <= {
        np.dtype(kind) for kind in ("int8", "uint8", "bool", "float16", "int16", "int32")
    }


def test_a_seed_is_a_skin_and_a_batch_its_members(bank: SkinBank):
    recipes = [draw_recipe(np.random.default_rng(k), bank) for k in (5, 6, 7)]
    albedo, classes = compose(bank, recipes)
    assert albedo.shape == (3, SIZE, SIZE, 3)
    assert albedo.dtype == torch.float16
    assert classes.dtype == torch.uint8
    assert float(albedo.min()) > 0
    assert float(albedo.max()) <= 1
    alone, labels = compose(bank, [draw_recipe(np.random.default_rng(6), bank)])
    assert torch.allclose(alone[0].float(), albedo[1].float(), atol=2e-3)
    assert torch.equal(labels[0], classes[1])


def test_a_plain_skin_has_the_tone_it_was_given(bank: SkinBank, recipe: SkinRecipe):
    albedo, classes = _picture(bank, recipe)
    bare = albedo[: bank.rows][classes[: bank.rows] == REGIONS.index("skin")]
    assert np.allclose(bare, [0.4, 0.25, 0.18], atol=2e-3)


def test_tones_of_all_people_are_frequent(bank: SkinBank):
    rng = np.random.default_rng(0)
    angles = [typology_angle(np.exp(-draw_recipe(rng, bank).complexion.tone)) for _ in range(300)]
    share = np.histogram(angles, [-100, -30, 10, 28, 41, 55, 100])[0] / len(angles)
    assert (share > 0.06).all(), share


def test_lipstick_stays_on_the_lips(bank: SkinBank, recipe: SkinRecipe):
    worn = replace(
        recipe, makeup=replace(recipe.makeup, lipstick_cover=1.0, lipstick=density(np.array([0.3, 0, 0.02])))
    )
    (before, classes), (after, _) = _picture(bank, recipe), _picture(bank, worn)
    lips = np.zeros((SIZE, SIZE), np.float32)
    lips[: bank.rows] = _mask(bank, "lips")
    changed = np.abs(after - before).max(2) > 1e-3
    assert not changed[lips == 0].any()
    assert np.allclose(after[lips > 0.999], [0.3, 0.004, 0.02], atol=2e-3)
    assert (classes[lips > 0.6] == REGIONS.index("lip")).all()


def test_brows_are_labelled_where_they_are_dark(bank: SkinBank, recipe: SkinRecipe):
    black = density(np.array([0.01, 0.01, 0.01]))
    worn = replace(recipe, hair=replace(recipe.hair, brow_cover=1.0, brow_density=black))
    (before, none), (after, classes) = _picture(bank, recipe), _picture(bank, worn)
    brow = classes == REGIONS.index("brow")
    assert not (none == REGIONS.index("brow")).any()
    assert 40 < brow.sum() < 1500
    assert (after[brow] / before[brow]).mean() < 0.7
    left, right = brow[:, SIZE // 2 :].sum(), brow[:, : SIZE // 2].sum()
    assert 0.6 < left / right < 1.7


def test_a_full_beard_is_hair_around_the_mouth_but_not_on_it(bank: SkinBank, recipe: SkinRecipe):
    fields = recipe.complexion.fields.copy()
    for name in ("moustache", "goatee", "jaw", "cheek_beard", "under_chin"):
        fields[3, SOFT.index(name)] = 1.2
    grown = replace(
        recipe,
        complexion=replace(recipe.complexion, fields=fields),
        hair=replace(recipe.hair, beard_cover=1.0, beard_shift=0.0),
    )
    _, classes = _picture(bank, grown)
    hair = classes[: bank.rows] == REGIONS.index("hair")
    x, y, z = bank.rest.numpy()
    assert hair.sum() > 500
    assert not hair[y > 0.03].any()
    assert not hair[_mask(bank, "lips") > 0.5].any()
    assert hair[(np.abs(x) < 0.01) & (np.abs(y + 0.055) < 0.004) & (z > 0.08)].mean() > 0.9  # the chin


def test_clothes_lie_below_their_collar(bank: SkinBank, recipe: SkinRecipe):
    dressed = replace(recipe, rest=replace(recipe.rest, clothes=np.array([0.1, 0.2, 0.6], np.float32)))
    albedo, classes = _picture(bank, dressed)
    height = bank.rest[1].numpy()
    cloth = classes[: bank.rows] == REGIONS.index("clothes")
    assert cloth[height < -0.14].all()
    assert not cloth[height > -0.1].any()
    assert np.allclose(np.median(albedo[: bank.rows][height < -0.15], axis=0), [0.1, 0.2, 0.6], atol=0.02)


def test_eyes_have_pupil_iris_and_white(bank: SkinBank, recipe: SkinRecipe):
    blue = replace(
        recipe,
        eyes=replace(
            recipe.eyes,
            inner=np.array([0.05, 0.1, 0.3], np.float32),
            outer=np.array([0.05, 0.1, 0.3], np.float32),
            white=np.array([0.5, 0.5, 0.5], np.float32),
            pupil=0.4,
            contrast=0.0,
            limbal=0.0,
            veins=0.0,
        ),
    )
    albedo, classes = _picture(bank, blue)
    radius = np.linalg.norm(bank.disc.numpy(), axis=2) / 0.5
    side = len(radius)
    for row, column in bank.eye_windows.tolist():
        ball = albedo[row : row + side, column : column + side]
        assert ball[radius < 0.25].max() < 0.01
        assert np.allclose(np.median(ball[(radius > 0.6) & (radius < 0.9)], axis=0), [0.053, 0.103, 0.303], atol=0.01)
        assert np.allclose(np.median(ball[(radius > 1.1) & (radius < 1.3)], axis=0), 0.5, atol=0.08)
        assert (classes[row : row + side, column : column + side][radius < 1.8] == REGIONS.index("eye")).all()


def test_a_mole_is_dark_and_as_large_as_it_was_drawn(bank: SkinBank, recipe: SkinRecipe):
    look = recipe.complexion
    marks = look.mark_density.copy()
    marks[0] = 1.0
    spot = bank.surface[look.marks[0]].tolist()
    radius = np.full_like(look.mark_radius, 0.004)
    mole = replace(recipe, complexion=replace(look, mark_density=marks, mark_radius=radius))
    (before, _), (after, _) = _picture(bank, recipe), _picture(bank, mole)
    assert np.allclose(after[spot[0], spot[1]], before[spot[0], spot[1]] * np.exp(-1), rtol=0.01)
    changed = np.abs(after - before).max(2)[: bank.rows] > 0.02
    place = bank.rest.numpy()
    apart = np.linalg.norm(place - place[:, spot[0], spot[1]][:, None, None], axis=0)
    assert 0.003 < apart[changed].max() < 0.0066


def test_names_keep_to_the_skins_allowed(bank: SkinBank):
    rng = np.random.default_rng(1)
    three = replace(bank, names=("a", "b", "c"), broad=bank.broad.repeat(3, 1, 1, 1), fine=bank.fine.repeat(3, 1, 1))
    for _ in range(20):
        drawn = draw_recipe(rng, three, skins=("a", "c"))
        assert set(drawn.names["skins"].split("+")) <= {"a", "c"}
        assert 1 not in drawn.complexion.skins
    given = draw_recipe(rng, three, hair_colour=np.array([0.2, 0.1, 0.05]))
    assert np.allclose(given.hair_colour, [0.2, 0.1, 0.05])


@pytest.mark.slow
def test_the_bank_of_all_assets(shared: Path):
    folder = shared / "data" / "makehuman_cc0"
    if not folder.is_dir():
        pytest.skip("MakeHuman's CC0 assets are not beside the clone")
    bank = build_skin_bank(load_head(), folder, SIZE)
    assert len(bank.names) == 17
    assert len(bank.brow_names) == 42
    assert len(bank.iris_names) == 15
    assert sum(array.nbytes for array in bank.to_arrays().values()) < 25e6 * (SIZE / 512) ** 2
    face = bank.classes[: bank.rows : 2, ::2] == REGIONS.index("skin")
    shade = bank.broad.mean(1)[:, face]
    assert float(shade.std(1).min()) > 0.01
    assert float(shade.std(1).max()) < 0.3
