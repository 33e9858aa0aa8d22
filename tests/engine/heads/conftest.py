"""Shared by the tests of heads: the toy FLAME, written and loaded once."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.heads.complete import complete
from engine.heads.flame import load_flame
from engine.heads.model import HeadModel
from tests.engine.heads.flame_toy import ToyFlame, make_toy, write_toy_flame


@pytest.fixture(scope="session")
def toy() -> ToyFlame:
    """The toy's arrays."""
    return make_toy()


@pytest.fixture(scope="session")
def toy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy as a model file with all that lies beside it."""
    return write_toy_flame(tmp_path_factory.mktemp("flame"))


@pytest.fixture(scope="session")
def toy_head(toy_file: Path) -> HeadModel:
    """The toy, loaded."""
    return load_flame(toy_file)


@pytest.fixture(scope="session")
def whole_toy(toy_head: HeadModel) -> HeadModel:
    """The toy with what the open head brings."""
    return complete(toy_head)
