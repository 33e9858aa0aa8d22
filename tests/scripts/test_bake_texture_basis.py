"""Components of skins are those that the skins were made of."""

import numpy as np
import pytest

from scripts.bake_texture_basis import Skins, principal


def test_components_of_known_directions_come_back_by_size():
    rng = np.random.default_rng(0)
    directions = np.zeros((2, 4, 3))
    directions[0, 0], directions[1, 2] = 1, 0.5
    weights = rng.normal(size=(400, 2))
    mean = rng.random((4, 3))
    skins = (mean + np.einsum("bk,knc->bnc", weights, directions)).astype(np.float32)
    basis = principal(Skins(skins[:350], skins[350:]), 2)
    np.testing.assert_allclose(basis.mean, mean, atol=0.1)
    for found, expected, values in zip(basis.components, directions, weights[:350].T, strict=True):
        np.testing.assert_allclose(found, expected * values.std(ddof=1), atol=0.15)
        assert found.sum() > 0
    assert basis.kept[1] == pytest.approx(0, abs=1e-4)
    assert 0 < basis.kept[0] < 0.4
    error = np.sqrt(((skins[350:] - basis.mean) ** 2).mean())
    assert basis.deviation == pytest.approx(float(error), rel=1e-5)
