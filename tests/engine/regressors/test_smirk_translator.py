"""SMIRK's image-to-image translator: the published function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.regressors.checkpoints import hollow
from engine.regressors.smirk import SmirkEncoder
from engine.regressors.smirk_translator import SmirkTranslator, load_translator

from .research import noise, saved, spec_state, vectors, zeros


def test_same_answer_as_the_reference_implementation(shared: Path, tmp_path: Path):
    """To 1e-4 of colours 0..1: some thirty convolutions of up to 4608 numbers a sum. In double precision 2e-5 is left,
    which is the rounding of the vectors themselves."""
    state = spec_state(shared, "smirk/generator_spec.json") | zeros(hollow(SmirkEncoder), "smirk_encoder.")
    wanted = vectors(shared, "smirk/generator.npz")
    network = load_translator(saved(tmp_path, state))
    with torch.inference_mode():
        found = network(wanted["x"])
        exact = network.double()(wanted["x"].double())
    assert np.ptp(wanted["out"]) > 0.5
    np.testing.assert_allclose(found.numpy(), wanted["out"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(exact.numpy(), wanted["out"], rtol=0, atol=4e-5)


def test_pictures_of_any_size_that_halves_four_times():
    network = noise(SmirkTranslator())
    found = network(torch.rand(1, 6, 32, 48))
    assert found.shape == (1, 3, 32, 48)
    assert 0 <= found.min() < found.max() <= 1


@pytest.mark.parametrize("shape", [(1, 3, 32, 32), (1, 6, 40, 32), (1, 6, 16, 16), (6, 32, 32)])
def test_other_pictures_are_refused(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"\(B,6,H,W\)"):
        hollow(SmirkTranslator)(torch.zeros(shape, device="meta"))


def test_gradients_reach_both_pictures():
    """Training pulls the encoder through the render (section 3.2)."""
    pictures = torch.rand(1, 6, 32, 32, requires_grad=True)
    noise(SmirkTranslator())(pictures).sum().backward()
    assert pictures.grad is not None
    assert (pictures.grad.abs().amax((0, 2, 3)) > 0).all()
