"""The linear texture model: bundled, bounded, and the mean where the latent is nought."""

import hashlib
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as nnf

from engine.errors import ModelFileError
from engine.heads.loader import load_head
from engine.texture.models.linear import BASIS, SOFTNESS, LinearTexture, load_linear, pack, soft_clamp, unpack
from engine.texture.models.model import TextureModel, draw, mean_square
from engine.texture.models.uv_transfer import UvTransfer, own_layout

SHA256 = "6eb76f6a9a45924135af9f82c63f0066466bbd856ab8fe33307773754761b3bf"


def toy():
    """Two components of 2x2 texels on a mean of 4x4, taken over texel by texel."""
    centre = (torch.arange(4) + 0.5) / 4 * 2 - 1
    grid = torch.stack([centre.expand(4, 4), centre[:, None].expand(4, 4)], -1)
    components = torch.zeros(2, 3, 2, 2)
    components[0, 0], components[1, 2] = 0.1, -0.2
    return LinearTexture("toy", torch.full((3, 4, 4), 0.5), components, UvTransfer(grid, torch.ones(4, 4)), {})


def test_a_texture_is_the_mean_and_its_components():
    albedo = toy().albedo(torch.tensor([[0.0, 0], [2, 1]]))
    np.testing.assert_allclose(albedo[0], 0.5, atol=1e-6)
    np.testing.assert_allclose(albedo[1, 0], 0.7, atol=1e-5)
    np.testing.assert_allclose(albedo[1, 1], 0.5, atol=1e-6)
    np.testing.assert_allclose(albedo[1, 2], 0.3, atol=1e-5)


def test_what_leaves_the_colours_is_bent_back_and_keeps_a_gradient():
    """ln 2 times the softness at the ends, nothing to speak of inside."""
    x = torch.tensor([-1.0, -0.1, 0.0, 0.5, 1.0, 1.1, 2.0], dtype=torch.float64, requires_grad=True)
    found = soft_clamp(x)
    bend = SOFTNESS * np.log(2)
    np.testing.assert_allclose(found.detach()[[2, 3, 4]], [bend, 0.5, 1 - bend], atol=1e-9)
    assert bool((found >= 0).all())
    assert bool((found <= 1).all())
    found.sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad[[2, 3, 4]], [0.5, 1, 0.5], atol=1e-9)
    assert float(x.grad[1]) > 0.006
    assert float(x.grad[5]) > 0.006


def test_the_penalty_is_the_mean_of_squares():
    np.testing.assert_allclose(toy().penalty(torch.tensor([[0.0, 0], [3, 1]])), [0, 5])
    np.testing.assert_allclose(mean_square(torch.full((1, 2, 3), 2.0)), [4])


def test_draws_are_standard_normal_and_repeat():
    np.testing.assert_array_equal(draw((3,), None), 0)
    np.testing.assert_array_equal(draw((50, 50), 7), draw((50, 50), 7))
    assert not torch.equal(draw((3,), 7), draw((3,), 8))
    many = draw((200, 200), 1)
    assert float(many.mean()) == pytest.approx(0, abs=0.02)
    assert float(many.std()) == pytest.approx(1, abs=0.02)


def test_a_basis_comes_back_from_its_bytes():
    rng = np.random.default_rng(0)
    mask = rng.random((8, 8)) < 0.7
    count = int(mask.sum())
    mean = rng.random((count, 3)).astype(np.float32)
    components = rng.normal(0, 0.1, (3, count, 3)).astype(np.float32)
    grey = np.repeat(rng.uniform(-0.1, 0.1, (16, 16, 1)), 3, 2).astype(np.float32)
    found_mean, found = unpack(pack(mean, components, mask, grey))
    np.testing.assert_allclose(
        found.permute(0, 2, 3, 1).numpy()[:, mask], components, atol=np.abs(components).max() / 254
    )
    assert found_mean.shape == (3, 16, 16)
    flat, _ = unpack(pack(np.full_like(mean, 0.25), components, mask, grey))
    np.testing.assert_allclose(flat - 0.25, grey.transpose(2, 0, 1), atol=0.001 + 1 / 1024)


@pytest.fixture(scope="module")
def bundled():
    return load_linear()


def test_the_bundled_model_is_the_one_that_was_baked(bundled):
    assert hashlib.sha256(BASIS.read_bytes()).hexdigest() == SHA256
    assert BASIS.stat().st_size < 6_000_000
    assert isinstance(bundled, TextureModel)
    assert bundled.size == 512
    assert bundled.provenance["texture licence"] == "CC0-1.0"


def test_its_mean_is_skin_with_darker_brows_and_redder_lips(bundled):
    albedo = bundled.albedo(bundled.start()[None])[0].permute(1, 2, 0).numpy()
    at = lambda u, v: albedo[int((1 - v) * 512) - 2 : int((1 - v) * 512) + 3, int(u * 512) - 2 : int(u * 512) + 3].mean(  # noqa: E731
        (0, 1)
    )
    cheek, brow, lips = at(0.36, 0.53), at(0.40, 0.70), at(0.5, 0.40)
    assert cheek[0] > cheek[1] > cheek[2]
    assert brow.mean() < 0.9 * cheek.mean()
    assert lips[0] / lips[1] > 1.15 * cheek[0] / cheek[1]


def test_its_first_component_is_the_complexion(bundled):
    light, dark = bundled.start(), bundled.start()
    light[0], dark[0] = 2, -2
    albedo = bundled.albedo(torch.stack([light, dark]))
    sure = bundled.coverage > 0.9
    assert bool((albedo[0, :, sure] > albedo[1, :, sure]).float().mean() > 0.99)
    assert float((albedo[0] - albedo[1])[:, sure].mean()) > 0.3


def test_its_draws_are_colours_of_skin(bundled):
    latents = torch.stack([bundled.start(seed) for seed in range(6)])
    albedo = bundled.albedo(latents)
    sure = bundled.coverage > 0.9
    assert float(albedo.min()) >= 0
    assert float(albedo.max()) <= 1
    means = albedo[:, :, sure].mean(2)
    assert bool((means[:, 0] > means[:, 1]).all())
    assert bool((means[:, 1] > means[:, 2]).all())


def test_a_solver_finds_a_texture_again(bundled):
    """One Gauss-Newton step from the mean to what a drawn texture looks like, at an eighth of the size."""
    small = replace(
        bundled,
        mean=nnf.avg_pool2d(bundled.mean[None], 8)[0],
        components=nnf.avg_pool2d(bundled.components, 4),
        transfer=own_layout(load_head(), 64),
    )
    truth = 0.3 * small.start(3)  # far from the bends at black and white
    latent = small.start()[None].requires_grad_()
    residual = small.albedo(latent) - small.albedo(truth[None])
    (residual.square().sum() / 2).backward()
    steps = torch.eye(len(truth)) * 0.05
    slope = (small.albedo(steps) - small.albedo(-steps)).flatten(1) / 0.1
    assert latent.grad is not None
    flat = residual.detach().flatten()
    np.testing.assert_allclose(latent.grad[0], slope @ flat, rtol=0.01, atol=0.01)
    found = torch.linalg.lstsq(slope.T, -flat[:, None]).solution[:, 0]
    np.testing.assert_allclose(found, truth, atol=0.02)


def test_missing_and_damaged_models_are_named(tmp_path):
    with pytest.raises(ModelFileError, match="is missing"):
        load_linear(tmp_path / "nowhere.safetensors")
    path = tmp_path / "basis.safetensors"
    shutil.copy(BASIS, path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelFileError, match="is damaged"):
        load_linear(path)
