"""The extension registered in the bpy module, with a real engine process that pretends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from likeness.engine.media import write
from likeness.operators.client import Launch
from likeness.operators.session import SESSION
from likeness.ui import registration

from tests.operators.build.sphere_head import save_pictures, sphere_head

COLLECTIONS = [
    name
    for name in dir(bpy.data)
    if isinstance(getattr(bpy.data, name), type(bpy.data.objects)) and name != "libraries"
]


def counts() -> dict[str, int]:
    """How many data-blocks of each kind there are."""
    return {name: len(getattr(bpy.data, name)) for name in COLLECTIONS}


def write_result(folder: Path) -> Path:
    """A result folder as the engine writes it, of the head of spheres."""
    reconstruction = replace(sphere_head(), name="portrait")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "write_png", lambda path, array: None)
        reconstruction.save(folder)
    save_pictures(reconstruction, folder)
    return folder


@pytest.fixture
def launch(repo_root: Path, tmp_path: Path) -> Launch:
    """A worker with pretended jobs, in this Python."""
    here = repo_root / "tests" / "operators"
    return Launch(Path(sys.executable), repo_root, tmp_path / "logs" / "engine.log", (here,), module="fake_engine")


@pytest.fixture
def photo(tmp_path: Path) -> Callable[[str], Path]:
    """photo("good"): a file whose name tells the pretending engine what to do."""

    def make(act: str) -> Path:
        path = tmp_path / "photos" / f"{act}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"not looked at")
        return path

    return make


@pytest.fixture
def extension(launch: Launch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The extension, registered in an empty file, with its cache in the test's folder."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    result = write_result(tmp_path / "template")
    cache = tmp_path / "cache"
    pretending = replace(launch, environment={"LIKENESS_TEST_RESULT": str(result)})
    monkeypatch.setattr(SESSION, "make_launch", lambda: pretending)
    monkeypatch.setattr("likeness.operators.addon.user_folder", lambda name: tmp_path / name)
    registration.register()
    yield SimpleNamespace(results=cache / "results", launch=pretending, session=SESSION, report=report)
    registration.unregister()
    SESSION.engine_report = None


def report(folder: Path) -> dict:
    """A result folder's report."""
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))
