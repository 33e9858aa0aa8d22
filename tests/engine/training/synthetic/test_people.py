"""One number gives one picture, one person's number one person."""

from __future__ import annotations

import numpy as np
import pytest

from engine.heads.loader import load_head
from engine.training.synthetic.people import draw_shot
from engine.training.synthetic.skin_bank import build_skin_bank
from engine.training.synthetic.wardrobe import Wardrobe


@pytest.fixture(scope="module")
def head():
    return load_head()


@pytest.fixture(scope="module")
def wardrobe(head):
    """The bundled skin, and nothing to wear."""
    return Wardrobe(build_skin_bank(head, None, 128, drawn_brows=1), {})


def test_a_seed_gives_one_picture(head, wardrobe):
    first, again, other = (draw_shot(seed, head, wardrobe, 256, True).scene for seed in (10, 10, 11))
    np.testing.assert_array_equal(first.identity, again.identity)
    np.testing.assert_array_equal(first.background, again.background)
    assert not np.array_equal(first.identity, other.identity)


def test_a_person_keeps_identity_and_skin_from_picture_to_picture(head, wardrobe):
    first, other = (draw_shot(seed, head, wardrobe, 256, True, person=3) for seed in (10, 11))
    np.testing.assert_array_equal(first.scene.identity, other.scene.identity)
    assert first.recipe.names == other.recipe.names
    np.testing.assert_array_equal(first.recipe.complexion.tone, other.recipe.complexion.tone)
    assert not np.array_equal(first.scene.expression, other.scene.expression)
    assert not np.array_equal(first.scene.angles, other.scene.angles)
    stranger = draw_shot(10, head, wardrobe, 256, True, person=4)
    assert not np.array_equal(first.scene.identity, stranger.scene.identity)
