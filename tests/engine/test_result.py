"""A reconstruction written and read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.result import OwnKeys, Reconstruction
from tests.engine.toy_result import box_head


def test_a_models_own_parameters_travel_with_the_head(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    basis = [rng.normal(0, 1e-3, (count, 8, 3)).astype(np.float16) for count in (3, 2, 9)]
    head = replace(box_head(), own=OwnKeys(*basis))

    head.save(tmp_path)
    found = Reconstruction.load(tmp_path, pictures=False)

    assert found.own is not None
    for name, array in zip(("shapes", "expressions", "correctives"), basis, strict=True):
        np.testing.assert_array_equal(getattr(found.own, name), array)


def test_heads_of_the_open_model_have_none(tmp_path: Path) -> None:
    box_head().save(tmp_path)

    assert Reconstruction.load(tmp_path, pictures=False).own is None
