"""The committed UV layout and base skin are what their scripts make from the sources."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.heads.loader import DATA_FOLDER
from engine.heads.skin import BASE_SKIN, REGION_MAP
from scripts.bake_head import uv
from scripts.bake_head.assemble import build_parts, mirror_pairs
from scripts.bake_head.skin import bake_skin, encode
from scripts.bake_head.source import HeadSource
from scripts.bake_head.variation import measure_variation

pytestmark = pytest.mark.slow


def test_the_stored_layout_fits_the_parts_and_is_well_made(source: HeadSource) -> None:
    variation = measure_variation(source)
    parts = build_parts(source, variation.mean, variation.unit)
    kept = uv.stored(parts)
    made = uv.arrange(parts, mirror_pairs(parts, source.mirror)[: len(parts[0].vertices)])
    for part, old, new in zip(parts, kept, made, strict=True):
        np.testing.assert_array_equal(old.polygons, new.polygons)
        # The mean head may have moved a little since the layout was stored.
        assert np.abs(old.uv - new.uv).max() < 0.03, part.name


def test_other_polygons_are_refused(source: HeadSource) -> None:
    variation = measure_variation(source)
    parts = build_parts(source, variation.mean, variation.unit)
    with pytest.raises(ValueError, match="layout_uv"):
        uv.stored(parts[:-1])


def test_the_same_sources_give_the_same_base_skin(source: HeadSource, shared: Path) -> None:
    albedo, regions = encode(*bake_skin(source, shared / "data" / "makehuman_cc0"))
    assert regions == (DATA_FOLDER / REGION_MAP).read_bytes()
    made, kept = (cv2.imdecode(np.frombuffer(data, np.uint8), 1).astype(int) for data in (albedo, committed(BASE_SKIN)))
    assert np.abs(made - kept).max() <= 2


def committed(name: str) -> bytes:
    return (DATA_FOLDER / name).read_bytes()
