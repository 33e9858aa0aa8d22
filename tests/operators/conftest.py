"""Fixtures of the operators' tests: real processes with pretended jobs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from likeness.engine.options import ReconstructOptions
from likeness.operators.client import EngineProcess, Launch
from likeness.operators.job import ReconstructJob


@pytest.fixture
def launch(repo_root: Path, tmp_path: Path) -> Launch:
    """A worker with pretended jobs, in this Python."""
    here = Path(__file__).parent
    return Launch(Path(sys.executable), repo_root, tmp_path / "logs" / "engine.log", (here,), module="fake_engine")


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
