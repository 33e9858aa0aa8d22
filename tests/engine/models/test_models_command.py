"""python -m engine models: what scripts see."""

import hashlib
import json
from dataclasses import replace

import pytest

from engine.__main__ import main
from engine.models import jobs
from engine.models.jobs import ACTIONS, models_arguments, run
from engine.models.registry import FACE_LANDMARKER, MODELS
from engine.models.states import State, status
from engine.progress import Progress
from engine.worker.jobs import JOBS

from . import toys
from .file_server import file_server


def listed(capsys):
    found = json.loads(capsys.readouterr().out)
    return found, {entry["key"]: entry for entry in found.get("models", ())}


def test_states_are_listed_without_a_model_folder(capsys):
    assert main(["models", "--json"]) == 0
    found, entries = listed(capsys)
    assert found["ok"]
    assert len(entries) == len(MODELS)
    assert (entries["smirk"]["state"], entries["smirk"]["path"]) == ("missing", None)
    assert entries["open_head.safetensors"]["state"] == "usable"
    assert main(["models"]) == 0
    assert "missing  SMIRK" in capsys.readouterr().out


def test_listing_looks_into_files_that_are_there(capsys, tmp_path):
    toys.saved(tmp_path / "SMIRK_em1.pt", toys.smirk())
    toys.saved(tmp_path / "deca_model.tar", toys.smirk())
    assert main(["models", "--model-folder", str(tmp_path), "--json"]) == 0
    _, entries = listed(capsys)
    assert entries["smirk"]["state"] == "usable"
    assert entries["deca"]["state"] == "wrong"
    assert entries["deca"]["detail"] == "This is SMIRK's checkpoint, not “DECA”."


def test_scan_and_convert(capsys, tmp_path):
    models = tmp_path / "models"
    (tmp_path / "downloads").mkdir()
    path = toys.saved(tmp_path / "downloads" / "x.pt", toys.smirk())
    assert main(["models", "scan", str(path.parent), "--model-folder", str(models), "--json"]) == 0
    found, entries = listed(capsys)
    assert found["summary"] == "Found SMIRK; 1 file looked at"
    assert entries["smirk"]["path"] == str(path)
    assert main(["models", "--model-folder", str(models), "convert", str(path)]) == 0
    assert (models / "SMIRK_em1.safetensors").is_file()
    assert "Wrote" in capsys.readouterr().err


def test_errors_have_their_exit_codes(capsys, tmp_path):
    assert main(["models", "scan", str(tmp_path)]) == 5
    assert "--model-folder" in capsys.readouterr().err
    arguments = ["models", "convert", str(tmp_path / "gone.pkl"), "--model-folder", str(tmp_path), "--json"]
    assert main(arguments) == 5
    found, _ = listed(capsys)
    assert not found["ok"]
    assert "gone.pkl" in found["error"]
    assert found["cure"]


def test_the_worker_knows_the_job(tmp_path):
    path = toys.saved(tmp_path / "SMIRK_em1.pt", toys.smirk())
    for action, arguments in {
        "check": models_arguments("check", tmp_path, key="smirk"),
        "scan": models_arguments("scan", tmp_path / "models", tmp_path),
        "convert": models_arguments("convert", tmp_path / "models", path, "smirk"),
    }.items():
        result = JOBS["models"](json.loads(json.dumps(arguments)), Progress())
        assert action in ACTIONS
        assert result["summary"]
    assert run(models_arguments("check", tmp_path, key="smirk"), Progress())["summary"] == "SMIRK: SMIRK's checkpoint"
    with pytest.raises(KeyError):
        run(models_arguments("format", tmp_path), Progress())


def test_a_download_is_looked_into_and_used(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    content = toys.landmarker(tmp_path / "x").read_bytes()
    with file_server(content) as server:
        published = {"download": server.address(), "sha256": hashlib.sha256(content).hexdigest()}
        monkeypatch.setattr(jobs, "by_key", lambda key: replace(FACE_LANDMARKER, **published))
        result = run(models_arguments("download", tmp_path / "models", key="face_landmarker"), Progress())
    assert result["summary"] == "Downloaded Face Landmarker"
    now = status(FACE_LANDMARKER, tmp_path / "models")
    assert (now.state, now.path) == (State.USABLE, tmp_path / "models" / "face_landmarker.task")
