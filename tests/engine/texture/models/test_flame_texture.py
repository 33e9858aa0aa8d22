"""FLAME's texture spaces compute what DECA computes from the same files."""

import numpy as np
import pytest
import torch

from engine.errors import ModelFileError
from engine.texture.models.flame_texture import load_flame_texture
from engine.texture.models.uv_transfer import UvTransfer

NUMBERS = 512 * 512 * 3
PLAIN = UvTransfer(torch.zeros(4, 4, 2), torch.ones(4, 4))


def write_space(path, kind):
    """The file that the reference outputs were made from, but for columns that are all zero."""
    random = np.random.RandomState(77)
    if kind == "FLAME":
        mean = random.rand(NUMBERS).astype(np.float32) * np.float32(255)
        basis = random.standard_normal((NUMBERS, 4)).astype(np.float32) * np.float32(5)
        np.savez(path, mean=mean, tex_dir=basis)
    else:
        mean = random.rand(NUMBERS).astype(np.float32)
        basis = random.standard_normal((NUMBERS, 4)).astype(np.float32) * np.float32(0.02)
        np.savez(path, MU=mean, PC=basis)


@pytest.mark.parametrize(("kind", "name"), [("FLAME", "flame"), ("BFM", "basel")])
def test_textures_are_those_of_the_reference(tmp_path, shared, kind, name):
    path = tmp_path / "texture.npz"
    write_space(path, kind)
    model = load_flame_texture(path, PLAIN)
    assert model.name == name
    assert model.latent_shape == (4,)
    with np.load(shared / "parity" / "flame" / "tex_io.npz") as stored:
        code, expected = torch.tensor(stored["code"]), stored[f"{kind}_out_256_sub4"]
    half = torch.nn.functional.interpolate(model.source(code), (256, 256), mode="nearest")
    np.testing.assert_allclose(half[..., ::4, ::4], expected, atol=2e-5)


def test_only_as_many_components_are_kept_as_wanted(tmp_path):
    path = tmp_path / "texture.npz"
    basis = np.arange(3, dtype=np.float32) * np.ones((NUMBERS, 1), np.float32)
    np.savez(path, MU=np.zeros((512, 512, 3)), PC=basis)
    model = load_flame_texture(path, PLAIN, count=2)
    assert model.latent_shape == (2,)
    np.testing.assert_array_equal(model.source(torch.tensor([[5.0, 1.0]])), 1)


def test_wrong_files_are_named_with_what_was_expected(tmp_path):
    path = tmp_path / "texture.npz"
    np.savez(path, mean=np.zeros(10), tex_dir=np.zeros((10, 2)))
    with pytest.raises(ModelFileError, match=r"mean \(10,\) and tex_dir \(10, 2\); expected 512x512x3"):
        load_flame_texture(path, PLAIN)
    np.savez(path, weights=np.zeros(3))
    with pytest.raises(ModelFileError, match="no array “mean”; it has weights"):
        load_flame_texture(path, PLAIN)
    np.savez(path, mean=np.full(NUMBERS, np.nan, np.float32), tex_dir=np.zeros((NUMBERS, 1), np.float32))
    with pytest.raises(ModelFileError, match="numbers that are none"):
        load_flame_texture(path, PLAIN)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelFileError, match="damaged"):
        load_flame_texture(path, PLAIN)
