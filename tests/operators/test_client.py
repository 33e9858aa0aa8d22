"""Interpreters that are missing, no Python, too old or without torch; and the process's end with its owner."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from likeness.engine.errors import WorkerError
from likeness.operators.client import EngineProcess, Launch, describe_exit
from likeness.operators.job import EngineJob, State

from .test_job import gone


def check(launch: Launch) -> EngineJob:
    """Run a check job to its end."""
    process = EngineProcess(launch)
    try:
        job = EngineJob(process, "Check Engine", "check", {})
        job.run(0.005)
        return job
    finally:
        process.close()


def script(path: Path, text: str) -> Path:
    """An executable file."""
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_interpreter_that_is_not_there(launch, tmp_path):
    with pytest.raises(WorkerError, match=r"There is no engine interpreter at .*nowhere") as caught:
        check(replace(launch, interpreter=tmp_path / "nowhere"))
    assert "preferences" in caught.value.cure


def test_interpreter_that_is_a_folder(launch, tmp_path):
    with pytest.raises(WorkerError, match="no engine interpreter"):
        check(replace(launch, interpreter=tmp_path))


@pytest.mark.skipif(sys.platform == "win32", reason="other rules of what can be executed")
@pytest.mark.parametrize("mode", [0o644, 0o755])
def test_interpreter_that_cannot_be_executed(launch, tmp_path, mode):
    text = tmp_path / "notes.txt"
    text.write_bytes(b"\x00\x01 no program")
    text.chmod(mode)
    with pytest.raises(WorkerError, match="cannot be started"):
        check(replace(launch, interpreter=text))


@pytest.mark.skipif(sys.platform == "win32", reason="shell scripts")
def test_program_that_is_no_python(launch, tmp_path):
    job = check(replace(launch, interpreter=script(tmp_path / "tool", "#!/bin/sh\necho I am a tool\nsleep 1\n")))
    assert job.state is State.FAILED
    assert "does not speak as an engine: “I am a tool”" in job.error.message


@pytest.mark.skipif(sys.platform == "win32", reason="shell scripts")
def test_program_that_ends_at_once(launch, tmp_path):
    job = check(replace(launch, interpreter=script(tmp_path / "tool", "#!/bin/sh\necho bad option >&2\nexit 9\n")))
    assert "does not run the engine (exit code 9). bad option" in job.error.message


@pytest.mark.skipif(sys.platform == "win32", reason="shell scripts")
def test_program_that_says_nothing(launch, tmp_path, monkeypatch):
    monkeypatch.setattr(EngineProcess, "patience", 0.2)
    job = check(replace(launch, interpreter=script(tmp_path / "tool", "#!/bin/sh\nexec sleep 60\n")))
    assert "did not start the engine within" in job.error.message


@pytest.mark.skipif(sys.platform == "win32", reason="shell scripts")
def test_python_that_is_too_old(launch, tmp_path):
    """The entry point's own check, with the version pretended."""
    old = script(
        tmp_path / "python2",
        f'#!/bin/sh\nexec "{sys.executable}" -c "import sys, runpy; sys.version_info = (3, 8, 18); '
        "runpy.run_module('engine.worker', run_name='__main__')\"\n",
    )
    job = check(replace(launch, interpreter=old, module="engine.worker"))
    assert "is Python 3.8.18; the engine needs 3.11 or newer" in job.error.message


def test_python_without_torch(launch, tmp_path):
    """A bare environment: the message names the interpreter and the command that mends it."""
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    python = bare / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    job = check(replace(launch, interpreter=python, module="engine.worker", paths=()))
    assert type(job.error) is WorkerError
    assert f"({python}) has no package “torch”" in job.error.message
    assert job.error.cure == f'Install it with: "{python}" -m pip install torch'


def test_bundled_python_without_torch(launch, tmp_path):
    """pip is no cure for Blender's own Python."""
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    python = bare / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    job = check(replace(launch, interpreter=python, module="engine.worker", paths=(), bundled=True))
    assert "pip" not in job.error.cure
    assert "Reinstall the extension" in job.error.cure


def test_log_folder_that_cannot_be_made(launch, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WorkerError, match="cannot be started"):
        check(replace(launch, log=tmp_path / "file" / "engine.log"))


def test_worker_ends_with_its_owner(repo_root, tmp_path):
    """Kill the owner in the middle of a job that does not look up: its worker must go too."""
    owner = f"""
import sys, time
sys.path[:0] = [{str(repo_root / "tests")!r}]
import conftest
from pathlib import Path
from likeness.operators.client import EngineProcess, Launch
from likeness.operators.job import ReconstructJob
from likeness.engine.options import ReconstructOptions
launch = Launch(Path(sys.executable), Path({str(repo_root)!r}), Path({str(tmp_path / "engine.log")!r}),
                (Path({str(Path(__file__).parent)!r}),), module="fake_engine")
process = EngineProcess(launch)
job = ReconstructJob(process, Path("stubborn.jpg"), Path({str(tmp_path / "result")!r}), ReconstructOptions(), print)
while job.stage != "Reading the photo":
    job.step()
    time.sleep(0.01)
print(process.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", owner], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        os.kill(worker, 0)
        parent.kill()
        parent.wait()
    assert gone(worker)


def test_close_ends_an_idle_process_by_asking(process):
    process.run("check", {})
    while not process.poll():
        time.sleep(0.01)
    pid, since = process.pid, time.monotonic()
    process.close()
    assert time.monotonic() - since < 1.0
    assert gone(pid)
    assert process.pid is None


def test_environment_has_no_foreign_python_settings(launch, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/elsewhere")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    variables = launch.variables()
    assert "PYTHONHOME" not in variables
    assert variables["PYTHONPATH"].split(os.pathsep) == [str(launch.root), *map(str, launch.paths)]


def test_exit_in_words():
    assert describe_exit(3) == "exit code 3"
    assert describe_exit(-9) == "SIGKILL"
    assert describe_exit(-200) == "signal 200"
