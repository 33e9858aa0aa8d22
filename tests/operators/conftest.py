"""Fixtures of the operators' tests: real processes with pretended jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from likeness.engine.options import ReconstructOptions
from likeness.operators.client import EngineProcess, Launch
from likeness.operators.job import ReconstructJob

from tests import blender_fixtures

extension, launch, photo = blender_fixtures.extension, blender_fixtures.launch, blender_fixtures.photo


@pytest.fixture
def process(launch: Launch) -> Iterator[EngineProcess]:
    """The process of `launch`, ended after the test."""
    process = EngineProcess(launch)
    yield process
    process.kill()


@pytest.fixture
def make_job(process: EngineProcess, tmp_path: Path) -> Callable[..., ReconstructJob]:
    """Start a reconstruction of a photo whose name says what happens (see fake_engine)."""

    def make(act: str, build: Callable[[Path], object] = lambda folder: sorted(folder.iterdir())) -> ReconstructJob:
        return ReconstructJob(process, tmp_path / f"{act}.jpg", tmp_path / "result", ReconstructOptions(), build)

    return make
