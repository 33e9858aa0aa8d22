"""Shared by all tests: where things are, and the repository loaded as the package `likeness`, as Blender loads it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from scripts.extension_package import load_extension

ROOT = Path(__file__).resolve().parents[1]
# Before anything imports bpy: the tests' Blender has a user folder of its own.
USER_FOLDER = Path(tempfile.mkdtemp(prefix="likeness-tests-"))
os.environ["BLENDER_USER_RESOURCES"] = str(USER_FOLDER)
load_extension()
_exit_status = 0


def pytest_sessionfinish(exitstatus: int) -> None:
    """Remember how it went, for the very end."""
    global _exit_status
    _exit_status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Leave at once, with everything said: some versions of the bpy module hang when Python ends by itself."""
    shutil.rmtree(USER_FOLDER, ignore_errors=True)
    if "bpy" in sys.modules:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_exit_status)


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
