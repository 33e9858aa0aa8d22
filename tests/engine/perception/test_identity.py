"""The door to identity networks: the published function through it, and aligned crops.

What bad files do in its slot is tested with the others, in `tests/engine/regressors/test_entry.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import EngineError, ModelFileError
from engine.perception import identity
from engine.recognition import arcface, small
from engine.recognition.arcface import VARIANTS, IResNet
from engine.recognition.load import load_small
from engine.regressors.checkpoints import hollow

from ..regressors.research import saved, spec_state, zeros


@pytest.fixture(scope="module")
def published(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> identity.IdentityNetwork:
    """The reference implementation's seeded IResNet-50."""
    state = {f"module.{name}": value for name, value in spec_state(shared, "arcface/r50_spec.json").items()}
    return identity.load(saved(tmp_path_factory.mktemp("arcface"), state))


def test_same_answer_as_the_reference_implementation(shared: Path, published: identity.IdentityNetwork):
    """To 1e-4 of numbers up to 10, not of length 1."""
    wanted = np.load(shared / "parity" / "arcface" / "r50.npz")
    images = wanted["rgb_u8"].transpose(0, 2, 3, 1)
    found = published.embed(images)
    assert found.dtype == np.float32
    assert np.linalg.norm(wanted["emb"], axis=1).min() > 5
    np.testing.assert_allclose(found, wanted["emb"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(published.embed(images, chunk=1), found, rtol=0, atol=1e-4)


def test_same_matrices_as_the_reference_implementation(shared: Path, published: identity.IdentityNetwork):
    wanted = np.load(shared / "parity" / "arcface" / "align.npz")
    for points, matrix in zip(wanted["lmk5"], wanted["M"], strict=True):
        np.testing.assert_allclose(published.align(points), matrix, rtol=1e-5, atol=1e-5)


def test_crops_show_the_template_where_it_belongs(tmp_path: Path):
    """Five dots in a picture come to the template's five places."""
    network = identity.load(saved(tmp_path, zeros(hollow(IResNet, VARIANTS["IResNet-100"]))))
    assert (network.side, network.name) == (112, "ArcFace")
    points = np.round(arcface.TEMPLATE * 1.5 + [20, 30])
    picture = np.zeros((300, 300, 3), np.uint8)
    for x, y in points.astype(int):
        picture[y - 2 : y + 3, x - 2 : x + 3] = 255
    found = network.crops(picture, network.align(points)[None])
    assert found.shape == (1, 112, 112, 3)
    for x, y in np.round(arcface.TEMPLATE).astype(int):
        patch = found[0, y - 5 : y + 6, x - 5 : x + 6, 0].astype(float)
        rows, columns = np.mgrid[-5:6, -5:6]
        assert patch.sum() > 1000
        assert abs((patch * rows).sum() / patch.sum()) < 0.8
        assert abs((patch * columns).sum() / patch.sum()) < 0.8
    assert network.embed(found).shape == (1, 512)


def test_the_bundled_network_needs_no_file():
    network = identity.load()
    assert (network.name, network.side) == ("small", small.SIDE)
    images = np.random.default_rng(1).integers(0, 256, (3, 150, 150, 3), np.uint8)
    found = network.embed(images, chunk=2)
    with torch.no_grad():
        wanted = load_small().network(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255)[0]
    assert found.shape == (3, 128)
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-4, atol=1e-5)


def test_other_arrays_are_refused():
    network = identity.load()
    for images in (
        np.zeros((0, 150, 150, 3), np.uint8),
        np.zeros((1, 112, 112, 3), np.uint8),
        np.zeros((1, 150, 150, 3)),
    ):
        with pytest.raises(EngineError, match="crops are"):
            network.embed(images)
    with pytest.raises(EngineError, match=r"points are \(68, 2\)"):
        network.align(np.zeros((68, 2)))
    with pytest.raises(EngineError, match="one place"):
        network.align(np.ones((5, 2)))


def test_an_iresnet_of_another_depth_is_named(tmp_path: Path):
    path = saved(tmp_path, zeros(hollow(IResNet, (3, 4, 6, 3))))
    with pytest.raises(ModelFileError, match=r"3\+4\+6\+3 blocks, where IResNet-50 3\+4\+14\+3 or"):
        identity.load(path)
