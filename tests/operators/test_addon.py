"""The add-on's folders and how it starts its engine."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import bpy
import pytest
from likeness.engine.errors import OutputError
from likeness.operators import addon


@pytest.fixture
def chosen(monkeypatch):
    """The preferences, to be set."""
    values = SimpleNamespace(interpreter="", device="AUTO", model_folder="", cache_folder="")
    monkeypatch.setattr(addon, "preferences", lambda: values)
    monkeypatch.delenv(addon.INTERPRETER_VARIABLE, raising=False)
    return values


def test_defaults_are_blenders_python_and_the_user_folder(chosen):
    settings = addon.engine_settings()
    assert settings.interpreter is None
    assert settings.device == "auto"
    assert settings.cache_folder == addon.user_folder("cache")
    assert settings.model_folder == addon.user_folder("models")
    launch = addon.launch()
    assert launch.interpreter == Path(sys.executable)
    assert not launch.bundled  # the bpy module's Python is the user's
    assert launch.command()[1:] == ["-m", "engine.worker"]
    assert (launch.root / "engine" / "worker" / "__main__.py").is_file()
    assert launch.log.is_relative_to(settings.cache_folder)


def test_blenders_own_python_is_kept_apart_from_the_users_packages(tmp_path):
    launch = addon.own_launch(tmp_path / "engine.log", module=False)
    assert launch.bundled
    assert launch.command()[1:] == ["-s", "-m", "engine.worker", "--bundled"]


def test_interpreter_of_the_preferences_gets_no_wheels(chosen):
    chosen.interpreter, chosen.device = "/opt/studio/python", "CUDA"
    launch = addon.launch()
    assert launch.interpreter == Path("/opt/studio/python")
    assert not launch.bundled
    assert launch.paths == ()
    assert launch.command()[1:] == ["-m", "engine.worker"]
    assert addon.engine_settings().device == "cuda"


def test_environment_names_an_interpreter_for_farms(chosen, monkeypatch):
    monkeypatch.setenv(addon.INTERPRETER_VARIABLE, "/opt/farm/python")
    assert addon.launch().interpreter == Path("/opt/farm/python")
    chosen.interpreter = "/opt/studio/python"
    assert addon.launch().interpreter == Path("/opt/studio/python")
    assert addon.launch(Path("/argument/python")).interpreter == Path("/argument/python")


def test_home_and_blend_relative_folders(chosen, tmp_path):
    chosen.cache_folder, chosen.model_folder = "~/likeness", str(tmp_path)
    settings = addon.engine_settings()
    assert settings.cache_folder == Path.home() / "likeness"
    assert settings.model_folder == tmp_path


def test_wheels_of_extensions_are_found_on_the_import_path(monkeypatch):
    extensions = Path(bpy.utils.user_resource("EXTENSIONS"))
    wheels = extensions / ".local" / "lib" / "python3.11" / "site-packages"
    monkeypatch.setattr(sys, "path", ["", os.sep, str(wheels), str(extensions.parent / "elsewhere")])
    assert addon.wheel_folders() == (wheels,)


def test_user_folder_is_blenders():
    assert addon.user_folder("cache").is_relative_to(bpy.utils.resource_path("USER"))


def test_result_folders_never_meet(tmp_path):
    parent = tmp_path / "results"
    folders = [addon.new_result_folder(parent, "Zoë").name for _ in range(3)]
    assert folders == ["Zoë", "Zoë-2", "Zoë-3"]


def test_result_folder_in_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Cannot write"):
        addon.new_result_folder(tmp_path / "file", "name")
    with pytest.raises(OutputError, match="Cannot write"):
        addon.new_result_folder(tmp_path / "file" / "below", "name")


def test_prune_keeps_the_newest(tmp_path):
    for age in range(5):
        folder = tmp_path / f"result-{age}"
        folder.mkdir()
        (folder / "head.npz").touch()
        os.utime(folder, (1e9 - age, 1e9 - age))
    log = tmp_path / "old.log"
    log.touch()
    os.utime(log, (1e8, 1e8))
    addon.prune(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["result-0", "result-1"]
    addon.prune(tmp_path / "missing", 2)
