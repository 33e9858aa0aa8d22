"""The sidebar and the preferences, drawn on a layout that checks every property and operator it is given."""

from __future__ import annotations

from types import SimpleNamespace

import bpy
import pytest
from likeness.engine.errors import WorkerError
from likeness.operators import heads, reconstruct
from likeness.ui import panels, preferences, thumbnail
from likeness.ui.text import wrapped


class Layout:
    """Notes what is drawn. Every property and operator must exist."""

    def __init__(self, notes=None):
        self.__dict__["notes"] = [] if notes is None else notes

    def __setattr__(self, name, value):
        assert name in bpy.types.UILayout.bl_rna.properties, name

    def _nested(self, **keywords):
        return Layout(self.notes)

    row = column = box = split = _nested

    def separator(self, factor=1.0):
        if factor:
            self.notes.append("---")

    def label(self, text, icon="NONE"):
        self._icon(icon)
        self.notes.append(text)

    def prop(self, data, name, text=None, **keywords):
        assert name in data.bl_rna.properties, name
        self.notes.append(f"prop {name}")

    def operator(self, name, text=None, icon="NONE", depress=False, emboss=True):
        self._icon(icon)
        module, function = name.split(".")
        properties = getattr(getattr(bpy.ops, module), function).get_rna_type().properties
        self.notes.append(f"button {text or name}")
        return SimpleNamespace(**dict.fromkeys(properties.keys()))

    def operator_menu_enum(self, name, prop, text=""):
        self.operator(name)
        self.notes.append(f"menu {text}")

    def progress(self, factor, text):
        assert 0.0 <= factor <= 1.0
        self.notes.append(f"progress {text}")

    def template_icon(self, icon, scale):
        assert icon >= 0  # 0 without a window
        self.notes.append("thumbnail")

    def _icon(self, icon):
        assert icon in bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items


class Context:
    """The real context with a region of a width."""

    region = SimpleNamespace(width=260)
    preferences = SimpleNamespace(system=SimpleNamespace(ui_scale=1.0))

    def __getattr__(self, name):
        return getattr(bpy.context, name)


def draw(panel) -> list[str]:
    """What a panel draws now."""
    layout = Layout()
    stage = SimpleNamespace(layout=layout)
    for name in dir(panel):
        if name.startswith("draw_"):
            setattr(stage, name, getattr(panel, name).__get__(stage))
    panel.draw(stage, Context())
    return layout.notes


def test_first_look(extension):
    notes = draw(panels.LIKENESS_PT_reconstruct)
    assert "button likeness.reconstruct" in notes
    assert "Pick a photo, or drop one here" in notes
    assert "thumbnail" not in notes


def test_photo_has_a_thumbnail(extension, tmp_path):
    image = bpy.data.images.new("photo", 8, 4)
    image.filepath_raw, image.file_format = str(tmp_path / "photo.png"), "PNG"
    image.save()
    bpy.context.scene.likeness.photo = str(tmp_path / "photo.png")
    assert "thumbnail" in draw(panels.LIKENESS_PT_reconstruct)
    assert tuple(thumbnail.thumbnail_of(tmp_path / "photo.png").image_size) == (8, 4)
    assert thumbnail.thumbnail_of(tmp_path / "missing.png") is None


def test_progress_replaces_the_button(extension, photo):
    job = reconstruct.start_reconstruction(bpy.context, str(photo("slow")), bpy.context.scene.likeness)
    notes = draw(panels.LIKENESS_PT_reconstruct)
    job.cancel(wait=True)
    assert "progress Starting the engine" in notes
    assert "button Cancel (Esc)" in notes
    assert "button likeness.reconstruct" not in notes


def test_error_stays_in_the_panel_with_its_cure(extension, photo):
    with pytest.raises(RuntimeError, match="No face"):
        bpy.ops.likeness.reconstruct(filepath=str(photo("noface")))
    text = " ".join(draw(panels.LIKENESS_PT_reconstruct))
    assert "No face was found" in text
    assert "larger" in text


def test_options_show_every_choice(extension):
    notes = draw(panels.LIKENESS_PT_options)
    shown = {note.removeprefix("prop ") for note in notes if note.startswith("prop ")}
    assert shown == set(reconstruct.CHOICES)


def test_head_panel_follows_the_selection(extension, photo):
    assert not panels.LIKENESS_PT_head.poll(bpy.context)
    bpy.ops.likeness.reconstruct(filepath=str(photo("good")))
    assert panels.LIKENESS_PT_head.poll(bpy.context)
    head = bpy.context.view_layer.objects.active
    head[heads.REPORT_KEY] = '{"warnings": ["Several faces were found; the largest was used."]}'
    notes = draw(panels.LIKENESS_PT_head)
    assert notes[0] == "portrait"
    assert "Several faces were found; the largest was used." in " ".join(notes)
    assert "menu View Key" in notes
    assert notes.count("prop value") == 1  # the hair's volume
    assert "button likeness.toggle_hair" in notes
    bpy.ops.likeness.view_key(key="jawOpen")
    notes = draw(panels.LIKENESS_PT_head)
    assert "menu jawOpen" in notes
    assert notes.count("prop value") == 2
    assert "Head: three spheres, CC0" in " ".join(draw(panels.LIKENESS_PT_provenance))


def test_preferences_page(extension):
    layout = Layout()
    properties = preferences.LIKENESS_AP_preferences.bl_rna.properties
    page = SimpleNamespace(layout=layout, bl_rna=SimpleNamespace(properties=properties))
    preferences.LIKENESS_AP_preferences.draw(page, Context())
    assert layout.notes[:4] == ["prop interpreter", "prop device", "prop model_folder", "prop cache_folder"]


def test_preferences(extension):
    bpy.ops.likeness.check_engine()
    layout = Layout()
    preferences.draw_engine(layout, Context())
    assert layout.notes == ["button likeness.check_engine", "python", "fake"]


def test_preferences_show_a_failed_check(extension, monkeypatch):
    monkeypatch.setattr(extension.session, "refusal", WorkerError("There is no engine.", "Choose one."))
    layout = Layout()
    preferences.draw_engine(layout, Context())
    assert layout.notes[1:] == ["There is no engine.", "Choose one."]


def test_long_text_is_wrapped_to_the_region():
    lines = wrapped(Context(), "A sentence about /a/very/long/path/without/any/spaces/that/does/not/fit.jpg and more.")
    assert len(lines) > 2
    assert all(len(line) <= 32 for line in lines)
    assert "".join(lines).replace(" ", "").endswith("fit.jpgandmore.")
