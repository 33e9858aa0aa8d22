"""Model files are located, scanned for, converted and downloaded; the engine's own process looks into them."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import bpy
import pytest
from likeness.engine.models import places
from likeness.engine.models.registry import SMIRK
from likeness.engine.models.states import State, status
from likeness.operators import models
from likeness.operators.job import State as JobState


def safetensors(path: Path, *names: str) -> Path:
    """A small file of weights; written by hand, it needs no package that Blender lacks."""
    header = {name: {"dtype": "F32", "shape": [1], "data_offsets": [4 * k, 4 * k + 4]} for k, name in enumerate(names)}
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(4 * len(names)))
    return path


SMIRKS, DECAS = "smirk_encoder.conv_stem.weight", ("E_flame.a", "E_detail.a", "D_detail.a")


@pytest.fixture
def folder(extension, monkeypatch, tmp_path):
    """The model folder of the extension with its real engine."""
    launch = replace(extension.launch, module="engine.worker")
    monkeypatch.setattr(extension.session, "make_launch", lambda: launch)
    models.BOARD.__init__()
    yield tmp_path / "models"
    extension.session.close()


def state(model, folder):
    return status(model, folder).state


def test_a_located_file_is_looked_into_and_used_where_it_lies(folder, tmp_path):
    path = safetensors(tmp_path / "elsewhere" / "x.bin", SMIRKS)
    assert bpy.ops.likeness.locate_model(key="smirk", filepath=str(path)) == {"FINISHED"}
    assert status(SMIRK, folder).path == path
    assert state(SMIRK, folder) is State.USABLE
    assert SMIRK in [one.model for one in models.BOARD.states()]
    assert models.BOARD.chosen("smirk")
    assert [name.name for name in folder.iterdir()] == [places.NAME]
    bpy.ops.likeness.forget_model(key="smirk")
    assert state(SMIRK, folder) is State.MISSING
    assert path.exists()


def test_a_wrong_file_is_a_state_and_says_what_it_is(folder, tmp_path):
    bpy.ops.likeness.locate_model(key="smirk", filepath=str(safetensors(tmp_path / "y.bin", *DECAS)))
    found = status(SMIRK, folder)
    assert found.state is State.WRONG
    assert found.detail == "This is DECA's checkpoint, not “SMIRK”."


def test_a_file_that_is_not_there_and_an_unknown_model_are_errors(folder, tmp_path):
    with pytest.raises(RuntimeError, match="There is no file at"):
        bpy.ops.likeness.locate_model(key="smirk", filepath=str(tmp_path / "gone"))
    with pytest.raises(RuntimeError, match="There is no model"):
        bpy.ops.likeness.locate_model(key="nothing", filepath=str(tmp_path / "gone"))
    assert not folder.exists()


def test_a_model_folder_that_cannot_be_written_is_named(folder, tmp_path):
    path = safetensors(tmp_path / "x.bin", SMIRKS)
    folder.write_text("no folder")
    with pytest.raises(RuntimeError, match=r"Cannot write .*models\.json"):
        bpy.ops.likeness.locate_model(key="smirk", filepath=str(path))


def test_a_folder_of_files_is_located_as_a_folder(folder, tmp_path):
    kit = tmp_path / "FaceXModel"
    kit.mkdir()
    for name in ("generic_neutral_mesh.obj", "identity000.obj", "vertex_indices.json"):
        (kit / name).write_text("v 0 0 0\n")
    bpy.ops.likeness.locate_model(key="ict_facekit", directory=str(kit))
    assert {one.model.key: one.state for one in models.BOARD.states()}["ict_facekit"] is State.USABLE


def test_a_scan_finds_files_by_content(folder, tmp_path, extension):
    safetensors(tmp_path / "downloads" / "deep" / "a", SMIRKS)
    safetensors(tmp_path / "downloads" / "SMIRK_em1.pt", *DECAS)
    assert bpy.ops.likeness.scan_models(directory=str(tmp_path / "downloads")) == {"FINISHED"}
    found = {one.model.key: one.state for one in models.BOARD.states()}
    assert found["smirk"] is found["deca"] is State.USABLE
    assert extension.session.job.result["summary"] == "Found SMIRK, DECA; 2 files looked at"
    with pytest.raises(RuntimeError, match="No folder was chosen"):
        bpy.ops.likeness.scan_models()
    with pytest.raises(RuntimeError, match="cannot be looked through"):
        bpy.ops.likeness.scan_models(directory=str(tmp_path / "nowhere"))


def test_a_check_lists_what_is_wrong(folder):
    safetensors(folder / "SMIRK_em1.pt", *DECAS)
    assert bpy.ops.likeness.check_models() == {"FINISHED"}
    assert models.BOARD.notes == ["SMIRK: This is DECA's checkpoint, not “SMIRK”."]


def test_a_conversion_that_fails_says_why(folder):
    with pytest.raises(RuntimeError, match="is not in"):
        bpy.ops.likeness.convert_model(key="smirk")
    safetensors(folder / "SMIRK_em1.pt", SMIRKS)
    with pytest.raises(RuntimeError, match="safetensors already"):
        bpy.ops.likeness.convert_model(key="smirk")


def test_downloads_need_leave_to_use_the_network(folder, monkeypatch):
    monkeypatch.setattr(models, "online", lambda: False)
    assert not models.LIKENESS_OT_download_model.poll(bpy.context)
    with pytest.raises(RuntimeError, match="Allow Online Access"):
        bpy.ops.likeness.download_model(key="face_landmarker")
    monkeypatch.setattr(models, "online", lambda: True)
    assert models.LIKENESS_OT_download_model.poll(bpy.context)
    assert isinstance(models.online(), bool)


def test_what_is_behind_a_login_is_not_downloaded(folder, monkeypatch):
    monkeypatch.setattr(models, "online", lambda: True)
    with pytest.raises(RuntimeError, match="cannot be downloaded here"):
        bpy.ops.likeness.download_model(key="smirk")


def test_buttons_wait_for_the_engine(folder, monkeypatch, extension):
    monkeypatch.setattr(models, "online", lambda: True)
    buttons = (
        models.LIKENESS_OT_locate_model,
        models.LIKENESS_OT_forget_model,
        models.LIKENESS_OT_scan_models,
        models.LIKENESS_OT_check_models,
        models.LIKENESS_OT_convert_model,
        models.LIKENESS_OT_download_model,
    )
    job = extension.session.start(
        lambda process: models.ModelsJob(process, "Check", models.models_arguments("check", folder))
    )
    assert not any(button.poll(bpy.context) for button in buttons)
    job.run()
    assert job.state is JobState.DONE
    assert all(button.poll(bpy.context) for button in buttons)


def test_states_are_kept_for_a_while_and_looked_up_anew_when_told(folder, monkeypatch):
    monkeypatch.setattr(models, "FRESH", 1e9)
    models.BOARD.refresh()
    before = models.BOARD.states()
    safetensors(folder / "SMIRK_em1.pt", SMIRKS)
    assert models.BOARD.states() is before
    models.BOARD.refresh()
    assert {one.model.key: one.state for one in models.BOARD.states()}["smirk"] is State.FOUND
