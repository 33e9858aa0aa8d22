"""A take keeps what it holds on disk, and knows its gaps."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from engine.errors import MediaError
from engine.tracking.take import Take

from .toy_take import toy_take


def test_a_take_survives_its_file(tmp_path: Path) -> None:
    take = toy_take()
    take.save(tmp_path)
    for found in (Take.load(tmp_path), Take.load(tmp_path / "take.npz")):
        assert found.expression_names == take.expression_names
        assert found.fps == take.fps
        assert (found.camera.width, found.camera.height) == (640, 360)
        for field in fields(Take):
            if isinstance(getattr(take, field.name), np.ndarray):
                np.testing.assert_array_equal(getattr(found, field.name), getattr(take, field.name))


def test_gaps_are_stretches_without_confidence() -> None:
    take = toy_take()
    take.confidence[:] = [0, 0, 1, 0.2, 0, 1, 0, 0, 0, 0]
    assert take.gaps == [(0, 2), (4, 5), (6, 10)]
    assert take.part(2, 6).gaps == [(2, 3)]


def test_units_go_by_name() -> None:
    take = toy_take()
    np.testing.assert_array_equal(take.unit("jawOpen"), take.expression[:, 0])
    with pytest.raises(KeyError):
        take.unit("JawOpen")


@pytest.mark.parametrize("content", [None, b"", b"PK nothing", b"x" * 500])
def test_what_is_no_take_says_so(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "take.npz").write_bytes(content)
    with pytest.raises(MediaError, match=r"take"):
        Take.load(tmp_path)
