"""What the generator learns from: bare skins in the window, or a user's own textures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.heads.loader import load_head
from engine.texture.models.small import WINDOW, Window
from engine.training.synthetic.skin import compose
from engine.training.synthetic.skin_bank import SkinBank, build_skin_bank
from engine.training.synthetic.skin_recipe import draw_recipe
from engine.training.texture.textures import bare, draw_textures, read_textures, textures_of_run

WHOLE = Window(0.0, 0.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def bank() -> SkinBank:
    return build_skin_bank(load_head(), None, 128, drawn_brows=2)


def test_bare_people_wear_nothing(bank: SkinBank):
    """Neither brows nor beard, hair or clothes: nowhere in the window is a texel as dark as hair on light skin."""
    recipes = [draw_recipe(np.random.default_rng(seed), bank) for seed in range(30)]
    hairy = [r for r in recipes if r.hair.beard_cover > 0.4 or r.hair.scalp_cover > 0.8]
    assert len(hairy) > 3
    _, worn = compose(bank, hairy)
    _, classes = compose(bank, [bare(recipe) for recipe in hairy])
    from engine.training.synthetic.scene import REGIONS

    gone = [REGIONS.index(name) for name in ("hair", "brow", "clothes")]
    assert np.isin(worn.numpy(), gone).any()
    assert not np.isin(classes.numpy(), gone).any()


def test_a_texture_depends_on_its_number_alone(bank: SkinBank):
    many = draw_textures(bank, WINDOW, 32, 9, seed=1)
    assert many.shape == (9, 32, 32, 3)
    np.testing.assert_array_equal(draw_textures(bank, WINDOW, 32, 3, seed=1), many[:3])
    np.testing.assert_array_equal(draw_textures(bank, WINDOW, 32, 2, seed=1, first=5), many[5:7])
    assert (draw_textures(bank, WINDOW, 32, 1, seed=2)[0] != many[0]).any()
    middle = many[:, 8:24, 8:24].mean((1, 2))
    assert (middle[:, 0] > middle[:, 1]).all()  # skin: more red than green, more green than blue
    assert (middle[:, 1] > middle[:, 2]).all()


def write(path: Path, pixels: np.ndarray) -> None:
    assert cv2.imwrite(str(path), pixels[..., ::-1])


def test_own_textures_are_read_in_order_and_cut(tmp_path: Path):
    red, blue = np.zeros((64, 64, 3), np.uint8), np.zeros((96, 96, 3), np.uint8)
    red[:32, :, 0] = 200
    blue[..., 2] = 100
    write(tmp_path / "b.png", blue)
    write(tmp_path / "a.png", red)
    (tmp_path / "notes.txt").write_text("not a picture")
    found = read_textures(tmp_path, WHOLE, 32)
    assert found.shape == (2, 32, 32, 3)
    assert found[0, 4, 4].tolist() == [200, 0, 0]
    assert found[0, 28, 4].tolist() == [0, 0, 0]
    assert found[1, 10, 10].tolist() == [0, 0, 100]
    top = read_textures(tmp_path, Window(0.0, 0.0, 1.0, 0.5), 32)
    assert top[0, 28, 4].tolist() == [200, 0, 0]


def test_wrong_textures_are_named(tmp_path: Path):
    with pytest.raises(ModelFileError, match="holds no textures"):
        read_textures(tmp_path, WHOLE, 32)
    write(tmp_path / "wide.png", np.zeros((32, 64, 3), np.uint8))
    with pytest.raises(ModelFileError, match=r"wide\.png is 64 by 32"):
        read_textures(tmp_path, WHOLE, 32)
    (tmp_path / "wide.png").write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match=r"wide\.png is not a picture"):
        read_textures(tmp_path, WHOLE, 32)


def test_a_runs_textures_are_made_once(tmp_path: Path):
    data, out = tmp_path / "data", tmp_path / "run"
    data.mkdir()
    write(data / "one.png", np.full((64, 64, 3), 90, np.uint8))
    first = textures_of_run(out, data, WHOLE, 32, 1, 0)
    (data / "one.png").unlink()
    np.testing.assert_array_equal(textures_of_run(out, data, WHOLE, 32, 1, 0), first)
    with pytest.raises(ModelFileError, match="another recipe"):
        textures_of_run(out, data, WHOLE, 64, 1, 0)
    (out / "textures.npy").write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match="is damaged"):
        textures_of_run(out, data, WHOLE, 32, 1, 0)
