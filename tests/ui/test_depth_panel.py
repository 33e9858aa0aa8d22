"""The depth mesh's panel: what counts with the method is shown, what the method lacks is said, a job shows itself."""

from __future__ import annotations

import bpy
from likeness.operators import depth
from likeness.ui import depth_panel

from tests.ui.test_panels import draw


def shown(notes: list[str]) -> set[str]:
    return {note.removeprefix("prop ") for note in notes if note.startswith("prop ")}


def test_choices_of_other_methods_are_hidden(extension):
    choices = depth.depth_settings(bpy.context)
    notes = draw(depth_panel.LIKENESS_PT_depth)
    assert shown(notes) == set(depth.CHOICES) - set(depth.EG3D_CHOICES)
    assert "button likeness.depth_mesh" in notes
    assert "Pick a photo in the Reconstruct panel" in notes
    choices.method, choices.inversion = "EG3D", "TUNE"
    assert shown(draw(depth_panel.LIKENESS_PT_depth)) == set(depth.CHOICES) - set(depth.OTHER_CHOICES)


def test_a_missing_generator_is_said(extension, tmp_path):
    choices = depth.depth_settings(bpy.context)
    choices.method = "EG3D"
    assert "EG3D's file is not in the model folder" in draw(depth_panel.LIKENESS_PT_depth)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "ffhqrebalanced512-128.pkl").write_bytes(b"")
    assert not any("EG3D" in note for note in draw(depth_panel.LIKENESS_PT_depth))


def test_a_running_job_shows_its_progress(extension, photo):
    choices = depth.depth_settings(bpy.context)
    choices.method = "EG3D"
    job = depth.start_depth(bpy.context, str(photo("slow")), choices)
    notes = draw(depth_panel.LIKENESS_PT_depth)
    job.cancel(wait=True)
    assert isinstance(job, depth.KeepingDepthJob)
    assert "button Cancel (Esc)" in notes
    assert "button likeness.depth_mesh" not in notes
