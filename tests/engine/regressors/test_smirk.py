"""SMIRK's encoder: the published function, its limits, and its use for pictures and clips."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.errors import EngineError, JobCancelled, ModelFileError
from engine.regressors import load
from engine.regressors.checkpoints import hollow
from engine.regressors.flame_coefficients import flame_coefficients
from engine.regressors.smirk import SmirkEncoder, load_encoder

from .research import saved, spec_state, vectors, zeros

NAMES = {
    "pose_params": 3,
    "cam": 3,
    "shape_params": 300,
    "expression_params": 50,
    "eyelid_params": 2,
    "jaw_params": 3,
}


@pytest.fixture(scope="module")
def published(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the reference implementation with seeded weights."""
    return saved(tmp_path_factory.mktemp("smirk"), spec_state(shared, "smirk/encoder_spec.json"))


def test_same_answer_as_the_reference_implementation(shared: Path, published: Path):
    """To 2e-6 of numbers up to 7; with normalisation folded in, whose sums round elsewhere, to 2e-5."""
    wanted = vectors(shared, "smirk/encoder.npz")
    network, lean = load_encoder(published), load("smirk", published).network
    with torch.inference_mode():
        found, quick = network(wanted["x"]), lean(wanted["x"])
    assert list(found) == list(NAMES)
    assert np.abs(wanted["out_shape_params"]).max() > 1
    for name in NAMES:
        np.testing.assert_allclose(found[name].numpy(), wanted[f"out_{name}"], rtol=0, atol=2e-6, err_msg=name)
        np.testing.assert_allclose(quick[name].numpy(), wanted[f"out_{name}"], rtol=0, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("part", ["pose", "shape", "expression"])
def test_same_features_as_timms_backbones(shared: Path, published: Path, part: str):
    wanted = vectors(shared, "smirk/encoder.npz")
    with torch.inference_mode():
        found = getattr(load_encoder(published), f"{part}_encoder").encoder(wanted["x"])
    for number, level in enumerate(found):
        means = wanted[f"feat_{part}_encoder_{number}_mean"]
        np.testing.assert_allclose(level.mean((2, 3)).numpy(), means, rtol=0, atol=3e-6)


def test_eyelids_and_jaw_stay_within_their_limits(tmp_path: Path):
    """With weights of nought the answer is the bias of the last layers, cut off as published."""
    state = zeros(hollow(SmirkEncoder), "smirk_encoder.")
    bias = torch.arange(55.0)
    bias[50:] = torch.tensor([-0.5, 1.5, -0.7, -0.3, 0.9])
    state["smirk_encoder.expression_encoder.expression_layers.0.bias"] = bias
    state["smirk_encoder.pose_encoder.pose_cam_layers.0.bias"] = torch.arange(6.0)
    found = load("smirk", saved(tmp_path, state)).predict(np.zeros((1, 224, 224, 3), np.uint8))
    np.testing.assert_allclose(found["expression_params"][0], np.arange(50.0))
    np.testing.assert_allclose(found["eyelid_params"][0], [0, 1])
    np.testing.assert_allclose(found["jaw_params"][0], [0, -0.2, 0.2], rtol=1e-6)
    np.testing.assert_allclose(found["pose_params"][0], [0, 1, 2])
    np.testing.assert_allclose(found["cam"][0], [3, 4, 5])
    state["smirk_encoder.expression_encoder.expression_layers.0.bias"] = torch.full((55,), 0.1)
    found = load("smirk", saved(tmp_path, state)).predict(np.zeros((1, 224, 224, 3), np.uint8))
    np.testing.assert_allclose(found["jaw_params"][0], 0.1, rtol=1e-6)


def test_pictures_in_batches_of_any_size_give_the_same(published: Path):
    regressor = load("smirk", published)
    images = np.random.default_rng(1).integers(0, 256, (5, 224, 224, 3), np.uint8)
    whole = regressor.predict(images, chunk=5)
    assert {name: values.shape for name, values in whole.items()} == {name: (5, n) for name, n in NAMES.items()}
    assert all(values.dtype == np.float32 for values in whole.values())
    parts, clip = regressor.predict(images, chunk=2), list(regressor.follow(iter(images), chunk=3))
    assert len(clip) == 5
    for name, values in whole.items():  # sums are taken in another order: some roundings of the largest number
        limit = 5e-6 * np.abs(values).max()
        np.testing.assert_allclose(parts[name], values, rtol=0, atol=limit)
        np.testing.assert_allclose(np.stack([frame[name] for frame in clip]), values, rtol=0, atol=limit)


def test_crops_of_another_size_are_resized(published: Path):
    regressor = load("smirk", published)
    small = np.random.default_rng(2).integers(0, 256, (1, 112, 112, 3), np.uint8)
    doubled, large = small.repeat(2, 1).repeat(2, 2), small.repeat(4, 1).repeat(4, 2)
    wanted = regressor.predict(doubled)["cam"]
    np.testing.assert_allclose(regressor.predict(large)["cam"], wanted, atol=1e-6)  # the mean of equal pixels
    soft = cv2.resize(small[0], (224, 224), interpolation=cv2.INTER_LINEAR)[None]  # as SMIRK's demo does
    np.testing.assert_array_equal(regressor.predict(small)["cam"], regressor.predict(soft)["cam"])
    assert np.abs(regressor.predict(soft)["cam"] - wanted).max() > 1e-4


def test_other_arrays_than_crops_are_refused(published: Path):
    regressor = load("smirk", published)
    for images in (np.zeros((0, 224, 224, 3), np.uint8), np.zeros((1, 224, 224, 3)), np.zeros((224, 224, 3), np.uint8)):
        with pytest.raises(EngineError, match=r"crops are") as caught:
            regressor.predict(images)
        assert "uint8 (N,H,W,3)" in caught.value.cure
    with pytest.raises(EngineError, match="chunk is 0"):
        regressor.predict(np.zeros((1, 224, 224, 3), np.uint8), chunk=0)


def test_a_cancelled_job_stops_between_chunks(published: Path):
    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        load("smirk", published).predict(np.zeros((4, 224, 224, 3), np.uint8), chunk=1, check=check)
    assert len(calls) == 2


def test_the_same_file_as_safetensors_and_without_its_prefix(tmp_path: Path, published: Path):
    state = torch.load(published, weights_only=True)
    save_file(state, tmp_path / "whole.safetensors")
    bare = {name.removeprefix("smirk_encoder."): value for name, value in state.items()}
    images = np.full((1, 224, 224, 3), 90, np.uint8)
    wanted = load("smirk", published).predict(images)["shape_params"]
    for path in (tmp_path / "whole.safetensors", saved(tmp_path, bare)):
        np.testing.assert_allclose(load("smirk", path).predict(images)["shape_params"], wanted, atol=2e-6)


def test_other_lengths_of_code_are_named(tmp_path: Path):
    """As of an encoder that was trained for another setting of FLAME."""
    state = zeros(hollow(SmirkEncoder), "smirk_encoder.")
    for name, shape in (("weight", (100, 960)), ("bias", (100,))):
        state[f"smirk_encoder.shape_encoder.shape_layers.0.{name}"] = torch.zeros(shape)
    with pytest.raises(ModelFileError, match=r"shape_layers.0.weight” \(100, 960\) instead of \(300, 960\)"):
        load("smirk", saved(tmp_path, state))


def test_coefficients_under_common_names(published: Path):
    regressor = load("smirk", published)
    found = regressor.predict(np.full((2, 224, 224, 3), 50, np.uint8))
    common = flame_coefficients(found)
    assert regressor.head == "FLAME 2020"
    np.testing.assert_array_equal(common.shape, found["shape_params"])
    np.testing.assert_array_equal(common.jaw, found["jaw_params"])
    np.testing.assert_array_equal(common.eyelids, found["eyelid_params"])
    np.testing.assert_array_equal(common.camera, found["cam"])


def test_coefficients_of_another_model_have_no_common_names():
    with pytest.raises(EngineError, match="not FLAME's"):
        flame_coefficients({"id": np.zeros((1, 80), np.float32)})
