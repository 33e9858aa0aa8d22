"""The bundled recognition network as the engine uses it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.errors import EngineError, ModelFileError
from engine.models import registry
from engine.recognition import arcface, load
from engine.recognition.align import similarity


def plausible_points(scale: float = 1.0) -> np.ndarray:
    """(478,2) of which those that the networks' templates use lie as in a face 150 pixels wide, times a scale."""
    points = np.random.default_rng(0).uniform(40, 110, (478, 2))
    for index, place in zip((263, 362, 33, 133, 2), load.load_small().template, strict=True):
        points[index] = place + 0.5
    return points * scale


def test_points_in_the_templates_places_need_no_crop() -> None:
    matrix = load.load_small().matrix(plausible_points())

    np.testing.assert_allclose(matrix, [[1, 0, 0], [0, 1, 0]], atol=1e-9)


def test_an_embedding_has_length_one_and_stays_the_same_in_a_larger_photo() -> None:
    rng = np.random.default_rng(1)
    small = np.kron(rng.integers(0, 255, (15, 15, 3)), np.ones((10, 10, 1))).astype(np.uint8)
    large = np.kron(small, np.ones((4, 4, 1), np.uint8))
    recogniser = load.load_small()

    first, second = recogniser.embed(small, plausible_points()), recogniser.embed(large, plausible_points(4.0))

    assert np.linalg.norm(first) == pytest.approx(1)
    assert np.linalg.norm(first - second) < 0.15


def test_gradients_reach_the_picture() -> None:
    recogniser = load.load_small()
    image = torch.rand((1, 3, 150, 150), generator=torch.Generator().manual_seed(0)).requires_grad_()
    matrix = torch.tensor(similarity(recogniser.template, recogniser.template)).float()[None]

    embedding, activations = recogniser.features(image, matrix)
    embedding.square().sum().backward()

    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    assert [tuple(activation.shape[1:]) for activation in activations] == [
        (32, 35, 35),
        (64, 17, 17),
        (128, 8, 8),
        (256, 2, 2),
    ]


def test_points_in_one_place_are_refused() -> None:
    with pytest.raises(EngineError, match="in one place"):
        load.load_small().matrix(np.ones((478, 2)))


def test_a_damaged_file_is_named(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "face_recognition_model.bin").write_bytes(b"something else")
    monkeypatch.setattr(
        load,
        "FACE_RECOGNITION",
        registry.FACE_RECOGNITION.__class__(**vars(registry.FACE_RECOGNITION) | {"bundled": folder}),
    )
    load.load_small.cache_clear()

    with pytest.raises(ModelFileError, match=r"face_recognition_model\.bin is damaged"):
        load.load_small()

    load.load_small.cache_clear()


def test_without_the_users_file_there_is_no_arcface(tmp_path) -> None:
    assert load.load_own(tmp_path) is None
    assert load.load_own(None) is None


def test_the_users_arcface_is_found_in_the_model_folder(tmp_path) -> None:
    torch.save(arcface.IResNet(arcface.VARIANTS["IResNet-50"]).state_dict(), tmp_path / "arcface_r50.pth")

    own = load.load_own(tmp_path)

    assert own is not None
    assert own.side == 112
    embedding, _ = own.features(torch.zeros((1, 3, 112, 112)), torch.eye(2, 3)[None])
    assert embedding.shape == (1, 512)
