import bpy
import numpy as np
import pytest
from likeness.operators.build.lashes import LOWER, UPPER, build_strands, draw_strands, lay_out
from likeness.operators.build.transaction import Transaction


def lid_strip(columns: int = 6, rows: int = 4, down: bool = False):
    """A curved grid of quads growing from an arc of skin, shuffled so that order does not help."""
    across, out = np.meshgrid(np.linspace(-1, 1, columns), np.linspace(0, 0.4, rows), indexing="ij")
    vertices = np.stack([across, 0.3 * across**2 + (-out if down else out), 1 + out], -1).reshape(-1, 3)
    quads = [
        [i * rows + j, (i + 1) * rows + j, (i + 1) * rows + j + 1, i * rows + j + 1]
        for i in range(columns - 1)
        for j in range(rows - 1)
    ]
    skin = np.stack([across[:, 0], 0.3 * across[:, 0] ** 2, np.ones(columns)], -1)
    order = np.random.default_rng(5).permutation(len(quads))
    return np.array(quads)[order], vertices, skin


@pytest.mark.parametrize("down", [False, True])
def test_a_strip_is_laid_out_from_root_to_tip_in_its_lids_half(down):
    quads, vertices, skin = lid_strip(down=down)
    places = lay_out(quads, vertices, skin)
    grid = np.array([places[index] for index in range(24)]).reshape(6, 4, 2)
    assert np.allclose(grid[..., 1], np.array([0, 1, 2, 3]) / 3)
    along = grid[:, 0, 0]
    assert np.allclose(np.abs(np.diff(along)), 0.1, atol=0.001)
    low, high = (0.5, 1.0) if down else (0.0, 0.5)
    assert low < along.min() < along.max() < high


def test_what_is_no_grid_is_left_alone():
    quads, vertices, skin = lid_strip()
    assert lay_out(quads[1:-3], vertices, skin) == {}


def test_strands_taper_and_the_lower_lid_has_fewer_and_shorter():
    upper, lower = (draw_strands(strands, 768, 128, 0) for strands in (UPPER, LOWER))
    for picture in (upper, lower):
        assert picture.min() == 0
        assert picture.max() == 1
        cover = picture.mean(1)
        assert cover[0] > cover[64] > cover[-1]
    assert 0.2 < upper[0].mean() < 0.7
    assert lower.mean() < 0.5 * upper.mean()
    assert lower[int(0.7 * 128) :].max() == 0


def test_the_picture_is_packed_with_its_transparency():
    with Transaction() as transaction:
        image = build_strands("Strands", np.array([0.05, 0.02, 0.5]), transaction)
    pixels = np.empty(4 * image.size[0] * image.size[1], np.float32)
    image.pixels.foreach_get(pixels)
    alpha = pixels.reshape(image.size[1], image.size[0], 4)[..., 3]
    assert image.packed_file is not None
    assert alpha[:, :768].mean() > 2 * alpha[:, 768:].mean() > 0
    assert pixels[:3] == pytest.approx([0.1, 0.051, 0.128], abs=0.01)  # 0.01, 0.004 and at most 0.015, as sRGB
    assert bpy.data.images[image.name] == image
