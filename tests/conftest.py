"""Shared by all tests: where things are, and the repository loaded as the package `likeness`, as Blender loads it."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def load_extension(name: str = "likeness") -> None:
    """Make `import likeness.operators` work from a clone, whatever the clone's folder is called."""
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


load_extension()


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The clone."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with reference data beside the clone (or LIKENESS_SHARED); tests that need it are skipped without."""
    folder = Path(os.environ.get("LIKENESS_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip("needs the shared reference data (set LIKENESS_SHARED)")
    return folder
