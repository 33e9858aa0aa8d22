"""What was followed stays on disk, belongs to one clip with one set of choices, and a damaged end is left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import OutputError
from engine.tracking.chunks import FOLDER, Chunk, Chunks


def chunk(first: int) -> Chunk:
    rng = np.random.default_rng(first)
    index = np.arange(first, first + 3)
    return Chunk(
        index, rng.random((3, 478, 3), np.float32), np.ones(3, np.float32), np.zeros((1, 4, 4, 3)), np.zeros(2)
    )


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"some footage")
    return path


def test_chunks_come_back_in_order(clip: Path, tmp_path: Path) -> None:
    chunks = Chunks(tmp_path / "out", clip, (0.0, None, 25.0))
    for number in range(3):
        chunks.save(number, chunk(3 * number))
    found = Chunks(tmp_path / "out", clip, (0.0, None, 25.0)).load()
    assert [int(part.index[0]) for part in found] == [0, 3, 6]
    np.testing.assert_array_equal(found[1].points, chunk(3).points)
    assert found[1].regressed.size == 0


def test_a_regressors_answers_are_kept_with_the_points(clip: Path, tmp_path: Path) -> None:
    rows = np.arange(12, dtype=np.float32).reshape(3, 4)
    Chunks(tmp_path / "out", clip, ("smirk",)).save(0, replace(chunk(0), regressed=rows))
    (found,) = Chunks(tmp_path / "out", clip, ("smirk",)).load()
    np.testing.assert_array_equal(found.regressed, rows)
    assert Chunks(tmp_path / "out", clip, ("fast",)).load() == []


def test_other_footage_and_other_choices_do_not_mix(clip: Path, tmp_path: Path) -> None:
    Chunks(tmp_path / "out", clip, (0.0, None, 25.0)).save(0, chunk(0))
    assert Chunks(tmp_path / "out", clip, (0.0, None, 30.0)).load() == []
    clip.write_bytes(b"other footage")
    assert Chunks(tmp_path / "out", clip, (0.0, None, 25.0)).load() == []


def test_what_comes_after_a_damaged_chunk_is_left_out(clip: Path, tmp_path: Path) -> None:
    chunks = Chunks(tmp_path / "out", clip, ())
    for number in range(3):
        chunks.save(number, chunk(3 * number))
    (chunks.folder / "000001.npz").write_bytes(b"PK torn")
    assert len(chunks.load()) == 1


def test_discarding_leaves_nothing_but_what_was_there(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    Chunks(out, clip, ()).save(0, chunk(0))
    (out / "mine.txt").write_text("mine")
    Chunks(out, clip, ()).discard()
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    assert not (out / FOLDER).exists()


def test_a_place_that_cannot_be_written_is_named(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="file"):
        Chunks(tmp_path / "file", clip, ()).save(0, chunk(0))
