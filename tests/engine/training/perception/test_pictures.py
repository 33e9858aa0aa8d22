"""Examples from shards, and the recipes that name them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.camera import Camera
from engine.errors import ModelFileError
from engine.heads.loader import load_head
from engine.perception.networks.points import SIDE
from engine.training.perception.pictures import PointLabels, SyntheticPictures, varied
from engine.training.perception.point_set import point_set
from engine.training.perception.recipes import read_recipe
from engine.training.synthetic.raster import Picture
from engine.training.synthetic.shards import write_shard

CONFIGS = Path(__file__).parents[4] / "engine" / "training" / "configs"


def front(side: int = SIDE) -> Camera:
    view = np.diag([1.0, -1.0, -1.0, 1.0])
    view[:3, 3] = 0.0, 0.0, 1.0
    return Camera(np.array([[700.0, 0, side / 2], [0, 700.0, side / 2], [0, 0, 1]]), view, side, side)


@pytest.fixture(scope="module")
def labels():
    head = load_head()
    return PointLabels(head, point_set(head))


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    from tests.engine.training.synthetic.test_raster import scene_of

    head = load_head()
    path = tmp_path_factory.mktemp("shards") / "a.npz"
    image = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8)
    blank = np.zeros((SIDE, SIDE), np.uint8)
    picture = Picture(image, blank, np.full((SIDE, SIDE), np.inf, np.float32), np.ones(len(head.vertices), bool))
    write_shard(path, [scene_of(head, camera=front())], [picture], [1])
    return path


def test_the_same_draw_gives_the_same_example(labels, shard):
    example = SyntheticPictures([shard], labels).example(0)
    first = varied(example, labels, np.random.default_rng(3))
    again = varied(example, labels, np.random.default_rng(3))
    other = varied(example, labels, np.random.default_rng(4))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.points, again.points)
    assert np.abs(first.points - other.points).max() > 1


def test_mirrored_examples_keep_left_and_right(labels, shard):
    """In every crop the left eye's points are at the picture's right, mirrored or not."""
    example = SyntheticPictures([shard], labels).example(0)
    head = load_head()
    left, right = (head.regions[f"eye.{side}"][labels.points] for side in "LR")
    for seed in range(8):
        points = varied(example, labels, np.random.default_rng(seed)).points
        assert points[left, 0].mean() > points[right, 0].mean()


def test_without_pictures_nothing_is_learnt(labels):
    with pytest.raises(ModelFileError, match="no synthetic pictures"):
        SyntheticPictures([], labels)


@pytest.mark.parametrize("name", ["points_cpu", "points_gpu", "parts_cpu", "parts_gpu"])
def test_recipes_can_be_read(name):
    recipe = read_recipe(CONFIGS / f"{name}.toml")
    assert recipe.network == name.split("_")[0]
    assert recipe.loop.steps >= 1000


def test_a_setting_that_does_not_exist_is_named(tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text('network = "points"\n[learning]\nbach = 3\n[loop]\nsteps = 5\n')
    with pytest.raises(ModelFileError, match="bach"):
        read_recipe(path)
