"""The Models panel, drawn on a layout that checks every operator and icon it is given."""

from __future__ import annotations

from types import SimpleNamespace

import bpy
import pytest
from likeness.engine.errors import ModelFileError
from likeness.engine.models import places
from likeness.engine.models.registry import GROUPS, MODELS, SMIRK
from likeness.engine.models.states import State, Status
from likeness.operators import models
from likeness.operators.job import State as JobState
from likeness.ui import models_panel, panels, preferences

from .test_panels import Context, Layout, draw


@pytest.fixture
def board(extension, monkeypatch):
    """The board as after a start of Blender."""
    models.BOARD.__init__()
    yield models.BOARD
    models.BOARD.__init__()


def test_first_look_is_short_and_finds_nothing_wrong(board):
    notes = draw(models_panel.LIKENESS_PT_models)
    assert notes[:2] == ["button likeness.scan_models", "button likeness.check_models"]
    assert notes[2:-1] == [
        f"button {group} ({sum(m.bundled is not None for m in MODELS if m.group == group)} of "
        f"{sum(m.group == group for m in MODELS)})"
        for group in GROUPS
    ]
    assert notes[-1] == "button Engine and Folders"


def test_an_unfolded_group_shows_its_models_with_their_states(board):
    board.unfolded.add("Regressors")
    notes = draw(models_panel.LIKENESS_PT_models)
    assert notes.count("Missing") == 3
    assert {"button SMIRK", "button DECA", "button Deep3D"} <= set(notes)
    bpy.ops.likeness.unfold_model(key="Regressors")
    assert "button SMIRK" not in draw(models_panel.LIKENESS_PT_models)


def test_an_unfolded_model_tells_what_it_is_for_and_whose_it_is(board):
    board.unfolded |= {"Detector", "face_landmarker"}
    notes = draw(models_panel.LIKENESS_PT_models)
    text = " ".join(notes)
    assert "Finds the face" in text
    assert "Licence: Apache-2.0" in text
    assert "Size: about 3.76 MB" in text
    assert "SHA-256: " in text
    for button in ("Locate File", "Open Owner's Page", "likeness.download_model"):
        assert f"button {button}" in notes
    assert "button likeness.convert_model" not in notes


def test_only_what_its_owner_gives_to_everybody_has_a_download_button(board):
    board.unfolded |= {*GROUPS, *(model.key for model in MODELS)}
    notes = draw(models_panel.LIKENESS_PT_models)
    assert notes.count("button likeness.download_model") == 2
    assert notes.count("button Open Owner's Page") == sum(bool(model.source) for model in MODELS)
    assert notes.count("button Locate Folder") == 1


def shown(status, board):
    board.unfolded.add(status.model.key)
    layout = Layout()
    models_panel.draw_model(layout, Context(), status)
    return layout.notes


def test_a_wrong_file_shows_in_a_folded_group_with_the_reason(board, tmp_path, monkeypatch):
    path = tmp_path / "SMIRK_em1.pt"
    wrong = Status(SMIRK, State.WRONG, path, "This is DECA's checkpoint, not “SMIRK”.")
    monkeypatch.setattr(board, "states", lambda: [wrong])
    notes = draw(models_panel.LIKENESS_PT_models)
    assert notes[notes.index("button SMIRK") + 1] == "Wrong"
    text = " ".join(shown(wrong, board))
    assert "This is DECA's checkpoint, not “SMIRK”." in text


def test_a_usable_pickle_can_be_converted_and_a_chosen_one_forgotten(board, tmp_path):
    path = tmp_path / "SMIRK_em1.pt"
    places.choose(tmp_path / "models", {"smirk": path})
    board.states()
    notes = shown(Status(SMIRK, State.USABLE, path, "SMIRK"), board)
    assert "button likeness.convert_model" in notes
    assert "button likeness.forget_model" in notes
    notes = shown(Status(SMIRK, State.USABLE, tmp_path / "x.safetensors", "SMIRK"), board)
    assert "button likeness.convert_model" not in notes


def test_moved_files_say_where_they_were(board, tmp_path):
    places.choose(tmp_path / "models", {"smirk": tmp_path / "gone.pt"})
    board.unfolded |= {"Regressors", "smirk"}
    notes = draw(models_panel.LIKENESS_PT_models)
    assert notes[notes.index("button SMIRK") + 1] == "Missing"
    assert "is there no more." in " ".join(notes)
    assert "gone.pt" in "".join(notes)


def test_notes_and_errors_of_the_last_job_are_shown(board, monkeypatch, extension):
    board.notes = ["SMIRK: This is DECA's checkpoint, not “SMIRK”."]
    assert "This is DECA's checkpoint" in " ".join(draw(models_panel.LIKENESS_PT_models))
    monkeypatch.setattr(extension.session, "job", job_in(JobState.FAILED))
    notes = draw(models_panel.LIKENESS_PT_models)
    assert "The folder is gone." in notes
    assert "Choose another." in notes
    assert "The folder is gone." not in draw(panels.LIKENESS_PT_reconstruct)


def job_in(state):
    """A job of this panel, without a process."""
    job = models.ModelsJob.__new__(models.ModelsJob)
    job.state, job.stage, job.fraction, job.title = state, "Looking at files", 0.5, "Scanning downloads"
    job.error = ModelFileError("The folder is gone.", "Choose another.") if state is JobState.FAILED else None
    return job


def test_progress_with_the_way_out_replaces_the_buttons(board, monkeypatch, extension):
    monkeypatch.setattr(extension.session, "job", job_in(JobState.RUNNING))
    notes = draw(models_panel.LIKENESS_PT_models)
    assert notes[:2] == ["progress Looking at files", "button Cancel (Esc)"]
    assert "button likeness.scan_models" not in notes
    assert not any(note.startswith("progress") for note in draw(panels.LIKENESS_PT_reconstruct))
    monkeypatch.setattr(extension.session, "job", None)


def test_drawing_looks_into_no_file(board, monkeypatch, tmp_path):
    monkeypatch.setattr("likeness.engine.models.states.identify", lambda path: pytest.fail("looked into a file"))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "SMIRK_em1.pt").write_bytes(b"anything")
    board.unfolded |= {"Regressors"}
    notes = draw(models_panel.LIKENESS_PT_models)
    assert notes[notes.index("button SMIRK") + 1] == "Found"


def test_the_preferences_show_the_same_list(board):
    layout = Layout()
    properties = preferences.LIKENESS_AP_preferences.bl_rna.properties
    page = SimpleNamespace(layout=layout, bl_rna=SimpleNamespace(properties=properties))
    preferences.LIKENESS_AP_preferences.draw(page, Context())
    assert "Models" in layout.notes
    assert "button likeness.scan_models" in layout.notes


def test_sizes_are_in_the_unit_that_suits_them():
    assert [models_panel.human(size) for size in (300, 31_000, 53_000_000, 1_376_000_000)] == [
        "1 KB", "31 KB", "53 MB", "1.38 GB",
    ]  # fmt: skip
