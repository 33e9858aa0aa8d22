"""Regressors on disk: what is wrong with a file is said, and what it was made for is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import JobCancelled, ModelFileError
from engine.heads.loader import load_head
from engine.perception.networks.weights import save_network
from engine.recognition.load import load_small
from engine.regressors.trained import build_regressor, describe_regressor, load_regressor, regress

from .toy import HEIGHT, WIDTH, landmarks_of, portrait_camera


class PlainTexture:
    """A texture model of a few numbers."""

    name, size, latent_shape = "plain", 8, (2, 3)
    coverage, provenance = torch.ones(8, 8), {}

    def start(self, seed: int | None = None) -> torch.Tensor:
        return torch.full(self.latent_shape, 0.25)

    def albedo(self, latent: torch.Tensor) -> torch.Tensor:
        return latent.mean((1, 2))[:, None, None, None].expand(-1, 3, 8, 8)

    def penalty(self, latent: torch.Tensor) -> torch.Tensor:
        return latent.square().mean((1, 2))

    def to(self, device: str | torch.device) -> PlainTexture:
        return self


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A regressor of the plain texture whose heads answer with noise."""
    torch.manual_seed(4)
    head, recogniser = load_head(), load_small()
    description = describe_regressor("pooled", head, recogniser, PlainTexture(), 27, width=8)
    network = build_regressor(description)
    with torch.no_grad():
        for weight in network.heads.parameters():
            weight.normal_(0, 0.1)
    path = tmp_path_factory.mktemp("weights") / "some.safetensors"
    save_network(path, network.state_dict(), description)
    return path


def test_a_missing_file_is_named_with_a_cure(tmp_path: Path):
    with pytest.raises(ModelFileError, match=r"none\.safetensors is missing") as caught:
        load_regressor(tmp_path / "none.safetensors")
    assert "engine.training regressor" in caught.value.cure


def test_another_networks_file_is_refused(tmp_path: Path):
    path = tmp_path / "other.safetensors"
    save_network(path, {"weight": torch.zeros(2, 2)}, {"network": "points"})
    with pytest.raises(ModelFileError, match=r"other\.safetensors holds another network.*no regressor"):
        load_regressor(path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ModelFileError, match="damaged"):
        load_regressor(path)


def test_arcface_is_asked_for_where_it_is_needed(tmp_path: Path, weights: Path):
    head = load_head()
    description = describe_regressor("pooled", head, replace(load_small(), name="ArcFace"), None, 27, width=8)
    path = tmp_path / "arcface.safetensors"
    save_network(path, build_regressor(description).state_dict(), description)
    with pytest.raises(ModelFileError, match="ArcFace"):
        load_regressor(path, tmp_path)


def test_one_pass_gives_everything_the_same_each_time(weights: Path):
    head, texture = load_head(), PlainTexture()
    points = landmarks_of(head, portrait_camera())
    pixels = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    first, second = (regress(pixels, points, head, texture, weights) for _ in range(2))
    assert first.identity.shape == (len(head.identity_basis),)
    assert first.expression.shape == (len(head.expression_names),)
    assert first.texture.shape == texture.latent_shape
    for name in ("identity", "expression", "texture", "rotation", "translation", "light"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert (first.camera().width, first.camera().height) == (WIDTH, HEIGHT)


def test_the_same_face_elsewhere_in_a_larger_photo_gets_the_same_answer(weights: Path):
    head = load_head()
    points = landmarks_of(head, portrait_camera())
    pixels = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    larger = np.pad(pixels, ((40, 20), (70, 10), (0, 0)), mode="edge")
    first = regress(pixels, points, head, None, weights)
    second = regress(larger, np.add(points, [70, 40]), head, None, weights)
    np.testing.assert_allclose(first.identity, second.identity, atol=1e-4)
    np.testing.assert_allclose(first.rotation, second.rotation, atol=1e-5)


def test_another_texture_model_gets_its_own_mean(weights: Path):
    head = load_head()
    points = landmarks_of(head, portrait_camera())
    pixels = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    other = PlainTexture()
    other.name, other.latent_shape = "another", (5,)  # type: ignore[assignment]
    np.testing.assert_array_equal(regress(pixels, points, head, other, weights).texture, np.full(5, 0.25, np.float32))
    assert regress(pixels, points, head, None, weights).texture.shape == (0,)


def test_another_head_is_refused_and_a_cancelled_job_ends(weights: Path):
    head = load_head()
    points, pixels = landmarks_of(head, portrait_camera()), np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    with pytest.raises(ModelFileError, match="for the head “open”, not for “FLAME”"):
        regress(pixels, points, replace(head, name="FLAME"), None, weights)

    def cancel() -> None:
        raise JobCancelled

    with pytest.raises(JobCancelled):
        regress(pixels, points, head, None, weights, check=cancel)
