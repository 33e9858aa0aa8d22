"""Set-up: does its work once, and says plainly what is missing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scripts import setup_env
from scripts.setup_env import Environment, SetupError


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment with one lock, set up by pretended commands."""
    monkeypatch.setattr(setup_env, "ROOT", tmp_path)
    monkeypatch.setattr(setup_env, "LOCKS", tmp_path)
    (tmp_path / "toy.lock").write_text("toy==1.0\n")
    return Environment(".venv-toy", ("toy.lock",))


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What pip was asked for."""
    asked: list[list[str]] = []

    def create(environment: Environment) -> None:
        environment.python.parent.mkdir(parents=True)
        environment.python.touch()

    monkeypatch.setattr(setup_env, "create", create)
    monkeypatch.setattr(setup_env, "install", lambda environment, arguments: asked.append(arguments))
    monkeypatch.setattr(setup_env, "check_bpy", lambda environment: None)
    return asked


def answer(monkeypatch: pytest.MonkeyPatch, errors: str) -> None:
    """Let the environment's Python fail with `errors` on standard error."""
    outcome = subprocess.CompletedProcess([], 1 if errors else 0, "", errors)
    monkeypatch.setattr(setup_env, "run_python", lambda environment, code: outcome)


def test_installs_once_and_again_when_a_lock_changes(
    environment: Environment, installs: list[list[str]], tmp_path: Path
) -> None:
    lock = str(tmp_path / "toy.lock")
    setup_env.set_up(environment)
    setup_env.set_up(environment)
    assert installs == [["--no-deps", "-r", lock]]
    (tmp_path / "toy.lock").write_text("toy==1.1\n")
    setup_env.set_up(environment, torch_index="elsewhere")
    assert installs[1:] == [["--extra-index-url", "elsewhere", "--no-deps", "-r", lock]]


def test_a_failed_set_up_is_tried_again(
    environment: Environment, installs: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(environment: Environment) -> None:
        raise SetupError("no library")

    with monkeypatch.context() as patch:
        patch.setattr(setup_env, "check_bpy", refuse)
        with pytest.raises(SetupError, match="no library"):
            setup_env.set_up(environment)
    setup_env.set_up(environment)
    assert len(installs) == 2


def test_other_pythons_are_told_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup_env.sys, "version_info", (3, 13, 1, "final", 0))
    with pytest.raises(SetupError, match=r"Python 3\.11 is needed.*this is 3\.13\.1"):
        setup_env.check_python()


def test_missing_system_libraries_are_named(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, "ImportError: libSM.so.6: cannot open shared object file: No such file or directory\n")
    with pytest.raises(SetupError, match=r"libSM\.so\.6(.|\n)*apt-get install -y .*libsm6"):
        setup_env.check_bpy(environment)


def test_cuda_builds_of_torch_get_their_libraries(
    environment: Environment, installs: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "engine.lock").write_text("toy==1.0\ntorch==2.13.0\n")
    answer(monkeypatch, "OSError: libcudart.so.13: cannot open shared object file\n")
    with pytest.raises(SetupError, match="does not start"):
        setup_env.mend_torch(environment)
    assert installs == [["torch==2.13.0", "-c", str(tmp_path / "toy.lock")]]
    answer(monkeypatch, "")
    setup_env.mend_torch(environment)
    assert len(installs) == 1
