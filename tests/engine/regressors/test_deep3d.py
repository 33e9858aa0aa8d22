"""Deep3D's regressor: its layout as its PyTorch edition writes it, and its parts in their published order.

There are no published vectors of it. Its trunk is DECA's, which has some.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from engine.regressors import load
from engine.regressors.checkpoints import hollow
from engine.regressors.deca import COARSE, DecaEncoder, load_part
from engine.regressors.deep3d import Deep3dNetwork

from .research import saved, spec_state, vectors, zeros

IMAGES = np.zeros((2, 224, 224, 3), np.uint8)


def test_layout_of_the_checkpoint():
    shapes = {name: tuple(value.shape) for name, value in hollow(Deep3dNetwork).state_dict().items()}
    assert len(shapes) == 318 + 14
    assert shapes["backbone.conv1.weight"] == (64, 3, 7, 7)
    assert shapes["backbone.layer4.2.conv3.weight"] == (2048, 512, 1, 1)
    last = [shapes[f"final_layers.{number}.weight"] for number in range(7)]
    assert last == [(outputs, 2048, 1, 1) for outputs in (80, 64, 80, 3, 27, 2, 1)]


def test_parts_of_the_answer_lie_in_their_published_order(tmp_path: Path):
    state = zeros(hollow(Deep3dNetwork))
    first = 0
    for number, outputs in enumerate((80, 64, 80, 3, 27, 2, 1)):
        state[f"final_layers.{number}.bias"] = torch.arange(first, first + outputs, dtype=torch.float32)
        first += outputs
    whole = {"net_recon": state, "opt_00": {"state": {}, "param_groups": []}, "sched_00": {"step_size": 10}}
    parts = {"id": (0, 80), "exp": (80, 144), "tex": (144, 224), "angle": (224, 227), "gamma": (227, 254)}
    for name, found in {"whole": whole, "bare": state}.items():
        answer = load("deep3d", saved(tmp_path, found, f"{name}.pth")).predict(IMAGES)
        for part, (start, end) in (parts | {"trans": (254, 257)}).items():
            np.testing.assert_array_equal(answer[part], [np.arange(start, end)] * 2, err_msg=part)


def test_trunk_is_the_one_that_has_vectors(shared: Path, tmp_path: Path):
    """Its features go through a last layer that copies the first ones."""
    weights = spec_state(shared, "deca/E_flame_spec.json")
    images = vectors(shared, "deca/deca.npz")["x"]
    state = zeros(hollow(Deep3dNetwork))
    trunk = {name: value for name, value in weights.items() if name.startswith("encoder.")}
    state |= {name.replace("encoder.", "backbone."): value for name, value in trunk.items()}
    state["final_layers.0.weight"] = torch.eye(80, 2048)[:, :, None, None]
    network = load("deep3d", saved(tmp_path, {"net_recon": state})).network
    deca = load_part(saved(tmp_path, {"E_flame": weights}, "deca.tar"), "E_flame", hollow(DecaEncoder, COARSE))
    with torch.inference_mode():
        found, wanted = network(images)["id"], deca.encoder(images)[-1].mean((2, 3))[:, :80]
    assert wanted.abs().max() > 0.5
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
