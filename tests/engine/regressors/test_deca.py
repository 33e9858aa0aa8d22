"""DECA's encoders: the published function, the parts of its answer, and its file in two formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.errors import ModelFileError
from engine.regressors import load
from engine.regressors.checkpoints import hollow
from engine.regressors.deca import COARSE, PARTS, DecaEncoder, load_part
from engine.regressors.deca_detail import DetailDecoder
from engine.regressors.flame_coefficients import flame_coefficients

from .research import deca_state, saved, spec_state, vectors

IMAGES = np.zeros((2, 224, 224, 3), np.uint8)


@pytest.fixture(scope="module")
def published(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """deca_model.tar of the reference implementation with seeded weights, but an E_detail of nought."""
    state = deca_state()
    state["E_flame"] = spec_state(shared, "deca/E_flame_spec.json")
    state["D_detail"] = spec_state(shared, "deca/D_detail_spec.json")
    return saved(tmp_path_factory.mktemp("deca"), state, "deca_model.tar")


def test_coarse_same_answer_as_the_reference_implementation(shared: Path, published: Path):
    """To 1e-4 of numbers up to 2: 53 convolutions. In double precision as much is left, the vectors' own rounding."""
    wanted = vectors(shared, "deca/deca.npz")
    with torch.inference_mode():
        found = load_part(published, "E_flame", hollow(DecaEncoder, COARSE))(wanted["x"])
        quick = load("deca", published).network(wanted["x"])
    assert np.abs(wanted["E_flame_out"]).max() > 1
    np.testing.assert_allclose(found.numpy(), wanted["E_flame_out"], rtol=0, atol=1e-4)
    parts = torch.cat([quick[name].flatten(1) for name in PARTS], 1)
    np.testing.assert_allclose(parts.numpy(), wanted["E_flame_out"], rtol=0, atol=2e-4)


def test_detail_same_answer_as_the_reference_implementation(shared: Path, published: Path):
    """To 2e-8 of metres up to 1.6e-3."""
    wanted = vectors(shared, "deca/deca.npz")
    decoder = load_part(published, "D_detail", hollow(DetailDecoder))
    with torch.inference_mode():
        found = decoder(wanted["z"])
    assert np.abs(wanted["D_detail_out"]).max() > 1e-3
    np.testing.assert_allclose(found.numpy(), wanted["D_detail_out"], rtol=0, atol=2e-8)


def test_parts_of_the_answer_lie_in_their_published_order(tmp_path: Path):
    """With weights of nought the answer is the bias of the last layer."""
    state = deca_state()
    state["E_flame"]["layers.2.bias"] = torch.arange(236.0)
    state["E_detail"]["layers.2.bias"] = torch.arange(1000.0, 1128.0)
    found = load("deca-detail", saved(tmp_path, state)).predict(IMAGES)
    for name, first, shape in (
        *(("shape", 0, (100,)), ("tex", 100, (50,)), ("exp", 150, (50,)), ("pose", 200, (6,))),
        *(("cam", 206, (3,)), ("light", 209, (9, 3)), ("detail", 1000, (128,))),
    ):
        wanted = np.arange(first, first + np.prod(shape), dtype=np.float32).reshape(shape)
        np.testing.assert_array_equal(found[name], [wanted, wanted], err_msg=name)
    assert found["displacement"].shape == (2, 256, 256)
    common = flame_coefficients(found)
    np.testing.assert_array_equal(common.pose[0], [200, 201, 202])
    np.testing.assert_array_equal(common.jaw[0], [203, 204, 205])
    np.testing.assert_array_equal(common.eyelids, np.zeros((2, 2)))
    assert set(load("deca", saved(tmp_path, state)).predict(IMAGES)) == set(PARTS)


def test_displacement_is_of_jaw_expression_and_own_code_in_this_order(published: Path):
    regressor = load("deca-detail", published)
    images = np.random.default_rng(1).integers(0, 256, (1, 224, 224, 3), np.uint8)
    found = regressor.predict(images)
    codes = np.concatenate([found["pose"][:, 3:], found["exp"], found["detail"]], 1)
    with torch.inference_mode():
        wanted = load_part(published, "D_detail", hollow(DetailDecoder))(torch.from_numpy(codes))[:, 0].numpy()
    assert np.ptp(wanted) > 1e-4
    np.testing.assert_allclose(found["displacement"], wanted, rtol=0, atol=5e-7)


def test_the_same_as_safetensors(tmp_path: Path, published: Path):
    state = torch.load(published, weights_only=True)
    flat = {f"{part}.{name}": value.clone() for part, inner in state.items() for name, value in inner.items()}
    save_file(flat, tmp_path / "deca.safetensors")
    wanted = load("deca", published).predict(IMAGES)["shape"]
    np.testing.assert_allclose(load("deca", tmp_path / "deca.safetensors").predict(IMAGES)["shape"], wanted, atol=1e-6)


def test_a_file_without_detail_serves_for_the_coarse_part_alone(tmp_path: Path):
    path = saved(tmp_path, {"E_flame": deca_state()["E_flame"]})
    assert load("deca", path).predict(IMAGES)["exp"].shape == (2, 50)
    with pytest.raises(ModelFileError, match="it has no part “E_detail”"):
        load("deca-detail", path)


def test_entries_missing_in_a_part_are_named_with_it(tmp_path: Path):
    state = deca_state()
    del state["D_detail"]["conv_blocks.21.bias"]
    with pytest.raises(ModelFileError, match=r"1 of 44 entries are missing, “D_detail\.conv_blocks\.21\.bias”"):
        load("deca-detail", saved(tmp_path, state))
