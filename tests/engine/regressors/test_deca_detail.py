"""DECA's displacements as maps: slopes that are known, on a head in the one layout."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.errors import EngineError
from engine.heads.loader import load_head
from engine.heads.model import HeadModel
from engine.regressors.deca_detail import GREATEST, DetailDecoder, relief_maps

from .research import noise


@pytest.fixture(scope="module")
def sheet() -> HeadModel:
    """A flat square of 0.2 m that fills the UV square, facing +Z: a texel of 64 is 3.125 mm."""
    uv = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    corners = np.column_stack([uv * 0.2, np.zeros(4)]).astype(np.float32)
    square = np.arange(4, dtype=np.int32)[None]
    flat = {"vertices": corners, "faces": faces, "polygons": square, "mirror": np.array([1, 0, 3, 2], np.int32)}
    return replace(load_head(), uv=uv, uv_faces=faces, uv_polygons=square, **flat)


def test_displacements_stay_within_a_centimetre():
    decoder = noise(DetailDecoder())
    found = decoder(50 * torch.randn(2, 181, generator=torch.Generator().manual_seed(1)))
    assert found.shape == (2, 1, 256, 256)
    assert 0 < found.abs().max() <= GREATEST


def test_no_displacement_is_a_flat_map(sheet: HeadModel):
    maps = relief_maps(np.zeros((256, 256)), sheet, sheet.vertices, 64)
    assert maps.height.shape == (64, 64)
    assert maps.height.dtype == np.float16
    assert not maps.height.any()
    np.testing.assert_array_equal(np.unique(maps.normal.reshape(-1, 3), axis=0), [[128, 128, 255]])


@pytest.mark.parametrize(("axis", "sign", "channel"), [(1, -1, 0), (0, 1, 1)])
def test_a_slope_tilts_normals_by_its_angle(sheet: HeadModel, axis: int, sign: int, channel: int):
    """Rising to the right tilts to the left; rising downwards, in an image, tilts up."""
    rise = 0.01  # metres over the whole width of 0.2
    ramp = (np.arange(256) + 0.5) / 256 * rise
    displacement = np.broadcast_to(ramp if axis == 1 else ramp[:, None], (256, 256))
    maps = relief_maps(displacement, sheet, sheet.vertices, 64)
    slope = rise / 0.2
    wanted = np.array([0.0, 0.0, 1.0]) / np.hypot(1, slope)
    wanted[channel] = sign * slope / np.hypot(1, slope)
    np.testing.assert_allclose(
        maps.normal[8:-8, 8:-8] / 127 - 128 / 127, np.broadcast_to(wanted, (48, 48, 3)), atol=0.01
    )
    middle = maps.height[8:-8, 8:-8].mean()
    np.testing.assert_allclose(middle, rise / 2, rtol=2e-3)


def test_mask_and_fixed_displacement(sheet: HeadModel):
    mask = np.zeros((256, 256))
    mask[:, 128:] = 1
    fixed = np.full((256, 256), 0.001)
    height = relief_maps(np.full((256, 256), 0.002), sheet, sheet.vertices, 64, mask, fixed).height
    np.testing.assert_allclose(height[:, :28], 0.001, rtol=1e-3)
    np.testing.assert_allclose(height[:, 36:], 0.003, rtol=1e-3)


def test_maps_of_another_kind_are_refused(sheet: HeadModel):
    good = np.zeros((256, 256))
    for displacement, mask in ((np.zeros((256, 255)), None), (good * np.nan, None), (good, np.zeros((128, 128)))):
        with pytest.raises(EngineError, match=r"(displacement|mask) is"):
            relief_maps(displacement, sheet, sheet.vertices, 64, mask)
