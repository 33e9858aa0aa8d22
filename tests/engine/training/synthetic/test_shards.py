"""Pictures on disk: what was written is read, and labels can be worked out again."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.heads.loader import load_head
from engine.training.synthetic.raster import Picture
from engine.training.synthetic.shards import read_shard, write_shard

from .test_raster import SIDE, scene_of


def test_written_and_read(tmp_path):
    head = load_head()
    rng = np.random.default_rng(0)
    expression = np.zeros(len(head.expression_names), np.float32)
    expression[3] = 0.5
    scene = scene_of(head, expression=expression, names={"hair": "crop"}, angles=np.array([10.0, 5.0, 0.0]))
    smooth = np.tile(np.linspace(0, 255, SIDE).astype(np.uint8)[:, None, None], (1, SIDE, 3))
    depth = np.where(rng.random((SIDE, SIDE)) < 0.5, np.inf, 0.9).astype(np.float32)
    visible = rng.random(len(head.vertices)) < 0.5
    picture = Picture(smooth, rng.integers(0, 12, (SIDE, SIDE)).astype(np.uint8), depth, visible)
    write_shard(tmp_path / "a.npz", [scene, scene], [picture, picture], [7, 8])
    shard = read_shard(tmp_path / "a.npz")
    assert len(shard) == 2
    assert shard.seeds.tolist() == [7, 8]
    assert shard.names[1] == {"hair": "crop"}
    np.testing.assert_allclose(shard.image(1), smooth, atol=3)
    np.testing.assert_array_equal(shard.visible[0], visible)
    np.testing.assert_array_equal(shard.regions[0], picture.regions[::2, ::2])
    np.testing.assert_allclose(shard.depth[0], depth[::2, ::2] - 1.0, atol=1e-3)  # the head's origin is 1 m away
    np.testing.assert_allclose(shard.vertices(0, head), head.shape(scene.identity, expression), atol=1e-6)
    np.testing.assert_array_equal(shard.cameras[0].K, scene.camera.K)


def test_damaged_file_is_named(tmp_path):
    (tmp_path / "b.npz").write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match=r"b\.npz"):
        read_shard(tmp_path / "b.npz")
